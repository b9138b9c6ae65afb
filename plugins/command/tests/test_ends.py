"""However a command ends, nothing of it is left: proved by a pipe that all of its processes hold open."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from actium import Actium, ExecutionStatus
from actium.models import ActionResponse

HOLD = Path(__file__).with_name("hold.py")
SECONDS = 30.0
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells whose descendants they were")

Create = Callable[..., ActionResponse]


class Family:
    """The processes of a command: each tells its id through one pipe, and holds that open as long as it lives."""

    def __init__(self, pipe: Path) -> None:
        self.pipe = pipe
        os.mkfifo(pipe)
        self._reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)

    def argv(self, manner: str = "obedient") -> list[str]:
        """A command of three processes, each the child of the one before."""
        return [sys.executable, "-S", str(HOLD), str(self.pipe), manner, "3"]

    def await_complete(self) -> list[int]:
        """Wait until all three are there; gives their ids."""
        said = b""
        while len(said.split(b"\n")) < 4:
            assert select.select([self._reading], [], [], SECONDS)[0], "the processes did not start"
            said += os.read(self._reading, 4_096)
        return [int(line) for line in said.split()]

    def has_ended(self) -> bool:
        """Whether the last of them has let go of the pipe, waiting for the kernel to say so."""
        return bool(select.select([self._reading], [], [], SECONDS)[0]) and os.read(self._reading, 1) == b""

    def close(self) -> None:
        os.close(self._reading)


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Family]:
    family = Family(tmp_path / "pipe")
    yield family
    family.close()


@contextmanager
def working(app: Actium) -> Iterator[None]:
    """A worker that runs in a thread of its own."""
    worker = app.worker(concurrency=2, poll_interval=0.05)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield
    finally:
        worker.stop(grace=0)
        thread.join()


@pytest.mark.parametrize("manner", ["obedient", "stubborn", pytest.param("daemon", marks=needs_linux)])
def test_a_cancelled_command_leaves_nothing(app: Actium, create: Create, family: Family, manner: str) -> None:
    """Cancelling ends all processes of a command, those that do not listen and those that went away as well."""
    create(argv=family.argv(manner))
    with working(app):
        execution = app.actions.run("command")
        family.await_complete()
        app.executions.cancel(execution.id)
        ended = app.executions.wait(execution.id, SECONDS)
    assert ended.status is ExecutionStatus.CANCELLED
    assert family.has_ended()


def test_a_cancelled_command_may_clean_up(app: Actium, create: Create, tmp_path: Path) -> None:
    """A command that is asked to end has time to do so in order before it is killed."""
    begun = tmp_path / "begun"
    os.mkfifo(begun)
    code = "trap 'echo tidy > tidy; exit 0' TERM; echo > begun; while :; do sleep 0.01; done"
    create(argv=["sh", "-c", code], working_directory=str(tmp_path))
    with working(app):
        execution = app.actions.run("command")
        begun.read_text()
        app.executions.cancel(execution.id)
        ended = app.executions.wait(execution.id, SECONDS)
    assert ended.status is ExecutionStatus.CANCELLED
    assert (tmp_path / "tidy").read_text() == "tidy\n"


def test_a_command_that_takes_too_long_leaves_nothing(app: Actium, create: Create, family: Family) -> None:
    """When the time of the run policy is over, the command and what it started are ended, and the reason says so."""
    create(argv=family.argv(), run_policy={"timeout": 1.0})
    with working(app):
        execution = app.actions.run("command")
        family.await_complete()
        ended = app.executions.wait(execution.id, SECONDS)
    assert ended.status is ExecutionStatus.FAILED
    assert "ExecutionTimeoutError: The attempt took longer than 1 s." in str(ended.reason)
    assert family.has_ended()


def test_a_worker_that_stops_leaves_nothing(app: Actium, create: Create, family: Family) -> None:
    """A worker that is stopped ends its commands and gives their executions back."""
    create(argv=family.argv())
    with working(app):
        execution = app.actions.run("command")
        family.await_complete()
    assert app.executions.get(execution.id).status is ExecutionStatus.PENDING
    assert family.has_ended()


@pytest.mark.parametrize("manner", ["obedient", pytest.param("daemon", marks=needs_linux)])
def test_a_killed_worker_leaves_nothing(
    app: Actium, create: Create, family: Family, tmp_path: Path, manner: str
) -> None:
    """Even a worker that is killed leaves no process of its commands, and no folder."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    create(argv=family.argv(manner))
    app.actions.run("command")
    code = f"from actium import Actium; Actium({app.store.url!r}).worker().run()"
    worker = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "TMPDIR": str(scratch)})
    try:
        family.await_complete()
        assert len(list(scratch.iterdir())) == 1
    finally:
        worker.kill()
        worker.wait()
    assert family.has_ended()
    assert is_emptied(scratch)


def is_emptied(folder: Path) -> bool:
    """Whether a folder becomes empty in time: a supervisor without a worker has nobody to tell what it has done."""
    deadline = time.monotonic() + SECONDS
    while any(folder.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.005)
    return not any(folder.iterdir())


@pytest.mark.parametrize("manner", ["obedient", "stubborn", pytest.param("daemon", marks=needs_linux)])
def test_a_command_that_ends_takes_its_children_along(app: Actium, create: Create, family: Family, manner: str) -> None:
    """What a command leaves running when it ends by itself is ended too, and its folder is removed."""
    argv = family.argv(manner)
    go = family.pipe.with_suffix(".go")
    os.mkfifo(go)
    create(argv=["sh", "-c", f'"$@" & read line < {go}', "sh", *argv])
    with working(app):
        execution = app.actions.run("command")
        family.await_complete()
        go.write_text("go\n")
        ended = app.executions.wait(execution.id, SECONDS)
    assert ended.status is ExecutionStatus.SUCCEEDED, ended.reason
    assert family.has_ended()


def test_a_stopped_command_is_killed_all_the_same(app: Actium, create: Create, family: Family) -> None:
    """A command whose processes were stopped by a signal is ended as well."""
    create(argv=family.argv())
    with working(app):
        execution = app.actions.run("command")
        for pid in family.await_complete():
            os.kill(pid, signal.SIGSTOP)
        app.executions.cancel(execution.id)
        ended = app.executions.wait(execution.id, SECONDS)
    assert ended.status is ExecutionStatus.CANCELLED
    assert family.has_ended()


def test_nothing_is_left_open_in_the_worker(create: Create, app: Actium) -> None:
    """After many commands the worker has no more descriptors and no more threads than before."""
    create(argv=["true"])

    def run_once() -> None:
        app.actions.run("command")
        app.worker().run_until_idle()

    run_once()
    before = open_descriptors(), threading.active_count()
    for _ in range(10):
        run_once()
    assert (open_descriptors(), threading.active_count()) == before


def open_descriptors() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())
