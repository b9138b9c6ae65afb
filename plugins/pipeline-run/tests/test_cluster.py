"""Runs on a real Dask cluster of two worker processes, through its address."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import cloudpickle  # type: ignore[import-untyped]  # it has no types of its own, and no stubs
import pytest

from actium.errors import ExecutionCancelled
from actium_pipeline_run.by_value import travel_by_value
from actium_pipeline_run.lowering import Portable
from actium_pipeline_run.runner import RunOutcome
from actium_pipeline_run.states import StepState
from actium_pipeline_run.step_task import PickledWork, StepTask, TopicChannel

if TYPE_CHECKING:
    from conftest import Bench

FLOW = """
    import enum, dataclasses
    from pathlib import Path

    class Kind(enum.Enum):
        EVEN = "even"
        ODD = "odd"

    @dataclasses.dataclass
    class Row:
        number: int
        kind: Kind

    @step
    def load(count: int) -> list[Row]:
        return [Row(number, Kind.ODD if number % 2 else Kind.EVEN) for number in range(count)]

    @step(outputs=2, retries=1)
    def split(rows: list[Row], tally: Path):
        with tally.open("a") as file:
            file.write("x")
        if tally.stat().st_size == 1:
            raise ConnectionError("not yet")
        return [row for row in rows if row.kind is Kind.EVEN], [row for row in rows if row.kind is Kind.ODD]

    @step
    def where(rows: list[Row]) -> dict:
        return {"pid": os.getpid(), "total": sum(row.number for row in rows)}

    @step
    def fail(rows: list[Row], kind: Kind = Kind.ODD) -> None:
        raise ValueError(f"no {kind.value} rows")

    @pipeline
    def flow(tally: Path, count: int = 10):
        even, odd = split(load(count), tally)
        return [where(even), where(odd)]

    @pipeline
    def failing(count: int = 3):
        return where(fail(load(count)))
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a scheduler with two worker processes, which know nothing of any test."""
    from distributed import Client, LocalCluster

    start: Callable[..., LocalCluster] = LocalCluster
    connect: Callable[..., Client] = Client
    with start(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster:
        yield cluster.scheduler_address
        with connect(cluster) as client:  # a cluster that is closed while it replaces a dead worker can hang
            client.wait_for_workers(2, timeout=60)


def test_steps_run_in_the_workers_and_tell_of_it(
    bench: Bench, cluster: str, statuses: Callable[[RunOutcome], dict[str, str]]
) -> None:
    """Values of the pipeline's own classes, repeated steps and their states come and go through the address."""
    tally = bench.directory / "tally"
    outcome = bench.run_file(FLOW, scheduler=cluster, parameters={"tally": str(tally)})
    assert outcome.error is None
    assert [part["total"] for part in outcome.result] == [20, 25]
    assert statuses(outcome) == dict.fromkeys(("load", "split", "where", "where_2"), "succeeded")
    assert [state.attempts for state in outcome.steps] == [1, 2, 1, 1]
    assert all(state.seconds is not None for state in outcome.steps)


def test_states_come_from_the_workers_while_steps_run(bench: Bench, cluster: str) -> None:
    """A step that waits is seen running; only then is it let go on."""
    gate = bench.directory / "gate"
    os.mkfifo(gate)
    opened: list[threading.Thread] = []

    def on_change(steps: tuple[StepState, ...]) -> None:
        if steps[0].status.value == "running" and not opened:
            opened.append(threading.Thread(target=gate.write_text, args=("go",)))
            opened[0].start()

    outcome = bench.run_file(
        """
        from pathlib import Path

        @step
        def wait(gate: Path) -> str:
            return gate.read_text()

        @pipeline
        def flow(gate: Path):
            return wait(gate)
        """,
        scheduler=cluster,
        parameters={"gate": str(gate)},
        on_change=on_change,
    )
    assert outcome.result == "go"
    assert opened


def test_a_step_that_fails_in_a_worker_is_named_with_its_error(
    bench: Bench, cluster: str, statuses: Callable[[RunOutcome], dict[str, str]]
) -> None:
    """The error crosses two processes, with the traceback of the pipeline's own code."""
    bench.write(FLOW)
    outcome = bench.run(bench.describe("flow.py:failing"), scheduler=cluster)
    assert str(outcome.error) == "The step 'fail' failed: ValueError: no odd rows"
    assert statuses(outcome) == {"load": "succeeded", "fail": "failed", "where": "skipped"}
    error = outcome.steps[1].error
    assert error is not None
    assert "in fail" in str(error.traceback)


def test_two_runs_of_one_snapshot_do_not_share_results(bench: Bench, cluster: str) -> None:
    """Runs on one cluster keep their keys apart, so that each calls its steps itself."""
    tally = bench.directory / "tally"
    bench.write(FLOW)
    described = bench.describe()
    for expected in (2, 3):
        assert bench.run(described, scheduler=cluster, parameters={"tally": str(tally)}).error is None
        assert tally.stat().st_size == expected


def test_a_worker_that_dies_is_told_with_the_step(bench: Bench, cluster: str) -> None:
    """A step that takes down one worker after the other fails, and the cluster goes on."""
    outcome = bench.run_file(
        """
        @step
        def crash() -> None:
            os._exit(1)

        @pipeline
        def flow():
            return crash()
        """,
        scheduler=cluster,
    )
    assert "The step 'crash' failed: KilledWorker: Attempted to run" in str(outcome.error)
    assert outcome.steps[0].status.value == "failed"


def test_a_cancelled_run_lets_go_of_the_cluster(bench: Bench, cluster: str) -> None:
    """The steps of a cancelled run that have not begun never do, and the cluster takes further runs."""
    gate = bench.directory / "gate"
    text = """
        import time
        from pathlib import Path

        @step
        def wait(gate: Path) -> None:
            gate.touch()
            time.sleep(2)

        @step
        def leave(waited: None, gate: Path) -> None:
            gate.rename(gate.with_suffix(".late"))

        @pipeline
        def flow(gate: Path):
            return leave(wait(gate), gate)
    """
    outcome = bench.run_file(text, scheduler=cluster, parameters={"gate": str(gate)}, is_cancelled=gate.exists)
    assert isinstance(outcome.error, ExecutionCancelled)
    tally = bench.directory / "tally"
    bench.write(FLOW, "other.py")
    again = bench.run(bench.describe("other.py:flow"), scheduler=cluster, parameters={"tally": str(tally)})
    assert again.error is None
    assert not gate.with_suffix(".late").exists()


def test_a_step_s_task_needs_nothing_of_actium_where_it_arrives() -> None:
    """Workers hold Dask and the pipeline's libraries: what travels can be unpacked without Actium."""
    travel_by_value([])
    task = StepTask("fit", 0, TopicChannel("t"), PickledWork(cloudpickle.dumps((len, {"obj": [1]}))))
    sent = cloudpickle.dumps(Portable(task))
    code = """
import pickle, sys
class Absent:
    def find_spec(self, name, *_):
        if name.partition(".")[0].startswith(("actium", "pydantic")):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
task = pickle.loads(sys.stdin.buffer.read())
print(type(task).__name__, task.name, task._call([]))
"""
    done = subprocess.run([sys.executable, "-c", code], input=sent, capture_output=True, check=False)
    assert (done.stdout, done.stderr) == (b"StepTask fit 1\n", b"")
