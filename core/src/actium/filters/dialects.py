"""Reading filters: what a trigger is given becomes an expression, or is refused with the path of what is wrong.

A further dialect, such as one for the payload, adds its reader to ``_DIALECTS``.
"""

from __future__ import annotations

import difflib
import itertools
import re
import reprlib
from collections.abc import Callable, Mapping, Sequence

from actium.errors import InvalidFilterError
from actium.filters.expressions import AllOf, AnyOf, Comparison, Exact, Expression, Not, Prefix, Suffix
from actium.models.attributes import CONTEXT_ATTRIBUTES, is_attribute_name, meant_attribute

MAX_DEPTH = 16
MAX_CONDITIONS = 256
MAX_TEXT = 1024

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class _Short(reprlib.Repr):
    """Writes the beginning of what was given, also of whole numbers with more digits than Python writes."""

    def repr_int(self, x: int, level: int) -> str:
        try:
            return super().repr_int(x, level)
        except ValueError:
            return f"<int of {x.bit_length():,} bits>"


_short = _Short()
_short.maxstring = _short.maxother = _short.maxlong = 80


def parse_filters(filters: Sequence[Mapping[str, object]]) -> Expression:
    """Read a trigger's filters, all of which must hold.

    Each has exactly one dialect: ``exact``, ``prefix`` and ``suffix`` take attributes with the texts to compare them
    with, ``all`` and ``any`` a list of filters, ``not`` a filter. They are written as JSON is: dicts, lists and texts,
    nothing that only behaves like one, as a store has to keep them.

    An attribute's name that is one letter left out, added, replaced or swapped with its neighbour away from a context
    attribute of four letters or more (``tpye``, ``sources``) is refused: it would be a valid extension's name, and
    the trigger would silently never match. So is ``data``, which CloudEvents keeps for the payload.

    Raises:
        InvalidFilterError: With the path of what is wrong, and the nearest right spelling.
    """
    parts = _Reader().list(filters, "filters", 0)
    return parts[0] if len(parts) == 1 else AllOf(parts)


class _Reader:
    """Reads one set of filters; counts its conditions, so that a huge one is refused before it is evaluated."""

    def __init__(self) -> None:
        self._conditions = 0

    def filter(self, given: object, path: str, depth: int) -> Expression:
        self.count(1)
        if depth > MAX_DEPTH:
            raise InvalidFilterError(f"{path} is nested more than {MAX_DEPTH} deep.", hint="Flatten the filter.")
        if not isinstance(given, dict):
            raise InvalidFilterError(
                f"{path} must be an object with one dialect, got {_short.repr(given)}.",
                hint=f"The dialects are {', '.join(_DIALECTS)}.",
            )
        if len(given) != 1:
            dialects = ", ".join(map(_short.repr, itertools.islice(given, len(_DIALECTS)))) or "none"
            raise InvalidFilterError(
                f"{path} must have exactly one dialect, has {dialects}.",
                hint="Write one filter a dialect; a list of them means that all must hold.",
            )
        ((dialect, operand),) = given.items()
        read = _DIALECTS.get(dialect)
        if read is None:
            raise InvalidFilterError(
                f"{path} has the unknown dialect {_short.repr(dialect)}.", hint=_meant_dialect(dialect)
            )
        return read(self, operand, f"{path}.{dialect}", depth)

    def list(self, given: object, path: str, depth: int) -> tuple[Expression, ...]:
        if not isinstance(given, list | tuple) or not given:
            raise InvalidFilterError(
                f"{path} must be a list of at least one filter, got {_short.repr(given)}.",
                hint="Write e.g. [{'exact': {'type': 'com.example.arrived'}}].",
            )
        return tuple(self.filter(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(given))

    def count(self, conditions: int) -> None:
        self._conditions += conditions
        if self._conditions > MAX_CONDITIONS:
            raise InvalidFilterError(
                f"The filters have more than {MAX_CONDITIONS} conditions.", hint="Use several triggers."
            )


Read = Callable[[_Reader, object, str, int], Expression]
"""Reads what stands under a dialect: with the reader, the operand, its path and its depth."""


def _comparison(kind: type[Comparison]) -> Read:
    def read(reader: _Reader, given: object, path: str, _: int) -> Expression:
        if not isinstance(given, dict) or not given:
            raise InvalidFilterError(
                f"{path} must be an object of attributes and texts, got {_short.repr(given)}.",
                hint=f"Write e.g. {{'{kind.DIALECT}': {{'type': 'com.example.arrived'}}}}.",
            )
        reader.count(len(given) - 1)
        return kind(tuple((_attribute(name, path), _text(text, f"{path}.{name}")) for name, text in given.items()))

    return read


_DIALECTS: Mapping[str, Read] = {
    "exact": _comparison(Exact),
    "prefix": _comparison(Prefix),
    "suffix": _comparison(Suffix),
    "all": lambda reader, given, path, depth: AllOf(reader.list(given, path, depth)),
    "any": lambda reader, given, path, depth: AnyOf(reader.list(given, path, depth)),
    "not": lambda reader, given, path, depth: Not(reader.filter(given, path, depth + 1)),
}


def _attribute(name: object, path: str) -> str:
    if not isinstance(name, str) or not is_attribute_name(name):
        raise InvalidFilterError(
            f"{path} has the attribute {_short.repr(name)}, which no event can have.", hint=_spelled_right(name)
        )
    if name == "data":
        raise InvalidFilterError(
            f"{path}.data looks for the payload, which is no attribute.",
            hint=f"Attributes are {', '.join(CONTEXT_ATTRIBUTES)} and extensions.",
        )
    meant = meant_attribute(name)
    if meant is not None:
        raise InvalidFilterError(f"{path}.{name} is an unknown attribute.", hint=f"Did you mean {meant!r}?")
    return name


def _text(text: object, path: str) -> str:
    if not isinstance(text, str) or not text:
        raise InvalidFilterError(
            f"{path} must be a text that is not empty, got {_short.repr(text)}.",
            hint="Attributes are compared in their text form: write '7' and 'true'.",
        )
    if len(text) > MAX_TEXT:
        raise InvalidFilterError(
            f"{path} must have at most {MAX_TEXT:,} characters, has {len(text):,}: {_short.repr(text)}.",
            hint="Compare a part of it with 'prefix' or 'suffix'.",
        )
    if _UNSTORABLE.search(text):
        raise InvalidFilterError(
            f"{path} has a NUL byte or an unpaired surrogate: {_short.repr(text)}.",
            hint="No attribute can have one, so it would never match.",
        )
    return text


def _meant_dialect(given: object) -> str:
    if given in CONTEXT_ATTRIBUTES:
        return f"An attribute stands under a dialect: write e.g. {{'exact': {{'{given}': ...}}}}."
    near = difflib.get_close_matches(given.lower() if isinstance(given, str) else "", _DIALECTS, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known are {', '.join(_DIALECTS)}."


def _spelled_right(given: object) -> str:
    plain = re.sub(r"[^a-z0-9]", "", given.lower()) if isinstance(given, str) else ""
    if plain in CONTEXT_ATTRIBUTES:
        return f"Did you mean {plain!r}?"
    return "Attributes' names are 1 to 64 lower-case letters and digits."
