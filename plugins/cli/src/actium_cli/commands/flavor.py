"""``actium flavor``: what actions can be made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from actium_cli.context import current_app, current_options, output

if TYPE_CHECKING:
    from actium.plugins.registry import PluginStatus

PANEL = "Look after an installation"
app = typer.Typer(help="What actions can be made of: the installed flavors.", no_args_is_help=True)


@app.command("list")
def list_flavors(
    subtype: Annotated[str | None, typer.Option(metavar="NAME", help="Only flavors of this subtype.")] = None,
) -> None:
    """List the installed flavors. No plugin is imported for it."""
    from actium.plugins.registry import ACTION, PluginFlavorRegistry

    statuses = [
        status
        for status in PluginFlavorRegistry.from_environment(blocked=current_options().blocked).statuses(ACTION)
        if subtype is None or status.name.partition(".")[0] == subtype
    ]
    from actium_cli import views

    output(
        [_as_data(status) for status in statuses],
        lambda: views.flavor_table(statuses),
    )


@app.command("show")
def show_flavor(
    key: Annotated[str, typer.Argument(metavar="SUBTYPE.FLAVOR", help="The flavor's key.")],
) -> None:
    """Show a flavor: where it comes from, and what its configuration takes."""
    from actium_cli import views

    with current_app() as actium:
        flavor = actium.flavors.get(key)
        output(flavor, lambda: views.flavor_details(flavor))


def _as_data(status: PluginStatus) -> dict[str, object]:
    return {
        "name": status.name,
        "distribution": status.origin.distribution,
        "version": status.origin.version,
        "state": status.state,
        "problem": status.problem,
    }
