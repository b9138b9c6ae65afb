"""Copies of a process, which forks make: they wait for none of the threads that only their parent has."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import weakref
from pathlib import Path

import pytest

from actium import process_copies
from actium.process_copies import ProcessLock

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")

SECONDS = 60

BEGINNING = """
import asyncio, faulthandler, gc, os, socket, sys, threading, time, warnings
from actium import Actium, Event, action_flavor
from actium.models import ActionRequest, ServiceAccountRequest, TriggerRequest

warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
app = Actium(f"sqlite:///{sys.argv[1]}", trace=f"{sys.argv[1]}.txt")
robot = app.accounts.create(ServiceAccountRequest(name="robot"))


def create(name, flavor="quick"):
    # An action that runs whenever an event of its name is published.
    asked = ActionRequest(name=name, plugin_subtype="test", flavor=flavor, service_account_id=robot.id, auth_window=60)
    action = app.actions.create(asked)
    app.triggers.create(TriggerRequest(name=name, action_id=action.id, filters=[{"exact": {"type": name}}]))
    return action


def publish(type="other"):
    return app.events.publish(Event(type=type, source="/here"))


def apublish():
    return asyncio.run(asyncio.wait_for(app.events.apublish(Event(type="other", source="/here")), 10))


@action_flavor("test.quick")
def quick(config):
    return "done"


@action_flavor("test.waiting")
async def waiting(config):
    await asyncio.sleep(0)
    return "waited"


@action_flavor("test.later")
def later(config):
    return "done"


for flavor in (quick, waiting, later):
    app.flavors.register(flavor)


