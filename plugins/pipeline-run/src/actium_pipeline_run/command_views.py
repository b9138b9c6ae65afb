"""Pipelines, snapshots and runs as people read them; needs the distribution ``actium-cli``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from actium_cli import views
from actium_pipeline_run.graph import ParameterRecord, StepNode, as_tree
from actium_pipeline_run.snapshot import Pipeline, PipelineRun, PipelineSnapshot
from actium_pipeline_run.stored_pipelines import SnapshotTaken, Stored

if TYPE_CHECKING:
    from rich.console import RenderableType

    from actium.models import Page


def taken(taken: SnapshotTaken) -> RenderableType:
    """What became of taking a snapshot, in a line."""
    snapshot = taken.snapshot
    done = "Took snapshot " if taken.is_new else "Nothing has changed since snapshot "
    return Text.assemble(done, (snapshot.name, "bold"), (f"  {snapshot.id}", "dim"))


def pipeline_table(pipelines: Page[Stored[Pipeline]]) -> RenderableType:
    """A page of pipelines."""
    return views.paged(
        pipelines,
        views.table(
            ["NAME", "LATEST SNAPSHOT", "TAKEN", "DESCRIPTION"],
            [
                (
                    pipeline.name,
                    f"{pipeline.name}-{pipeline.body.snapshots}" if pipeline.body.snapshots else None,
                    views.when(pipeline.record.updated),
                    pipeline.body.description,
                )
                for pipeline in pipelines.items
            ],
            empty="There are no pipelines; `actium pipeline snapshot FILE.py:PIPELINE` takes a snapshot of one.",
        ),
    )


def snapshot_table(snapshots: Page[Stored[PipelineSnapshot]]) -> RenderableType:
    """A page of snapshots."""
    return views.paged(
        snapshots,
        views.table(
            ["NAME", "PIPELINE", "STEPS", "TAKEN", "ID", "SOURCE"],
            [
                (
                    snapshot.name,
                    snapshot.body.pipeline,
                    str(len(snapshot.body.graph.steps)),
                    views.when(snapshot.record.created),
                    views.short_id(snapshot.id),
                    snapshot.body.source.described,
                )
                for snapshot in snapshots.items
            ],
            empty="There are no snapshots; `actium pipeline snapshot FILE.py:PIPELINE` takes one.",
        ),
    )


def snapshot_details(snapshot: Stored[PipelineSnapshot], users: Sequence[str]) -> RenderableType:
    """One snapshot."""
    body = snapshot.body
    return views.sections(
        views.fields(
            [
                ("snapshot", snapshot.name),
                ("id", str(snapshot.id)),
                ("description", body.description),
                ("taken", views.when(snapshot.record.created)),
                ("source", body.source.described),
                ("used by", ", ".join(users) or None),
            ]
        ),
        {
            "Files": views.table(["FILE", "SHA-256"], [(file.path, file.sha256) for file in body.source.files]),
            "Parameters": _parameters(body.parameters),
            "Steps": Text(as_tree(body.graph, title=body.pipeline)),
            "Parameters of steps": _step_parameters(body.graph.steps),
        },
    )


def run_table(runs: Page[Stored[PipelineRun]]) -> RenderableType:
    """A page of runs."""
    return views.paged(
        runs,
        views.table(
            ["NAME", "STATUS", "SNAPSHOT", "STARTED", "TOOK", "STEPS", "TAGS", "ERROR"],
            [
                (
                    run.name,
                    views.state(run.body.status.value),
                    run.body.snapshot,
                    views.when(run.body.started),
                    views.took(run.body.seconds),
                    _done(run.body),
                    " ".join(run.body.tags),
                    run.body.error,
                )
                for run in runs.items
            ],
            empty="There are no runs; events or `actium action run NAME` make some.",
        ),
    )


def run_details(run: Stored[PipelineRun]) -> RenderableType:
    """One run."""
    body = run.body
    return views.sections(
        views.fields(
            [
                ("run", run.name),
                ("id", str(run.id)),
                ("status", views.state(body.status.value)),
                ("error", body.error),
                ("snapshot", body.snapshot),
                ("action", body.action),
                ("execution", f"{body.execution_id} (attempt {body.attempt})"),
                ("scheduler", body.scheduler),
                ("tags", " ".join(body.tags)),
                ("started", views.when(body.started)),
                ("took", views.took(body.seconds)),
            ]
        ),
        {
            "Parameters": views.structure(body.parameters),
            "Parameters of steps": views.structure(body.step_parameters),
            "Steps": _steps(body),
            "Result": views.structure(body.result),
            "Traceback": _traceback(body),
            "Log": Text(body.log.rstrip("\n")) if body.log else None,
        },
    )


def _steps(run: PipelineRun) -> RenderableType:
    failures = any(step.error for step in run.steps)
    return views.table(
        ["STEP", "STATUS", "ATTEMPTS", "TOOK", *(["ERROR"] if failures else [])],
        [
            (
                step.name,
                views.state(step.status.value),
                str(step.attempts),
                views.took(step.seconds),
                *([str(step.error) if step.error else None] if failures else []),
            )
            for step in run.steps
        ],
    )


def _traceback(run: PipelineRun) -> RenderableType | None:
    tracebacks = [step.error.traceback for step in run.steps if step.error is not None and step.error.traceback]
    return Text("\n".join(tracebacks).rstrip("\n")) if tracebacks else None


def _done(run: PipelineRun) -> str:
    done = sum(step.status.value == "succeeded" for step in run.steps)
    return f"{done}/{len(run.steps)}"


def _parameters(parameters: Sequence[ParameterRecord]) -> RenderableType | None:
    if not parameters:
        return None
    return views.table(
        ["PARAMETER", "TYPE", "DEFAULT"], [(each.name, each.type_described, _default(each)) for each in parameters]
    )


def _step_parameters(steps: Sequence[StepNode]) -> RenderableType | None:
    rows = [(step.name, each.name, each.type_described, _default(each)) for step in steps for each in step.parameters]
    return views.table(["STEP", "PARAMETER", "TYPE", "DEFAULT"], rows) if rows else None


def _default(parameter: ParameterRecord) -> str:
    if parameter.given_by is not None:
        return f"the pipeline's {parameter.given_by}"
    return "(required)" if parameter.required else json.dumps(parameter.default, ensure_ascii=False)
