"""The attempts that run in this process, each with its span, until Actium tells how they ended."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID

    from opentelemetry.trace import Span

    from actium import TriggerExecutionResponse

MOST_OPEN = 20_000
"""More than a worker has under way at once. One whose lease was lost is never told to have ended."""


@dataclass(slots=True)
class OpenAttempt:
    """An attempt under way.

    Attributes:
        number: Which attempt at its execution.
        span: Its span.
        began: When it began, in nanoseconds since the epoch.
        returned: When its handler was left; None where that is not known in this process.
    """

    number: int
    span: Span
    began: int
    returned: int | None = None

    def note_return(self) -> None:
        """Its handler was left; when that is recorded depends on what else the worker does."""
        self.returned = time.time_ns()

    @property
    def ended(self) -> int:
        """When it ended, as far as that is known; never before it began."""
        return max(self.began, time.time_ns() if self.returned is None else self.returned)


class OpenAttempts:
    """The open attempts by their executions. It may be used from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: OrderedDict[UUID, OpenAttempt] = OrderedDict()

    def put(self, execution_id: UUID, attempt: OpenAttempt) -> list[OpenAttempt]:
        """Note an attempt.

        Returns:
            Those that nobody will tell the end of any more.
        """
        lost = []
        with self._lock:
            before = self._open.pop(execution_id, None)
            if before is not None:
                lost.append(before)
            self._open[execution_id] = attempt
            if len(self._open) > MOST_OPEN:
                lost.append(self._open.popitem(last=False)[1])
        return lost

    def find(self, execution: TriggerExecutionResponse) -> OpenAttempt | None:
        """The attempt under way at an execution; None where it does not run in this process."""
        with self._lock:
            found = self._open.get(execution.id)
        return found if found is not None and found.number == execution.attempt else None

    def take(self, execution: TriggerExecutionResponse) -> OpenAttempt | None:
        """The attempt at an execution that has ended; None where it never began here."""
        with self._lock:
            found = self._open.get(execution.id)
            if found is None or found.number != execution.attempt:
                return None
            return self._open.pop(execution.id)
