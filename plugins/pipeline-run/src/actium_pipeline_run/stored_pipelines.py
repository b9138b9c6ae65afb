"""Keeps pipelines, snapshots and runs in Actium's store, and finds them again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar
from uuid import UUID, uuid4

from pydantic import BaseModel, ValidationError

from actium.app.lookup import list_page
from actium.errors import (
    AlreadyExistsError,
    AmbiguousReferenceError,
    InvalidInputError,
    NotFoundError,
    VersionConflictError,
)
from actium.models.base import field_problems
from actium.models.kinds import ResourceType
from actium.models.page import Condition, Operator, Page
from actium.models.resource import ResourceFilter
from actium.stores.base_store import BaseStore, Query
from actium.stores.records import ResourceRecord
from actium_pipeline_run.orders import PipelineDescription
from actium_pipeline_run.runner import describe_pipeline
from actium_pipeline_run.snapshot import (
    PIPELINE,
    PIPELINE_RUN,
    PIPELINE_SNAPSHOT,
    Pipeline,
    PipelineRun,
    PipelineSnapshot,
)

BodyT = TypeVar("BodyT", bound=BaseModel)

_TYPES: dict[type[BaseModel], tuple[ResourceType, str, str]] = {
    Pipeline: (PIPELINE, "pipeline", "actium pipeline list"),
    PipelineSnapshot: (PIPELINE_SNAPSHOT, "pipeline snapshot", "actium pipeline list --snapshots"),
    PipelineRun: (PIPELINE_RUN, "pipeline run", "actium pipeline runs"),
}
_SHOWN_CANDIDATES = 20


@dataclass(frozen=True, slots=True)
class Stored(Generic[BodyT]):
    """A pipeline, snapshot or run as it is stored.

    Attributes:
        record: Its row.
        body: What it is.
    """

    record: ResourceRecord
    body: BodyT

    @property
    def id(self) -> UUID:
        """Its id."""
        return self.record.id

    @property
    def name(self) -> str:
        """Its name."""
        return self.record.name


@dataclass(frozen=True, slots=True)
class SnapshotTaken:
    """What became of taking a snapshot.

    Attributes:
        snapshot: The snapshot.
        is_new: Whether it was made now; false where the latest one already showed the same.
    """

    snapshot: Stored[PipelineSnapshot]
    is_new: bool


def take_snapshot(store: BaseStore, project: str, reference: str, *, directory: Path) -> SnapshotTaken:
    """Take a snapshot of a pipeline; nothing is stored where the latest one shows the same.

    Args:
        store: Where it is kept.
        project: The project it belongs to.
        reference: The pipeline: ``path/file.py:attribute`` or ``module:attribute``.
        directory: Where relative paths begin, and modules are looked for that are not installed.

    Raises:
        InvalidInputError, SourceNotFoundError, PipelineRunError: See `describe_pipeline`.
    """
    described = describe_pipeline(reference, directory=directory)
    pipeline = _pipeline(store, project, described)
    if pipeline.body.latest_snapshot_id is not None:
        latest = read(store, PipelineSnapshot, pipeline.body.latest_snapshot_id)
        if latest.body.shows(described):
            return SnapshotTaken(latest, is_new=False)
    snapshot = _insert_snapshot(store, pipeline, described)
    _make_latest(store, pipeline.id, snapshot)
    return SnapshotTaken(snapshot, is_new=True)


def read(store: BaseStore, kind: type[BodyT], record_id: UUID) -> Stored[BodyT]:
    """Read a pipeline, snapshot or run by its id.

    Raises:
        NotFoundError: There is none.
    """
    record = store.get(ResourceRecord, record_id)
    if record.type != _TYPES[kind][0]:
        raise _not_found(kind, str(record_id), record.project)
    return _stored(kind, record)


def find(store: BaseStore, kind: type[BodyT], project: str, reference: str) -> Stored[BodyT]:
    """Find what a person means by an id, a name, or a unique beginning of either.

    Raises:
        NotFoundError: Nothing fits.
        AmbiguousReferenceError: Several fit; they are named.
    """
    ways = [("id", Operator.EQUALS), ("name", Operator.EQUALS), ("id", Operator.STARTSWITH)]
    for column, operator in [*ways, ("name", Operator.STARTSWITH)]:
        value = _as_id(reference) if (column, operator) == ("id", Operator.EQUALS) else reference
        if value is None:
            continue
        found = list(_page(store, kind, project, (Condition(column, operator, value),)))
        if len(found) == 1:
            return _stored(kind, found[0])
        if found:
            candidates = [f"{record.name} ({record.id})" for record in found]
            raise AmbiguousReferenceError(
                f"{reference!r} fits several: {', '.join(candidates)}.",
                candidates=candidates,
                hint="Give more of the name or the id.",
            )
    raise _not_found(kind, reference, project)


def find_snapshot(store: BaseStore, project: str, reference: str) -> Stored[PipelineSnapshot]:
    """Find a snapshot as `find` does; the name of a pipeline means its latest one.

    Raises:
        NotFoundError, AmbiguousReferenceError: None, or several fit.
    """
    named = list(_page(store, Pipeline, project, (Condition("name", Operator.EQUALS, reference),)))
    latest = _stored(Pipeline, named[0]).body.latest_snapshot_id if named else None
    return (
        find(store, PipelineSnapshot, project, reference) if latest is None else read(store, PipelineSnapshot, latest)
    )


def list_stored(store: BaseStore, kind: type[BodyT], asked: ResourceFilter) -> Page[Stored[BodyT]]:
    """List pipelines, snapshots or runs.

    Raises:
        InvalidQueryError: There is no such page.
    """
    of_kind = asked.model_copy(update={"type": str(_TYPES[kind][0])})
    return list_page(store, ResourceRecord, of_kind, lambda found: [_stored(kind, record) for record in found])


def as_data(stored: Stored[Any]) -> dict[str, Any]:
    """A pipeline, snapshot or run as plain JSON values."""
    record = stored.record
    return {
        "id": str(record.id),
        "name": record.name,
        "project": record.project,
        "created": record.created.isoformat(),
        "updated": record.updated.isoformat(),
        **stored.body.model_dump(mode="json"),
    }


def as_data_page(page: Page[Stored[BodyT]]) -> dict[str, Any]:
    """A page of them as plain JSON values."""
    return {**page.model_dump(mode="json", exclude={"items"}), "items": [as_data(item) for item in page.items]}


def insert_run(store: BaseStore, project: str, run: PipelineRun) -> Stored[PipelineRun]:
    """Store a run that begins. Its name is its run name with the beginning of the execution's id and the attempt."""
    now = datetime.now(UTC)
    for execution in (run.execution_id.hex[:8], str(run.execution_id)):
        record = ResourceRecord(
            id=uuid4(),
            project=project,
            type=PIPELINE_RUN,
            name=_run_name(run, execution, run.attempt),
            body=run.model_dump(mode="json"),
            created=now,
            updated=now,
        )
        try:
            store.insert_resource(record)
        except AlreadyExistsError:
            continue  # another execution's id begins alike: use the whole of it
        return Stored(record, run)
    raise AlreadyExistsError(
        f"There is a run of attempt {run.attempt} of the execution {run.execution_id} already.",
        hint="An attempt is run once; look for two workers that run the same one.",
    )


