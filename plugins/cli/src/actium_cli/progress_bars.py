"""Executions as bars on a terminal: one for each that runs, with the steps it is at; a line for each that has ended."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self
from uuid import UUID

from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from actium_cli import views

if TYPE_CHECKING:
    from rich.console import Console

    from actium import TriggerExecutionResponse

_MARKS = {"succeeded": "✓", "failed": "✗", "cancelled": "■", "skipped": "·"}
_NAME_WIDTH = 32
_STEP_ENDS = frozenset({"succeeded", "failed", "skipped"})


class ProgressBars:
    """Shows executions as bars; see `actium_cli.progress.Display`."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            SpinnerColumn(style="cyan"),
            TextColumn("{task.description}", style="bold", markup=False),
            BarColumn(bar_width=24, complete_style="cyan", finished_style="green", pulse_style="cyan"),
            TextColumn("{task.fields[done]}", style="dim", markup=False),
            TextColumn("{task.fields[step]}", markup=False),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._tasks: dict[UUID, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()

    def say(self, text: str) -> None:
        """See `Display`."""
        self._console.print(Text(text, style="dim"))

    def started(self, execution: TriggerExecutionResponse) -> None:
        """See `Display`."""
        self._tasks[execution.id] = self._progress.add_task(_short(execution.name), total=None, done="", step="")

    def progressed(self, execution: TriggerExecutionResponse) -> None:
        """See `Display`."""
        task = self._tasks.get(execution.id)
        steps = execution.progress
        if task is None or not steps:
            return
        done = sum(step.status in _STEP_ENDS for step in steps)
        now = [step.name for step in steps if step.status == "running"]
        self._progress.update(task, total=len(steps), completed=done, done=f"{done}/{len(steps)}", step=", ".join(now))

    def finished(self, execution: TriggerExecutionResponse) -> None:
        """See `Display`."""
        task = self._tasks.pop(execution.id, None)
        if task is not None:
            self._progress.remove_task(task)
        status = execution.status.value
        self._progress.console.print(
            Text.assemble(
                (f"{_MARKS.get(status, '·')} ", views.STYLES.get(status, "")),
                (_short(execution.name), "bold"),
                f"  {status}",
                (f"  {views.took(views.duration(execution)) or ''}  {str(execution.id)[: views.SHORT_ID]}", "dim"),
                "" if execution.reason is None else f"  {execution.reason}",
            ),
        )


def _short(name: str) -> str:
    return name if len(name) <= _NAME_WIDTH else f"{name[: _NAME_WIDTH - 1]}…"
