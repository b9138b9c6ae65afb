"""Executions as they run, shown: a bar with the names of steps on a terminal, a line a step elsewhere."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeVar
from uuid import UUID

from actium import hookimpl
from actium_cli import views
from actium_cli.context import current_output
from actium_cli.logs import without_warnings
from actium_cli.output import console_on

if TYPE_CHECKING:
    from rich.console import Console

    from actium import Actium, TriggerExecutionResponse

ResultT = TypeVar("ResultT")

LOOK_EVERY = 0.1
"""Seconds between looks at how far the steps are."""

_STEP_ENDS = frozenset({"succeeded", "failed", "skipped"})


class Display(Protocol):
    """What shows executions. All calls come from one thread."""

    def say(self, text: str) -> None:
        """Something is worth a line."""

    def started(self, execution: TriggerExecutionResponse) -> None:
        """An execution has begun to run."""

    def progressed(self, execution: TriggerExecutionResponse) -> None:
        """An execution, hydrated, is this far."""

    def finished(self, execution: TriggerExecutionResponse) -> None:
        """An execution, hydrated, has ended."""


class ExecutionWatch:
    """A hook plugin that hears of every execution that this process runs."""

    def __init__(self) -> None:
        self.changes: queue.SimpleQueue[TriggerExecutionResponse | None] = queue.SimpleQueue()

    @hookimpl
    def execution_changed(self, trigger_execution: TriggerExecutionResponse) -> None:
        """See `actium.plugins.hookspecs`."""
        self.changes.put(trigger_execution)


class Background(Generic[ResultT]):
    """Work in a thread of its own, so that the main thread can show it and hear signals; left when it has ended."""

    def __init__(self, work: Callable[[], ResultT], watch: ExecutionWatch, *, stop: Callable[[], None]) -> None:
        """Begin to work.

        Args:
            work: What to do.
            watch: Is told when the work has ended.
            stop: Ends the work soon; called when showing it fails.
        """
        self._work = work
        self._stop = stop
        self._watch = watch
        self._result: list[ResultT] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="actium-worker", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            self._stop()
        self._thread.join()

    def result(self) -> ResultT:
        """What the work returned, once it has ended; raises what it raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._result[0]

    def _run(self) -> None:
        try:
            self._result.append(self._work())
        except BaseException as error:
            self._error = error
        finally:
            self._watch.changes.put(None)


def show_until_ended(actium: Actium, watch: ExecutionWatch, display: Display) -> None:
    """Show what runs in the background, until it has ended."""
    running: dict[UUID, TriggerExecutionResponse] = {}
    while True:
        try:
            change = watch.changes.get(timeout=LOOK_EVERY)
        except queue.Empty:
            for execution_id in running:
                display.progressed(actium.executions.get(execution_id))
            continue
        if change is None:
            return
        if change.status.is_final:
            running.pop(change.id, None)
            display.finished(actium.executions.get(change.id))
        else:
            running[change.id] = change
            display.started(change)


@contextmanager
def execution_display() -> Iterator[Display]:
    """What shows executions here: on standard output, or on standard error where JSON is wanted there."""
    console = console_on(current_output().progress_stream)
    with without_warnings("actium.executions"):
        if not console.is_terminal:
            yield PlainLines(console)
            return
        from actium_cli.progress_bars import ProgressBars

        with ProgressBars(console) as bars:
            yield bars


class PlainLines:
    """A line for every execution that begins or ends, and for every step that ends."""

    def __init__(self, console: Console) -> None:
        self._file = console.file
        self._told: dict[UUID, set[str]] = {}

    def say(self, text: str) -> None:
        """See `Display`."""
        self._file.write(f"{text}\n")
        self._file.flush()

    def started(self, execution: TriggerExecutionResponse) -> None:
        """See `Display`."""
        self._say(execution, "running")

    def progressed(self, execution: TriggerExecutionResponse) -> None:
        """See `Display`."""
        told = self._told.setdefault(execution.id, set())
        for step in execution.progress:
            if step.status in _STEP_ENDS and step.name not in told:
                told.add(step.name)
                lasted = "" if step.seconds is None else f" after {views.took(step.seconds)}"
                self._say(execution, f"step {step.name} {step.status}{lasted}")

    def finished(self, execution: TriggerExecutionResponse) -> None:
        """See `Display`."""
        self.progressed(execution)
        self._told.pop(execution.id, None)
        reason = "" if execution.reason is None else f": {execution.reason}"
        self._say(execution, f"{execution.status.value}{reason}")

    def _say(self, execution: TriggerExecutionResponse, text: str) -> None:
        self.say(f"{execution.name} {execution.id} {text}")
