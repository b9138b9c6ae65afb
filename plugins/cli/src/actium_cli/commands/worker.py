"""``actium worker``: runs what triggers and people have stored."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from actium_cli.context import current_app, current_options, output

if TYPE_CHECKING:
    from rich.console import RenderableType

    from actium import TriggerExecutionResponse
    from actium_cli.progress import Display

PANEL = "Run and watch"
app = typer.Typer()


@app.command()
def worker(
    until_idle: Annotated[bool, typer.Option("--until-idle", help="End when nothing is pending.")] = False,
    poll: Annotated[
        float,
        typer.Option(min=0.01, metavar="SECONDS", help="Between looks for what other processes have stored."),
    ] = 1.0,
) -> None:
    """Run what is stored, until stopped.

    SIGTERM or Ctrl-C stops it: what runs is finished, and nothing further is taken. A second one ends it at once.
    Executions that fail are recorded as such, and are no failure of the worker.
    """
    from actium_cli.progress import Background, ExecutionWatch, execution_display, show_until_ended
    from actium_cli.signals import asking_to_end

    watch = ExecutionWatch()
    with current_app(hooks=[watch]) as actium:
        runner = actium.worker(poll_interval=poll)
        with (
            execution_display() as display,
            asking_to_end(runner.stop, announcement="Stopping after what runs now; once more ends at once."),
        ):
            counting = _Counting(display)
            counting.say(f"Worker {runner.name} runs executions of {current_options().store}.")
            with Background(runner.run_until_idle if until_idle else runner.run, watch, stop=runner.stop) as work:
                show_until_ended(actium, watch, counting)
                ran = work.result()
    output({"ran": ran, "by_status": counting.by_status}, lambda: _summary(counting.by_status))


class _Counting:
    """Counts what it passes on."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self.by_status: Counter[str] = Counter()

    def say(self, text: str) -> None:
        self._display.say(text)

    def started(self, execution: TriggerExecutionResponse) -> None:
        self._display.started(execution)

    def progressed(self, execution: TriggerExecutionResponse) -> None:
        self._display.progressed(execution)

    def finished(self, execution: TriggerExecutionResponse) -> None:
        self.by_status[execution.status.value] += 1
        self._display.finished(execution)


def _summary(by_status: Counter[str]) -> RenderableType:
    from rich.text import Text

    if not by_status:
        return Text("Nothing was pending.", style="dim")
    told = ", ".join(f"{count:,} {status}" for status, count in sorted(by_status.items()))
    return Text(f"Ran {by_status.total():,}: {told}.")
