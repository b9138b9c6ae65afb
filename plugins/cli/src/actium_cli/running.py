"""``actium action run``: one execution by hand, in this process and shown, or left to a worker."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import typer

from actium.errors import ConflictError
from actium_cli.configuring import value_of
from actium_cli.context import current_app, output

if TYPE_CHECKING:
    from uuid import UUID

    from actium import Actium, Event, TriggerExecutionResponse
    from actium_cli.progress import Display, ExecutionWatch

EVENT_TYPE = "actium.run"
EVENT_SOURCE = "/actium/command-line"


def run_by_hand(reference: str, data: str | None, *, wait: bool) -> None:
    """Store an execution; with ``wait`` run it here, show it, and end with 1 when it does not succeed."""
    from actium.models import ExecutionStatus
    from actium_cli.execution_views import execution_details
    from actium_cli.progress import ExecutionWatch

    watch = ExecutionWatch()
    with current_app(hooks=[watch] if wait else []) as actium:
        execution = actium.actions.run(reference, _event(data))
        if wait:
            execution = _run_here(actium, execution.id, watch)
    output(execution, lambda: execution_details(execution))
    if wait and execution.status is not ExecutionStatus.SUCCEEDED:
        raise typer.Exit(1)


def _event(data: str | None) -> Event | None:
    if data is None:
        return None
    from actium import Event

    return Event(type=EVENT_TYPE, source=EVENT_SOURCE, data=value_of(data, option="--data"))


def _run_here(actium: Actium, execution_id: UUID, watch: ExecutionWatch) -> TriggerExecutionResponse:
    from actium_cli.progress import Background, execution_display, show_until_ended
    from actium_cli.signals import asking_to_end

    def cancel() -> None:
        try:
            actium.executions.cancel(execution_id)
        except ConflictError:
            return  # it has ended meanwhile, and is shown

    worker = actium.worker()
    with (
        execution_display() as display,
        asking_to_end(cancel, announcement="Cancelling; once more ends at once."),
    ):
        with Background(lambda: worker.run_one(execution_id), watch, stop=worker.stop) as work:
            show_until_ended(actium, watch, display)
            ran = work.result()
        if ran is None:
            _follow(actium, execution_id, display)
    return actium.executions.get(execution_id)


def _follow(actium: Actium, execution_id: UUID, display: Display) -> None:
    """Show an execution that another process took first, or that was cancelled before it began."""
    from actium_cli.progress import LOOK_EVERY

    pause = threading.Event()
    execution = actium.executions.get(execution_id)
    display.started(execution)
    while not execution.status.is_final:
        display.progressed(execution)
        pause.wait(LOOK_EVERY)
        execution = actium.executions.get(execution_id)
    display.finished(execution)
