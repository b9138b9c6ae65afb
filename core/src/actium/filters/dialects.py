"""Reading filters: what a trigger is given becomes an expression, or is refused with the path of what is wrong.

A further dialect, such as one for the payload, adds its reader to ``_DIALECTS``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence

from actium.errors import InvalidFilterError
from actium.filters.expressions import AllOf, AnyOf, Comparison, Exact, Expression, Not, Prefix, Suffix

MAX_DEPTH = 16
MAX_NODES = 256
MAX_TEXT = 1024

CONTEXT_ATTRIBUTES = ("id", "source", "specversion", "type", "datacontenttype", "dataschema", "subject", "time")
"""The attributes that CloudEvents 1.0 defines; all others are extensions."""

_ATTRIBUTE = re.compile(r"[a-z0-9]{1,64}")
_SHORTEST_CORRECTED = 4


def parse_filters(filters: Sequence[Mapping[str, object]]) -> Expression:
    """Read a trigger's filters, all of which must hold.

    Each has exactly one dialect: ``exact``, ``prefix`` and ``suffix`` take attributes with the texts to compare them
    with, ``all`` and ``any`` a list of filters, ``not`` a filter.

    An attribute's name that is one letter off a context attribute (``tpye``, ``sources``) is refused: it would be
    a valid extension's name, and the trigger would silently never match.

    Raises:
        InvalidFilterError: With the path of what is wrong, and the nearest right spelling.
    """
    parts = _Reader().list(filters, "filters", 0)
    return parts[0] if len(parts) == 1 else AllOf(parts)


class _Reader:
    """Reads one set of filters; counts its parts, so that a huge one is refused before it is evaluated."""

    def __init__(self) -> None:
        self._nodes = 0

    def filter(self, given: object, path: str, depth: int) -> Expression:
        self._nodes += 1
        if depth > MAX_DEPTH:
            raise InvalidFilterError(f"{path} is nested more than {MAX_DEPTH} deep.", hint="Flatten the filter.")
        if self._nodes > MAX_NODES:
            raise InvalidFilterError(f"There are more than {MAX_NODES} filters.", hint="Use several triggers.")
        if not isinstance(given, Mapping):
            raise InvalidFilterError(
                f"{path} must be an object with one dialect, got {given!r:.100}.",
                hint=f"The dialects are {', '.join(_DIALECTS)}.",
            )
        if len(given) != 1:
            raise InvalidFilterError(
                f"{path} must have exactly one dialect, has {', '.join(map(repr, given)) or 'none'}.",
                hint="Write one filter a dialect; a list of them means that all must hold.",
            )
        ((dialect, operand),) = given.items()
        read = _DIALECTS.get(str(dialect))
        if read is None:
            raise InvalidFilterError(
                f"{path} has the unknown dialect {dialect!r}.", hint=_nearest(str(dialect), tuple(_DIALECTS))
            )
        return read(self, operand, f"{path}.{dialect}", depth)

    def list(self, given: object, path: str, depth: int) -> tuple[Expression, ...]:
        if not isinstance(given, Sequence) or isinstance(given, str | bytes) or not given:
            raise InvalidFilterError(
                f"{path} must be a list of at least one filter, got {given!r:.100}.",
                hint="Write e.g. [{'exact': {'type': 'com.example.arrived'}}].",
            )
        return tuple(self.filter(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(given))


Read = Callable[[_Reader, object, str, int], Expression]
"""Reads what stands under a dialect: with the reader, the operand, its path and its depth."""


def _comparison(kind: type[Comparison]) -> Read:
    def read(_: _Reader, given: object, path: str, __: int) -> Expression:
        if not isinstance(given, Mapping) or not given:
            raise InvalidFilterError(
                f"{path} must be an object of attributes and texts, got {given!r:.100}.",
                hint=f"Write e.g. {{'{kind.DIALECT}': {{'type': 'com.example.arrived'}}}}.",
            )
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
    if not isinstance(name, str) or not _ATTRIBUTE.fullmatch(name):
        raise InvalidFilterError(
            f"{path} has the attribute {name!r}, which no event can have.",
            hint="Attributes' names are 1 to 64 lower-case letters and digits.",
        )
    if name not in CONTEXT_ATTRIBUTES:
        for known in CONTEXT_ATTRIBUTES:
            if len(known) >= _SHORTEST_CORRECTED and _one_edit_apart(name, known):
                raise InvalidFilterError(f"{path} has the unknown attribute {name!r}.", hint=f"Did you mean {known!r}?")
    return name


def _text(text: object, path: str) -> str:
    if not isinstance(text, str) or not text:
        raise InvalidFilterError(
            f"{path} must be a text that is not empty, got {text!r:.100}.",
            hint="Attributes are compared in their text form: write '7' and 'true'.",
        )
    if len(text) > MAX_TEXT or "\x00" in text:
        raise InvalidFilterError(f"{path} must be at most {MAX_TEXT:,} characters without NUL, got {text[:40]!r}….")
    return text


def _one_edit_apart(given: str, known: str) -> bool:
    """Whether one letter was left out, added, replaced, or swapped with its neighbour."""
    if given == known or abs(len(given) - len(known)) > 1:
        return False
    at = next((i for i, (a, b) in enumerate(zip(given, known, strict=False)) if a != b), min(len(given), len(known)))
    if len(given) == len(known):
        swapped = known[:at] + known[at + 1 : at + 2] + known[at] + known[at + 2 :]
        return given[at + 1 :] == known[at + 1 :] or given == swapped
    longer, shorter = (given, known) if len(given) > len(known) else (known, given)
    return longer[at + 1 :] == shorter[at:]


def _nearest(given: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(given, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known are {', '.join(known)}."
