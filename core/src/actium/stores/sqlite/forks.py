"""What has to rest when a process forks.

SQLite keeps for each process which locks it holds on a file, and a fork copies that: the child believes that it holds
what its parent does. If somebody wrote at that moment, the child waits for a writer that it does not have. And as it
takes no locks of its own then, its parent removes the log when it closes the file, with what the child has written
since (https://www.sqlite.org/howtocorrupt.html#_carrying_an_open_database_connection_across_a_fork_).

So nobody writes or reads while the process forks, and the child closes what it has inherited before it opens the file
itself: closing forgets the locks of the parent, and as nothing is under way, changes nothing that the parent has.
"""

from __future__ import annotations

import logging
import os
import time
from typing import Protocol
from weakref import WeakSet

logger = logging.getLogger("actium.stores")

SECONDS = 5.0
"""How long a fork waits at most for what is under way."""


class Rests(Protocol):
    """What can rest."""

    def rest(self, seconds: float) -> bool:
        """Begin nothing until `go_on` is called; whether all that was under way has ended in time."""

    def go_on(self) -> None:
        """Begin again."""


_watched: WeakSet[Rests] = WeakSet()
_resting: list[Rests] = []


def watch(one: Rests) -> None:
    """Let something rest whenever this process forks, from now on."""
    _watched.add(one)


def _rest() -> None:
    until = time.monotonic() + SECONDS
    for one in list(_watched):
        _resting.append(one)
        if not one.rest(max(0.0, until - time.monotonic())):
            logger.warning("The process forks while its store is in use; the child cannot use it.")


def _go_on() -> None:
    while _resting:
        _resting.pop().go_on()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_rest, after_in_parent=_go_on, after_in_child=_resting.clear)
