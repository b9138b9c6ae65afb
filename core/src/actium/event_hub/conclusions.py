"""What follows when the ends of attempts are recorded: their runs are let go, and whoever waits for them is told."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from uuid import UUID

from actium.event_hub.endings import Endings
from actium.event_hub.execution import ExecutionRunner
from actium.event_hub.under_way import RunsUnderWay
from actium.stores.claims import Claim, Ending

logger = logging.getLogger("actium.worker")


class Conclusions:
    """Concludes the runs of one worker, in whichever thread has recorded them.

    Attributes:
        attempts: How many there were.
    """

    def __init__(
        self, runner: ExecutionRunner, runs: RunsUnderWay, endings: Endings, *, on_concluded: Callable[[], object]
    ) -> None:
        """Conclude nothing yet.

        Args:
            runner: Tells the observers.
            runs: What is under way.
            endings: Who waits for executions to end.
            on_concluded: Called when runs were let go, in the thread that does so.
        """
        self.attempts = 0
        self._runner = runner
        self._runs = runs
        self._endings = endings
        self._on_concluded = on_concluded
        self._lock = threading.Lock()
        self._to_tell: deque[tuple[UUID, int, Sequence[str]]] = deque()
        self._untold = 0

    @property
    def is_telling(self) -> bool:
        """Whether observers are still to be told of something, or are being told."""
        return self._untold > 0

    def conclude(self, ended: Sequence[Ending], all_accepted: Sequence[bool]) -> None:
        """Let go of what is recorded, and tell who waits for it; the observers are told by `tell`.

        Args:
            ended: The ends.
            all_accepted: For each, whether it is recorded; it is not where another attempt has taken over.
        """
        is_observed, number = self._runner.is_observed, 0
        announced: dict[UUID, Claim | None] = {}
        for (execution, outcome, _), is_accepted in zip(ended, all_accepted, strict=True):
            run = self._runs.ended(execution)
            number += run is not None  # what is recorded again was counted the first time
            if not is_accepted and (run is None or not run.is_recorded_again):
                self._endings.let_go([execution.id])
                if run is not None:
                    logger.warning("Another attempt has taken over from execution %s.", execution.id)
                continue
            if not is_accepted:  # it may have been recorded the first time; who waits for it looks
                announced[execution.id] = None
                continue
            announced[execution.id] = run.claim if run is not None and outcome.next_attempt is None else None
            if is_observed:
                with self._lock:
                    self._untold += 1
                self._to_tell.append((execution.id, execution.attempt, () if run is None else run.secrets))
        with self._lock:
            self.attempts += number
        self._endings.announce(announced)
        self._on_concluded()

    def tell(self) -> bool:
        """Tell the observers of ends that are recorded; others may record more meanwhile.

        Returns:
            Whether there was any.
        """
        has_told = False
        with contextlib.suppress(IndexError):
            while True:
                ended = self._to_tell.popleft()
                has_told = True
                try:
                    self._runner.tell_ended([ended])
                finally:
                    with self._lock:
                        self._untold -= 1
        return has_told
