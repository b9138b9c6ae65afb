"""What surrounds every command: the common options, standard output kept for the answer, errors told in words."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, get_type_hints

import typer

from actium_cli.context import answering_on
from actium_cli.errors import exit_code_of, tell
from actium_cli.logs import logs_shown
from actium_cli.options import AFTER_THE_COMMAND, current, holding
from actium_cli.output import Output
from actium_cli.standard_output import kept_stdout

_PREFIX = "every_command_"


def prepared(app: typer.Typer) -> typer.Typer:
    """Give every command of an app, also of the groups in it, what all commands of ``actium`` have."""
    for command in app.registered_commands:
        if command.callback is not None and not hasattr(command.callback, "surrounded"):
            command.callback = _surrounded(command.callback)
    for group in app.registered_groups:
        if group.typer_instance is not None:
            prepared(group.typer_instance)
    return app


def _surrounded(callback: Callable[..., Any]) -> Callable[..., Any]:
    hints = get_type_hints(callback, include_extras=True)
    signature = inspect.signature(callback)
    added = {f"{_PREFIX}{field}": annotation for field, annotation in AFTER_THE_COMMAND.items()}

    @functools.wraps(callback)
    def run(**arguments: Any) -> None:
        given = {field: arguments.pop(f"{_PREFIX}{field}") for field in AFTER_THE_COMMAND}
        _run(functools.partial(callback, **arguments), given)

    parameters = [
        parameter.replace(annotation=hints.get(name, parameter.annotation), kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in signature.parameters.items()
    ]
    parameters += [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=False if name.endswith(("json", "debug")) else None,
            annotation=annotation,
        )
        for name, annotation in added.items()
    ]
    run.__annotations__ = {**hints, **added}
    run.__dict__.update(__signature__=signature.replace(parameters=parameters), surrounded=True)
    return run


def _run(command: Callable[[], None], given: dict[str, Any]) -> None:
    options = current.get().overridden(given)
    with (
        holding(options),
        logs_shown(debug=options.debug, as_json=options.log_json),
        kept_stdout() as stdout,
        answering_on(Output(stdout, as_json=options.as_json)),
    ):
        try:
            command()
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise
        except BrokenPipeError:
            _drop_what_nobody_reads(stdout)
            raise typer.Exit(1) from None
        except (Exception, KeyboardInterrupt) as error:
            tell(error, debug=options.debug)
            raise typer.Exit(exit_code_of(error)) from error


def _drop_what_nobody_reads(stream: Any) -> None:
    """Keep the interpreter from failing once more when it flushes what could not be written."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.stderr.flush()
