"""``actium plugin``: what is installed, and whether it works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from actium_cli.context import current_options, output

if TYPE_CHECKING:
    from rich.console import RenderableType

    from actium_cli.plugin_check import CheckedPlugin

PANEL = "Look after an installation"
app = typer.Typer(help="Plugins: what is installed, and whether it works.", no_args_is_help=True)


@app.command("list")
def list_plugins(
    kind: Annotated[
        str | None, typer.Option(metavar="KIND", help="Only action flavors (action), hooks, commands or stores.")
    ] = None,
) -> None:
    """List the installed plugins. None is imported for it."""
    from actium_cli.plugin_check import found_plugins

    plugins = [plugin for plugin in found_plugins(current_options().blocked) if kind in {None, plugin.kind}]
    output(plugins, lambda: _table(plugins))


@app.command("check")
def check_plugins() -> None:
    """Import every plugin, and tell what is broken; exit code 1 when something is. --debug shows where."""
    from actium_cli.plugin_check import check

    options = current_options()
    plugins = check(options.blocked, debug=options.debug)
    output(plugins, lambda: _checked(plugins))
    if any(plugin.is_broken for plugin in plugins):
        raise typer.Exit(1)


def _table(plugins: list[CheckedPlugin]) -> RenderableType:
    from actium_cli import views

    return views.table(
        ["NAME", "KIND", "STATE", "DISTRIBUTION", "VERSION"],
        [
            (plugin.name, plugin.kind, views.state(plugin.state), plugin.distribution, plugin.version)
            for plugin in plugins
        ],
        empty="No plugins are installed.",
    )


def _checked(plugins: list[CheckedPlugin]) -> RenderableType:
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    from actium_cli import views

    broken = [plugin for plugin in plugins if plugin.is_broken]
    listing = views.table(
        ["NAME", "KIND", "STATE", "DISTRIBUTION", "VERSION", "IMPORT"],
        [
            (
                plugin.name,
                plugin.kind,
                views.state(plugin.state),
                plugin.distribution,
                plugin.version,
                None if plugin.import_seconds is None else f"{plugin.import_seconds * 1000:.0f} ms",
            )
            for plugin in plugins
        ],
        empty="No plugins are installed.",
    )
    if not broken:
        return listing
    told: list[RenderableType] = []
    for plugin in broken:
        told += [
            "",
            Text.assemble(("✗ ", "bold red"), (plugin.name, "bold")),
            Padding(Text(plugin.problem or ""), (0, 0, 0, 2)),
        ]
    return Group(listing, *told)
