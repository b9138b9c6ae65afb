"""Work in a thread of its own while the main thread shows it and hears signals."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Self, TypeVar
from uuid import UUID

from actium import hookimpl
from actium.errors import NotFoundError, StoreError
from actium_cli.progress import LOOK_EVERY

if TYPE_CHECKING:
    from actium import Actium, TriggerExecutionResponse
    from actium_cli.progress import Display

ResultT = TypeVar("ResultT")

MOST_LOOKED_AT = 24
"""How many executions are asked how far they are, those that began first: a worker may run a thousand."""

_MOST_UNTOLD = 10_000
"""How many changes may wait to be shown before the worker waits for that."""


class ExecutionWatch:
    """A hook plugin that hears of every execution that this process runs."""

    def __init__(self) -> None:
        self._changes: queue.Queue[TriggerExecutionResponse] = queue.Queue(_MOST_UNTOLD)
        self._is_watching = True

    @hookimpl
    def execution_changed(self, trigger_execution: TriggerExecutionResponse) -> None:
        """See `actium.plugins.hookspecs`."""
        if self._is_watching:
            self._changes.put(trigger_execution)

    def next_change(self, timeout: float) -> TriggerExecutionResponse | None:
        """What has changed next, None where nothing does for some seconds."""
        try:
            return self._changes.get(timeout=timeout)
        except queue.Empty:
            return None

    def stop_watching(self) -> None:
        """Hear of nothing more, and let go who waits to tell something."""
        self._is_watching = False
        while not self._changes.empty():
            self._changes.get_nowait()


class Background(Generic[ResultT]):
    """Work in a thread of its own; left when it has ended."""

    def __init__(
        self, work: Callable[[], ResultT], *, stop: Callable[[], None], watch: ExecutionWatch | None = None
    ) -> None:
        """Begin to work.

        Args:
            work: What to do.
            stop: Ends the work soon; called when showing it fails.
            watch: Hears of what the work does.
        """
        self._work = work
        self._stop = stop
        self._watch = watch
        self._result: list[ResultT] = []
        self._error: BaseException | None = None
        self._is_abandoned = False
        self._thread = threading.Thread(target=self._run, name="actium-worker", daemon=True)
        self._thread.start()

    def goes_on(self) -> bool:
        """Whether it has not ended."""
        return self._thread.is_alive()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            self._stop()
        while self.goes_on() and not self._is_abandoned:
            if error is not None and self._watch is not None:
                self._watch.stop_watching()
            self._thread.join(LOOK_EVERY)

    def abandon(self) -> None:
        """Leave it without waiting for its end."""
        self._is_abandoned = True

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


def show_work(
    actium: Actium,
    work: Background[ResultT],
    watch: ExecutionWatch,
    display: Display,
    *,
    leaves_at: Callable[[], float | None] = lambda: None,
) -> None:
    """Show what runs in the background, until it has ended or is to be left.

    Args:
        actium: Where the executions are.
        work: What runs them.
        watch: Hears of them.
        display: Shows them.
        leaves_at: When, on the monotonic clock, to wait for the work's end no more; None while it may take its time.
    """
    running = _Running(actium, display)
    looked = time.monotonic()
    while True:
        is_over = not work.goes_on()  # looked at before the last change is taken, which came before the end
        change = watch.next_change(0.0 if is_over else LOOK_EVERY)
        if change is not None:
            running.changed(change)
        elif is_over:
            return
        if (leaving := leaves_at()) is not None and time.monotonic() >= leaving:
            return
        if time.monotonic() - looked >= LOOK_EVERY:
            running.look()
            looked = time.monotonic()


class _Running:
    """What runs, shown."""

    def __init__(self, actium: Actium, display: Display) -> None:
        self._actium = actium
        self._display = display
        self._ids: dict[UUID, None] = {}
        self._is_blind = False

    def changed(self, execution: TriggerExecutionResponse) -> None:
        """Show what was heard of an execution."""
        if execution.status.value == "running":
            self._ids[execution.id] = None
            self._display.started(execution)
            return
        self._ids.pop(execution.id, None)
        if execution.status.is_final:
            self._display.finished(execution)
        else:
            self._display.waits(execution, execution.reason)

    def look(self) -> None:
        """Show how far they are. One that does not run any more will be heard of, or was lost to others."""
        for execution_id in tuple(self._ids)[:MOST_LOOKED_AT]:
            execution = self._execution(execution_id)
            if self._is_blind:
                return
            if execution is not None and execution.status.value == "running":
                self._display.progressed(execution)
            else:
                self._ids.pop(execution_id)
                self._display.forget(execution_id)

    def _execution(self, execution_id: UUID) -> TriggerExecutionResponse | None:
        was_blind, self._is_blind = self._is_blind, False
        try:
            return self._actium.executions.get(execution_id)
        except NotFoundError:
            return None
        except StoreError as error:  # the worker decides whether to go on
            if not was_blind:
                self._display.say(f"How far executions are is not known now: {error.message}")
            self._is_blind = True
            return None
