"""However a run ends, none of its processes outlives it: proved by their ids, and by a pipe that all of them hold."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil  # type: ignore[import-untyped]  # its stubs are not worth a dependency
import pytest

from actium.errors import ExecutionCancelled
from actium_pipeline_run.errors import PipelineTimeoutError
from actium_pipeline_run.process_group import ProcessGroup

if TYPE_CHECKING:
    from conftest import Bench

HOLD = Path(__file__).with_name("hold.py")

FLOW = f"""
    import subprocess
    from pathlib import Path

    @step
    def load() -> int:
        return 1

    @step
    def hang(number: int, pipe: Path, manner: str = "obedient") -> int:
        if manner == "stubborn":
            import signal
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with open(pipe, "w") as held:
            print(os.getpid(), file=held, flush=True)
            return subprocess.call([sys.executable, {str(HOLD)!r}, str(pipe), manner, "2"])

    @step
    def start(number: int, pipe: Path, alone: bool = False) -> int:
        command = [sys.executable, {str(HOLD)!r}, str(pipe), "obedient", "1"]
        return subprocess.Popen(command, start_new_session=alone).pid

    @step
    def join(pid: int, pipe: Path) -> int:
        pipe.with_suffix(".seen").read_text()
        return pid

    @pipeline
    def flow(pipe: Path, manner: str = "obedient"):
        return hang(load(), pipe, manner)

    @pipeline
    def forgetful(pipe: Path, alone: bool = False):
        return join(start(load(), pipe, alone), pipe)
"""

FOLLOW = """
import sys
from pathlib import Path
from actium_pipeline_run.orders import RunOrder
from actium_pipeline_run.runner import describe_pipeline, run_pipeline

described = describe_pipeline("flow.py:flow", directory=Path(sys.argv[1]))
order = RunOrder(run="f00", source=described.source, steps=described.graph.names, parameters={"pipe": sys.argv[2]})
run_pipeline(order, environment={}, timeout=None, on_change=lambda steps: None, is_cancelled=lambda: False)
"""


class Family:
    """The processes of a run: each tells its id through one pipe, and holds that open as long as it lives."""

    def __init__(self, pipe: Path) -> None:
        self.pipe = pipe
        self._seen = pipe.with_suffix(".seen")
        self._has_let_join = False
        os.mkfifo(pipe)
        os.mkfifo(self._seen)
        self._reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        self._holding = os.open(pipe, os.O_WRONLY)  # the end comes when this is closed too, and not before
        self._said = b""

    def pids(self) -> list[int]:
        """The ids so far."""
        while select.select([self._reading], [], [], 0)[0] and (said := os.read(self._reading, 4_096)):
            self._said += said
        return [int(line) for line in self._said.split()]

    def is_complete(self) -> bool:
        """Whether the step's process, its child and its grandchild are there."""
        return len(self.pids()) == 3

    def await_complete(self) -> None:
        """Wait until they are."""
        while not self.is_complete():
            assert select.select([self._reading], [], [], 60)[0], "the processes did not start"

    def lets_join(self) -> bool:
        """Let the step ``join`` end once a process has told its id; cancels nothing."""
        if self.pids() and not self._has_let_join:
            self._has_let_join = True
            self._seen.write_text("seen")
        return False

    def has_ended(self) -> bool:
        """Whether the last of them has let go of the pipe, waiting up to ten seconds for the kernel to say so."""
        pids = self.pids()
        os.close(self._holding)
        is_at_end = bool(select.select([self._reading], [], [], 10)[0]) and os.read(self._reading, 1) == b""
        return is_at_end and all(has_left(pid) for pid in pids)

    def close(self) -> None:
        """Let go of the pipe, and of processes that are left."""
        for pid in self.pids():
            if lives(pid):
                os.kill(pid, signal.SIGKILL)
        os.close(self._reading)


def lives(pid: int) -> bool:
    """Whether a process runs; one that nobody has buried yet does not."""
    try:
        return bool(psutil.Process(pid).status() not in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD})
    except psutil.NoSuchProcess:
        return False


def has_left(pid: int, seconds: float = 10) -> bool:
    """Whether a process ends in time: the kernel closes its files first, and says that it has ended a little later."""
    deadline = time.monotonic() + seconds
    while lives(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Family]:
    """A pipe for the processes of a run."""
    family = Family(tmp_path / "pipe")
    yield family
    family.close()


