"""Coroutines that an import makes and never awaits: those that are dropped, and those that something still holds."""

from __future__ import annotations

import gc
import inspect
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import CoroutineType
from typing import Any

from actium.process_copies import ProcessLock

_DROPPED = r"coroutine '(?P<name>.*)' was never awaited"
_PLACE = re.compile(r'File "(?P<file>[^"\n]*)", line (?P<line>\d+)')

_one_at_a_time = ProcessLock()


def never_awaited(coroutine: str) -> str:
    """What is wrong with a plugin whose import makes a coroutine, in words."""
    return f"Its import makes {coroutine}, and never awaits it."


@contextmanager
def noticed() -> Iterator[list[str]]:
    """Notice the coroutines that are made inside, in this thread, and were not begun at its end.

    Yields:
        Gets what they are and where they were made, in words, at the end.
    """
    found: list[str] = []
    with _one_at_a_time.here:
        before = {id(each): each for each in _unbegun()}
        depth = sys.get_coroutine_origin_tracking_depth()
        sys.set_coroutine_origin_tracking_depth(1)  # of this thread; what others make has no origin
        try:
            with _dropped(found):
                yield found
        finally:
            sys.set_coroutine_origin_tracking_depth(depth)
        found += [_told(each.__qualname__, each.cr_origin) for each in _unbegun() if id(each) not in before]


@contextmanager
def _dropped(found: list[str]) -> Iterator[None]:
    """Take Python's warnings of what is dropped; all others are given as they would be."""
    caught: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.filterwarnings("always", message=_DROPPED, category=RuntimeWarning)
            yield
    finally:
        for each in caught:
            dropped = re.match(_DROPPED, str(each.message))
            if dropped is not None:
                place = _PLACE.search(str(each.message))
                file, line = (each.filename, each.lineno) if place is None else (place["file"], int(place["line"]))
                found.append(_told(dropped["name"], [(file, line, "")]))
            else:
                warnings.warn_explicit(each.message, each.category, each.filename, each.lineno, source=each.source)


def _unbegun() -> list[CoroutineType[Any, Any, Any]]:
    return [
        each
        for each in gc.get_objects()
        if type(each) is CoroutineType
        and each.cr_origin is not None
        and inspect.getcoroutinestate(each) == inspect.CORO_CREATED
    ]


def _told(name: str, origin: Sequence[tuple[str, int, str]] | None) -> str:
    where = "".join(f", made in {file}, line {line}" for file, line, _ in (origin or ())[:1])
    return f"the coroutine {name!r}{where}"