def update_run(store: BaseStore, stored: Stored[PipelineRun], run: PipelineRun) -> Stored[PipelineRun]:
    """Replace what is known of a run."""
    return Stored(store.update_resource(replace(stored.record, body=run.model_dump(mode="json"))), run)


def unfinished_runs(store: BaseStore, project: str, run: PipelineRun) -> Iterator[Stored[PipelineRun]]:
    """The runs of earlier attempts of an execution that never ended, because their worker did."""
    names = tuple(
        _run_name(run, execution, attempt)
        for execution in (run.execution_id.hex[:8], str(run.execution_id))
        for attempt in range(1, run.attempt)
    )
    if not names:
        return
    for record in _page(store, PipelineRun, project, (Condition("name", Operator.ONEOF, names),)):
        stored = _stored(PipelineRun, record)
        if stored.body.execution_id == run.execution_id and not stored.body.status.is_final:
            yield stored


def _run_name(run: PipelineRun, execution: str, attempt: int) -> str:
    return f"{run.run_name[:200].strip()}-{execution}-{attempt}"


def _pipeline(store: BaseStore, project: str, described: PipelineDescription) -> Stored[Pipeline]:
    named = (Condition("name", Operator.EQUALS, described.name),)
    while not (found := list(_page(store, Pipeline, project, named))):
        now = datetime.now(UTC)
        pipeline = Pipeline(description=described.description)
        record = ResourceRecord(
            id=uuid4(),
            project=project,
            type=PIPELINE,
            name=described.name,
            body=pipeline.model_dump(mode="json"),
            created=now,
            updated=now,
        )
        try:
            store.insert_resource(record)
        except AlreadyExistsError:
            continue  # someone else took the first snapshot at the same moment
        return Stored(record, pipeline)
    return _stored(Pipeline, found[0])


