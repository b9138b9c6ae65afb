"""The runs of a worker that have not ended, or whose end is not recorded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from uuid import UUID

from actium.event_hub.run import Run, Why
from actium.models.run_policy import MAX_LOSSES
from actium.stores.records import ExecutionRecord


class RunsUnderWay:
    """Runs by their executions. They may begin and end in any thread."""

    def __init__(self) -> None:
        self._runs: dict[UUID, Run] = {}
        self._alone: UUID | None = None

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs.copy().values())

    @property
    def execution_ids(self) -> list[UUID]:
        """Of which executions they are."""
        return list(self._runs.copy())

    @property
    def is_one_alone(self) -> bool:
        """Whether one of them may be lost with its worker only once more, so that nothing is to run beside it."""
        return self._alone is not None

    @property
    def next_look(self) -> float | None:
        """When, on the monotonic clock, to look after one of them next; None while there is nothing to wait for."""
        return min((at for run in self if (at := run.next_look) is not None), default=None)

    def add(self, run: Run) -> None:
        """A run is about to begin."""
        execution = run.claim.execution
        self._runs[execution.id] = run
        if execution.losses >= MAX_LOSSES - 1:
            self._alone = execution.id

    def ended(self, claimed: ExecutionRecord) -> Run | None:
        """The run that an attempt had here, which is not under way any more.

        A later attempt of the same execution may run here meanwhile; that stays.
        """
        runs = self._runs  # which others may forget meanwhile
        run = runs.get(claimed.id)
        if run is None or run.claim.execution.attempt != claimed.attempt:
            return None
        runs.pop(claimed.id, None)
        if self._alone is not None and self._alone == claimed.id:
            self._alone = None
        return run

    def ask_to_end(self, why: Why) -> None:
        """Ask all of them to end."""
        for run in self:
            run.ask_to_end(why)

    def cancel(self, execution_ids: Iterable[UUID]) -> None:
        """Ask those of some executions to end, as someone has cancelled these."""
        for execution_id in execution_ids:
            run = self._runs.get(execution_id)
            if run is not None:
                run.ask_to_end(Why.CANCELLED)

    def forget(self) -> None:
        """Look after none of them any more."""
        self._runs, self._alone = {}, None
