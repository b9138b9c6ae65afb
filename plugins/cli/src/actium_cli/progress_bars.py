"""Executions as bars on a terminal: one for each that runs, with the steps it is at; a line for each that has ended."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self
from uuid import UUID

from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from actium_cli import views
from actium_cli.progress import STEP_ENDS

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from actium import TriggerExecutionResponse

MOST_BARS = 12
"""How many executions have a bar; of the others only their number is shown."""

_MARKS = {"succeeded": "✓", "failed": "✗", "cancelled": "■", "skipped": "·", "pending": "↻"}
_NAME_WIDTH = 32


class _Bars(Progress):
    """Bars, and below them how many executions have none."""

    others = 0

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        if self.others:
            yield Text(f"  and {self.others:,} more", style="dim")


class ProgressBars:
    """Shows executions as bars; see `actium_cli.progress.Display`."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = _Bars(
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
        self._without: dict[UUID, str] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bars.stop()

    def say(self, text: str) -> None:
        """See `Display`."""
        self._console.print(Text(text, style="dim"))

    def started(self, execution: TriggerExecutionResponse) -> None:
        """See `Display`."""
        self.forget(execution.id)
        if len(self._tasks) < MOST_BARS:
            self._add(execution.id, _short(execution.name))
        else:
            self._without[execution.id] = _short(execution.name)
            self._bars.others = len(self._without)

    def progressed(self, execution: TriggerExecutionResponse) -> None:
        """See `Display`."""
        task = self._tasks.get(execution.id)
        steps = execution.progress
        if task is None or not steps:
            return
        done = sum(step.status in STEP_ENDS for step in steps)
        now = [step.name for step in steps if step.status == "running"]
        self._bars.update(task, total=len(steps), completed=done, done=f"{done}/{len(steps)}", step=", ".join(now))

    def waits(self, execution: TriggerExecutionResponse, reason: str | None) -> None:
        """See `Display`."""
        self.forget(execution.id)
        self._tell(execution, "pending", reason)

    def finished(self, execution: TriggerExecutionResponse) -> None:
        """See `Display`."""
        self.forget(execution.id)
        self._tell(execution, execution.status.value, execution.reason)

    def forget(self, execution_id: UUID) -> None:
        """See `Display`."""
        self._without.pop(execution_id, None)
        task = self._tasks.pop(execution_id, None)
        if task is not None:
            self._bars.remove_task(task)
            if self._without:
                longest = next(iter(self._without))
                self._add(longest, self._without.pop(longest))
        self._bars.others = len(self._without)

    def _add(self, execution_id: UUID, name: str) -> None:
        self._tasks[execution_id] = self._bars.add_task(name, total=None, done="", step="")

    def _tell(self, execution: TriggerExecutionResponse, status: str, reason: str | None) -> None:
        self._bars.console.print(
            Text.assemble(
                (f"{_MARKS.get(status, '·')} ", views.STYLES.get(status, "")),
                (_short(execution.name), "bold"),
                f"  {status}",
                (f"  {views.took(views.duration(execution)) or ''}  {str(execution.id)[: views.SHORT_ID]}", "dim"),
                "" if reason is None else f"  {reason}",
            ),
        )


def _short(name: str) -> str:
    return name if len(name) <= _NAME_WIDTH else f"{name[: _NAME_WIDTH - 1]}…"
