"""``actium pipeline``: snapshots of pipelines, what is in them, and their runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from actium_cli import listing
from actium_cli.context import current_app, output

if TYPE_CHECKING:
    from rich.console import RenderableType

    from actium.models import Page
    from actium_pipeline_run.stored_pipelines import BodyT, Stored

app = typer.Typer(help="Pipelines: snapshots of them, their steps, and their runs.", no_args_is_help=True)

Snapshot = Annotated[
    str,
    typer.Argument(
        metavar="SNAPSHOT", help="Its name or id, or a unique beginning of either; a pipeline's name is its latest."
    ),
]


@app.command("snapshot")
def take(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="path/to/file.py:PIPELINE or package.module:PIPELINE")
    ],
) -> None:
    """Take a snapshot of a pipeline: its steps, its parameters, and the hashes of its files."""
    from actium_pipeline_run import command_views
    from actium_pipeline_run.stored_pipelines import as_data, take_snapshot

    with current_app() as actium:
        taken = take_snapshot(actium.store, actium.project, source, directory=Path.cwd())
    output({**as_data(taken.snapshot), "is_new": taken.is_new}, lambda: command_views.taken(taken))


@app.command("list")
def list_pipelines(
    snapshots: Annotated[bool, typer.Option("--snapshots", help="List the snapshots instead.")] = False,
    where: listing.Where = None,
    sort: listing.Sort = None,
    page: listing.PageNumber = 1,
    page_size: listing.PageSize = 20,
) -> None:
    """List pipelines, or their snapshots."""
    from actium_pipeline_run import command_views
    from actium_pipeline_run.snapshot import Pipeline, PipelineSnapshot
    from actium_pipeline_run.stored_pipelines import as_data_page

    if snapshots:
        found = _page(PipelineSnapshot, where=where, sort=sort, page=page, page_size=page_size)
        output(as_data_page(found), lambda: command_views.snapshot_table(found))
    else:
        pipelines = _page(Pipeline, where=where, sort=sort, page=page, page_size=page_size)
        output(as_data_page(pipelines), lambda: command_views.pipeline_table(pipelines))


@app.command("show")
def show(reference: Snapshot) -> None:
    """Show a snapshot: its source, its parameters and its steps, and which actions use it."""
    from actium_pipeline_run import command_views
    from actium_pipeline_run.snapshot import PIPELINE_SNAPSHOT
    from actium_pipeline_run.stored_pipelines import as_data, find_snapshot

    with current_app() as actium:
        snapshot = find_snapshot(actium.store, actium.project, reference)
        users = [user.name for user in actium.store.actions_using(PIPELINE_SNAPSHOT, snapshot.id)]
    output({**as_data(snapshot), "used_by": users}, lambda: command_views.snapshot_details(snapshot, users))


@app.command("graph")
def graph(
    reference: Snapshot,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="As the text of a Mermaid flowchart.")] = False,
) -> None:
    """Show the steps of a snapshot and how they depend on each other, as a tree."""
    from actium_pipeline_run.graph import as_mermaid, as_tree
    from actium_pipeline_run.stored_pipelines import as_data, find_snapshot

    with current_app() as actium:
        snapshot = find_snapshot(actium.store, actium.project, reference)
    drawn = as_mermaid(snapshot.body.graph) if mermaid else as_tree(snapshot.body.graph, title=snapshot.name)
    output({**as_data(snapshot)["graph"], "drawing": drawn}, lambda: _text(drawn))


@app.command("runs")
def runs(
    reference: Annotated[
        str | None, typer.Argument(metavar="RUN", help="Show only this run, whole: its name or id, or a beginning.")
    ] = None,
    where: listing.Where = None,
    sort: listing.Sort = None,
    page: listing.PageNumber = 1,
    page_size: listing.PageSize = 20,
) -> None:
    """List runs of pipelines, the latest first; or show one with its steps, its result and the end of its log."""
    from actium_pipeline_run import command_views
    from actium_pipeline_run.snapshot import PipelineRun
    from actium_pipeline_run.stored_pipelines import as_data, as_data_page, find

    if reference is None:
        found = _page(PipelineRun, where=where, sort=sort, page=page, page_size=page_size)
        output(as_data_page(found), lambda: command_views.run_table(found))
        return
    with current_app() as actium:
        run = find(actium.store, PipelineRun, actium.project, reference)
    output(as_data(run), lambda: command_views.run_details(run))


def _page(
    kind: type[BodyT], *, where: list[str] | None, sort: str | None, page: int, page_size: int
) -> Page[Stored[BodyT]]:
    from actium.models import ResourceFilter
    from actium_pipeline_run.stored_pipelines import list_stored

    asked = listing.listing_filter(ResourceFilter, where=where, sort=sort, page=page, page_size=page_size)
    with current_app() as actium:
        return list_stored(actium.store, kind, asked)


def _text(text: str) -> RenderableType:
    from rich.text import Text

    return Text(text)