def _insert_snapshot(
    store: BaseStore, pipeline: Stored[Pipeline], described: PipelineDescription
) -> Stored[PipelineSnapshot]:
    number = pipeline.body.snapshots
    while True:
        number += 1
        now = datetime.now(UTC)
        snapshot = PipelineSnapshot(
            pipeline=described.name,
            pipeline_id=pipeline.id,
            number=number,
            description=described.description,
            source=described.source,
            parameters=described.parameters,
            graph=described.graph,
        )
        record = ResourceRecord(
            id=uuid4(),
            project=pipeline.record.project,
            type=PIPELINE_SNAPSHOT,
            name=f"{described.name}-{number}",
            body=snapshot.model_dump(mode="json"),
            created=now,
            updated=now,
        )
        try:
            store.insert_resource(record)
        except AlreadyExistsError:
            continue  # someone else took this number, perhaps without having told the pipeline yet
        return Stored(record, snapshot)


def _make_latest(store: BaseStore, pipeline_id: UUID, snapshot: Stored[PipelineSnapshot]) -> None:
    while (current := read(store, Pipeline, pipeline_id)).body.snapshots < snapshot.body.number:
        latest = Pipeline(
            description=snapshot.body.description,
            snapshots=snapshot.body.number,
            latest_snapshot_id=snapshot.id,
        )
        changed = replace(current.record, body=latest.model_dump(mode="json"))
        try:
            store.update_resource(changed, expected_version=current.record.version)
        except VersionConflictError:
            continue  # someone else's snapshot came between: look again which is the latest


def _page(
    store: BaseStore, kind: type[BaseModel], project: str, conditions: tuple[Condition, ...]
) -> Iterator[ResourceRecord]:
    of_type = Condition("type", Operator.EQUALS, str(_TYPES[kind][0]))
    query = Query(project=project, conditions=(of_type, *conditions), max_size=_SHOWN_CANDIDATES)
    yield from store.page(ResourceRecord, query).records


def _stored(kind: type[BodyT], record: ResourceRecord) -> Stored[BodyT]:
    try:
        return Stored(record, kind.model_validate(record.body))
    except ValidationError as error:
        raise InvalidInputError(
            f"The {_TYPES[kind][1]} {record.name!r} ({record.id}) is not as this version of Actium writes it.",
            problems=field_problems(error),
            hint="It was written by another version, or changed by hand.",
        ) from error


def _as_id(reference: str) -> UUID | None:
    try:
        return UUID(reference)
    except ValueError:
        return None


def _not_found(kind: type[BaseModel], reference: str, project: str) -> NotFoundError:
    _, word, command = _TYPES[kind]
    return NotFoundError(
        f"There is no {word} {reference!r} in the project {project!r}.", hint=f"`{command}` shows what there is."
    )
