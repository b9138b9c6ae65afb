"""``actium execution``: what ran, runs and will run."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from actium_cli import listing
from actium_cli.context import current_app, output
from actium_cli.execution_filters import Action, Event, NewerThan, OlderThan, Status, Trigger, execution_filter

if TYPE_CHECKING:
    from uuid import UUID

    from rich.console import RenderableType

    from actium import Actium

PANEL = "Run and watch"
app = typer.Typer(help="Executions: what ran, runs and will run.", no_args_is_help=True)

Reference = Annotated[str, typer.Argument(metavar="EXECUTION", help="Its id, or a unique beginning of it.")]

SUCCEEDED, FAILED, CANCELLED, SKIPPED, NOT_ENDED = 0, 1, 3, 4, 124
"""The exit codes of ``watch``; the last is that of ``timeout`` of the shell."""

_EXIT_CODES = {"succeeded": SUCCEEDED, "failed": FAILED, "cancelled": CANCELLED, "skipped": SKIPPED}


class Form(StrEnum):
    """The values of ``trace --format``."""

    TREE = "tree"
    JSON = "json"
    CHROME = "chrome"


@app.command("list")
def list_executions(
    action: Action = None,
    trigger: Trigger = None,
    event: Event = None,
    status: Status = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    where: listing.Where = None,
    sort: listing.Sort = None,
    page: listing.PageNumber = 1,
    page_size: listing.PageSize = 20,
) -> None:
    """List executions, the latest first, each with its attempts and when it is tried again."""
    from actium_cli.execution_views import execution_table

    with current_app() as actium:
        asked = execution_filter(
            actium,
            action=action,
            trigger=trigger,
            event=event,
            status=status,
            older_than=older_than,
            newer_than=newer_than,
            where=where,
            sort=sort,
            page=page,
            page_size=page_size,
        )
        executions = actium.executions.list(asked)
    output(executions, lambda: execution_table(executions))


@app.command("show")
def show_execution(reference: Reference) -> None:
    """Show an execution: what it waits for, its attempts, its steps, its result or error, and what it was run by."""
    from actium_cli.execution_views import execution_details

    with current_app() as actium:
        execution = actium.executions.get(reference)
        is_held = _is_held(actium, execution.id)
    output(execution, lambda: execution_details(execution, is_held=is_held))


@app.command("watch")
def watch_execution(
    reference: Reference,
    timeout: Annotated[
        float | None, typer.Option(min=0, metavar="SECONDS", help="How long to wait for its end at most.")
    ] = None,
) -> None:
    """Show how far an execution is until it has ended, whichever process runs it.

    Exit code 0 when it has succeeded, 1 failed, 3 was cancelled, 4 was skipped, 124 has not ended in time. Ctrl-C ends
    the watching only.
    """
    from actium.errors import ExecutionNotEndedError
    from actium_cli.errors import tell
    from actium_cli.execution_views import execution_details, waits_for
    from actium_cli.progress import execution_display, follow

    with current_app() as actium:
        try:
            with execution_display() as display:
                execution = actium.executions.get(reference)
                if (told := waits_for(execution, is_held=_is_held(actium, execution.id))) is not None:
                    display.say(f"Execution {execution.id} of {execution.name!r} waits {told}.")
                execution = follow(actium, execution.id, display, timeout=timeout)
        except ExecutionNotEndedError as error:
            tell(error, debug=False)
            raise typer.Exit(NOT_ENDED) from error
    output(execution, lambda: execution_details(execution))
    if code := _EXIT_CODES[execution.status.value]:
        raise typer.Exit(code)


@app.command("trace")
def show_trace(
    reference: Reference,
    form: Annotated[
        Form | None,
        typer.Option("--format", help="tree (the default), json (a line a span), or chrome, which Perfetto opens."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            dir_okay=False,
            help="Write it there; unless --format says, .json is for Perfetto, .jsonl has a line a span.",
        ),
    ] = None,
) -> None:
    """Show what every plugin did in an execution, how long, and with which outcome.

    Traces of attempts that failed are kept, unless the action asks for more or less; see --keep-trace of `actium
    action`.
    """
    from actium_cli.tracing import show_or_write

    with current_app() as actium:
        execution = actium.executions.get(reference, hydrate=False)
        trace = actium.executions.trace(execution.id)
    show_or_write(execution, trace, form=None if form is None else form.value, file=file)


@app.command("cancel")
def cancel_execution(reference: Reference) -> None:
    """Cancel an execution: a pending one at once, a running one when its handler heeds the request."""
    from actium_cli.creation import told

    with current_app() as actium:
        execution = actium.executions.cancel(reference)
    done = "Cancelled" if execution.status.is_final else "Asked for the end of"
    output(execution, lambda: told(done, "execution of", execution))


@app.command("retry")
def retry_execution(
    reference: Annotated[
        str | None,
        typer.Argument(metavar="EXECUTION", help="Its id, or a unique beginning of it.", show_default=False),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Retry all that the options below choose; the failed ones of the project.")
    ] = False,
    latest: Annotated[
        bool, typer.Option("--latest", help="Run the action as it is now, and on behalf of its present account.")
    ] = False,
    action: Action = None,
    trigger: Trigger = None,
    event: Event = None,
    status: Status = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    where: listing.Where = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before retrying all.")] = False,
) -> None:
    """Make an execution that did not succeed pending again, or with --all many; their attempts are kept.

    It runs the revision of its action, and on behalf of the account, that it had, unless --latest is given.
    """
    chosen: dict[str, Any] = {
        "action": action,
        "trigger": trigger,
        "event": event,
        "status": status,
        "older_than": older_than,
        "newer_than": newer_than,
        "where": where,
    }
    if every == (reference is not None):
        raise typer.BadParameter("Give an execution, or --all.", param_hint="EXECUTION")
    if reference is None:
        _retry_all(chosen, latest=latest, yes=yes)
        return
    if given := [name for name, value in chosen.items() if value is not None]:
        raise typer.BadParameter(f"One execution needs no {', '.join(given)}.", param_hint="EXECUTION")
    from actium_cli.creation import told

    with current_app() as actium:
        execution = actium.executions.retry(reference, latest=latest)
    output(execution, lambda: told("Pending again:", "execution of", execution))


def _is_held(actium: Actium, execution_id: UUID) -> bool:
    """Whether an execution waits for its turn among its kind, which its response does not tell."""
    from actium.stores.records import ExecutionRecord

    return actium.store.get(ExecutionRecord, execution_id).held


def _retry_all(chosen: dict[str, Any], *, latest: bool, yes: bool) -> None:
    from actium_cli.views import counted

    with current_app() as actium:
        names_status = chosen["status"] or any(text.startswith("status=") for text in chosen["where"] or ())
        asked = execution_filter(actium, **(chosen if names_status else {**chosen, "status": "failed"}))
        found = actium.executions.list(asked).total
        if found and not yes:
            typer.confirm(f"Retry {counted(found, 'execution')}?", abort=True, err=True)
        retried = [execution.id for execution in (actium.executions.retry_all(asked, latest=latest) if found else ())]
    output({"found": found, "retried": retried}, lambda: _retried(found, len(retried)))


def _retried(found: int, count: int) -> RenderableType:
    from rich.text import Text

    from actium_cli.views import counted

    if not found:
        return Text("There is nothing to retry.", style="dim")
    told = f"{counted(count, 'execution')} {'is' if count == 1 else 'are'} pending again."
    if count < found:
        told += f" Of {found:,}, the others have succeeded, have not ended, or lost their action."
    return Text(told)
