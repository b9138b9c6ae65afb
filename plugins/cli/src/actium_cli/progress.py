"""Executions as they run, shown: a bar with the names of steps on a terminal, a line a step elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from actium.errors import ExecutionNotEndedError
from actium_cli import views
from actium_cli.context import current_output
from actium_cli.logs import without_warnings
from actium_cli.output import console_on

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from actium import Actium, TriggerExecutionResponse

LOOK_EVERY = 0.1
"""Seconds between looks at how far the steps are."""

STEP_ENDS = frozenset({"succeeded", "failed", "skipped"})


class Display(Protocol):
    """What shows executions. All calls come from one thread."""

    def say(self, text: str) -> None:
        """Something is worth a line."""

    def started(self, execution: TriggerExecutionResponse) -> None:
        """An attempt at an execution has begun."""

    def progressed(self, execution: TriggerExecutionResponse) -> None:
        """An execution, hydrated, is this far."""

    def waits(self, execution: TriggerExecutionResponse, reason: str | None) -> None:
        """An attempt at an execution has ended, for this reason, and there will be another."""

    def finished(self, execution: TriggerExecutionResponse) -> None:
        """An execution, hydrated, has ended."""

    def forget(self, execution_id: UUID) -> None:
        """An execution does not run here any more, and nothing else is known of it."""


def follow(
    actium: Actium,
    execution_id: UUID,
    display: Display,
    *,
    timeout: float | None = None,
    goes_on: Callable[[], bool] = lambda: True,
) -> TriggerExecutionResponse:
    """Show an execution, whichever process runs it, until it has ended.

    Args:
        actium: Where it is.
        execution_id: Which one.
        display: Shows it.
        timeout: Seconds to wait at most; None for as long as it takes.
        goes_on: Asked now and then whether to wait on.

    Returns:
        It as it is then, hydrated.

    Raises:
        ExecutionNotEndedError: It has not ended in time; it goes on.
    """
    seen = _Seen(display)
    until = None if timeout is None else time.monotonic() + timeout
    while True:
        is_last_look = not goes_on()
        execution = _after_a_moment(actium, execution_id, until)
        seen.show(execution)
        if execution.status.is_final or is_last_look:
            return execution
        if timeout is not None and until is not None and time.monotonic() >= until:
            raise _still_there(execution, timeout)


def _after_a_moment(actium: Actium, execution_id: UUID, until: float | None) -> TriggerExecutionResponse:
    """An execution as soon as it has ended, or as it is a moment later."""
    moment = LOOK_EVERY if until is None else max(0.0, min(LOOK_EVERY, until - time.monotonic()))
    try:
        return actium.executions.wait(execution_id, moment)
    except ExecutionNotEndedError:
        return actium.executions.get(execution_id)


class _Seen:
    """What of one execution was shown, to show what is new."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._started = 0
        self._ended = 0

    def show(self, execution: TriggerExecutionResponse) -> None:
        attempts = execution.attempts
        for attempt in attempts:
            if attempt.number > self._started:
                self._started = attempt.number
                self._display.started(execution)
            is_last = attempt is attempts[-1] and execution.status.is_final
            if attempt.status is not None and attempt.number > self._ended and not is_last:
                self._ended = attempt.number
                self._display.waits(execution, attempt.reason)
        if execution.status.is_final:
            self._display.finished(execution)
        elif execution.status.value == "running":
            self._display.progressed(execution)


def _still_there(execution: TriggerExecutionResponse, timeout: float) -> ExecutionNotEndedError:
    return ExecutionNotEndedError(
        f"Execution {execution.id} of {execution.name!r} is still {execution.status.value} after {timeout:g} s.",
        hint=f"It goes on; `actium execution show {execution.id}` tells what it waits for.",
    )


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
    """A line for every attempt that begins or ends, and for every step that ends."""

    def __init__(self, console: Console) -> None:
        self._file = console.file
        self._told: dict[UUID, set[str]] = {}

    def say(self, text: str) -> None:
        """See `Display`."""
        self._file.write(f"{text}\n")
        self._file.flush()

    def started(self, execution: TriggerExecutionResponse) -> None:
        """See `Display`."""
        self._told.pop(execution.id, None)
        self._say(execution, "running")

    def progressed(self, execution: TriggerExecutionResponse) -> None:
        """See `Display`."""
        told = self._told.setdefault(execution.id, set())
        for step in execution.progress:
            if step.status in STEP_ENDS and step.name not in told:
                told.add(step.name)
                lasted = "" if step.seconds is None else f" after {views.took(step.seconds)}"
                self._say(execution, f"step {step.name} {step.status}{lasted}")

    def waits(self, execution: TriggerExecutionResponse, reason: str | None) -> None:
        """See `Display`."""
        self._told.pop(execution.id, None)
        self._say(execution, f"pending{_because(reason)}")

    def finished(self, execution: TriggerExecutionResponse) -> None:
        """See `Display`."""
        self.progressed(execution)
        self._told.pop(execution.id, None)
        self._say(execution, f"{execution.status.value}{_because(execution.reason)}")

    def forget(self, execution_id: UUID) -> None:
        """See `Display`."""
        self._told.pop(execution_id, None)

    def _say(self, execution: TriggerExecutionResponse, text: str) -> None:
        self.say(f"{execution.name} {execution.id} {text}")


def _because(reason: str | None) -> str:
    return "" if reason is None else f": {reason}"
