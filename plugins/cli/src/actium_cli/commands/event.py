"""``actium event``: what happened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from actium_cli import listing
from actium_cli.context import current_app, output

if TYPE_CHECKING:
    from rich.console import RenderableType

    from actium.models import EventResponse, Page, PublishedEvent

PANEL = "Run and watch"
app = typer.Typer(help="Events: what happened; publishing one runs actions.", no_args_is_help=True)

Reference = Annotated[
    str, typer.Argument(metavar="EVENT", help="Its id or CloudEvents id, or a unique beginning of either.")
]


@app.command("publish")
def publish_event(
    event_type: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="What happened, e.g. com.example.data.arrived.")
    ] = None,
    source: Annotated[str | None, typer.Option(metavar="SOURCE", help="Where it comes from, e.g. /bucket/raw.")] = None,
    event_id: Annotated[
        str | None,
        typer.Option("--id", metavar="ID", help="Unique for its source; publishing it again changes nothing."),
    ] = None,
    subject: Annotated[str | None, typer.Option(metavar="TEXT", help="What it happened to.")] = None,
    time: Annotated[str | None, typer.Option(metavar="TIME", help="When it happened; now by default.")] = None,
    data: Annotated[
        str | None, typer.Option(metavar="JSON", help="What it carries: JSON, @FILE, or - for stdin.")
    ] = None,
    attributes: Annotated[
        list[str] | None, typer.Option("--attribute", metavar="NAME=VALUE", help="An extension attribute.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="Publish the event, or events, of a YAML or JSON file.")
    ] = None,
    many: Annotated[
        Path | None,
        typer.Option(
            "--many", metavar="FILE", help="Publish the events of a file, or of stdin (-), a line of JSON each."
        ),
    ] = None,
) -> None:
    """Publish an event; when this is done, it and its executions are stored.

    With --many, events are stored in groups as they are read, so that there may be any number of them.
    """
    from actium import Event
    from actium_cli.creation import changes

    given = changes(type=event_type, source=source, id=event_id, subject=subject, time=time)
    given = {**given, **_extensions(attributes), **_data(data)}
    if many is not None:
        from actium_cli.many_events import publish_lines

        if given or file is not None:
            raise typer.BadParameter("The file says it all; leave out everything else.", param_hint="--many")
        publish_lines(many)
        return
    events = _given_events(file, given)
    with current_app() as actium:
        published = [actium.events.publish(event) for event in [Event(**fields) for fields in events]]
    output(published[0] if file is None else published, lambda: _told(published))


@app.command("list")
def list_events(
    event_type: Annotated[str | None, typer.Option("--type", metavar="TYPE", help="Only of this type.")] = None,
    source: Annotated[str | None, typer.Option(metavar="SOURCE", help="Only from this source.")] = None,
    where: listing.Where = None,
    sort: listing.Sort = None,
    page: listing.PageNumber = 1,
    page_size: listing.PageSize = 20,
) -> None:
    """List events, the latest first."""
    from actium.models import EventFilter

    asked = listing.listing_filter(
        EventFilter, where=where, sort=sort, page=page, page_size=page_size, type=event_type, source=source
    )
    with current_app() as actium:
        events = actium.events.list(asked)
    output(events, lambda: _table(events))


@app.command("replay")
def replay_event(
    reference: Reference,
    run: Annotated[
        bool, typer.Option("--run", help="Run what it matches here and now; exit code 1 when some does not succeed.")
    ] = False,
) -> None:
    """Match a stored event with the triggers of now, and run what it matches again, whatever it has led to before."""
    with current_app() as actium:
        replayed = actium.events.replay(reference)
        if not run:
            output(replayed, lambda: _told([replayed], done="Replayed event"))
            return
        from actium_cli.execution_views import execution_table_of
        from actium_cli.running import end_with_1_unless_succeeded, run_here

        ended = run_here(actium, replayed.executions)
    output({"id": replayed.id, "executions": ended}, lambda: execution_table_of(ended, empty="No trigger matched."))
    end_with_1_unless_succeeded(ended)


@app.command("show")
def show_event(reference: Reference) -> None:
    """Show an event: its attributes, its data, and the executions that it led to."""
    with current_app() as actium:
        event = actium.events.get(reference)
    output(event, lambda: _details(event))


def _given_events(file: Path | None, given: dict[str, Any]) -> list[dict[str, Any]]:
    from actium_cli.documents import read_objects

    if file is not None:
        if given:
            raise typer.BadParameter(f"A file says it all; leave out {', '.join(given)}.", param_hint="--file")
        return [dict(fields) for fields, _ in read_objects(file)]
    missing = [f"--{name}" for name in ("type", "source") if name not in given]
    if missing:
        raise typer.BadParameter("An event needs a type and a source, or -f and a file.", param_hint=", ".join(missing))
    return [given]


def _data(text: str | None) -> dict[str, Any]:
    from actium_cli.configuring import value_of

    return {} if text is None else {"data": value_of(text, option="--data")}


def _extensions(texts: list[str] | None) -> dict[str, Any]:
    for text in texts or ():
        if "=" not in text:
            raise typer.BadParameter(f"{text!r} is not of the form name=value.", param_hint="--attribute")
    return {name: value for name, _, value in (text.partition("=") for text in texts or ())}


def _told(published: list[PublishedEvent], *, done: str = "Published event") -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    from actium_cli import views

    lines: list[RenderableType] = []
    for event in published:
        said = "Known already: event" if event.duplicate else done
        executions = views.counted(len(event.executions), "execution") if event.executions else "no trigger matched"
        lines.append(Text.assemble(f"{said} ", (str(event.id), "dim"), f"  {executions}"))
        lines += [Text.assemble("  execution ", (str(execution), "dim")) for execution in event.executions]
    return Group(*lines)


def _table(events: Page[EventResponse]) -> RenderableType:
    from actium_cli import views

    return views.paged(
        events,
        views.table(
            ["TYPE", "SOURCE", "SUBJECT", "RECEIVED", "ID", "EVENT ID"],
            [
                (
                    event.type,
                    event.source,
                    event.body.subject,
                    views.ago(event.body.received),
                    views.short_id(event.id),
                    views.short_id(event.name),
                )
                for event in events.items
            ],
            empty="There are no events; `actium event publish --type TYPE --source SOURCE` makes one.",
        ),
    )


def _details(event: EventResponse) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    from actium_cli import views

    executions = event.get_metadata().executions
    return views.sections(
        views.fields(
            [
                ("id", str(event.id)),
                ("received", views.when(event.body.received)),
                ("project", event.body.project),
            ]
        ),
        {
            "Attributes": views.fields(event.event.attributes().items()),
            "Data": views.structure(event.event.data),
            "Executions": Group(*(Text(str(execution)) for execution in executions)) if executions else None,
        },
    )
