"""What has to rest when a process forks.

SQLite keeps for each process which locks it holds on a file, and a fork copies that: the copy believes that it holds
what its parent does. If somebody wrote at that moment, the copy waits for a writer that it does not have. And as it
takes no locks of its own then, its parent removes the log when it closes the file, with what the copy has written
since (https://www.sqlite.org/howtocorrupt.html#_carrying_an_open_database_connection_across_a_fork_).

So nobody writes or reads while the process forks, and the copy closes all that it has inherited at once, while it has
one thread only: with the last connection of a file SQLite forgets the locks of the parent, and as nothing is under way,
closing changes nothing that the parent has.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from typing import Protocol
from weakref import WeakSet

logger = logging.getLogger("actium.stores")

LONGEST_REST = 5.0
"""Seconds that a fork waits at most for what is under way."""


class Rests(Protocol):
    """What can rest."""

    @property
    def place(self) -> object:
        """Where it is: in a copy, what is at one place is left alone where a part of it was in use."""

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing is under way."""

    def rest(self, seconds: float) -> None:
        """Begin nothing until `go_on` is called, and wait for what is under way, but not for longer than that."""

    def go_on(self) -> None:
        """Begin again, in the process that has forked."""

    def begin_anew(self, *, closes: bool) -> None:
        """Leave what the parent has, in the copy: close it, or where it was in use leave it alone."""


_A_MOMENT = 0.001
"""Seconds between looks whether who was interrupted while it forked has done so."""

_resting: WeakSet[Rests] = WeakSet()
_forking = threading.Lock()
_interruption: BaseException | None = None
_process = os.getpid()


def register(one: Rests) -> None:
    """Let something rest whenever this process forks, from now on."""
    with _forking:
        _resting.add(one)


def notice() -> None:
    """Begin anew where this is a copy that was made without Python's knowledge; to be called before every use."""
    if _process != os.getpid():
        _begin_anew()


def _rest() -> None:
    global _interruption
    interruption: BaseException | None = None
    while True:
        try:
            _forking.acquire()  # two threads may fork at one time; each needs that nobody goes on before it is done
            break
        except KeyboardInterrupt as error:
            interruption = error
    until = time.monotonic() + LONGEST_REST
    for one in _resting:
        try:
            one.rest(max(0.0, until - time.monotonic()))
        except BaseException as error:  # Python would print it and fork all the same
            interruption = error
    _interruption = interruption


def _go_on() -> None:
    global _interruption
    interruption, _interruption = _interruption, None
    is_in_use = not all(one.is_at_rest for one in _resting)
    try:
        for one in _resting:
            try:
                one.go_on()
            except Exception as error:  # the others are to go on all the same
                interruption = interruption or error
    finally:
        _forking.release()
    if is_in_use:
        logger.warning("The process forked while its store was in use; the copy cannot use it.")
    if isinstance(interruption, KeyboardInterrupt):
        threading.Thread(target=_interrupt_again, daemon=True).start()
    elif interruption is not None:
        logger.error("What is stored could not rest while the process forked.", exc_info=interruption)


def _interrupt_again() -> None:
    """Interrupt the main thread as soon as it has left `_go_on`, where Python would print that and forget it."""
    main = threading.main_thread().ident or 0
    frame = sys._current_frames().get(main)
    while frame is not None:
        if frame.f_code is _go_on.__code__:
            time.sleep(_A_MOMENT)
            frame = sys._current_frames().get(main)
        else:
            frame = frame.f_back
    signal.pthread_kill(main, signal.SIGINT)


def _begin_anew() -> None:
    global _forking, _interruption, _process
    _forking, _interruption, _process = threading.Lock(), None, os.getpid()
    in_use = {one.place for one in _resting if not one.is_at_rest}
    for one in _resting:
        one.begin_anew(closes=one.place not in in_use)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_rest, after_in_parent=_go_on, after_in_child=_begin_anew)
