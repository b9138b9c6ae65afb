"""``actium trigger``: which events run which action."""

from __future__ import annotations

from typing import Annotated

import typer

from actium_cli import listing
from actium_cli.context import current_app, output
from actium_cli.creation import FromFile, NewName, changes, create, told

PANEL = "Configure"
app = typer.Typer(help="Triggers: which events run which action.", no_args_is_help=True)

Reference = Annotated[str, typer.Argument(metavar="TRIGGER", help="Its name or id, or a unique beginning of either.")]
Filters = Annotated[
    list[str] | None,
    typer.Option(
        "--filter",
        metavar="DIALECT:ATTRIBUTE=TEXT",
        help="exact, prefix or suffix of an attribute, e.g. exact:type=com.example.arrived; not: may stand before it. "
        "Given several times, all must hold.",
    ),
]
FiltersAsJson = Annotated[
    str | None, typer.Option("--filters", metavar="JSON", help="A list of filters that may nest: JSON, @FILE, or -.")
]
MatchAll = Annotated[bool, typer.Option("--match-all", help="Match every event.")]


@app.command("create")
def create_trigger(
    name: NewName = None,
    action: Annotated[str | None, typer.Option(metavar="ACTION", help="The action to run.")] = None,
    filters: Filters = None,
    filters_as_json: FiltersAsJson = None,
    match_all: MatchAll = False,
    description: Annotated[str | None, typer.Option(metavar="TEXT", help="What it is for.")] = None,
    disabled: Annotated[bool, typer.Option("--disabled", help="Create it switched off.")] = False,
    file: FromFile = None,
) -> None:
    """Create a trigger, from options or from a file."""
    if file is None and name is not None and action is None:
        raise typer.BadParameter("A trigger needs an action.", param_hint="--action")
    create(
        "trigger",
        file,
        {
            "name": name,
            "action": action,
            "filters": _filters_of(filters, filters_as_json),
            "match_all": match_all or None,
            "description": description,
            "is_active": False if disabled else None,
        },
        missing="Give the trigger's name, or -f and a file.",
    )


@app.command("list")
def list_triggers(
    action: Annotated[str | None, typer.Option(metavar="ACTION", help="Only of this action.")] = None,
    where: listing.Where = None,
    sort: listing.Sort = None,
    page: listing.PageNumber = 1,
    page_size: listing.PageSize = 20,
) -> None:
    """List triggers."""
    from actium.models import TriggerFilter
    from actium_cli.trigger_views import trigger_table

    with current_app() as actium:
        triggers = actium.triggers.list(
            listing.listing_filter(
                TriggerFilter,
                where=where,
                sort=sort,
                page=page,
                page_size=page_size,
                action_id=None if action is None else actium.actions.get(action, hydrate=False).id,
            ),
            hydrate=True,
        )
    output(triggers, lambda: trigger_table(triggers))


@app.command("show")
def show_trigger(reference: Reference) -> None:
    """Show a trigger: its filters and its action."""
    from actium_cli.trigger_views import trigger_details

    with current_app() as actium:
        trigger = actium.triggers.get(reference)
    output(trigger, lambda: trigger_details(trigger))


@app.command("update")
def update_trigger(
    reference: Reference,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="A new name.")] = None,
    filters: Filters = None,
    filters_as_json: FiltersAsJson = None,
    match_all: MatchAll = False,
    description: Annotated[str | None, typer.Option(metavar="TEXT", help="What it is for.")] = None,
) -> None:
    """Change a trigger; given filters replace all that it had."""
    from actium.models import TriggerUpdate

    given = _filters_of(filters, filters_as_json)
    changed = changes(name=name, filters=given, description=description)
    if match_all:
        changed.update(match_all=True, filters=given or [])
    elif given is not None:
        changed["match_all"] = False
    if not changed:
        raise typer.BadParameter("Give at least one option that says what to change.", param_hint="TRIGGER")
    with current_app() as actium:
        trigger = actium.triggers.update(reference, TriggerUpdate(**changed))
    output(trigger, lambda: told("Updated", "trigger", trigger))


@app.command("enable")
def enable_trigger(reference: Reference) -> None:
    """Match a trigger from the next event on."""
    with current_app() as actium:
        trigger = actium.triggers.enable(reference)
    output(trigger, lambda: told("Enabled", "trigger", trigger))


@app.command("disable")
def disable_trigger(reference: Reference) -> None:
    """Stop matching a trigger from the next event on."""
    with current_app() as actium:
        trigger = actium.triggers.disable(reference)
    output(trigger, lambda: told("Disabled", "trigger", trigger))


@app.command("delete")
def delete_trigger(reference: Reference) -> None:
    """Delete a trigger; its executions stay."""
    with current_app() as actium:
        trigger = actium.triggers.get(reference, hydrate=False)
        actium.triggers.delete(trigger.id)
    output({"deleted": trigger.id, "name": trigger.name}, lambda: told("Deleted", "trigger", trigger))


@app.command("explain")
def explain_trigger(
    reference: Reference,
    event: Annotated[str, typer.Argument(metavar="EVENT", help="A stored event's id, or a unique beginning of it.")],
) -> None:
    """Show why a trigger matches a stored event, or why not."""
    from actium_cli.trigger_views import explanation

    with current_app() as actium:
        trigger = actium.triggers.get(reference)
        explained = actium.triggers.explain(trigger.id, event)
    matches = explained is None or explained.outcome
    output(
        {"trigger": trigger.name, "is_active": trigger.is_active, "matches": matches, "explained": explained},
        lambda: explanation(trigger, explained),
    )


def _filters_of(texts: list[str] | None, as_json: str | None) -> list[dict[str, object]] | None:
    """The filters that options give; None if they give none."""
    from actium_cli.configuring import value_of
    from actium_cli.event_filters import FilterTextError, parse_filter

    if not texts and as_json is None:
        return None
    whole = [] if as_json is None else value_of(as_json, option="--filters")
    if isinstance(whole, dict):
        whole = [whole]
    if not isinstance(whole, list):
        raise typer.BadParameter(f"Filters are a list of objects, got {whole!r:.60}.", param_hint="--filters")
    try:
        return [*whole, *map(parse_filter, texts or ())]
    except FilterTextError as error:
        raise typer.BadParameter(str(error), param_hint="--filter") from error
