"""Processes that fork while a store is open: copies use it safely, or are told that they cannot."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")

SECONDS = 60
HERE = Path(__file__).parent

BEGINNING = """
import os, sys, threading, time, warnings
from actium import Actium, Event
from actium.errors import StoreError
from actium.stores.sqlite import forks

warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
app = Actium(f"sqlite:///{sys.argv[1]}")


def publish(source):
    return app.events.publish(Event(type="data.arrived", source=source))


def forked(run):
    child = os.fork()
    if child == 0:
        try:
            run()
            os._exit(0)
        except BaseException as error:  # told in one piece, as the parent may write at the same time
            print(f"{type(error).__name__}: {error}\\n", end="", flush=True)
            os._exit(2 if isinstance(error, StoreError) else 1)
    return child


def code_of(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def outlived(*applications, before=lambda: None, after):
    # Let a copy do something before and after its parent closes applications; tell how many events there are then.
    parent_closed, close_parent = os.pipe()
    copy_has_begun, begin = os.pipe()

    def run():
        before()
        os.write(begin, b".")
        os.read(parent_closed, 1)
        after()

    child = forked(run)
    os.read(copy_has_begun, 1)
    for one in applications:
        one.close()
    os.write(close_parent, b".")
    code = code_of(child)
    with Actium(f"sqlite:///{sys.argv[1]}") as again:
        print(code, again.events.list().total, again.store.check())
"""


def output_of(program: str, file: Path, *, first: str = "") -> str:
    """What a program of its own prints; it must not fail, nor last. What comes first in it comes before all imports."""
    source = textwrap.dedent(first) + BEGINNING + textwrap.dedent(program)
    done = subprocess.run(
        [sys.executable, "-c", source, str(file)], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_copy_writes_though_others_wrote_when_it_was_made(tmp_path: Path) -> None:
    """It waits for no writer that it does not have: SQLite's locks of that moment were copied too."""
    program = """
    goes_on = True

    def write():
        while goes_on:
            app.events.publish_many(Event(type="data.arrived", source="/parent") for _ in range(100))

    thread = threading.Thread(target=write)
    thread.start()
    started = time.monotonic()
    codes = []
    for number in range(20):
        time.sleep(0.011)  # at another moment of a transaction each time
        codes.append(code_of(forked(lambda: publish(f"/copy/{number}"))))
    took = time.monotonic() - started
    goes_on = False
    thread.join()
    found = sum(event.body.source.startswith("/copy/") for event in app.events.list().items)
    print(set(codes), took < 20, app.store.check())
    app.close()
    with Actium(f"sqlite:///{sys.argv[1]}") as again:
        from actium.models import EventFilter
        print(again.events.list(EventFilter(source="startswith:/copy/")).total)
    """
    assert output_of(program, tmp_path / "actium.db").splitlines() == ["{0} True ()", "20"]


def test_what_a_copy_stores_outlasts_its_parent(tmp_path: Path) -> None:
    """The log that it writes to is not removed when its parent closes the store, as a program does that goes to the
    background."""
    program = """
    publish("/parent")

    def publish_after():
        publish("/after")
        assert app.events.list().total == 3

    outlived(app, before=lambda: publish("/before"), after=publish_after)
    """
    assert output_of(program, tmp_path / "actium.db") == "0 3 ()\n"


def test_a_parent_that_has_closed_leaves_its_copy_the_store(tmp_path: Path) -> None:
    """A copy that begins to use it only then opens it anew."""
    program = """
    publish("/parent")
    outlived(app, after=lambda: publish("/copy"))
    """
    assert output_of(program, tmp_path / "actium.db") == "0 2 ()\n"


def test_a_copy_of_a_copy(tmp_path: Path) -> None:
    """It may use the store, whether its own parent has, or not."""
    program = """
    publish("/parent")

    def unused():
        assert code_of(forked(lambda: publish("/grandchild"))) == 0

    def used():
        publish("/child")
        unused()
        publish("/child")

    started = time.monotonic()
    print(code_of(forked(unused)), code_of(forked(used)))
    publish("/parent")
    print(app.events.list().total, app.store.check(), time.monotonic() - started < forks.LONGEST_REST)
    """
    assert output_of(program, tmp_path / "actium.db").splitlines() == ["0 0", "6 () True"]


@pytest.mark.parametrize("use", ["reading", "writing"])
def test_a_copy_made_in_the_middle_is_told(tmp_path: Path, use: str) -> None:
    """Who forks waits for what is under way, but not for ever: then the copy is refused, and the parent goes on."""
    program = f"""
    import logging

    logging.basicConfig(stream=sys.stdout)
    forks.LONGEST_REST = 0.2
    publish("/parent")
    ends, begun = threading.Event(), threading.Event()

    def use():
        with app.store._database.{use}() as connection:
            connection.execute("SELECT count(*) FROM events").fetchone()
            begun.set()
            ends.wait(30)

    thread = threading.Thread(target=use)
    thread.start()
    begun.wait(30)
    print(code_of(forked(lambda: publish("/copy"))), code_of(forked(app.close)))
    ends.set()
    thread.join()
    publish("/parent")
    print(code_of(forked(lambda: publish("/copy"))), app.events.list().total, app.store.check())
    """
    lines = output_of(program, tmp_path / "actium.db").splitlines()
    warnings = [line for line in lines if line.startswith("WARNING")]
    refused, codes, after = [line for line in lines if line not in warnings]
    assert (
        warnings == ["WARNING:actium.stores:The process forked while its store was in use; the copy cannot use it."] * 2
    )
    assert "was in use when this process was forked off" in refused
    assert "`spawn`" in refused
    assert (codes, after) == ("2 0", "0 3 ()")


def test_who_forks_while_it_reads_itself_does_not_wait_for_ever(tmp_path: Path) -> None:
    """It is made to wait for the time limit, no longer, and goes on."""
    program = """
    forks.LONGEST_REST = 0.2
    with app.store._database.reading():
        child = forked(lambda: publish("/copy"))
    print(code_of(child))
    publish("/parent")
    print(app.events.list().total)
    """
    lines = output_of(program, tmp_path / "actium.db").splitlines()
    assert "was in use" in lines[0]
    assert lines[1:] == ["2", "1"]


def test_a_store_in_memory_stays_with_its_process(tmp_path: Path) -> None:
    """A copy is told so in place of getting an empty one."""
    program = """
    app = Actium("sqlite://")
    publish("/parent")
    print(code_of(forked(lambda: publish("/copy"))))
    print(app.events.list().total)
    """
    lines = output_of(program, tmp_path / "actium.db").splitlines()
    assert "stays with the process that opened it" in lines[0]
    assert lines[1:] == ["2", "1"]


def test_several_threads_fork_at_one_time(tmp_path: Path) -> None:
    """None of them lets others go on before the others have forked, and all go on then."""
    program = """
    goes_on, published = True, []

    def write():
        while goes_on:
            published.append(app.events.publish_many(Event(type="data.arrived", source="/p") for _ in range(20)))

    def fork():
        for number in range(8):
            codes.append(code_of(forked(lambda: publish("/copy"))))

    writer = threading.Thread(target=write)
    writer.start()
    codes, threads = [], [threading.Thread(target=fork) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    before = len(published)
    until = time.monotonic() + 20
    while len(published) < before + 3 and time.monotonic() < until:
        time.sleep(0.01)
    goes_on = False
    print(set(codes), len(published) >= before + 3, app.events.list().total == 24 + 20 * len(published))
    writer.join()
    print(app.events.list().total - 20 * len(published), app.store.check())
    """
    first, then = output_of(program, tmp_path / "actium.db").splitlines()
    assert first.startswith("{0} True")
    assert then == "24 ()"


def test_several_stores_of_one_file(tmp_path: Path) -> None:
    """A copy that uses one of them has left the connections of the others too, which else hold its locks."""
    program = """
    other = Actium(f"sqlite:///{sys.argv[1]}", project="other")
    publish("/parent")
    other.events.publish(Event(type="data.arrived", source="/other"))
    outlived(app, other, before=lambda: publish("/copy"), after=lambda: [publish("/copy") for _ in range(3)])
    """
    assert output_of(program, tmp_path / "actium.db") == "0 5 ()\n"


def test_several_stores_of_one_file_by_another_name(tmp_path: Path) -> None:
    """A file is one place, also where it is reached through a link: a copy may use none of its stores where one was
    in use."""
    program = """
    forks.LONGEST_REST = 0.2
    publish("/parent")
    link = f"{sys.argv[1]}.link"
    os.symlink(sys.argv[1], link)
    other = Actium(f"sqlite:///{link}")
    other.events.list()
    with app.store._database.reading():
        child = forked(lambda: other.events.publish(Event(type="data.arrived", source="/copy")))
    print(code_of(child))
    """
    refused, code = output_of(program, tmp_path / "actium.db").splitlines()
    assert "was in use" in refused
    assert code == "2"


def test_several_threads_of_the_copy_begin_at_one_time(tmp_path: Path) -> None:
    """The copy has left what it inherited before its first thread begins, however many there are then."""
    program = """
    publish("/parent")
    blocks = [app.store._database.reading() for _ in range(8)]  # a connection for each
    for block in blocks:
        block.__enter__().execute("SELECT count(*) FROM events").fetchone()
    for block in blocks:
        block.__exit__(None, None, None)

    def publish_together():
        together = threading.Barrier(8)

        def request():
            together.wait()
            publish("/copy")

        threads = [threading.Thread(target=request) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    outlived(app, before=publish_together, after=lambda: publish("/copy"))
    """
    for number in range(5):
        assert output_of(program, tmp_path / f"{number}.db") == "0 10 ()\n"


def test_an_interruption_while_it_waits_is_not_forgotten(tmp_path: Path) -> None:
    """Ctrl-C reaches the program after the fork, which Python makes all the same; other stores are at rest for it."""
    program = """
    import signal

    signal.signal(signal.SIGINT, signal.default_int_handler)  # what is started in the background ignores it
    other = Actium(f"sqlite:///{sys.argv[1]}.other")
    publish("/parent")
    begun, ends = threading.Event(), threading.Event()

    def use():
        with app.store._database.writing():
            begun.set()
            ends.wait(30)

    thread = threading.Thread(target=use)
    thread.start()
    begun.wait(30)
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    child = None
    try:
        child = forked(lambda: other.events.publish(Event(type="data.arrived", source="/copy")))
        time.sleep(30)
    except KeyboardInterrupt:
        print("interrupted", code_of(child))
    ends.set()
    thread.join()
    publish("/parent")
    print(app.events.list().total, other.events.list().total)
    """
    assert output_of(program, tmp_path / "actium.db").splitlines() == ["interrupted 0", "2 1"]


def test_a_copy_of_a_copy_gets_no_store_in_memory_either(tmp_path: Path) -> None:
    """It is told so, as its parent is."""
    program = """
    app = Actium("sqlite://")
    publish("/parent")
    print(code_of(forked(lambda: os._exit(code_of(forked(lambda: publish("/copy")))))))
    """
    lines = output_of(program, tmp_path / "actium.db").splitlines()
    assert "stays with the process that opened it" in lines[0]
    assert lines[1:] == ["2"]


def test_an_interruption_anywhere_in_a_fork_leaves_all_in_order(tmp_path: Path) -> None:
    """Parent and copy go on, at once, wherever a signal's exception strikes; and as a rule it is raised in the end."""
    program = f"""
    import signal

    sys.path.insert(0, {str(HERE)!r})
    from interrupting import Interruption

    signal.signal(signal.SIGINT, signal.default_int_handler)
    publish("/parent")
    unraisable = []
    sys.unraisablehook = unraisable.append
    number = heard = 0
    interruption = None

    def copy():
        sys.settrace(None)
        publish("/copy")

    while interruption is None or interruption.where is not None:
        number += 1
        interruption = Interruption(number, ("forks.py", "database.py", "readers.py", "writer.py"))
        child = None
        try:
            with interruption.awaited():
                child = forked(copy)
            if interruption.where is not None and not unraisable:
                time.sleep(10)
        except KeyboardInterrupt:
            heard += 1
        finally:
            sys.settrace(None)
        thread = threading.Thread(target=publish, args=["/parent"], daemon=True)
        thread.start()
        thread.join(10)
        if thread.is_alive() or code_of(child) or not app.store._database.is_at_rest:
            print("after", interruption.where, thread.is_alive(), app.store._database.is_at_rest)
            os._exit(3)
        heard += len(unraisable)
        unraisable.clear()
    print(heard == number - 1, number > 20, app.events.list().total == 2 * number + 1, app.store.check())
    """
    assert output_of(program, tmp_path / "actium.db") == "True True True ()\n"


@pytest.mark.parametrize("sigint", ["lambda *_: print('SIGINT')", "signal.default_int_handler"])
@pytest.mark.parametrize(
    ("raised", "told"),
    [("SystemExit(7)", "(7,) SystemExit(7)"), ("KeyboardInterrupt('end')", "('end',) KeyboardInterrupt('end')")],
)
def test_what_a_signal_raises_while_a_fork_waits_comes_as_it_is(
    tmp_path: Path, raised: str, told: str, sigint: str
) -> None:
    """What SIGTERM's handler raises ends the program with what it says; it is not taken for Ctrl-C."""
    program = f"""
    import signal

    def end(*_):
        raise {raised}

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, {sigint})
    begun = threading.Event()

    def use():
        with app.store._database.writing():
            begun.set()
            time.sleep(1)

    threading.Thread(target=use).start()
    begun.wait(30)
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()
    try:
        child = forked(lambda: publish("/copy"))
        for _ in range(1000):
            time.sleep(0.01)
    except BaseException as error:
        print(error.args, repr(error.__cause__))
    """
    assert output_of(program, tmp_path / "actium.db") == f"{told}\n"


def test_a_copy_waits_for_nobody_who_uses_sqlite_for_something_else(tmp_path: Path) -> None:
    """Locks inside SQLite may be held by any thread when a process forks, and stay so in the copy."""
    program = """
    import sqlite3

    publish("/parent")
    app.events.list()  # readers are open, too

    def count():
        other = sqlite3.connect(":memory:", check_same_thread=False)
        numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)"
        while True:
            other.execute(f"{numbers} SELECT count(DISTINCT 'number ' || i) FROM n").fetchone()

    threading.Thread(target=count, daemon=True).start()
    for _ in range(60):
        time.sleep(0.001)
        child = forked(lambda: os.kill(os.getpid(), 9))  # whatever would be done at its end may use SQLite
        until = time.monotonic() + 10
        while os.waitpid(child, os.WNOHANG) == (0, 0) and time.monotonic() < until:
            time.sleep(0.0005)
        if time.monotonic() >= until:
            os.kill(child, 9)
            print("a copy hangs")
            break
        publish("/parent")
    print(app.events.list().total)
    """
    assert output_of(program, tmp_path / "actium.db") == "61\n"


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="what is open is not listed here")
def test_a_copy_inherits_nothing_that_is_open(tmp_path: Path) -> None:
    """Not while other threads read, write, and open and close stores of the same file either."""
    program = """
    publish("/parent")
    goes_on = True

    def use():
        while goes_on:
            publish("/thread")
            app.events.list()

    def open_and_close():
        while goes_on:
            with Actium(f"sqlite:///{sys.argv[1]}") as another:
                another.events.list()

    def inherited():
        files = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
        assert not [one for one in files if os.path.exists(one) and sys.argv[1] in os.readlink(one)]

    threads = [threading.Thread(target=use) for _ in range(2)] + [threading.Thread(target=open_and_close)]
    for thread in threads:
        thread.start()
    codes = {code_of(forked(inherited)) for _ in range(40)}
    goes_on = False
    for thread in threads:
        thread.join()
    print(codes, app.store.check())
    """
    assert output_of(program, tmp_path / "actium.db") == "{0} ()\n"


