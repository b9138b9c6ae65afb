"""``actium plugin``: what is installed, whether it works, and who is called when."""

from __future__ import annotations

from typing import Annotated

import typer

from actium_cli.context import current_options, output

PANEL = "Look after an installation"
app = typer.Typer(help="Plugins: what is installed, and whether it works.", no_args_is_help=True)


@app.command("list")
def list_plugins(
    kind: Annotated[
        str | None, typer.Option(metavar="KIND", help="Only action flavors (action), hooks, commands or stores.")
    ] = None,
    load: Annotated[
        bool,
        typer.Option(
            "--load", help="Import them: tell how long that takes, which work, and the hooks that they implement."
        ),
    ] = False,
) -> None:
    """List the installed plugins. None is imported for it, unless --load asks for that."""
    from actium_cli.plugin_check import check, found_plugins
    from actium_cli.plugin_views import listed

    blocked = current_options().blocked
    found = check(blocked, debug=False) if load else found_plugins(blocked)
    plugins = [plugin for plugin in found if kind in {None, plugin.kind}]
    output(plugins, lambda: listed(plugins, loaded=load))


@app.command("check")
def check_plugins() -> None:
    """Import every plugin, and tell what is broken; exit code 1 when something is.

    Looks for what cannot be imported, with the plugin's own part of the traceback; for hooks that are misspelled or
    implemented in a way that cannot work; for names that two distributions claim; for requirements of their
    distributions that are not met; for hook plugins that want to be called before each other; and for coroutines that
    an import makes and never awaits. Names that are nearly those that Actium uses are noted. --debug shows whole
    tracebacks.
    """
    from actium_cli.plugin_check import check
    from actium_cli.plugin_views import checked

    options = current_options()
    plugins = check(options.blocked, debug=options.debug)
    output(plugins, lambda: checked(plugins))
    if any(plugin.is_broken for plugin in plugins):
        raise typer.Exit(1)


@app.command("hooks")
def show_hooks(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A hook, a hook plugin or a flavor; all hooks unless given.")
    ] = None,
    show_all: Annotated[
        bool, typer.Option("--all", help="Also hook plugins that are not enabled, as if they were.")
    ] = False,
) -> None:
    """Show who is called in a hook, in which order, and why in that order."""
    from actium_cli.hook_calls import shown_calls
    from actium_cli.plugin_views import called

    calls = shown_calls(name, current_options().blocked, installed=show_all)
    output(calls, lambda: called(calls))
