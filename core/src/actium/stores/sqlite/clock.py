"""A wall clock that is set back: the times at which executions are due would then come late, by as much."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from datetime import datetime

from actium.process_copies import ProcessLock
from actium.stores.sqlite.tables import time_text

_TOLERATED = 0.5
"""Seconds by which clocks that are kept right may differ from monotonic time between two looks."""


class WallClock:
    """Notices that the wall clock was set back since the last look."""

    def __init__(
        self, *, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._looking = ProcessLock()
        self._seen = wall() - monotonic()

    def was_set_back(self) -> bool:
        """Whether it shows less than it would, had it gone on since the last look; told once."""
        shown = self._wall() - self._monotonic()
        with self._looking.here:
            is_back = shown < self._seen - _TOLERATED
            self._seen = shown
        return is_back


def mend_due_times(connection: sqlite3.Connection, now: datetime) -> None:
    """Make due again what only a clock that was set back since keeps from being due.

    What pauses between two attempts says why; its pause begins now where the attempt before it ended later than now.
    All else that waits, be it for its turn, was due when it was stored or asked for again, which cannot be later than
    now. To do it twice changes nothing more.
    """
    written = time_text(now)
    connection.execute(
        "UPDATE executions SET available = ? WHERE status = 'pending' AND held = 0 AND available > ? "
        "AND (attempt = 0 OR (reason IS NULL AND error = 'null'))",
        (written, written),
    )
    connection.execute(  # in the words of the index of kinds, since what is held is in no other
        "UPDATE executions SET available = ? "
        "WHERE kind IS NOT NULL AND status IN ('pending', 'running') AND held = 1 AND available > ?",
        (written, written),
    )
    paused = connection.execute(
        "SELECT executions.id, available, execution_attempts.finished FROM executions JOIN execution_attempts "
        "ON execution_id = executions.id AND number = attempt "
        "WHERE executions.status = 'pending' AND held = 0 AND available > ? AND execution_attempts.finished > ?",
        (written, written),
    ).fetchall()
    for execution_id, available, ended in paused:
        pause = datetime.fromisoformat(available) - datetime.fromisoformat(ended)
        connection.execute("UPDATE executions SET available = ? WHERE id = ?", (time_text(now + pause), execution_id))
        connection.execute(  # as if it had ended now, so that the pause is not begun again next time
            "UPDATE execution_attempts SET finished = ? WHERE execution_id = ? AND finished > ?",
            (written, execution_id, written),
        )
