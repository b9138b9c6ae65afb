"""Values in words, without running any code of theirs.

What a plugin hands around may be anything: its ``repr`` may raise, never return, or change things. So none is called.
Values of known types are told by what they hold; of all others only the type is told. Attributes are read where they
lie, past properties and ``__getattribute__``, and how much is read is bounded.
"""

from __future__ import annotations

import pathlib
import types
import uuid
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Secret, SecretBytes, SecretStr

from actium.auth.context import AuthContext
from actium.auth.secret_references import MASK
from actium.tracing.failures import RawFailure, message_of, mro_of, type_name
from actium.tracing.limits import FULL, MAX_RAW_TEXT, Limits
from actium.tracing.masking import TraceMask, is_password_name, is_reference, is_telling_name
from actium.tracing.spans import Plain

if TYPE_CHECKING:
    from actium.tracing.recorder import Recording

_name_of: Callable[[type], str] = type.__dict__["__name__"].__get__
_EXACT_NUMBER = 2**53
_MOST_BITS = 10_000
_LEFT_OUT = "…"
_MOST_ADDED = 40
"""How much longer than the limit a value may be that was cut, with its size told."""


class Describer:
    """Tells values in words, within limits and without what is secret. One is used by one thread at a time."""

    def __init__(self, mask: TraceMask, limits: Limits) -> None:
        self.mask = mask
        self._limits = limits
        self._room = 0
        self._above: set[int] = set()

    def arguments(self, named: Mapping[str, object]) -> dict[str, Plain]:
        """Named values; those under a telling name are masked."""
        told: dict[str, Plain] = {}
        for name, value in islice(named.items(), self._limits.items):
            shown = self.mask.beginning(str(name), self._limits.text)
            told[shown] = MASK if _is_secret(name, value) else self.value(value)
        if len(named) > self._limits.items:
            told[_LEFT_OUT] = f"{len(named):,} in all"
        return told

    def value(self, value: Any) -> Plain:
        """A value: a number as it is, a text as it is up to the limit, anything else in words."""
        kind = type(value)
        if value is None or kind is bool:
            return cast("Plain", value)
        if kind is Told:
            told = self.mask.registered(str.__str__(value))  # some secrets may have become known since
            return self._cut(self.mask.torn(told, _LEFT_OUT), self._limits.characters + _MOST_ADDED)
        if kind is str:
            return self.text(str.__str__(value), self._limits.characters)
        self._room, self._above = self._limits.values, set()
        if (kind is int and abs(value) < _EXACT_NUMBER) or kind is float:
            return self._number(value)
        return self._cut(self._told(value, 0))

    def text(self, text: str, length: int | None = None) -> str:
        """A text, cut with its size told."""
        length = self._limits.text if length is None else length
        if len(text) <= length:
            return self._cut(self.mask.text(text), length)
        return f"{self.mask.beginning(text, length)}{_LEFT_OUT} ({len(text):,} characters)"

    def _cut(self, told: str, length: int | None = None) -> str:
        length = self._limits.characters if length is None else length
        masked = self.mask.registered(told)
        if len(masked) <= length:
            return masked
        return f"{masked[:length]}{_LEFT_OUT} ({len(masked):,} characters)"

    def _number(self, value: float) -> Plain:
        written = repr(value)
        if self.mask.text(written) != written:
            return MASK
        return written if written in {"nan", "inf", "-inf"} else value

    def _told(self, value: object, depth: int) -> str:
        self._room -= 1
        if self._room < 0 or depth > self._limits.depth:
            return _LEFT_OUT
        kind = type(value)
        try:
            exact = _EXACT.get(kind)
            if exact is not None:
                return self.mask.registered(exact(value))
            if id(value) in self._above:
                return _LEFT_OUT
            self._above.add(id(value))
            try:
                return self._structure(kind, value, depth)
            finally:
                self._above.discard(id(value))
        except Exception as error:  # e.g. a dict that another thread changes meanwhile
            return f"<{type_name(kind)}, which cannot be shown: {type_name(type(error))}>"

    def _structure(self, kind: type, value: Any, depth: int) -> str:
        for base in mro_of(kind):
            tell = _BY_BASE.get(base)
            if tell is not None:
                return tell(self, kind, value, depth)
            if "__dataclass_fields__" in base.__dict__:
                return self._dataclass(kind, base.__dict__["__dataclass_fields__"], value, depth)
        return f"<{type_name(kind)}>"

    # The kinds of values

    def _str(self, kind: type, value: str, depth: int) -> str:
        text = str.__str__(value)
        if len(text) <= self._limits.text:
            return repr(self.mask.text(text))
        return f"{self.mask.beginning(text, self._limits.text)!r}{_LEFT_OUT} ({len(text):,} characters)"

    def _bytes(self, kind: type, value: bytes | bytearray, depth: int) -> str:
        length = self._limits.text
        window = bytes(value[: length + 4 * self.mask.longest]).decode("utf-8", "backslashreplace")
        shown = self.mask.beginning(window, length)
        size = f"{_LEFT_OUT} ({len(value):,} bytes)" if len(value) > length else ""
        return f"b{shown!r}{size}"

    def _int(self, kind: type, value: int, depth: int) -> str:
        bits = int.bit_length(value)
        return self.mask.text(int.__repr__(value)) if bits <= _MOST_BITS else f"<int of {bits:,} bits>"

    def _float(self, kind: type, value: float, depth: int) -> str:
        return self.mask.text(float.__repr__(value))

    def _list(self, kind: type, value: list[Any], depth: int) -> str:
        return self._items("[", list.__iter__(value), list.__len__(value), "]", depth, kind, list)

    def _tuple(self, kind: type, value: tuple[Any, ...], depth: int) -> str:
        names = kind.__dict__.get("_fields")
        if type(names) is tuple:
            return self._named(kind, [*zip(names, tuple.__iter__(value), strict=False)], depth)
        if tuple.__len__(value) == 2 and _is_secret(tuple.__getitem__(value, 0), tuple.__getitem__(value, 1)):
            return f"({self._told(tuple.__getitem__(value, 0), depth + 1)}, {MASK!r})"  # as headers are written
        return self._items("(", tuple.__iter__(value), tuple.__len__(value), ")", depth, kind, tuple)

    def _set(self, kind: type, value: set[Any], depth: int) -> str:
        return self._items("{", set.__iter__(value), set.__len__(value), "}", depth, kind, set)

    def _frozenset(self, kind: type, value: frozenset[Any], depth: int) -> str:
        shown = self._items("{", frozenset.__iter__(value), frozenset.__len__(value), "}", depth, kind, frozenset)
        return f"frozenset({shown})" if kind is frozenset else shown

    def _deque(self, kind: type, value: deque[Any], depth: int) -> str:
        return f"deque({self._items('[', deque.__iter__(value), deque.__len__(value), ']', depth, kind, kind)})"

    def _dict(self, kind: type, value: dict[Any, Any], depth: int) -> str:
        size = dict.__len__(value)
        parts = []
        for key, item in islice([*dict.items(value)] if size <= self._limits.items else dict.items(value), self._most):
            shown = MASK if _is_secret(key, item) else None
            told = repr(shown) if shown is not None else self._told(item, depth + 1)
            parts.append(f"{self._told(key, depth + 1)}: {told}")
        prefix = "" if kind in _PLAIN_DICTS else type_name(kind)
        return f"{prefix}{{{_listed(parts, size, 'items')}}}"

    def _model(self, kind: type[BaseModel], value: BaseModel, depth: int) -> str:
        held = dict(object.__getattribute__(value, "__dict__"))
        held.update(object.__getattribute__(value, "__pydantic_extra__") or {})
        return self._fields(kind, held, depth)

    def _fields(self, kind: type[BaseModel], held: Mapping[str, Any], depth: int) -> str:
        if kind.__pydantic_root_model__:
            return f"{_name_of(kind)}({self._told(held.get('root'), depth + 1)})"
        hidden = {name for name, field in kind.__pydantic_fields__.items() if not field.repr}
        return self._named(kind, [(name, item) for name, item in held.items() if name not in hidden], depth)

    def _dataclass(self, kind: type, fields: Mapping[str, Any], value: object, depth: int) -> str:
        shown = [name for name, field in fields.items() if field.repr]
        return self._named(kind, [(name, _attribute(kind, value, name)) for name in shown], depth)

    def _held(self, kind: type, value: Held, depth: int) -> str:
        return self._fields(value.kind, value.fields, depth)

    def _enum(self, kind: type, value: Enum, depth: int) -> str:
        return f"{_name_of(kind)}.{object.__getattribute__(value, '__dict__').get('_name_', _LEFT_OUT)}"

    def _raw_failure(self, kind: type, value: RawFailure, depth: int) -> str:
        return f"{value.type}({self.text(value.message)!r})"

    def _error(self, kind: type, value: BaseException, depth: int) -> str:
        return f"{_name_of(kind)}({self.text(message_of(value))!r})"

    def _secret(self, kind: type, value: object, depth: int) -> str:
        held = object.__getattribute__(value, "_secret_value")
        return f"{_name_of(kind)}({held if type(held) is str and is_reference(held) else MASK!r})"

    def _auth_context(self, kind: type, value: AuthContext, depth: int) -> str:
        return f"AuthContext(service_account={self._told(value.service_account.name, depth)})"

    def _class(self, kind: type, value: type, depth: int) -> str:
        return f"<class {type_name(value)}>"

    def _function(self, kind: type, value: types.FunctionType, depth: int) -> str:
        return f"<function {value.__qualname__}>"

    def _module(self, kind: type, value: types.ModuleType, depth: int) -> str:
        return f"<module {types.ModuleType.__getattribute__(value, '__name__')}>"

    # How several are written

    @property
    def _most(self) -> int:
        return self._limits.items

    def _items(self, begin: str, items: Iterable[Any], size: int, end: str, depth: int, kind: type, plain: type) -> str:
        parts = [self._told(item, depth + 1) for item in islice(items, self._most)]
        comma = "," if plain is tuple and size == 1 else ""
        prefix = "" if kind is plain else type_name(kind)
        return f"{prefix}{begin}{_listed(parts, size, 'items')}{comma}{end}"

    def _named(self, kind: type, items: Sequence[tuple[str, Any]], depth: int) -> str:
        parts = []
        for name, item in islice(items, self._most):
            told = repr(MASK) if _is_secret(name, item) else self._told(item, depth + 1)
            parts.append(f"{name}={told}")
        return f"{_name_of(kind)}({_listed(parts, len(items), 'fields')})"


