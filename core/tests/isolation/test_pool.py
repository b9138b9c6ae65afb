"""The processes of a pool: warm, few, killed for certain, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from actium import action_flavor
from actium.errors import ExecutionCancelled, ExecutionTimeoutError, InvalidInputError, NotConfiguredError
from actium.isolation import (
    FlavorReference,
    NotIsolableError,
    PoolClosedError,
    ProcessDiedError,
    ProcessPool,
    RunOrder,
)
from actium.isolation.process import BOOTSTRAP
from actium.plugins.origin import Origin

Run = Callable[..., Any]
Start = Callable[..., Any]
MakeOrder = Callable[..., RunOrder]
IsRunning = Callable[[int], bool]


def never_comes(condition: Callable[[], bool], *, within: float = 10) -> bool:
    """Whether a condition does not come true in time."""
    until = time.monotonic() + within
    while not condition():
        if time.monotonic() > until:
            return True
        time.sleep(0.005)
    return False


# Warmth


def test_a_process_is_used_again(run: Run) -> None:
    """One run after the other finds the same process."""
    first = run("pid")
    assert [run("pid") for _ in range(5)] == [first] * 5
    assert first != os.getpid()


def test_a_process_is_replaced_after_so_many_runs(order: MakeOrder, start: Start, is_running: IsRunning) -> None:
    """With ``recycle_after`` each process has that many runs, and is gone after them."""
    with ProcessPool(size=1, recycle_after=2) as pool:
        pids = [start(pool, order("pid")) for _ in range(5)]
        assert pids[0] == pids[1] != pids[2] == pids[3] != pids[4]
        assert [is_running(pid) for pid in pids] == [False] * 4 + [True]


def test_a_process_that_ended_while_it_was_idle_is_replaced(run: Run) -> None:
    """Nobody's run fails because the process died before it."""
    before = run("pid")
    os.kill(before, signal.SIGKILL)
    os.waitid(os.P_PID, before, os.WEXITED | os.WNOWAIT)
    assert run("pid") != before


def test_threads_share_a_few_processes(order: MakeOrder, start: Start, tmp_path: Path) -> None:
    """Eight threads on a pool of two: every run is answered, two processes are used, and never more at once."""
    with ProcessPool(size=2) as pool, ThreadPoolExecutor(8) as threads:
        overlaps = list(threads.map(lambda _: start(pool, order("overlaps", text=str(tmp_path))), range(48)))
        pids = set(threads.map(lambda _: start(pool, order("pid")), range(48)))
    assert len(overlaps) == 48
    assert max(overlaps) == 2
    assert len(pids) <= 2


def test_answers_reach_the_thread_that_asked(order: MakeOrder, start: Start) -> None:
    """Whoever runs gets its own result, however many run at once."""
    with ProcessPool(size=2) as pool, ThreadPoolExecutor(8) as threads:
        texts = [f"text {number}" for number in range(64)]
        assert list(threads.map(lambda text: start(pool, order("later", text=text)), texts)) == texts


def test_nothing_is_imported_or_started_before_the_first_run() -> None:
    """Importing the package costs the parent none of what runs need."""
    program = (
        "import sys, actium.isolation; "
        "print([name for name in ('subprocess', 'socket', 'pydantic', 'asyncio') if name in sys.modules])"
    )
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=unmeasured)
    assert done.stdout == "[]\n"


# Timeout and cancellation


def test_a_timeout_kills_the_process_and_what_it_started(
    pool: ProcessPool, order: MakeOrder, start: Start, is_running: IsRunning, tmp_path: Path
) -> None:
    """A handler and its own child process, both deaf to SIGTERM, are gone when the error arrives, and that in time."""
    told = tmp_path / "pids"
    start(pool, order("pid"))
    begun = time.monotonic()
    with pytest.raises(ExecutionTimeoutError, match=r"ran for more than 2 seconds; its process was killed") as raised:
        start(pool, order("hangs", text=str(told)), timeout=2)
    assert 2 <= time.monotonic() - begun < 4  # half a second of it is the grace time
    assert isinstance(raised.value, TimeoutError)
    child, grandchild = map(int, told.read_text().split())
    assert not is_running(child)
    assert not never_comes(lambda: not is_running(grandchild))
    assert start(pool, order("pid")) != child


@pytest.mark.parametrize("name", ["cleans", "cleans_async"])
def test_finally_blocks_run_within_the_grace_time(
    order: MakeOrder, start: Start, tmp_path: Path, is_running: IsRunning, name: str
) -> None:
    """A handler that is made to end cleans up, and the wait is over as soon as it has."""
    told = tmp_path / "told"
    with ProcessPool(size=1, grace=30) as pool:
        child = start(pool, order("pid"))
        begun = time.monotonic()
        with pytest.raises(ExecutionTimeoutError):
            start(pool, order(name, text=str(told)), timeout=1)
        assert time.monotonic() - begun < 20
    assert told.read_text() == "cleaned up"
    assert not is_running(child)


