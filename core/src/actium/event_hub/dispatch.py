"""Where the runs of a worker begin: in its own thread, or in threads that run handlers; and how many there may be."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from actium.event_hub.endings import Endings
from actium.event_hub.pace import Pace
from actium.event_hub.run import Run, Why
from actium.event_hub.threads import RunThreads
from actium.event_hub.under_way import RunsUnderWay

MOST_UNDER_WAY = 1_280
"""How many executions of one worker may be under way, most of them coroutines that wait."""

_RECORD_WITHIN = 0.02
"""Seconds that what has ended waits to be recorded while the same thread runs more."""


class Dispatch:
    """Has a worker's runs run, until it gives them back or loses them. They may be handed in from any thread.

    Attributes:
        runs_here: Whether the worker's own thread runs what nobody has to watch meanwhile; see `run_here`.
        is_stopping: Whether nothing more is to begin.
    """

    def __init__(
        self,
        runs: RunsUnderWay,
        threads: RunThreads,
        pace: Pace,
        endings: Endings,
        *,
        on_ran: Callable[[float], object],
        runs_here: bool,
        is_stopping: bool,
    ) -> None:
        """Begin with nothing yet.

        Args:
            runs: What is under way.
            threads: What runs handlers otherwise.
            pace: How much to have at a time.
            endings: Who waits for executions to end.
            on_ran: Called when the worker's own thread has run something, with the seconds that it has taken.
            runs_here: See there.
            is_stopping: See there.
        """
        self.runs_here = runs_here
        self.is_stopping = is_stopping
        self._runs = runs
        self._threads = threads
        self._pace = pace
        self._endings = endings
        self._on_ran = on_ran
        self._here: deque[Run] = deque()

    @property
    def waits_here(self) -> bool:
        """Whether something waits for the worker's own thread to run it."""
        return bool(self._here)

    def begin(self, run: Run) -> None:
        """Have something run as soon as a thread is free."""
        self._runs.add(run)
        if self.runs_here and not run.needs_watching:
            self._here.append(run)
        else:
            self._threads.put(run)

    def run_here(self) -> None:
        """Run what waits for this thread, the worker's own, but not for long: what has ended is to be recorded."""
        began = time.monotonic()
        while self._here and not self.is_stopping and time.monotonic() - began < _RECORD_WITHIN:
            started = time.monotonic()
            self._here.popleft().start()
            self._on_ran(time.monotonic() - started)

    def give_back(self) -> None:
        """Give back what was claimed and has not begun."""
        for run in self._taken_back():
            run.return_unmade()

    def leave_to_parent(self) -> None:
        """In a copy of the process: run nothing more, wherever the thread is that goes on in the copy."""
        self.is_stopping = True
        self._here = deque()
        self._threads.leave_to_parent()

    def lose(self) -> None:
        """Others have taken over; what still runs here goes on unheard, and is asked to end."""
        self._taken_back()
        self._runs.ask_to_end(Why.STOPPING)
        self._endings.let_go(self._runs.execution_ids)
        self._runs.forget()

    def space(self) -> int:
        """How many more executions to take."""
        if self._runs.is_one_alone:
            return 0
        ahead = self._pace.ahead - self._threads.load - len(self._here)
        return max(0, min(ahead, MOST_UNDER_WAY - len(self._runs)))

    def _taken_back(self) -> list[Run]:
        """What no thread has begun with; none will."""
        waiting = [*self._here, *self._threads.take_back()]
        self._here.clear()
        return waiting
