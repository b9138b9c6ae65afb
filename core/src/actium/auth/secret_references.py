"""References to secrets, the only form in which a configuration may hold one.

A ``SecretStr`` field holds ``env:NAME`` or ``file:PATH``. The reference is what is stored, shown and logged; it is
resolved when an execution runs, in that process, and what was resolved is masked in everything that is recorded.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar, Token
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, get_args
from urllib.parse import quote, quote_plus
from uuid import UUID

from pydantic import BaseModel, Secret, SecretBytes, SecretStr

from actium.errors import FieldProblem, InvalidConfigurationError, SecretResolutionError
from actium.models.base import dotted
from actium.models.leaves import Location, items, leaves, unwrapped, wraps
from actium.models.spellings import spellings

MASK = "**********"
_SHORTEST_MASKED = 4
_SHORTEST_IN_BASE64 = 8

ModelT = TypeVar("ModelT", bound=BaseModel)


noted_here: ContextVar[list[str] | None] = ContextVar("actium_resolved_secrets", default=None)
"""Where the secrets are noted that the running code resolves; None where nobody wants to know them."""


def secrets_noted_here() -> list[str] | None:
    """The secrets that are being collected for the running code, see `noting_secrets`; None where nobody does."""
    return noted_here.get()


class noting_secrets:  # noqa: N801  # used as a statement; a generator would cost every execution twice as much
    """Collect the secrets that are resolved inside a ``with``, so that what is recorded afterwards can be masked."""

    __slots__ = ("_before", "_secrets")

    def __init__(self, into: list[str] | None = None) -> None:
        """Collect them in a list of their own, or ``into`` one that there is."""
        self._secrets = [] if into is None else into

    def __enter__(self) -> list[str]:
        self._before: Token[list[str] | None] = noted_here.set(self._secrets)
        return self._secrets

    def __exit__(self, *interruption: object) -> None:
        noted_here.reset(self._before)


def _from_environment(name: str) -> str:
    try:
        return os.environ[name]
    except (KeyError, UnicodeEncodeError) as error:
        raise SecretResolutionError(
            f"The environment variable {name!r} is not set.", hint="Set it where the worker runs."
        ) from error


def _from_file(path: str) -> str:
    try:
        return Path(path).expanduser().read_text(encoding="utf-8").removesuffix("\n")
    except (OSError, ValueError, RuntimeError) as error:  # a file's, its name's or its content's, and a home's
        raise SecretResolutionError(
            f"The secret file {path!r} cannot be read: {str(error).removesuffix('.')}.",
            hint="Check the path where the worker runs.",
        ) from error


RESOLVERS: Mapping[str, Callable[[str], str]] = {"env": _from_environment, "file": _from_file}
"""How each scheme of references is resolved."""


def check_references(config: BaseModel) -> None:
    """Refuse literal secrets.

    Raises:
        InvalidConfigurationError: With the path of each; the values are not told.
    """
    if _is_plain(type(config)):
        return
    problems = [
        FieldProblem(path=dotted(location), problem="holds a literal secret", expected="a reference")
        for location, secret in _secrets(config)
        if not _is_reference(secret.get_secret_value())
    ]
    if problems:
        raise InvalidConfigurationError(
            f"This {type(config).__name__} holds secrets that would be stored.",
            problems=problems,
            hint="Write env:NAME or file:PATH instead; it is resolved when the action runs.",
        )


def dump_with_references(config: BaseModel) -> dict[str, Any]:
    """Dump a configuration as JSON values that read back as it: defaults made explicit, secrets as references.

    Raises:
        InvalidConfigurationError: A secret stands where no reference can be kept, such as in a set.
    """
    dumped: dict[str, Any] = config.model_dump(
        mode="json",
        by_alias=False,
        round_trip=True,
        warnings=False,  # about values of another type than their field's; reading them back decides
    )
    written: dict[str, Any] = dumped if next(_secrets(config), None) is None else _written(config, dumped)
    problems = [
        FieldProblem(path=dotted(location), problem="holds a secret where no reference to it can be kept")
        for location, value in leaves(written)
        if value == MASK
    ]
    if problems:
        raise InvalidConfigurationError(
            f"This {type(config).__name__} holds secrets that would be lost.",
            problems=problems,
            hint="Keep a SecretStr in a field of a model, or in a list, a tuple or a dict.",
        )
    return written


_PLAIN = (str, int, float, bool, type(None), datetime, date, UUID)


@lru_cache(maxsize=1_024)
def _is_plain(model: type[BaseModel]) -> bool:
    """Whether a model can hold nothing but values that are certainly no secrets, so that nobody need look."""
    return model.model_config.get("extra") != "allow" and all(
        field.annotation in _PLAIN for field in model.model_fields.values()
    )


def _written(value: object, dumped: Any) -> Any:
    """The dumped form with the references that pydantic hides."""
    value = unwrapped(value)
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, BaseModel) and isinstance(dumped, dict):
        held = dict(items(value))
        return {key: _written(held.get(key), item) for key, item in dumped.items()}
    if isinstance(value, dict) and isinstance(dumped, dict):
        # The keys of the dumped form are texts; both are in one order.
        return {key: _written(held, item) for held, (key, item) in zip(value.values(), dumped.items(), strict=True)}
    if isinstance(value, list | tuple) and isinstance(dumped, list):
        return [_written(held, item) for held, item in zip(value, dumped, strict=True)]
    return dumped


def resolve_references(config: ModelT) -> ModelT:
    """Resolve all references, and note the secrets where `noting_secrets` asks for them.

    Returns:
        A configuration with the secrets themselves; the same object where it holds none.

    Raises:
        SecretResolutionError: One leads nowhere; the field's path is told.
    """
    if _is_plain(type(config)) or next(_secrets(config), None) is None:
        return config
    resolved: ModelT = _replace(config, (), _resolve)
    return resolved


def _resolve(secret: SecretStr, location: Location) -> SecretStr:
    scheme, _, rest = secret.get_secret_value().partition(":")
    try:
        value = RESOLVERS[scheme](rest)
    except SecretResolutionError as error:
        error.add_note(f"in the field {dotted(location)}")
        raise
    note_secret(value)
    return SecretStr(value)


def secret_fields(model: type[BaseModel]) -> frozenset[tuple[str, ...]]:
    """The keys that lead to a model's secrets, in every spelling; what is there is never shown in errors."""
    return frozenset(_secret_fields(model, (), frozenset()))


