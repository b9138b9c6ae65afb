"""Executions as people read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.text import Text

from actium_cli import views
from actium_cli.context import current_options

if TYPE_CHECKING:
    from rich.console import RenderableType

    from actium import TriggerExecutionResponse
    from actium.models import Page
    from actium.models.execution import Attempt, ExecutionError


def execution_table(executions: Page[TriggerExecutionResponse]) -> RenderableType:
    """A page of executions."""
    empty = "There are no executions; events or `actium action run NAME` make some."
    return views.paged(executions, execution_table_of(executions.items, empty=empty))


def execution_table_of(executions: Sequence[TriggerExecutionResponse], *, empty: str) -> RenderableType:
    """Executions, and when they are tried again where some are."""
    following = [_next_attempt(execution) for execution in executions]
    has_next = any(following)
    return views.table(
        ["ACTION", "STATUS", "ATTEMPTS", *(["NEXT"] if has_next else []), "CREATED", "TOOK", "ID", "REASON"],
        [
            (
                execution.name,
                views.state(execution.status.value),
                str(execution.attempt),
                *([moment] if has_next else []),
                views.ago(execution.body.created),
                views.took(views.duration(execution)),
                views.short_id(execution.id),
                execution.reason,
            )
            for execution, moment in zip(executions, following, strict=True)
        ],
        empty=empty,
    )


def execution_details(execution: TriggerExecutionResponse, *, is_held: bool = False) -> RenderableType:
    """One execution, hydrated.

    Args:
        execution: Which one.
        is_held: Whether it waits for its turn among its kind.
    """
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
                ("waits", waits_for(execution, is_held=is_held)),
                ("trigger", trigger or by_hand),
                ("event", None if execution.event is None else f"{execution.event.type} {execution.event.id}"),
                ("created", views.when(body.created)),
                ("started", views.when(body.started)),
                ("took", views.took(views.duration(execution))),
            ]
        ),
        {
            "Attempts": _attempts(execution),
            "Steps": _steps(execution),
            "Result": views.structure(execution.result),
            **_tracebacks(execution),
        },
    )


def _next_attempt(execution: TriggerExecutionResponse) -> str | None:
    """When a pending execution is tried again; None for one that just waits for a worker."""
    if execution.status.value != "pending" or not execution.attempt:
        return None
    return views.ahead(execution.body.available)


def waits_for(execution: TriggerExecutionResponse, *, is_held: bool) -> str | None:
    """What an execution waits for; None where it runs or has ended."""
    if execution.status.value == "running":
        return "for its handler to heed that it was cancelled" if execution.get_metadata().cancel_requested else None
    if execution.status.value != "pending":
        return None
    if is_held:
        return "for its turn: as many of its kind are under way as may run at once"
    available = execution.body.available
    if available is not None and available > datetime.now(UTC):
        return f"for its next attempt, at {views.when(available)}"
    return "for a worker"


def _attempts(execution: TriggerExecutionResponse) -> RenderableType | None:
    if not execution.attempts:
        return None
    return views.table(
        ["NO", "STATUS", "STARTED", "TOOK", "WORKER", "REASON"],
        [
            (
                str(attempt.number),
                views.state("running" if attempt.status is None else attempt.status.value),
                views.when(attempt.started),
                views.took(_seconds(attempt)),
                attempt.worker,
                attempt.reason or _said(attempt.error),
            )
            for attempt in execution.attempts
        ],
    )


def _seconds(attempt: Attempt) -> float:
    return ((attempt.finished or datetime.now(UTC)) - attempt.started).total_seconds()


def _said(error: ExecutionError | None) -> str | None:
    return None if error is None else f"{error.type}: {error.message}"


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


def _tracebacks(execution: TriggerExecutionResponse) -> Mapping[str, RenderableType]:
    """Where the errors came from, only when debugging; the reasons tell the rest."""
    if not current_options().debug:
        return {}
    return {
        f"Traceback of attempt {attempt.number}": Text(attempt.error.traceback.rstrip("\n"))
        for attempt in execution.attempts
        if attempt.error is not None and attempt.error.traceback is not None
    }
