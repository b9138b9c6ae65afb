"""``actium`` itself: the options that stand before a command's name."""

from __future__ import annotations

from typing import Annotated

import typer

from actium_cli import __version__
from actium_cli.command_tree import CommandTree
from actium_cli.logs import is_json_asked_for
from actium_cli.options import DEFAULT_PROJECT, DEFAULT_STORE, TRACE_HELP, TRACE_METAVAR, Options, holding

app = typer.Typer(
    cls=CommandTree,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_BLOCKING = "no:"


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"actium {__version__}")
        raise typer.Exit


def _blocked_names(given: list[str] | None) -> list[str]:
    for text in given or ():
        if not text.startswith(_BLOCKING) or text == _BLOCKING:
            raise typer.BadParameter(f"{text!r} is not of the form no:NAME, which blocks the plugin NAME.")
    return [text.removeprefix(_BLOCKING) for text in given or ()]


@app.callback()
def actium(
    context: typer.Context,
    store: Annotated[
        str, typer.Option("--store", metavar="URL", envvar="ACTIUM_STORE", help="The store to use.")
    ] = DEFAULT_STORE,
    project: Annotated[
        str, typer.Option("--project", metavar="NAME", envvar="ACTIUM_PROJECT", help="The project to work in.")
    ] = DEFAULT_PROJECT,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.", show_default=False)] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and logs.", show_default=False)] = False,
    trace: Annotated[
        str | None,
        typer.Option("--trace", metavar=TRACE_METAVAR, help=f"{TRACE_HELP} Also ACTIUM_TRACE.", show_default=False),
    ] = None,
    log_json: Annotated[
        bool,
        typer.Option("--log-json", help="Log in JSON, a line a record. Also ACTIUM_LOG=json.", show_default=False),
    ] = False,
    blocked: Annotated[
        list[str] | None,
        typer.Option(
            "-p",
            metavar="no:NAME",
            help="Do without the plugin or distribution NAME.",
            callback=_blocked_names,
            is_eager=True,
            show_default=False,
        ),
    ] = None,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Configure actions now; run them later, by events or by hand."""
    options = Options(
        store=store,
        project=project,
        as_json=as_json,
        debug=debug,
        trace=trace,
        log_json=log_json or is_json_asked_for(),
        blocked=tuple(blocked or ()),
    )
    context.with_resource(holding(options))