@pytest.mark.parametrize("scheduler", ["synchronous", "threads", "processes"])
def test_a_cancelled_run_leaves_no_process(bench: Bench, family: Family, scheduler: str) -> None:
    """Cancelling ends the step's process, the process it has started, and that one's own."""
    outcome = bench.run_file(
        FLOW, scheduler=scheduler, parameters={"pipe": str(family.pipe)}, is_cancelled=family.is_complete
    )
    assert isinstance(outcome.error, ExecutionCancelled)
    assert len(family.pids()) == 3
    assert family.has_ended()
    assert [state.status.value for state in outcome.steps] == ["succeeded", "skipped"]
    assert "cancelled" in str(outcome.steps[1].error)


def test_a_run_that_takes_too_long_leaves_no_process(bench: Bench, family: Family) -> None:
    """When the clock says so, all processes are ended, and the step that was under way is to blame."""

    def clock() -> float:
        return 1_000.0 if family.is_complete() else 0.0

    outcome = bench.run_file(FLOW, parameters={"pipe": str(family.pipe)}, timeout=60, clock=clock)
    assert isinstance(outcome.error, PipelineTimeoutError)
    assert isinstance(outcome.error, TimeoutError)
    assert "longer than 60 seconds" in str(outcome.error)
    assert family.has_ended()
    assert [state.status.value for state in outcome.steps] == ["succeeded", "failed"]
    assert "longer than 60 seconds" in str(outcome.steps[1].error)


def test_processes_that_do_not_listen_are_killed(bench: Bench, family: Family) -> None:
    """Whoever ignores being asked is killed after the time of grace."""
    outcome = bench.run_file(
        FLOW,
        scheduler="synchronous",
        parameters={"pipe": str(family.pipe), "manner": "stubborn"},
        is_cancelled=family.is_complete,
        grace=0.2,
    )
    assert isinstance(outcome.error, ExecutionCancelled)
    assert len(family.pids()) == 3
    assert family.has_ended()


def test_a_run_that_succeeds_leaves_no_process(bench: Bench, family: Family) -> None:
    """A process that a step has started and forgotten ends with the run."""
    bench.write(FLOW)
    outcome = bench.run(
        bench.describe("flow.py:forgetful"), parameters={"pipe": str(family.pipe)}, is_cancelled=family.lets_join
    )
    assert outcome.error is None
    assert family.pids() == [outcome.result]
    assert family.has_ended()


def test_an_error_while_following_leaves_no_process(bench: Bench, family: Family) -> None:
    """When the store cannot be asked any more, the error is raised and the run is ended."""

    def is_cancelled() -> bool:
        if family.is_complete():
            raise OSError("the store is gone")
        return False

    with pytest.raises(OSError, match="the store is gone"):
        bench.run_file(FLOW, parameters={"pipe": str(family.pipe)}, is_cancelled=is_cancelled)
    assert family.has_ended()


def test_a_run_whose_parent_is_killed_leaves_no_process(bench: Bench, family: Family) -> None:
    """Even when Actium's own process is killed in the middle, the run's processes end by themselves."""
    bench.write(FLOW)
    with subprocess.Popen([sys.executable, "-c", FOLLOW, str(bench.directory), str(family.pipe)]) as parent:
        family.await_complete()
        parent.kill()
    assert family.has_ended()


def test_a_process_that_leaves_the_group_does_not_hold_up_the_run(bench: Bench, family: Family) -> None:
    """A daemon that moves to a session of its own is left alone; the run ends though that one holds its log open."""
    bench.write(FLOW)
    outcome = bench.run(
        bench.describe("flow.py:forgetful"),
        parameters={"pipe": str(family.pipe), "alone": True},
        is_cancelled=family.lets_join,
        grace=0.2,
    )
    assert outcome.error is None
    assert lives(outcome.result)


def test_a_child_that_does_not_understand_its_order_says_so() -> None:
    """It answers, and ends by itself."""
    with ProcessGroup(b"nonsense\n", environment={}) as group:
        line = group.next_line(timeout=30)
        assert group.wait(timeout=30)
    assert line is not None
    assert b'"answer": "failed"' in line
    assert group.exit_described() == "ended with exit code 0"
