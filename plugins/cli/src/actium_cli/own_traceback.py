"""Tracebacks of what plugins raise, without the frames of what imported and called them."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Iterator
from pathlib import Path

import actium

_NOT_THEIRS = tuple(Path(file).parent for file in (actium.__file__, __file__, importlib.__file__))


def own_traceback(error: BaseException) -> str | None:
    """The part of a traceback that is a plugin's own, with those of what led to it; None where there is no such part.

    Args:
        error: What was raised while a plugin was imported or looked at.
    """
    chain = [_own(each) for each in _chain(traceback.TracebackException.from_exception(error))]
    if not any(each.stack or _names_a_line(each) for each in chain):
        return None
    return "\nwhich led to\n".join(_written(each) for each in chain)


def _chain(last: traceback.TracebackException) -> list[traceback.TracebackException]:
    chain = []
    each: traceback.TracebackException | None = last
    while each is not None:
        chain.append(each)
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
    return chain[::-1]


def _names_a_line(told: traceback.TracebackException) -> bool:
    """Whether it does so without a frame, as what cannot be compiled."""
    return getattr(told, "text", None) is not None


def _own(told: traceback.TracebackException) -> traceback.TracebackException:
    told.stack = traceback.StackSummary.from_list([frame for frame in told.stack if not _is_foreign(frame.filename)])
    return told


def _is_foreign(file: str) -> bool:
    return file.startswith("<frozen importlib") or any(map(Path(file).is_relative_to, _NOT_THEIRS))


def _written(told: traceback.TracebackException) -> str:
    return "".join(_lines(told)).rstrip("\n")


def _lines(told: traceback.TracebackException) -> Iterator[str]:
    yield from told.stack.format()
    yield from told.format_exception_only()
