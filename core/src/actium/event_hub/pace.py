"""How quickly a worker runs what it takes, and so how much it takes at a time."""

from __future__ import annotations

MOST_CLAIMED = 1_024
"""How many executions may wait in a worker for a thread."""

_CLAIM_FOR = 0.05
"""Seconds of work that are claimed ahead: more would keep it from others, less would cost a transaction each."""

_WORTH_WAITING = 0.001
"""Seconds that an execution takes at most for who stores it to wait for room: claiming it later costs far less."""


class Pace:
    """The pace of a worker of some threads."""

    def __init__(self, concurrency: int) -> None:
        """Begin without knowing; until something has run, one execution a thread is taken at a time."""
        self._concurrency = concurrency
        self._mean_seconds = _CLAIM_FOR

    def note(self, seconds: float) -> None:
        """An execution has kept a thread busy for so long. The latest ones count most."""
        self._mean_seconds += (seconds - self._mean_seconds) / 8

    @property
    def ahead(self) -> int:
        """How many executions to have at a time, those that run included."""
        return min(MOST_CLAIMED, max(1, int(_CLAIM_FOR / max(self._mean_seconds, 1e-6))) * self._concurrency)

    def worth_waiting(self, number: int) -> float:
        """Seconds that some executions take, where waiting for room costs their storer less than having them claimed.

        Returns:
            The seconds; 0 where it does not.
        """
        each = self._mean_seconds / self._concurrency
        return number * each if each <= _WORTH_WAITING else 0.0