class Told(str):
    """A value that was put into words when it was noted."""

    __slots__ = ()


def noted(value: object, recording: Recording) -> object:
    """A value to be told later on, which holds nothing large meanwhile."""
    kind = type(value)
    if kind in {int, float, bool, types.NoneType} or (kind is str and len(value) <= MAX_RAW_TEXT):  # type: ignore[arg-type]  # it is one
        return value
    told = Describer(recording.mask(), FULL).value(value)
    return Told(told) if type(told) is str else told


class Held:
    """What a model held at one moment; its fields may have been given other values since."""

    __slots__ = ("fields", "kind")

    def __init__(self, kind: type[BaseModel], fields: dict[str, Any]) -> None:
        self.kind = kind
        self.fields = fields


def held(value: object) -> object:
    """What a value is told from later on: of models, dicts and lists what they hold now, everything else as it is."""
    kind: Any = type(value)
    if kind is dict:
        return dict(value)  # type: ignore[call-overload]  # it is one
    if kind is list:
        return list(value)  # type: ignore[call-overload]  # it is one
    if _is_model(kind):
        return Held(kind, dict(object.__getattribute__(value, "__dict__")))
    return value


@lru_cache(maxsize=1_024)
def _is_model(kind: type) -> bool:
    return BaseModel in mro_of(kind)


