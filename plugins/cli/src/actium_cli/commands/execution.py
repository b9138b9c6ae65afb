"""``actium execution``: what ran, runs and will run."""

from __future__ import annotations

from typing import Annotated

import typer

from actium_cli import listing
from actium_cli.context import current_app, output

PANEL = "Run and watch"
app = typer.Typer(help="Executions: what ran, runs and will run.", no_args_is_help=True)

Reference = Annotated[str, typer.Argument(metavar="EXECUTION", help="Its id, or a unique beginning of it.")]


@app.command("list")
def list_executions(
    action: Annotated[str | None, typer.Option(metavar="ACTION", help="Only of this action.")] = None,
    trigger: Annotated[str | None, typer.Option(metavar="TRIGGER", help="Only by this trigger.")] = None,
    event: Annotated[str | None, typer.Option(metavar="EVENT", help="Only by this event.")] = None,
    status: Annotated[str | None, typer.Option(metavar="STATUS", help="Only in this status, e.g. failed.")] = None,
    where: listing.Where = None,
    sort: listing.Sort = None,
    page: listing.PageNumber = 1,
    page_size: listing.PageSize = 20,
) -> None:
    """List executions, the latest first."""
    from actium.models import TriggerExecutionFilter
    from actium_cli.execution_views import execution_table

    with current_app() as actium:
        executions = actium.executions.list(
            listing.listing_filter(
                TriggerExecutionFilter,
                where=where,
                sort=sort,
                page=page,
                page_size=page_size,
                status=status,
                action_id=None if action is None else actium.actions.get(action, hydrate=False).id,
                trigger_id=None if trigger is None else actium.triggers.get(trigger, hydrate=False).id,
                event_id=None if event is None else actium.events.get(event, hydrate=False).id,
            )
        )
    output(executions, lambda: execution_table(executions))


@app.command("show")
def show_execution(reference: Reference) -> None:
    """Show an execution: its steps, its result or error, and what it was run by."""
    from actium_cli.execution_views import execution_details

    with current_app() as actium:
        execution = actium.executions.get(reference)
    output(execution, lambda: execution_details(execution))


@app.command("cancel")
def cancel_execution(reference: Reference) -> None:
    """Cancel an execution: a pending one at once, a running one when its handler heeds the request."""
    from actium_cli.creation import told

    with current_app() as actium:
        execution = actium.executions.cancel(reference)
    done = "Cancelled" if execution.status.is_final else "Asked for the end of"
    output(execution, lambda: told(done, "execution of", execution))
