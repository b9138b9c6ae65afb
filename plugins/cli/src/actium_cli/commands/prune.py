"""``actium prune``: deletes what is over and old."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from actium_cli.context import current_app, output
from actium_cli.durations import parse_duration

if TYPE_CHECKING:
    from rich.console import RenderableType

    from actium.stores.upkeep import Pruned

PANEL = "Look after an installation"
app = typer.Typer()


@app.command()
def prune(
    older_than: Annotated[
        timedelta,
        typer.Option(
            parser=parse_duration, metavar="DURATION", help="How long ago it must have ended: 90s, 15m, 12h, 30d or 4w."
        ),
    ],
    keep_failed: Annotated[bool, typer.Option("--keep-failed", help="Keep the executions that have failed.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before deleting.")] = False,
) -> None:
    """Delete executions that ended long ago, with their attempts, and the events and tokens that nothing needs.

    It concerns all projects of the store. Workers and publishers go on meanwhile; what was deleted when it is
    interrupted stays so. An event that is published again after it was deleted is a new one.
    """
    from actium_cli.counts import counting

    if not yes:
        kept = ", except those that failed," if keep_failed else ""
        asked = f"Delete all executions{kept} that ended more than {_in_words(older_than)} ago, in every project?"
        typer.confirm(asked, abort=True, err=True)
    deleted: list[Pruned] = []
    with current_app() as actium, counting("Deleting …") as tell:

        def heard(so_far: Pruned) -> None:
            deleted[:] = [so_far]
            tell(f"Deleting: {_numbers(so_far)}")

        try:
            pruned = actium.retention.prune(older_than, keep_failed=keep_failed, on_batch=heard)
        except BaseException as error:
            error.add_note(f"Deleted until then: {_numbers(deleted[0]) if deleted else 'nothing'}.")
            raise
    output(pruned, lambda: _told(pruned))


def _told(pruned: Pruned) -> RenderableType:
    from rich.text import Text

    return Text(f"Deleted {_numbers(pruned)}.") if pruned else Text("Nothing is that old.", style="dim")


def _numbers(pruned: Pruned) -> str:
    from actium_cli.views import counted

    counts = ((pruned.executions, "execution"), (pruned.events, "event"), (pruned.tokens, "token"))
    return ", ".join(counted(count, word) for count, word in counts)


def _in_words(age: timedelta) -> str:
    from actium_cli.views import counted

    seconds = round(age.total_seconds())
    unit, length = next(
        (unit, length)
        for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
        if seconds % length == 0
    )
    return counted(seconds // length, unit)
