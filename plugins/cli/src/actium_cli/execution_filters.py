"""The options that choose executions: of which action, trigger or event, in which status, how old."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from actium_cli import listing
from actium_cli.durations import before_now, parse_duration

if TYPE_CHECKING:
    from actium import Actium
    from actium.models import TriggerExecutionFilter

Action = Annotated[str | None, typer.Option(metavar="ACTION", help="Only of this action.")]
Trigger = Annotated[str | None, typer.Option(metavar="TRIGGER", help="Only by this trigger.")]
Event = Annotated[str | None, typer.Option(metavar="EVENT", help="Only by this event.")]
Status = Annotated[str | None, typer.Option(metavar="STATUS", help="Only in this status, e.g. failed.")]
OlderThan = Annotated[
    timedelta | None,
    typer.Option(parser=parse_duration, metavar="DURATION", help="Only those stored longer ago than e.g. 12h."),
]
NewerThan = Annotated[
    timedelta | None,
    typer.Option(parser=parse_duration, metavar="DURATION", help="Only those stored since then, e.g. 12h."),
]


def execution_filter(
    actium: Actium,
    *,
    action: str | None,
    trigger: str | None,
    event: str | None,
    status: str | None,
    older_than: timedelta | None,
    newer_than: timedelta | None,
    where: list[str] | None,
    sort: str | None = None,
    page: int = 1,
    page_size: int = 1,
) -> TriggerExecutionFilter:
    """The filter that the options ask for; a name stands for what it means in the command's project.

    Raises:
        NotFoundError, AmbiguousReferenceError: A name fits nothing, or several.
        InvalidQueryError: There is no such column, or a value does not fit its column.
    """
    from actium.models import TriggerExecutionFilter

    conditions: list[str] = [*(where or ())]
    if older_than is not None:
        conditions.append(f"created=lt:{before_now(older_than, option='--older-than').isoformat()}")
    if newer_than is not None:
        conditions.append(f"created=gte:{before_now(newer_than, option='--newer-than').isoformat()}")
    columns: dict[str, Any] = {
        "status": status,
        "action_id": None if action is None else actium.actions.get(action, hydrate=False).id,
        "trigger_id": None if trigger is None else actium.triggers.get(trigger, hydrate=False).id,
        "event_id": None if event is None else actium.events.get(event, hydrate=False).id,
    }
    return listing.listing_filter(
        TriggerExecutionFilter, where=conditions, sort=sort, page=page, page_size=page_size, **columns
    )
