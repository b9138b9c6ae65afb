"""Executions that were stored by hand: run in this process and shown, or left to a worker."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

import typer

from actium.errors import ConflictError
from actium_cli.configuring import value_of
from actium_cli.context import current_app, output

if TYPE_CHECKING:
    from actium import Actium, Event, TriggerExecutionResponse
    from actium.event_hub.worker import Worker

EVENT_TYPE = "actium.run"
EVENT_SOURCE = "/actium/command-line"


def run_by_hand(reference: str, data: str | None, *, wait: bool) -> None:
    """Store an execution; with ``wait`` run it here, show it, and end with 1 when it does not succeed."""
    from actium_cli.execution_views import execution_details

    with current_app() as actium:
        execution = actium.actions.run(reference, _event(data))
        if wait:
            (execution,) = run_here(actium, [execution.id])
    output(execution, lambda: execution_details(execution))
    if wait:
        end_with_1_unless_succeeded([execution])


def run_here(actium: Actium, execution_ids: Sequence[UUID]) -> list[TriggerExecutionResponse]:
    """Run executions in this process, one after the other, until they have ended; a first signal cancels them."""
    from actium_cli.background import Background
    from actium_cli.progress import execution_display, follow
    from actium_cli.signals import asking_to_end

    def cancel() -> None:
        for execution_id in execution_ids:
            try:
                actium.executions.cancel(execution_id)
            except ConflictError:
                continue  # it has ended, and is shown

    worker = actium.worker()
    ended = []
    with (
        execution_display() as display,
        asking_to_end(cancel, announcement="Cancelling; once more ends at once."),
    ):
        for execution_id in execution_ids:
            run = _UntilEnded(actium, worker, execution_id)
            with Background(run.run, stop=run.stop) as work:
                ended.append(follow(actium, execution_id, display, goes_on=work.goes_on))
                work.result()
    return ended


def end_with_1_unless_succeeded(executions: Sequence[TriggerExecutionResponse]) -> None:
    """End the command with 1 when an execution did not succeed."""
    if any(execution.status.value != "succeeded" for execution in executions):
        raise typer.Exit(1)


class _UntilEnded:
    """Attempts at one execution, each when its time has come, until it has ended; others may make some of them."""

    def __init__(self, actium: Actium, worker: Worker, execution_id: UUID) -> None:
        self._actium = actium
        self._worker = worker
        self._id = execution_id
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Make no further attempt."""
        self._stopped.set()
        self._worker.stop()

    def run(self) -> None:
        """Make attempts."""
        from actium.stores.records import ExecutionRecord
        from actium_cli.progress import LOOK_EVERY

        while not self._stopped.is_set():
            execution = self._actium.store.get(ExecutionRecord, self._id)
            if execution.status.is_final:
                return
            is_due = execution.status.value == "pending" and execution.available <= datetime.now(UTC)
            if not is_due or execution.held or self._worker.run_one(self._id) is None:
                self._stopped.wait(LOOK_EVERY)


def _event(data: str | None) -> Event | None:
    if data is None:
        return None
    from actium import Event

    return Event(type=EVENT_TYPE, source=EVENT_SOURCE, data=value_of(data, option="--data"))