def _secret_fields(annotation: object, path: tuple[str, ...], above: frozenset[object]) -> Iterator[tuple[str, ...]]:
    if isinstance(annotation, type) and issubclass(annotation, SecretStr):
        yield path
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation not in above:
        for name, field in annotation.model_fields.items():
            for spelling in [()] if wraps(annotation) else spellings(name, field):
                keys = (part for part in spelling if isinstance(part, str))
                yield from _secret_fields(field.annotation, (*path, *keys), above | {annotation})
    else:
        for argument in get_args(annotation):
            yield from _secret_fields(argument, path, above)


def literals_at(paths: Iterable[tuple[str, ...]], configuration: object) -> Iterator[str]:
    """What a configuration holds in the places of secrets and is no reference: it is refused, and must not be shown.

    Args:
        paths: See `secret_fields`.
        configuration: As it was given.
    """
    for path in paths:
        yield from _literals(configuration, path)


def _literals(value: object, path: tuple[str, ...]) -> Iterator[str]:
    value = unwrapped(value)
    if isinstance(value, BaseModel):
        value = dict(items(value))
    if isinstance(value, dict):
        if path and path[0] in value:
            yield from _literals(value[path[0]], path[1:])
        else:
            for item in value.values():
                if not path or isinstance(item, dict | list | tuple):
                    yield from _literals(item, path)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _literals(item, path)
    elif not path:
        held = value.get_secret_value() if isinstance(value, Secret | SecretStr | SecretBytes) else value
        text = held.decode("utf-8", "backslashreplace") if isinstance(held, bytes) else str(held)
        if isinstance(held, str | bytes | int | float) and not isinstance(held, bool) and not _is_reference(text):
            yield text


def note_secret(secret: str) -> None:
    """Have a text masked in everything that is recorded of the execution that the running code belongs to."""
    noted = noted_here.get()
    if noted is not None:
        noted.append(secret)


def masked(value: Any, secrets: Sequence[str]) -> Any:
    """Replace secrets in all texts of a JSON value; the longest first, so that none is left in part.

    A secret is found as it is, as ``repr``, ``ascii`` and JSON write it and each of them what another wrote, as part of
    a URL or of HTML, in base64, as text and as bytes, and line by line.
    Secrets of fewer than four characters are not masked: they would tear holes into every text.
    """
    if value is None:
        return value
    mask = SecretMask(secrets)
    return _masked(value, mask) if mask.longest else value


class SecretMask:
    """Replaces secrets in texts, see `masked`.

    Attributes:
        longest: How long the longest form is that a secret is searched in; 0 where there are none.
    """

    __slots__ = ("_forms", "longest")

    def __init__(self, secrets: Sequence[str]) -> None:
        forms = {form for secret in secrets for form in _forms(secret) if len(form) >= _SHORTEST_MASKED}
        self._forms = sorted(forms, key=len, reverse=True)
        self.longest = len(self._forms[0]) if forms else 0

    def text(self, text: str) -> str:
        """A text without the secrets."""
        for form in self._forms:
            text = text.replace(form, MASK)
        return text

    def torn(self, text: str, mark: str) -> str:
        """A text without what is left of secrets in places where something was cut off it.

        Args:
            text: Already without whole secrets.
            mark: What stands in place of what was cut off.
        """
        first, *rest = text.split(mark)
        for following in rest:
            first = f"{self._without_beginning(first)}{mark}{following}"
        return first

    def _without_beginning(self, text: str) -> str:
        end = len(text.rstrip("'\""))
        for form in self._forms:
            for length in range(min(len(form) - 1, end), _SHORTEST_MASKED - 1, -1):
                if text.startswith(form[:length], end - length):
                    return f"{text[: end - length]}{MASK}{text[end:]}"
        return text