def test_a_handler_that_looks_ends_by_itself_and_its_process_goes_on(
    pool: ProcessPool, order: MakeOrder, start: Start
) -> None:
    """``cancel_requested`` turns true in the child, and the process is used again."""
    before = start(pool, order("pid"))
    with pytest.raises(ExecutionCancelled, match="^it was asked to$"):
        start(pool, order("Waits"), is_cancelled=lambda: True)
    assert start(pool, order("pid")) == before


def test_a_handler_that_does_not_look_is_killed_when_it_is_cancelled(
    pool: ProcessPool, order: MakeOrder, start: Start, tmp_path: Path, is_running: IsRunning
) -> None:
    """After the grace time its process, and what that started, are killed; the execution is cancelled all the same."""
    told = tmp_path / "pids"
    with pytest.raises(ExecutionCancelled, match=r"did not end within 0\.5 seconds"):
        start(pool, order("hangs", text=str(told)), is_cancelled=told.exists)
    child, grandchild = map(int, told.read_text().split())
    assert not is_running(child)
    assert not never_comes(lambda: not is_running(grandchild))


def test_a_run_that_waits_for_a_process_can_be_cancelled(
    pool: ProcessPool, order: MakeOrder, start: Start, tmp_path: Path
) -> None:
    """It never begins, and does not wait on."""
    told, over = tmp_path / "told", threading.Event()
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(start, pool, order("cleans", text=str(told)), is_cancelled=over.is_set)
        assert not never_comes(told.exists)
        with pytest.raises(ExecutionCancelled, match="while it waited for a process"):
            start(pool, order("pid"), is_cancelled=lambda: True)
        over.set()
        with pytest.raises(ExecutionCancelled):
            first.result()


@pytest.mark.parametrize("which", ["is_cancelled", "on_progress"])
def test_a_caller_that_fails_leaves_no_run_behind(
    pool: ProcessPool, order: MakeOrder, start: Start, is_running: IsRunning, which: str
) -> None:
    """When the store behind a callback fails, the run is ended and the error raised."""

    def fail(*_: Any) -> bool:
        raise OSError("the store is gone")

    before = start(pool, order("pid"))
    with pytest.raises(OSError, match="the store is gone"):
        start(pool, order("Waits" if which == "is_cancelled" else "Steps", number=1000), **{which: fail})
    assert not is_running(before)


# Progress


def test_progress_arrives_in_order_and_whole(pool: ProcessPool, order: MakeOrder, start: Start) -> None:
    """Every report of a handler reaches the caller, before the result does."""
    steps: list[Any] = []
    assert start(pool, order("Steps", text="step", number=500), on_progress=steps.append) == "done"
    expected = [[{"name": f"step {n}", "status": "running", "seconds": None, "error": None}] for n in range(500)]
    assert steps == expected


# Ends


def test_closing_ends_idle_processes(order: MakeOrder, start: Start, is_running: IsRunning) -> None:
    """After `close` none is left, closing again is harmless, and runs are refused."""
    pool = ProcessPool(size=1)
    child = start(pool, order("pid"))
    pool.close()
    pool.close()
    assert not is_running(child)
    with pytest.raises(PoolClosedError):
        start(pool, order("pid"))


def test_closing_ends_processes_with_threads_left_over(order: MakeOrder, start: Start, is_running: IsRunning) -> None:
    """A thread that a handler left running does not keep its process alive."""
    with ProcessPool(size=1, grace=0.2) as pool:
        child = start(pool, order("leaves_a_thread"))
        assert start(pool, order("pid")) == child
    assert not is_running(child)


def test_closing_ends_what_runs_and_what_waits(
    order: MakeOrder, start: Start, tmp_path: Path, is_running: IsRunning
) -> None:
    """Runs that have begun, and runs that wait for a process, are told that the pool was closed."""
    told = tmp_path / "pids"
    pool = ProcessPool(size=1, grace=0.2)
    with ThreadPoolExecutor(2) as threads:
        running = threads.submit(start, pool, order("hangs", text=str(told)))
        assert not never_comes(told.exists)
        waiting = threads.submit(start, pool, order("pid"))
        pool.close()
        for each in (running, waiting):
            with pytest.raises(PoolClosedError):
                each.result()
    assert not is_running(int(told.read_text().split()[0]))


PARENT = """
import sys
from pathlib import Path
sys.path[:0] = {path!r}
from actium.isolation import ProcessPool
from isolated_orders import order
told = Path({told!r})
def is_cancelled():
    if told.exists():
        print(told.read_text(), flush=True)
        told.unlink()
    return False
pool = ProcessPool(size=1, poll_interval=0.02)
pool.run(order("hangs", text=str(told)), timeout=None, is_cancelled=is_cancelled, on_progress=print)
"""


def test_children_end_when_their_parent_is_killed(flavors: Any, tmp_path: Path, is_running: IsRunning) -> None:
    """SIGKILL of the parent ends the process that runs, and what that started, though both are deaf to SIGTERM."""
    program = PARENT.format(path=[str(Path(flavors.__file__).parent)], told=str(tmp_path / "pids"))
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        child, grandchild = map(int, parent.stdout.readline().split())
        assert is_running(child)
        assert is_running(grandchild)
        parent.kill()
        assert not never_comes(lambda: not is_running(child))
        assert not never_comes(lambda: not is_running(grandchild))


