"""For commands that plugins add: the options of the person who typed the command, an open application, and an answer.

An entry point in the group ``actium.commands`` (name: the command's, value: a `typer.Typer`) is all that is needed::

    import typer
    from actium_cli.context import current_app, output

    app = typer.Typer(help="Look after pipelines.", no_args_is_help=True)

    @app.command("list")
    def list_pipelines() -> None:
        \"\"\"List the pipelines.\"\"\"
        from actium_cli.views import table

        with current_app() as actium:
            pipelines = [...]
        output(pipelines, lambda: table(["NAME"], [[pipeline.name] for pipeline in pipelines]))

Every command of such an app also takes ``--json``, ``--store``, ``--project``, ``--debug``, ``--trace`` and
``--log-json``; it must not declare them itself. Errors need no care: an `actium.errors.ActiumError` is shown with its
field problems and its hint, anything else with its type, and both end the command with exit code 1.
`typer.BadParameter` ends it with 2. The app is imported when its command is called or help is shown; what it prints
goes to standard error, so that ``--json`` stays JSON. Tables and other building blocks are in `actium_cli.views`, the
options of listings in `actium_cli.listing`. Both, like this module, are for plugins to use; import what is heavy inside
the command, as above, so that help stays fast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from actium_cli.options import Options, current
from actium_cli.output import Output

if TYPE_CHECKING:
    from rich.console import RenderableType

    from actium import Actium

__all__ = ["Options", "Output", "current_app", "current_options", "current_output", "output"]

_answers_on: ContextVar[Output] = ContextVar("output")


def current_options() -> Options:
    """The store, the project and the other options that hold for the command that runs."""
    return current.get()


@contextmanager
def current_app(*, hooks: Sequence[object] = ()) -> Iterator[Actium]:
    """Open the application that the options ask for, and close it at the end.

    Args:
        hooks: Further hook plugins to enable, as for `Actium`.

    Raises:
        StoreError: The store cannot be opened.
        PluginError: An enabled hook plugin is broken.
    """
    from actium import Actium
    from actium_cli.tracing import tracing_asked_for

    options = current.get()
    with Actium(
        options.store,
        project=options.project,
        hooks=hooks,
        block=options.blocked,
        trace=tracing_asked_for(options.trace),
    ) as app:
        yield app


def current_output() -> Output:
    """Where the command that runs answers: whether in JSON, and whether on a terminal."""
    return _answers_on.get()


def output(data: object, view: Callable[[], RenderableType]) -> None:
    """Answer: as JSON if ``--json`` was given, else as people read it.

    Args:
        data: Anything made of JSON types, responses of Actium, dataclasses, dates and ids.
        view: Makes what Rich prints, e.g. a `rich.table.Table` or a `str`; not called for JSON.
    """
    current_output().answer(data, view)


@contextmanager
def answering_on(answers: Output) -> Iterator[None]:
    """Let the command that runs meanwhile answer there."""
    token = _answers_on.set(answers)
    try:
        yield
    finally:
        _answers_on.reset(token)