def _forms(secret: str) -> Iterator[str]:
    for text in {part.strip() for part in (secret, *secret.splitlines())}:
        yield text
        encoded = {text.encode("utf-8", "backslashreplace"), text.encode("latin-1", "ignore")}
        for data in encoded:
            yield from _base64_forms(data)
        if _ALWAYS_AS_IT_IS.fullmatch(text) is None:
            from html import escape  # few programs need what it imports

            for written in (*_escaped(text), *(form for data in encoded for form in _escaped_bytes(data))):
                yield from (written, *_escaped(written), *_escaped_bytes(written.encode("utf-8", "backslashreplace")))
            for data in encoded:
                yield from _percent_forms(data)
            yield from (escape(text), escape(text, quote=False))


_ALWAYS_AS_IT_IS = re.compile(r"[A-Za-z0-9_.~-]*")
"""What neither ``repr`` nor JSON nor a URL writes in another way."""

_QUOTES = "'\""
"""With both quotes in it, ``repr`` escapes one; with less, it may not."""


def _escaped(text: str) -> Iterator[str]:
    """A text as it stands in what ``repr``, ``ascii`` and JSON write, alone or in a longer one."""
    for written in (repr, ascii):
        yield written(text)[1:-1]
        yield written(_QUOTES + text)[len(repr(_QUOTES)) - 1 : -1]
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]


def _escaped_bytes(data: bytes) -> Iterator[str]:
    quotes = _QUOTES.encode()
    yield repr(data)[2:-1]
    yield repr(quotes + data)[len(repr(quotes)) - 1 : -1]


def _percent_forms(data: bytes) -> Iterator[str]:
    """How URLs and forms write it, with large and small digits, once and twice."""
    for written in (quote(data, safe=""), quote(data), quote_plus(data)):
        yield from (written, _PERCENT.sub(lambda found: found[0].lower(), written))
        yield from (quote(written, safe=""), _PERCENT.sub(lambda found: found[0].lower(), quote(written, safe="")))


_PERCENT = re.compile(r"%[0-9A-F]{2}")


def _base64_forms(secret: bytes) -> Iterator[str]:
    """What of a secret is the same wherever it stands in a longer text that was written in base64."""
    for before in range(3):
        written = base64.b64encode(bytes(before) + secret).decode()
        first, last = -(-before * 8 // 6), (before + len(secret)) * 8 // 6
        inner = written[first:last]
        if len(inner) >= _SHORTEST_IN_BASE64:
            yield inner
            yield inner.replace("+", "-").replace("/", "_")


def _masked(value: Any, mask: SecretMask) -> Any:
    if isinstance(value, str):
        return mask.text(value)
    if isinstance(value, dict):
        return {_masked(key, mask): _masked(item, mask) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(item, mask) for item in value]
    return value


def _is_reference(text: str) -> bool:
    scheme, colon, rest = text.partition(":")
    return bool(colon and rest) and scheme in RESOLVERS


def _secrets(config: BaseModel) -> Iterator[tuple[Location, SecretStr]]:
    for location, value in leaves(config):
        if isinstance(value, SecretStr):
            yield location, value
        elif isinstance(value, SecretBytes | Secret):
            raise InvalidConfigurationError(
                f"The field {dotted(location)} is a {type(value).__name__}, which cannot hold a reference.",
                hint="Declare it as pydantic.SecretStr.",
            )


def _replace(value: Any, location: Location, replacement: Callable[[SecretStr, Location], SecretStr]) -> Any:
    if isinstance(value, SecretStr):
        return replacement(value, location)
    if isinstance(value, BaseModel) and wraps(type(value)):
        return value.model_copy(update={"root": _replace(vars(value)["root"], location, replacement)})
    if isinstance(value, BaseModel):
        return value.model_copy(
            update={str(name): _replace(item, (*location, name), replacement) for name, item in items(value)}
        )
    if isinstance(value, dict):
        return {key: _replace(item, (*location, key), replacement) for key, item in value.items()}
    if isinstance(value, list | tuple):
        replaced = [_replace(item, (*location, index), replacement) for index, item in enumerate(value)]
        return type(value)(*replaced) if hasattr(value, "_fields") else type(value)(replaced)
    return value