def _listed(parts: list[str], size: int, what: str) -> str:
    more = [f"{_LEFT_OUT} ({size:,} {what})"] if size > len(parts) else []
    return ", ".join([*parts, *more])


def _is_secret(name: object, value: object) -> bool:
    """Whether a value lies under a telling name. Numbers are counted things, but not under the name of a password, and
    a reference to a secret is none.
    """
    if type(name) is not str:
        return False
    if type(value) in {int, float}:
        return is_password_name(name)
    if _MAY_BE_SECRET.isdisjoint(mro_of(type(value))) or not is_telling_name(name):
        return False
    return not (type(value) is str and is_reference(value))


def _attribute(kind: type, value: object, name: str) -> object:
    """An attribute where it lies, in the object or in a slot; no property is asked."""
    for base in mro_of(kind):
        there = base.__dict__.get(name)
        if type(there) is types.MemberDescriptorType:
            return there.__get__(value, kind)
    return object.__getattribute__(value, "__dict__").get(name, _NotThere())


class _NotThere:
    """An attribute that is not there."""


def _time(value: datetime) -> str:
    if type(value.tzinfo) in {types.NoneType, timezone, ZoneInfo}:
        return datetime.isoformat(value)
    return "<datetime.datetime in a time zone of its own>"


_MAY_BE_SECRET = frozenset({str, bytes, bytearray, list, tuple, dict, set, frozenset})
_PLAIN_DICTS = frozenset({dict, OrderedDict, defaultdict})
_EXACT: Mapping[type, Callable[[Any], str]] = {
    types.NoneType: repr,
    bool: repr,
    types.EllipsisType: repr,
    uuid.UUID: lambda value: str(uuid.UUID.__str__(value)),
    datetime: _time,
    date: date.isoformat,
    timedelta: str,
    Decimal: str,
    range: repr,
    complex: repr,
    pathlib.PosixPath: str,
    pathlib.PurePosixPath: str,
    pathlib.WindowsPath: str,
    pathlib.PureWindowsPath: str,
}
_BY_BASE: Mapping[type, Callable[[Describer, Any, Any, int], str]] = {
    SecretStr: Describer._secret,
    SecretBytes: Describer._secret,
    Secret: Describer._secret,
    AuthContext: Describer._auth_context,
    Held: Describer._held,
    RawFailure: Describer._raw_failure,
    BaseModel: Describer._model,
    BaseException: Describer._error,
    Enum: Describer._enum,
    str: Describer._str,
    bytes: Describer._bytes,
    bytearray: Describer._bytes,
    int: Describer._int,
    float: Describer._float,
    list: Describer._list,
    tuple: Describer._tuple,
    dict: Describer._dict,
    set: Describer._set,
    frozenset: Describer._frozenset,
    deque: Describer._deque,
    type: Describer._class,
    types.FunctionType: Describer._function,
    types.ModuleType: Describer._module,
}