def forked(run, fork=os.fork):
    faulthandler.cancel_dump_traceback_later()  # in a copy of a copy: its own would wait for its parent's for ever
    child = fork()
    if child == 0:
        faulthandler.dump_traceback_later(15, exit=True)  # in place of hanging
        try:
            run()
            os._exit(0)
        except BaseException as error:
            print(f"{type(error).__name__}: {error}\\n", end="", flush=True)
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def together(run, number=6):
    # Have several threads do something first at one time; what they give.
    barrier, given = threading.Barrier(number), []

    def go():
        barrier.wait()
        given.append(run())

    threads = [threading.Thread(target=go, daemon=True) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(15)
    assert len(given) == number, f"{number - len(given)} of {number} are not done"
    return given
"""


def output_of(program: str, file: Path, *, first: str = "") -> str:
    """What a program of its own prints, which does something first; it must not fail, nor last."""
    source = first + BEGINNING + textwrap.dedent(program)
    done = subprocess.run(
        [sys.executable, "-c", source, str(file)], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


def test_waits_for_no_lock_that_another_thread_held(tmp_path: Path) -> None:
    """Another thread may have held any lock of the application, even all of them: the copy goes on without."""
    program = """
    from actium.isolation.child import Connection
    from actium.isolation.child_store import ChildStore
    from actium.isolation.pool import ProcessPool
    from actium.plugins.unawaited import noticed

    create("one")
    create("two", "waiting")
    worker, threads = app.worker(), app.worker(concurrency=2)
    done = publish("two").executions[0]
    worker.run_until_idle()
    threads.run_until_idle()
    apublish()
    pool, child_store = ProcessPool(size=1), ChildStore(app.store.url, lambda: None)
    child_store.workers()
    ours, theirs = socket.socketpair()
    connection = Connection(ours)

    LOCKS = type(threading.Lock()), type(threading.RLock())
    RESTING = "actium.stores.sqlite.writer", "actium.stores.sqlite.forks"  # a fork waits for these itself

    def locks_of(owner):
        for one in gc.get_referents(owner):
            for each in one.values() if type(one) is dict else [one]:
                each = each._cond if isinstance(each, threading.Event) else each
                each = each._lock if isinstance(each, threading.Condition) else each
                if isinstance(each, LOCKS):
                    yield each

    modules = [module for name, module in sys.modules.items() if name.startswith("actium.") and name not in RESTING]
    objects = [
        one for one in gc.get_objects()
        if type(one).__module__.startswith("actium.") and type(one).__module__ not in RESTING
    ]
    held, owners = {}, set()
    for owner in modules + objects:
        for lock in locks_of(owner):
            held[id(lock)] = lock
            owners.add(type(owner).__name__)

    all_held, goes_on = threading.Event(), threading.Event()

    def hold():
        for lock in held.values():
            assert lock.acquire(timeout=10)
        all_held.set()
        goes_on.wait()
        for lock in held.values():
            lock.release()

    def use():
        publish("one")
        app.events.publish_many(Event(type="two", source="/here") for _ in range(300))
        apublish()
        app.executions.wait(done, timeout=5)
        create("three", "later")
        for each in (worker, threads, app.worker()):
            execution = publish("three").executions[0]
            each.run_until_idle()
            assert app.executions.get(execution).status.value == "succeeded"
        assert app.worker().run_one(app.actions.run("three").id) is not None
        with noticed():
            pass
        pool.close()
        child_store.workers()
        try:
            connection.send({"kind": "ready"})
        except OSError:
            pass
        app.close()

    holding = threading.Thread(target=hold)
    holding.start()
    assert all_held.wait(20)
    print(forked(use))
    print(forked(app.close))
    goes_on.set()
    holding.join()
    print(sorted(owners))
    app.close()
    """
    used, closed, owners = output_of(program, tmp_path / "actium.db").splitlines()
    assert (used, closed) == ("0", "0")
    expected = ["Beats", "Endings", "Leases", "MatchIndex", "Outbox", "ProcessLock", "Publisher", "RunThreads"]
    assert [name for name in [*expected, "SharedLoop", "TriggerIndexes"] if repr(name) not in owners] == []


def test_waits_for_no_handler_that_another_thread_makes(tmp_path: Path) -> None:
    """A handler may take long to make, as one that loads a model does; in the copy, others are made meanwhile."""
    program = """
    from actium import ActionConfig, BaseActionFlavor, BaseActionHandler

    being_made, goes_on = threading.Event(), threading.Event()


    class Handler(BaseActionHandler):
        def __init__(self):
            super().__init__()
            being_made.set()
            goes_on.wait(30)

        @property
        def config_class(self):
            return ActionConfig

        @property
        def flavor_class(self):
            return Slow

        def run(self, config, trigger_execution, auth_context):
            return "made at last"


    class Slow(BaseActionFlavor):
        SUBTYPE, FLAVOR = "test", "slow"
        PLUGIN_CLASS, ACTION_CONFIG_CLASS = Handler, ActionConfig


    app.flavors.register(Slow)

    def use():
        create("quick")
        goes_on.set()
        create("slow too", "slow")

    making = threading.Thread(target=create, args=("slow", "slow"))
    making.start()
    being_made.wait(30)
    code = forked(use)
    goes_on.set()
    making.join()
    print(code, sorted(action.name for action in app.actions.list().items))
    app.close()
    """
    assert output_of(program, tmp_path / "actium.db") == "0 ['quick', 'slow', 'slow too']\n"


def test_its_threads_may_begin_at_one_time(tmp_path: Path) -> None:
    """Whichever of them comes first, all have the same, and none has what is the parent's."""
    program = """
    worker = app.worker()
    worker.run_until_idle()
    apublish()

    def use():
        sys.setswitchinterval(1e-6)
        together(apublish)
        workers = [app.worker() for _ in range(6)]
        together(lambda: workers.pop().run_until_idle())

    def name():
        sys.setswitchinterval(1e-6)

        def named():
            own = app.worker()
            own.run_until_idle()
            return own.name

        names = set(together(named))
        assert len(names) == 1, names
        assert worker.name not in names
        assert f":{os.getpid()}:" in names.pop()

    print({forked(use) for _ in range(10)}, {forked(name) for _ in range(10)})
    print(app.events.list().total)
    app.close()
    """
    assert output_of(program, tmp_path / "actium.db") == "{0} {0}\n61\n"


def test_its_workers_are_its_own(tmp_path: Path) -> None:
    """One that it has inherited runs under another name, also where its parent's thread is at work in it."""
    program = """
    worker = app.worker(poll_interval=0.01)
    create("one")
    at_work = threading.Thread(target=worker.run)
    at_work.start()
    app.executions.wait(publish("one").executions[0], timeout=30)
    parents = worker.name

    def use():
        worker.stop()
        worker.join()
        worker.close()
        assert worker.name == ""
        own = app.worker()
        own.run_until_idle()
        assert own.name not in {"", parents}
        assert "actium-leases" in [thread.name for thread in threading.enumerate()]

    def run():
        worker.run_until_idle()
        assert worker.name not in {"", parents}

    print(forked(use), forked(run), worker.name == parents)
    app.executions.wait(publish("one").executions[0], timeout=30)
    app.close()
    at_work.join()
    """
    assert output_of(program, tmp_path / "actium.db") == "0 0 True\n"


def test_looks_at_once_for_what_its_parent_has_in_hand(tmp_path: Path) -> None:
    """Nobody tells it of the end of what a worker of its parent runs."""
    program = """
    from actium.app import executions

    executions.LOOK_INTERVAL = 30.0  # who is told looks no sooner
    runs, ends = threading.Event(), threading.Event()

    @action_flavor("test.lasting")
    def lasting(config):
        runs.set()
        ends.wait(30)

    app.flavors.register(lasting)
    create("lasting", "lasting")
    create("quick")
    worker = app.worker(poll_interval=0.01)
    at_work = threading.Thread(target=worker.run)
    execution = publish("quick").executions[0]
    at_work.start()
    while app.executions.get(execution).status.value != "succeeded":
        time.sleep(0.01)
    execution = publish("lasting").executions[0]
    runs.wait(30)
    has_ended, tell = os.pipe()

    def use():
        os.read(has_ended, 1)
        app.executions.wait(execution)

    def end():
        ends.set()
        worker.stop()
        at_work.join()
        os.write(tell, b".")

    threading.Timer(0.1, end).start()
    print(forked(use))
    app.close()
    """
    assert output_of(program, tmp_path / "actium.db") == "0\n"


def test_one_that_python_knows_nothing_of_is_noticed(tmp_path: Path) -> None:
    """Code in C may fork without a word; then the first use of the copy is where it begins anew."""
    program = """
    import ctypes

    def use():
        sys.setswitchinterval(1e-6)
        together(apublish)

    apublish()
    print({forked(use, fork=ctypes.PyDLL(None).fork) for _ in range(10)})
    apublish()
    print(app.events.list().total)
    app.close()
    """
    assert output_of(program, tmp_path / "actium.db") == "{0}\n62\n"


def test_one_with_the_number_of_its_parent_begins_anew(tmp_path: Path) -> None:
    """The first process of a PID namespace may have the number that its parent has in another one."""
    program = """
    number = os.getpid()
    os.getpid = lambda: number

    def use():
        before = connection()
        apublish()
        assert connection() is not before

    def connection():
        return app.store._database._writer._open

    apublish()
    print(forked(use), forked(lambda: os._exit(forked(use))))
    apublish()
    print(app.events.list().total, app.store.check())
    app.close()
    """
    assert output_of(program, tmp_path / "actium.db") == "0 0\n4 ()\n"


def test_one_with_the_number_of_its_parent_waits_for_no_thread_of_it(tmp_path: Path) -> None:
    """The parent, a copy itself, may have been beginning anew when it forked."""
    program = """
    import ctypes
    from actium import process_copies

    begins, goes_on = threading.Event(), threading.Event()

    class Slow:
        def begin_anew(self):
            if not begins.is_set():
                begins.set()
                goes_on.wait(30)

    def use():
        number = os.getpid()
        os.getpid = lambda: number
        beginning = threading.Thread(target=apublish)
        beginning.start()
        assert begins.wait(10)
        code = forked(apublish)
        goes_on.set()
        beginning.join()
        os._exit(code)

    slow = Slow()
    process_copies.begin_with(slow, Slow.begin_anew)
    print(forked(use, fork=ctypes.PyDLL(None).fork))
    print(app.events.list().total, app.store.check())
    app.close()
    """
    assert output_of(program, tmp_path / "actium.db") == "0\n2 ()\n"


def test_begins_anew_once_where_others_come_first(tmp_path: Path) -> None:
    """A hook that somebody registered before Actium's may use the copy; what that has begun is kept."""
    program = """
    from actium import process_copies

    class Counted:
        times = 0

        def begin_anew(self):
            self.times += 1

    counted = Counted()
    process_copies.begin_with(counted, Counted.begin_anew)
    apublish()
    comes_first.append(apublish)

    def use():
        apublish()
        assert counted.times == 1, counted.times

    print(forked(use), app.events.list().total)
    app.close()
    """
    first = "import os\ncomes_first = []\nos.register_at_fork(after_in_child=lambda: [use() for use in comes_first])\n"
    assert output_of(program, tmp_path / "actium.db", first=first) == "0 3\n"


def test_an_interrupted_beginning_is_made_up_for(tmp_path: Path) -> None:
    """Python goes on after Ctrl-C in the midst of a fork; what has not begun anew by then does so at the first use."""
    program = """
    from actium import process_copies

    class Interrupted:
        times = 0

        def begin_anew(self):
            self.times += 1
            if self.times == 1:
                raise KeyboardInterrupt

    def use():
        sys.unraisablehook = sys.__unraisablehook__
        apublish()
        assert interrupted.times == 2

    first = Interrupted()
    interrupted = Interrupted()
    process_copies.begin_with(interrupted, Interrupted.begin_anew)
    apublish()
    sys.unraisablehook = lambda told: print(repr(told.exc_value), flush=True)
    print(forked(use))
    app.close()
    """
    assert output_of(program, tmp_path / "actium.db") == "KeyboardInterrupt()\n0\n"


def test_one_that_cannot_begin_anew_keeps_no_others_from_it(tmp_path: Path) -> None:
    """What keeps it from that is logged."""
    program = """
    import logging
    from actium import process_copies

    class Broken:
        def begin_anew(self):
            raise OSError("no more descriptors")

    broken = Broken()
    logging.basicConfig(stream=sys.stdout, format="%(name)s: %(message)s %(exc_info)s")
    process_copies.begin_with(broken, Broken.begin_anew)
    apublish()
    print(forked(apublish))
    app.close()
    """
    told, *_, code = output_of(program, tmp_path / "actium.db").splitlines()
    assert told.startswith("actium.process_copies: Something of this copy of a process cannot begin anew.")
    assert code == "0"


def test_nothing_is_kept_for_copies_to_come() -> None:
    """What is to begin anew in copies goes as anything else when nobody has it any more."""
    lock, other = ProcessLock(), ProcessLock()
    begins = len(process_copies._beginnings)
    lock_is_there = weakref.ref(lock)
    del lock
    assert lock_is_there() is None
    assert len(process_copies._beginnings) == begins - 1
    with other.here:
        pass


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_the_thread_that_forks_keeps_what_it_holds() -> None:
    """It is in the midst of something, which no other thread of the copy is to see half done, and leaves it."""
    lock = ProcessLock()

    def is_free() -> bool:
        taken = list[bool]()
        thread = threading.Thread(target=lambda: taken.append(lock.here.acquire(blocking=False)))
        thread.start()
        thread.join()
        return taken == [True]

    with lock.here:
        child = os.fork()
        is_kept = not is_free()
    if child == 0:
        os._exit(0 if is_kept and is_free() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert is_kept
