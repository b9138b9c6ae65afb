"""Executions as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from actium_cli import views
from actium_cli.context import current_options

if TYPE_CHECKING:
    from rich.console import RenderableType

    from actium import TriggerExecutionResponse
    from actium.models import Page


def execution_table(executions: Page[TriggerExecutionResponse]) -> RenderableType:
    """A page of executions."""
    return views.paged(
        executions,
        views.table(
            ["ACTION", "STATUS", "CREATED", "TOOK", "ID", "REASON"],
            [
                (
                    execution.name,
                    views.state(execution.status.value),
                    views.ago(execution.body.created),
                    views.took(views.duration(execution)),
                    views.short_id(execution.id),
                    execution.reason,
                )
                for execution in executions.items
            ],
            empty="There are no executions; events or `actium action run NAME` make some.",
        ),
    )


def execution_details(execution: TriggerExecutionResponse) -> RenderableType:
    """One execution, hydrated."""
    body = execution.body
    resources = execution.resources
    trigger = None if resources is None or resources.trigger is None else resources.trigger.name
    by_hand = "by hand" if body.trigger_id is None else str(body.trigger_id)
    return views.sections(
        views.fields(
            [
                ("action", f"{execution.name} (revision {body.action_revision})"),
                ("id", str(execution.id)),
                ("status", views.state(execution.status.value)),
                ("reason", execution.reason),
                ("trigger", trigger or by_hand),
                ("event", None if execution.event is None else f"{execution.event.type} {execution.event.id}"),
                ("created", views.when(body.created)),
                ("started", views.when(body.started)),
                ("took", views.took(views.duration(execution))),
                ("worker", execution.attempts[-1].worker if execution.attempts else None),
            ]
        ),
        {
            "Steps": _steps(execution),
            "Result": views.structure(execution.result),
            "Traceback": _error(execution),
        },
    )


def _steps(execution: TriggerExecutionResponse) -> RenderableType | None:
    if not execution.progress:
        return None
    failures = any(step.error for step in execution.progress)
    return views.table(
        ["STEP", "STATUS", "TOOK", *(["ERROR"] if failures else [])],
        [
            (step.name, views.state(step.status), views.took(step.seconds), *([step.error] if failures else []))
            for step in execution.progress
        ],
    )


def _error(execution: TriggerExecutionResponse) -> RenderableType | None:
    """What went wrong, with the traceback only when debugging; the reason tells the rest."""
    error = execution.error
    if error is None or error.traceback is None or not current_options().debug:
        return None
    return Text(error.traceback.rstrip("\n"))
