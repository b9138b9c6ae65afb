"""``actium doctor``: what is not as it should be."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from actium_cli.context import current_options, output

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
    watch: Annotated[
        float,
        typer.Option(min=0, metavar="SECONDS", help="How long to wait at most for signs of life of workers elsewhere."),
    ] = 60,
) -> None:
    """Find what is wrong with the plugins and the store, and mend what a crash left behind.

    That is: actions that are half-changed, and executions whose worker is gone, which are tried again; any worker has
    that done, too. Whether a worker of another machine or container is gone takes its lease to tell, which is waited
    for where one says that it runs something. Also tells damage of the store, of which wrong counts are mended, and all
    that `actium plugin check` finds. Exit code 1 when something stays wrong.
    """
    from actium_cli.examination import examined

    options = current_options()
    findings = examined(mend=mend, grace=timedelta(minutes=grace), watch=timedelta(seconds=watch))
    output(findings, lambda: _told(findings, options.store))
    if not all(finding.mended for finding in findings):
        raise typer.Exit(1)


def _told(findings: list[Finding], store: str) -> RenderableType:
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    from actium.stores.urls import shown_url

    if not findings:
        looked_at = f"Looked at the plugins, and at the store {shown_url(store)}."
        return Group(Text("All is well.", style="green"), Text(looked_at, style="dim"))
    lines: list[RenderableType] = []
    for finding in findings:
        mark = ("✓ ", "bold green") if finding.mended else ("✗ ", "bold red")
        lines += [
            Text.assemble(mark, (finding.what, "bold")),
            Padding(Text(finding.problem), (0, 0, 0, 2)),
            Padding(Text(finding.remedy, style="cyan"), (0, 0, 0, 2)),
        ]
    return Group(*lines)
