"""Exceptions in words, without running any code of theirs: a ``__str__`` may raise, or never return."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from actium.tracing.limits import MAX_RAW_TEXT

mro_of: Callable[[type], tuple[type, ...]] = type.__dict__["__mro__"].__get__
"""A class and those above it, asked of ``type`` and not of its metaclass."""

_name_of: Callable[[type], str] = type.__dict__["__qualname__"].__get__
_args_of = BaseException.__dict__["args"].__get__
_traceback_of = BaseException.__dict__["__traceback__"].__get__
_SAFE = frozenset({str, int, float, bool, types.NoneType, bytes})
_TOLD: Mapping[type, Sequence[str]] = {
    OSError: ("errno", "strerror", "filename", "filename2"),
    SyntaxError: ("msg", "filename", "lineno"),
    ImportError: ("msg",),
    UnicodeDecodeError: ("encoding", "object", "start", "end", "reason"),
    UnicodeEncodeError: ("encoding", "object", "start", "end", "reason"),
    UnicodeTranslateError: ("object", "start", "end", "reason"),
}
_MOST_NOTES = 10
_MOST_FRAMES = 10_000


def type_name(kind: type) -> str:
    """The full name of a class, asked of ``type`` and not of its metaclass."""
    module = kind.__dict__.get("__module__") if type(kind) is type else type.__getattribute__(kind, "__module__")
    name = str(_name_of(kind))
    return name if module == "builtins" or type(module) is not str else f"{module}.{name}"


@dataclass(frozen=True, slots=True)
class RawFailure:
    """What an exception said when it left a span; nothing of it is masked yet.

    The exception itself is not held: it would hold what was on the stack.
    """

    type: str
    message: str
    where: str | None
    notes: tuple[str, ...]


def failure_of(error: BaseException) -> RawFailure:
    """Take down an exception."""
    notes = object.__getattribute__(error, "__dict__").get("__notes__")
    return RawFailure(
        type=type_name(type(error)),
        message=message_of(error),
        where=_where(error),
        notes=tuple(note[:MAX_RAW_TEXT] for note in notes[:_MOST_NOTES] if type(note) is str)
        if type(notes) is list
        else (),
    )


def message_of(error: BaseException) -> str:
    """What an exception says, as far as that can be known without running code of its class."""
    try:
        return _message(error)[:MAX_RAW_TEXT]
    except Exception as broken:
        return f"(its text cannot be shown: {type_name(type(broken))})"


def _message(error: BaseException) -> str:
    own = object.__getattribute__(error, "__dict__").get("message")
    if type(own) is str:
        return own
    args = _args_of(error)
    teller: Any = next(base for base in mro_of(type(error)) if "__str__" in base.__dict__)
    if type_name(teller).partition(".")[2] == "" and all(
        type(arg) in _SAFE for arg in (*args, *_told_of(teller, error))
    ):
        return str(teller.__str__(error))
    texts = [str.__str__(arg) for arg in args if str in mro_of(type(arg))]
    return texts[0] if texts else ", ".join(f"<{type_name(type(arg))}>" for arg in args)


def _told_of(teller: type, error: BaseException) -> Iterator[object]:
    """The attributes that a built-in ``__str__`` tells besides the arguments; anyone may have set them."""
    for name in _TOLD.get(teller, ()):
        yield teller.__dict__[name].__get__(error)


def _where(error: BaseException) -> str | None:
    """The innermost function of a traceback, as far as it is followed."""
    traceback = _traceback_of(error)
    if traceback is None:
        return None
    for _ in range(_MOST_FRAMES):
        if traceback.tb_next is None:
            break
        traceback = traceback.tb_next
    code = traceback.tb_frame.f_code
    file = "/".join(code.co_filename.replace("\\", "/").split("/")[-2:])
    return f"{file}:{traceback.tb_lineno} in {code.co_qualname}"
