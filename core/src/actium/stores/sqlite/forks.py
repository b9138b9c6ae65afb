"""What has to rest when a process forks.

SQLite keeps for each process which locks it holds on a file, and a fork copies that: the copy believes that it holds
what its parent does. If somebody wrote at that moment, the copy waits for a writer that it does not have. And as it
takes no locks of its own then, its parent removes the log when it closes the file, with what the copy has written
since (https://www.sqlite.org/howtocorrupt.html#_carrying_an_open_database_connection_across_a_fork_).

So nobody writes or reads while the process forks, and what is open is closed before, by the parent: with the last
connection of a file SQLite forgets its locks. Both open the file anew. The copy has nothing to close, for which it
would need locks inside SQLite that other threads of the parent may have held, whatever they used SQLite for. A copy
that was made without Python's knowledge closes what it has inherited, while it has one thread only.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Protocol
from weakref import WeakSet

from actium import process_copies
from actium.stores.sqlite.interruptions import raise_later

logger = logging.getLogger("actium.stores")

LONGEST_REST = 5.0
"""Seconds that a fork waits at most for what is under way."""

LONGEST_FORK = 2 * LONGEST_REST
"""Seconds that a fork is waited for: one that takes longer waits for something that who waits for it has."""

LOOK_AFTER = 0.001
"""Seconds between looks whether a fork is over, or what it waits for."""


class Rests(Protocol):
    """What can rest. To ask for the same twice is harmless."""

    @property
    def place(self) -> object:
        """Where it is: in a copy, what is at one place is left alone where a part of it was in use."""

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing is under way."""

    def rest(self, seconds: float) -> None:
        """Begin nothing until `go_on` is called. Wait for what is under way, but not for longer; close what is open."""

    def go_on(self) -> None:
        """Begin again, in the process that has forked."""

    def begin_anew(self, *, closes: bool) -> None:
        """Leave what the parent has, in the copy: close it, or where it was in use leave it alone."""


_resting: WeakSet[Rests] = WeakSet()
_forking = threading.RLock()  # who was interrupted when it had it asks for it again
_in_use: set[object] | None = None
_interruptions: list[BaseException] = []


def register(one: Rests) -> None:
    """Let something rest whenever this process forks, from now on."""
    with _forking:
        _resting.add(one)


# A signal's handler may raise behind every call in these hooks. Python would print that, leave out what follows, and
# fork all the same. So it is noted, what was asked for is asked for again, and it is raised where the program goes on.


def _rest() -> None:
    until = time.monotonic() + LONGEST_REST
    is_resting = False
    while not is_resting and time.monotonic() < until:
        try:
            _rest_until(until)
            is_resting = True
        except BaseException as error:
            _interruptions.append(error)


def _rest_until(until: float) -> None:
    global _in_use
    _forking.acquire()  # two threads may fork at one time; each needs that nobody goes on before it is done
    _in_use = {one.place for one in _resting}  # as long as it is not known to rest
    for one in list(_resting):
        one.rest(max(0.0, until - time.monotonic()))
    _in_use = {one.place for one in _resting if not one.is_at_rest}


def _noting() -> Iterator[None]:
    """Note what signals raise that came while the process forked, which is where the next hook begins."""
    while True:
        try:
            yield
        except BaseException as error:
            _interruptions.append(error)


def _go_on() -> None:
    try:
        _go_on_unless_done()
    except BaseException as error:
        _interruptions.append(error)


def _go_on_unless_done() -> None:
    global _in_use
    if not _forking.acquire(blocking=False):  # it was done, and another thread forks
        return
    for one in list(_resting):
        one.go_on()
    if _in_use:
        logger.warning("The process forked while its store was in use; the copy cannot use it.")
    _in_use = None
    with suppress(RuntimeError):  # when this thread has it no more
        while True:
            _forking.release()


def _go_on_at_last() -> None:
    """Go on where a signal has kept `_go_on` from it."""
    _go_on()
    if _interruptions:
        raise_later(_interruptions[0], unless_in=_go_on_at_last.__code__)
        _interruptions.clear()


def _begin_anew() -> None:
    global _forking, _in_use
    _forking = threading.RLock()
    in_use = {one.place for one in _resting if not one.is_at_rest} | (_in_use or set())
    for one in list(_resting):
        one.begin_anew(closes=one.place not in in_use)
    _in_use = None
    _interruptions.clear()


process_copies.begin_with(_begin_anew, lambda begin_anew: begin_anew())

if hasattr(os, "register_at_fork"):
    _noted = _noting()
    next(_noted)
    os.register_at_fork(before=_rest)
    for _hook in (_noted.__next__, _go_on, _go_on_at_last):
        os.register_at_fork(after_in_parent=_hook)
