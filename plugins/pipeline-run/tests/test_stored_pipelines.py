"""Pipelines, snapshots and runs in the store."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from actium.errors import AlreadyExistsError, AmbiguousReferenceError, InvalidInputError, NotFoundError, StoreBusyError
from actium.models import ActionRequest, ResourceFilter, ServiceAccountRequest
from actium.models.execution import ExecutionStatus
from actium.stores.base_store import BaseStore
from actium.stores.records import ResourceRecord
from actium.stores.urls import open_store
from actium_pipeline_run import recorded_run, stored_pipelines
from actium_pipeline_run.configuration import PipelineRunConfiguration
from actium_pipeline_run.snapshot import PIPELINE_SNAPSHOT, Pipeline, PipelineRun, PipelineSnapshot
from actium_pipeline_run.stored_pipelines import (
    find,
    find_snapshot,
    insert_run,
    list_stored,
    read,
    take_snapshot,
    unfinished_runs,
    update_run,
)

if TYPE_CHECKING:
    from conftest import Bench

FLOW = """
    @step
    def one(number: int = {number}) -> int:
        return number

    @pipeline
    def {name}():
        return one()
"""


@pytest.fixture
def store(bench: Bench) -> Iterator[BaseStore]:
    """A store on a real file."""
    store = open_store(f"sqlite:///{bench.directory / 'actium.db'}")
    yield store
    store.close()


def take(store: BaseStore, bench: Bench, *, name: str = "flow", number: int = 1, project: str = "default") -> Any:
    bench.write(FLOW.format(name=name, number=number))
    return take_snapshot(store, project, f"flow.py:{name}", directory=bench.directory)


def run(**fields: Any) -> PipelineRun:
    given: dict[str, Any] = {
        "run_name": "nightly",
        "pipeline": "flow",
        "snapshot": "flow-1",
        "snapshot_id": uuid4(),
        "action": "train",
        "execution_id": uuid4(),
        "attempt": 1,
        "scheduler": "threads",
        "parameters": {},
        "step_parameters": {},
        "started": datetime.now(UTC),
        "steps": (),
    }
    return PipelineRun(**(given | fields))


def test_a_snapshot_is_what_it_was_when_it_is_read_again(store: BaseStore, bench: Bench) -> None:
    """Source, parameters and graph survive the store."""
    taken = take(store, bench)
    assert taken.is_new
    again = read(store, PipelineSnapshot, taken.snapshot.id)
    assert again.body == taken.snapshot.body
    assert again.body.graph.names == ("one",)
    assert again.name == "flow-1"
    assert again.body.pipeline_id == find(store, Pipeline, "default", "flow").id


def test_what_has_not_changed_is_not_stored_again(store: BaseStore, bench: Bench) -> None:
    """The latest snapshot is given back; a change, and also the way back from it, makes a new one."""
    first = take(store, bench)
    assert take(store, bench) == type(first)(first.snapshot, is_new=False)
    second = take(store, bench, number=2)
    third = take(store, bench)
    assert [second.snapshot.name, third.snapshot.name] == ["flow-2", "flow-3"]
    assert find_snapshot(store, "default", "flow").id == third.snapshot.id
    assert find_snapshot(store, "default", "flow-2").id == second.snapshot.id


def test_projects_do_not_share_pipelines(store: BaseStore, bench: Bench) -> None:
    """The same pipeline counts its snapshots in each project on its own."""
    take(store, bench)
    other = take(store, bench, project="other")
    assert (other.snapshot.name, other.snapshot.record.project) == ("flow-1", "other")
    with pytest.raises(NotFoundError, match="no pipeline 'flow' in the project 'third'"):
        find(store, Pipeline, "third", "flow")


def test_snapshots_taken_at_once_get_different_numbers(
    store: BaseStore, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight threads that see eight different states leave eight snapshots, and the highest number is the latest."""
    described = []
    for number in range(8):
        bench.write(FLOW.format(name="flow", number=number))
        described.append(bench.describe())
    waiting = iter(described)
    lock = threading.Lock()
    barrier = threading.Barrier(8)

    def describe(*_: object, **__: object) -> object:
        with lock:
            mine = next(waiting)
        barrier.wait()
        return mine

    monkeypatch.setattr(stored_pipelines, "describe_pipeline", describe)
    taken: list[Any] = []
    threads = [
        threading.Thread(
            target=lambda: taken.append(take_snapshot(store, "default", "flow.py:flow", directory=bench.directory))
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = {each.snapshot.name for each in taken}
    assert names == {f"flow-{number}" for number in range(1, 9)}
    pipeline = find(store, Pipeline, "default", "flow")
    assert pipeline.body.snapshots == 8
    assert find(store, PipelineSnapshot, "default", "flow-8").id == pipeline.body.latest_snapshot_id


def test_what_is_found_by_a_beginning_must_be_the_only_one(store: BaseStore, bench: Bench) -> None:
    """An exact name wins; several that begin alike are named; the kind is heeded."""
    take(store, bench, name="flow")
    take(store, bench, name="flower")
    assert find(store, Pipeline, "default", "flow").name == "flow"
    assert find(store, Pipeline, "default", "flowe").name == "flower"
    with pytest.raises(AmbiguousReferenceError) as caught:
        find(store, Pipeline, "default", "flo")
    assert len(caught.value.candidates) == 2
    snapshot = find(store, PipelineSnapshot, "default", "flow-")
    assert find(store, PipelineSnapshot, "default", str(snapshot.id)) == snapshot
    with pytest.raises(NotFoundError):
        find(store, Pipeline, "default", str(snapshot.id))
    with pytest.raises(NotFoundError):
        read(store, Pipeline, snapshot.id)


def test_a_listing_holds_one_kind_only(store: BaseStore, bench: Bench) -> None:
    """Pipelines, snapshots and runs are listed apart, in pages."""
    for number in range(3):
        take(store, bench, number=number)
    assert list_stored(store, Pipeline, ResourceFilter()).total == 1
    page = list_stored(store, PipelineSnapshot, ResourceFilter(max_size=2, sort_by="name"))
    assert [item.name for item in page.items] == ["flow-1", "flow-2"]
    assert (page.total, page.total_pages) == (3, 2)
    assert list_stored(store, PipelineRun, ResourceFilter()).items == []


def test_runs_whose_executions_begin_alike_have_different_names(store: BaseStore) -> None:
    """The whole id is used where its beginning is taken."""
    first, second = UUID("12345678" + "0" * 24), UUID("12345678" + "1" * 24)
    assert insert_run(store, "default", run(execution_id=first)).name == "nightly-12345678-1"
    assert insert_run(store, "default", run(execution_id=second)).name == f"nightly-{second}-1"
    with pytest.raises(AlreadyExistsError, match="attempt 1 of the execution"):
        insert_run(store, "default", run(execution_id=second))


def test_a_long_run_name_leaves_room_for_the_rest(store: BaseStore) -> None:
    """Names of resources are limited; the execution and the attempt stay readable."""
    assert len(insert_run(store, "default", run(run_name="x" * 255)).name) <= 255


def test_runs_of_earlier_attempts_that_never_ended_are_found(store: BaseStore) -> None:
    """A worker that died leaves its run in the middle; the next attempt finds exactly that."""
    execution_id = uuid4()
    left = insert_run(store, "default", run(execution_id=execution_id, attempt=1))
    ended = insert_run(store, "default", run(execution_id=execution_id, attempt=2))
    update_run(store, ended, ended.body.model_copy(update={"status": ExecutionStatus.FAILED}))
    insert_run(store, "default", run())
    third = run(execution_id=execution_id, attempt=3)
    assert [each.id for each in unfinished_runs(store, "default", third)] == [left.id]
    assert list(unfinished_runs(store, "default", run(execution_id=execution_id))) == []


def test_a_body_of_another_version_is_told_as_such(store: BaseStore) -> None:
    """What cannot be read is named, with the fields that do not fit."""
    now = datetime.now(UTC)
    record = ResourceRecord(
        id=uuid4(),
        project="default",
        type=PIPELINE_SNAPSHOT,
        name="odd",
        body={"pipeline": "odd"},
        created=now,
        updated=now,
    )
    store.insert_resource(record)
    with pytest.raises(InvalidInputError, match="not as this version of Actium writes it") as caught:
        read(store, PipelineSnapshot, record.id)
    assert "graph" in {problem.path for problem in caught.value.problems}


def test_a_second_attempt_closes_the_run_of_the_first(store: BaseStore, bench: Bench) -> None:
    """And a store that is busy while progress is recorded does not end the run."""
    snapshot = take(store, bench).snapshot
    execution = _execution(store, attempt=2)
    left = insert_run(store, "default", run(run_name="flow", execution_id=execution.id))
    reported: list[list[str]] = []

    def report(steps: Any) -> None:
        reported.append([step.status for step in steps])
        if len(reported) == 1:
            raise StoreBusyError("busy")

    told = recorded_run.execute(
        store,
        snapshot,
        PipelineRunConfiguration(),
        execution,
        token="a-token",
        report=report,
        is_cancelled=lambda: False,
    )
    assert told["result"] == 1
    assert reported[-1] == ["succeeded"]
    closed = read(store, PipelineRun, left.id).body
    assert (closed.status, closed.error) == (ExecutionStatus.FAILED, recorded_run.WORKER_DIED)
    assert find(store, PipelineRun, "default", told["pipeline_run"]).body.attempt == 2


def test_a_run_whose_worker_is_interrupted_says_so(store: BaseStore, bench: Bench) -> None:
    """An interruption ends the run, is recorded with it, and goes on."""
    snapshot = take(store, bench).snapshot

    def interrupt(_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recorded_run.execute(
            store,
            snapshot,
            PipelineRunConfiguration(),
            _execution(store, attempt=1),
            token="a-token",
            report=lambda steps: None if steps[0].status == "pending" else interrupt(steps),
            is_cancelled=lambda: False,
        )
    run = find(store, PipelineRun, "default", "flow").body
    assert run.status is ExecutionStatus.FAILED
    assert run.error == "It was ended because its worker was interrupted: KeyboardInterrupt: "


def _execution(store: BaseStore, *, attempt: int) -> Any:
    """An execution as a handler is given it."""
    from actium import Actium, action_flavor
    from actium.actions.base_action import ActionConfig

    class Nothing(ActionConfig):
        """No settings."""

    @action_flavor("nothing.builtin", config=Nothing)
    def nothing() -> None:
        """Do nothing."""

    with Actium(store.url) as app:
        app.registry.register_plugin_flavor(nothing)
        account = app.accounts.create(ServiceAccountRequest(name="trainer"))
        action = app.actions.create(
            ActionRequest(name="train", plugin_subtype="nothing", flavor="builtin", service_account_id=account.id)
        )
        execution = app.actions.run(action.id)
    return execution.model_copy(update={"body": execution.body.model_copy(update={"attempt": attempt})})
