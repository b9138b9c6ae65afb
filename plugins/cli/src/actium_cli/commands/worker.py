"""``actium worker``: runs what triggers and people have stored."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from actium_cli.context import current_app, current_options, output

if TYPE_CHECKING:
    from rich.console import RenderableType

    from actium import Actium, TriggerExecutionResponse
    from actium.event_hub.worker import Worker
    from actium_cli.progress import Display

PANEL = "Run and watch"
app = typer.Typer()

DEFAULT_CONCURRENCY = 1
DEFAULT_POLL = 1.0
DEFAULT_LEASE = 30.0
DEFAULT_GRACE = 30.0

LEFT_AFTER = 5.0
"""Seconds after the grace time in which the worker gives back what runs, before the process ends without that."""


@app.command()
def worker(
    concurrency: Annotated[
        int,
        typer.Option(min=1, metavar="N", help="How many handlers run at once, each in a thread; coroutines are free."),
    ] = DEFAULT_CONCURRENCY,
    poll: Annotated[
        float,
        typer.Option(min=0.01, metavar="SECONDS", help="Between looks for what other processes have stored."),
    ] = DEFAULT_POLL,
    lease: Annotated[
        float,
        typer.Option(min=0.1, metavar="SECONDS", help="Without a sign of life, after which others take over."),
    ] = DEFAULT_LEASE,
    grace: Annotated[
        float,
        typer.Option(min=0, metavar="SECONDS", help="For what runs to end in, once the worker was asked to stop."),
    ] = DEFAULT_GRACE,
    until_idle: Annotated[
        bool,
        typer.Option("--until-idle", help="End when nothing is due; what waits for its next attempt stays pending."),
    ] = False,
) -> None:
    """Run what is stored, until stopped.

    SIGTERM or Ctrl-C stops it: nothing further is taken, and what runs has the grace time to end; what has not ended
    by then is given back, and tried again by others. A second signal ends it at once. Executions that fail are
    recorded as such, and are no failure of the worker.
    """
    from actium_cli.background import Background, ExecutionWatch, show_work
    from actium_cli.progress import execution_display
    from actium_cli.signals import asking_to_end

    watch = ExecutionWatch()
    with current_app(hooks=[watch]) as actium:
        runner = actium.worker(concurrency=concurrency, poll_interval=poll, lease=lease)
        stopping = _Stopping(runner, grace)
        with (
            execution_display() as display,
            asking_to_end(
                stopping.stop,
                announcement=f"Stopping after what runs now, within {grace:g} s; once more ends at once.",
            ),
        ):
            counting = _Counting(display)
            counting.say(f"This worker runs executions of {current_options().store}, up to {concurrency:,} at once.")
            begin = runner.run_until_idle if until_idle else runner.run
            with Background(begin, stop=runner.stop, watch=watch) as work:
                show_work(actium, work, watch, counting, leaves_at=stopping.leaves_at)
                if work.goes_on():
                    work.abandon()
        if work.goes_on():
            _leave(actium, runner, counting)
        counting.answer(ran=work.result())


class _Stopping:
    """The end of a worker that was asked to stop."""

    def __init__(self, runner: Worker, grace: float) -> None:
        self._runner = runner
        self._grace = grace
        self._leaves_at: float | None = None

    def stop(self) -> None:
        self._leaves_at = time.monotonic() + self._grace + LEFT_AFTER
        self._runner.stop(grace=self._grace)

    def leaves_at(self) -> float | None:
        """When to wait for the end of what runs no more; None while nobody asked for an end."""
        return self._leaves_at


class _Counting:
    """Counts what it passes on."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._by_status: Counter[str] = Counter()
        self._waiting: set[UUID] = set()
        self._attempts = 0

    def say(self, text: str) -> None:
        self._display.say(text)

    def started(self, execution: TriggerExecutionResponse) -> None:
        self._waiting.discard(execution.id)
        self._display.started(execution)

    def progressed(self, execution: TriggerExecutionResponse) -> None:
        self._display.progressed(execution)

    def waits(self, execution: TriggerExecutionResponse, reason: str | None) -> None:
        self._attempts += 1
        self._waiting.add(execution.id)
        self._display.waits(execution, reason)

    def finished(self, execution: TriggerExecutionResponse) -> None:
        self._attempts += 1
        self._waiting.discard(execution.id)
        self._by_status[execution.status.value] += 1
        self._display.finished(execution)

    def forget(self, execution_id: UUID) -> None:
        self._display.forget(execution_id)

    @property
    def seen(self) -> int:
        """How many attempts have ended, as far as was heard of them."""
        return self._attempts

    def answer(self, *, ran: int) -> None:
        """Tell what became of what was run."""
        waiting = len(self._waiting)
        output(
            {"ran": ran, "by_status": self._by_status, "waiting": waiting}, lambda: _summary(self._by_status, waiting)
        )


def _leave(actium: Actium, runner: Worker, counting: _Counting) -> None:
    """End the process although a handler holds up the worker's own thread; what it runs is tried again by others."""
    from actium_cli.errors import FAILED, tell

    exit_code = FAILED
    try:
        sys.stderr.write("What runs does not end; it is given back, and tried again by others.\n")
        reason = "its worker was stopped, and it did not end in time"
        actium.store.remove_worker(runner.name, reason=reason, counts=False)
        counting.answer(ran=counting.seen)
        exit_code = 0
    except Exception as error:
        tell(error, debug=current_options().debug)
    finally:
        sys.stderr.flush()
        os._exit(exit_code)


def _summary(by_status: Counter[str], waiting: int) -> RenderableType:
    from rich.text import Text

    told = [f"{count:,} {status}" for status, count in sorted(by_status.items())]
    told += [f"{waiting:,} to be tried again"] if waiting else []
    if not told:
        return Text("Nothing was pending.", style="dim")
    return Text(f"Ran {by_status.total() + waiting:,}: {', '.join(told)}.")
