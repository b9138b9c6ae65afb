"""What a copy of the process begins with: a fork makes one, and only the thread that forks is in it.

A lock that another thread held at that moment is never released in the copy, a thread that was started is not there,
and what such threads had in hand is the parent's. Whatever has such things begins anew in the copy, all at once and as
long as the copy has one thread: were each to do so at its own first use, two threads of the copy might come first.

The thread that goes on in the copy may be in the midst of something itself, as where a handler forks: what is replaced
may still be in use by it, and a lock that it holds is still released by it.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")

logger = logging.getLogger("actium.process_copies")

_beginnings: WeakKeyDictionary[Any, Callable[[Any], None]] = WeakKeyDictionary()

_turns: dict[int, threading.RLock] = {}
"""Whose turn it is to begin anew, by process: that of another one may be held here for ever."""


@dataclass(frozen=True, eq=False, slots=True)
class Process:
    """A process, as itself: a copy is another one, also where a PID namespace gives it the number of its parent."""

    number: int


_NONE = Process(0)
"""In place of a process that has not begun anew."""

_here = _parent = Process(os.getpid())
"""This process, and the one that forked last; they are the same in a copy until it has begun anew."""


def begin_with(one: T, begin_anew: Callable[[T], None]) -> None:
    """Have something begin anew in copies of this process, and in theirs, for as long as anybody has it.

    Args:
        one: What has locks, or threads.
        begin_anew: Called with it. It waits for nothing that other threads have, since they are not there, and may be
            called again before anything is used.
    """
    _beginnings[one] = begin_anew


def notice() -> None:
    """Begin anew where this is a copy, and has not: it was made without Python's knowledge, or interrupted at that."""
    if _here.number != os.getpid():
        _begin_anew()


def this_process() -> Process:
    """This process, which has begun anew where it is a copy."""
    notice()
    return _here


class ProcessLock:
    """A lock of one process: a copy has it as if the threads that are not there had never taken it.

    Attributes:
        here: The lock, to be taken as ``with lock.here``. Where the thread that forks holds it, it does so in the copy.
    """

    __slots__ = ("__weakref__", "here")

    def __init__(self) -> None:
        self.here = threading.RLock()
        begin_with(self, ProcessLock._begin_anew)

    def _begin_anew(self) -> None:
        if self.here.acquire(blocking=False):
            self.here.release()
        else:
            self.here = threading.RLock()


def _begin_anew() -> None:
    global _here
    number = os.getpid()
    with _turns.setdefault(number, threading.RLock()):
        if _here.number == number:
            return  # another thread was here first, and has done so
        for reference in _beginnings.keyrefs():  # a list, as what is made meanwhile needs no beginning anew
            one = reference()
            try:
                if one is not None:
                    _beginnings[one](one)
            except Exception:  # the others are to begin all the same
                logger.exception("Something of this copy of a process cannot begin anew.")
        _here = Process(number)


def _note_parent() -> None:
    global _parent
    _parent = _here


def _begin_as_copy() -> None:
    """Begin anew whatever the number of this process is, unless a hook before this one has used what begins anew."""
    global _here
    if _here is _parent:
        _turns.clear()  # a thread that is not here may have that of the same number
        _here = _NONE
    notice()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_note_parent, after_in_child=_begin_as_copy)