def test_a_fork_that_waits_for_who_waits_for_it_goes_on(tmp_path: Path) -> None:
    """A program may keep a lock of its own over forks, as `logging` does, and publish while it has that."""
    first = """
    import os, threading

    lock = threading.Lock()
    os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
    """
    program = """
    from actium.stores.sqlite import readers, writer

    forks.LONGEST_REST, writer.LONGEST_FORK, readers.LONGEST_FORK = 0.1, 0.2, 0.2
    has_it = threading.Event()

    def use():
        with lock:
            has_it.set()
            while not app.store._database._writer._rests:
                time.sleep(0.0001)
            publish("/thread")
            app.events.list()

    thread = threading.Thread(target=use)
    thread.start()
    has_it.wait()
    print(code_of(forked(lambda: publish("/copy"))))
    thread.join()
    print(app.events.list().total, app.store.check())
    """
    assert output_of(program, tmp_path / "actium.db", first=first) in {"0\n2 ()\n", "2\n1 ()\n"}


def test_a_file_that_was_deleted_is_not_made_anew(tmp_path: Path) -> None:
    """What a parent opens again after a fork is the file that it had."""
    program = """
    publish("/parent")
    os.unlink(sys.argv[1])
    assert code_of(forked(lambda: None)) == 0
    for use in (app.events.list, lambda: publish("/parent")):
        try:
            use()
        except StoreError as error:
            print("was deleted while it was open" in str(error))
    print(os.path.exists(sys.argv[1]))
    """
    assert output_of(program, tmp_path / "actium.db") == "True\nTrue\nFalse\n"