ORPHAN = """
import socket
from actium.isolation.child import main
from actium.isolation.messages import ChildSettings
ours, theirs = socket.socketpair()
theirs.close()
main({"socket": ours.detach(), "crash_report": None, "settings": ChildSettings().packed()})
"""


@pytest.mark.skipif(os.name != "posix", reason="hands a socket over by its number")
def test_a_child_that_finds_no_parent_ends_without_a_word() -> None:
    """Where the parent is killed while a child starts, nobody is told of a broken pipe."""
    child = subprocess.run([sys.executable, "-c", ORPHAN], capture_output=True, check=False, start_new_session=True)
    assert child.returncode != 0
    assert child.stderr == b""


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_of_the_parent_has_processes_of_its_own(pool: ProcessPool, order: MakeOrder, start: Start) -> None:
    """A fork neither uses, nor ends, nor keeps open what belongs to the original."""
    ours = start(pool, order("pid"))
    fork = os.fork()
    if fork == 0:
        try:
            with pool:
                theirs = start(pool, order("pid"))
            os._exit(0 if theirs != ours else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(fork, 0)[1]) == 0
    assert start(pool, order("pid")) == ours


# Refusals


def test_a_flavor_that_cannot_be_imported_is_refused() -> None:
    """One made inside a function is no use to another process; the error says what to do."""

    @action_flavor("isolated.local")
    def local() -> None:
        """Lives in here only."""

    with pytest.raises(NotIsolableError, match=r"<locals>\.local, which another process cannot import.*Define it at"):
        FlavorReference.of(local, Origin("isolated.local"))


def test_a_flavor_of_a_script_is_refused(tmp_path: Path) -> None:
    """What a script defines is not there for another process."""
    script = tmp_path / "script.py"
    script.write_text(
        "from actium import action_flavor\n"
        "from actium.isolation import FlavorReference\n"
        "from actium.plugins.origin import Origin\n"
        "@action_flavor('isolated.script')\n"
        "def script(): ...\n"
        "FlavorReference.of(script, Origin('isolated.script'))\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert "NotIsolableError: The flavor isolated.script is __main__:script" in done.stderr


def test_an_installed_flavor_is_found_by_its_name(flavors: Any) -> None:
    """What a distribution provides is looked up by key, wherever its class is."""
    assert FlavorReference.of(flavors.pid, Origin("isolated.pid", "some-distribution", "1.0")) == FlavorReference(
        "isolated", "pid"
    )


@pytest.mark.parametrize("options", [{"size": 0}, {"size": 1, "recycle_after": 0}])
def test_a_pool_that_could_run_nothing_is_refused(options: dict[str, int]) -> None:
    """Without processes, or with none used even once, nothing would ever run."""
    with pytest.raises(InvalidInputError, match="could run nothing"):
        ProcessPool(**options)


def test_an_order_that_is_too_large_is_refused_and_the_process_is_freed(
    pool: ProcessPool, order: MakeOrder, start: Start
) -> None:
    """Nothing is sent, and the next run goes on."""
    with pytest.raises(InvalidInputError, match="too long for another process"):
        start(pool, order("later", text="x" * 12_000_000))
    assert start(pool, order("later", text="x" * 5_000_000)) == "x" * 5_000_000


def test_an_interpreter_that_fails_to_start_is_told(order: MakeOrder, start: Start) -> None:
    """Another program in its place ends, or is not there at all; the pool can be used again."""
    with ProcessPool(size=1, executable="/bin/false") as pool:
        for _ in range(2):
            with pytest.raises(ProcessDiedError, match="ended with exit code 1"):
                start(pool, order("pid"))
    with ProcessPool(size=1, executable="/no/such/python") as pool:
        for _ in range(2):
            with pytest.raises(FileNotFoundError):
                start(pool, order("pid"))


def test_an_interpreter_that_is_never_ready_is_killed(order: MakeOrder, start: Start, tmp_path: Path) -> None:
    """A start that hangs does not hold a run for ever."""
    program = tmp_path / "hangs"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o755)
    with (
        ProcessPool(size=1, executable=str(program), start_timeout=0.2) as pool,
        pytest.raises(ProcessDiedError, match=r"was not ready after 0\.2 seconds"),
    ):
        start(pool, order("pid"))


def test_a_program_that_does_not_know_its_interpreter_is_told(
    order: MakeOrder, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An embedding program has no ``sys.executable``; the error names the way out."""
    monkeypatch.setattr(sys, "executable", "")
    with ProcessPool(size=1) as pool, pytest.raises(NotConfiguredError, match="Name one as the executable"):
        start(pool, order("pid"))


def test_a_process_that_is_told_nothing_ends_silently() -> None:
    """Whoever starts a process may be killed before telling it what to be; that is no error to print."""
    command = [sys.executable, "-c", BOOTSTRAP]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)
    assert (ended.returncode, ended.stderr) == (1, b"")
