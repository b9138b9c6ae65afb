"""``actium doctor``: what is not as it should be."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from actium_cli.context import current_app, output
from actium_cli.logs import without_warnings

if TYPE_CHECKING:
    from rich.console import RenderableType

    from actium.app.doctor import Finding

PANEL = "Look after an installation"
app = typer.Typer()


@app.command()
def doctor(
    mend: Annotated[
        bool, typer.Option("--mend", help="Finish or undo it, and have what dead workers left tried again.")
    ] = False,
    grace: Annotated[
        float, typer.Option(min=0, metavar="MINUTES", help="How long a change of an action may take.")
    ] = 10,
) -> None:
    """Find, and mend, what a crash left behind.

    That is: actions that are half-changed, and executions whose worker is gone, which are tried again; any worker has
    that done, too. Also tells damage of the store and broken plugins. Exit code 1 when something stays wrong.
    """
    with current_app() as actium, without_warnings("actium.plugins"):
        findings = actium.doctor.examine(mend=mend, grace=timedelta(minutes=grace))
    output(list(findings), lambda: _told(findings))
    if not all(finding.mended for finding in findings):
        raise typer.Exit(1)


def _told(findings: tuple[Finding, ...]) -> RenderableType:
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    if not findings:
        return Text("All is well.", style="green")
    lines: list[RenderableType] = []
    for finding in findings:
        mark = ("✓ ", "bold green") if finding.mended else ("✗ ", "bold red")
        lines += [
            Text.assemble(mark, (finding.what, "bold")),
            Padding(Text(finding.problem), (0, 0, 0, 2)),
            Padding(Text(finding.remedy, style="dim"), (0, 0, 0, 2)),
        ]
    return Group(*lines)
