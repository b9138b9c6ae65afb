"""What a worker has ended, until it is recorded: by itself, or along with what others store."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actium import ActionConfig, Actium, Event, ExecutionStatus, action_flavor
from actium.errors import StoreError
from actium.event_hub import in_turn
from actium.event_hub.outbox import Outbox
from actium.event_hub.worker import Worker
from actium.models import ActionResponse, EventFilter, TriggerRequest

CreateAction = Callable[..., ActionResponse]
Working = Callable[..., AbstractContextManager[Worker]]
SECONDS = 30.0

AT_THE_END = """
import atexit, sys, threading

from actium import Actium, Event

app = Actium(sys.argv[1])

def publish():
    if sys.argv[2] == "thread":
        threading.main_thread().join()
    print(len(app.events.publish_many(Event(type="a.b", source="/s") for _ in range(300))))

if sys.argv[2] == "thread":
    threading.Thread(target=publish).start()
else:
    atexit.register(publish)
"""
"""Publishes when the program's main thread is done."""

WHILE_PYTHON_ENDS = """
import sys

from actium import Actium, Event


class Buffer:
    def __init__(self, app):
        self.app, self.left = app, []

    def __del__(self):
        try:
            print(len(self.app.events.publish_many(self.left)), flush=True)
        except Exception as error:
            print(type(error).__name__, flush=True)


app = Actium(sys.argv[1])
buffer = Buffer(app)
app.events.publish_many(Event(type="a.b", source="/s") for _ in range(300))
buffer.left = [Event(type="a.b", source="/s") for _ in range(300)]
"""
"""Publishes what is left when Python throws away what a module has."""


@pytest.fixture
def triggered(app: Actium, create: CreateAction) -> Actium:
    """An application with an action that every event runs."""
    app.triggers.create(TriggerRequest(name="every", action_id=create().id, match_all=True))
    return app


class TestOutbox:
    @given(st.lists(st.sampled_from(["add", "open", "take", "close", "record", "put back"])))
    def test_each_end_is_taken_once(self, steps: list[str]) -> None:
        """Whoever takes, in whatever order: each end is taken once, or is still there, in the order it came."""
        outbox = Outbox()
        errands, taken = [outbox.open_errand(takes=True)], list[int]()
        added = 0
        for step in steps:
            if step == "add":
                outbox.add(added)  # type: ignore[arg-type]
                added += 1
            elif step == "open":
                errands.append(outbox.open_errand(takes=added % 2 == 0))
            elif step == "take":
                taken += errands[-1].take()  # type: ignore[arg-type]
            elif step == "close":
                errands[0].close()
            elif step == "record":
                taken += outbox.take()  # type: ignore[arg-type]
            elif taken:
                outbox.put_back([taken.pop()])  # type: ignore[list-item]
        for errand in errands:
            errand.close()
        assert not outbox.will_be_taken
        assert sorted([*taken, *outbox.take()]) == list(range(added))  # type: ignore[list-item]

    def test_what_may_be_lost_is_taken_in_once(self) -> None:
        """Ends that are in here already are not taken in again; those that are not come behind."""
        outbox, ends = Outbox(), ["first", "second", "third"]
        for end in ends[:2]:
            outbox.add(end)  # type: ignore[arg-type]
        for _ in range(3):
            outbox.restore(ends)  # type: ignore[arg-type]
        assert outbox.take() == ends

    def test_an_errand_takes_what_ended_before_it_passed_by(self) -> None:
        """What ends later is somebody else's; who asks meanwhile is told which it is."""
        outbox = Outbox()
        errand = outbox.open_errand(takes=True)
        outbox.add("early")  # type: ignore[arg-type]
        assert outbox.will_be_taken
        assert errand.take() == ["early"]
        outbox.add("late")  # type: ignore[arg-type]
        assert outbox.is_left_alone
        assert errand.take() == ()
        assert outbox.take() == ["late"]

    def test_an_errand_that_takes_nothing_is_none(self) -> None:
        """Where ends are told to observers, nobody counts on an errand."""
        outbox = Outbox()
        errand = outbox.open_errand(takes=False)
        outbox.add("mine")  # type: ignore[arg-type]
        assert outbox.is_left_alone
        assert errand.take() == ()

    def test_a_late_errand_is_not_counted_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An errand whose thread was interrupted on the way keeps nothing from being recorded."""
        outbox, now = Outbox(), 100.0
        monkeypatch.setattr(time, "monotonic", lambda: now)
        outbox.open_errand(takes=True)
        outbox.add("waiting")  # type: ignore[arg-type]
        assert outbox.will_be_taken
        now = 101.5
        assert outbox.is_left_alone
        outbox.open_errand(takes=True).close()  # a later one does not bring it back
        assert outbox.is_left_alone

    def test_a_stream_lasts_as_long_as_its_errands_come(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Between two errands of a stream, ends wait for the next, and no longer than it may be late."""
        outbox, now = Outbox(), 100.0
        monkeypatch.setattr(time, "monotonic", lambda: now)
        stream = outbox.open_errand(takes=True, is_standing=True)
        outbox.add("waiting")  # type: ignore[arg-type]
        for _ in range(5):
            now += 0.9
            outbox.open_errand(takes=True).close()
            assert outbox.will_be_taken
        now += 1.5
        assert outbox.is_left_alone
        stream.close()
        assert outbox.is_left_alone


class TestAlong:
    def test_a_stream_of_events_records_what_it_led_to(self, triggered: Actium, working: Working) -> None:
        """While events are stored, ends are recorded in the same transactions; none is lost, none counted twice."""
        store, along = triggered.store, list[int]()
        record_events = store.record_events

        def recording(*args: Any, **options: Any) -> Any:
            recorded = record_events(*args, **options)
            given = options.get("along")
            along.append(0 if given is None else len(given.endings))
            return recorded

        store.record_events = recording  # type: ignore[method-assign]
        with working(triggered) as worker:
            triggered.executions.wait(triggered.events.publish(event()).executions[0], SECONDS)
            published = triggered.events.publish_many(event() for _ in range(2_000))
            for one in published:
                assert triggered.executions.wait(one.executions[0], SECONDS).status is ExecutionStatus.SUCCEEDED
        assert sum(along) > 0
        assert worker.run_until_idle() == 0
        executions = [triggered.executions.get(one.executions[0]) for one in published]
        assert {(one.attempt, len(one.attempts)) for one in executions} == {(1, 1)}

    def test_what_could_not_be_recorded_along_is_recorded_by_the_worker(
        self, triggered: Actium, create: CreateAction, monkeypatch: pytest.MonkeyPatch, working: Working
    ) -> None:
        """A transaction that fails after it has taken ends along leaves them to the worker."""
        go, store, taken = threading.Event(), triggered.store, list[int]()

        def wait(config: ActionConfig) -> str:
            go.wait(SECONDS)
            return "done"

        triggered.flavors.register(action_flavor("test.waiting")(wait))
        waiting = create("waiting", flavor="test.waiting")

        def failing(*args: Any, along: Any = None, **options: Any) -> Any:
            go.set()
            time.sleep(0.2)  # it ends meanwhile, and is left to this errand
            along.endings = along.take()
            taken.append(len(along.endings))
            raise StoreError("The disk is full.", hint="Free some.")

        with working(triggered):
            execution = triggered.actions.run(waiting.id)
            time.sleep(0.1)
            monkeypatch.setattr(store, "record_events", failing)
            with pytest.raises(StoreError):
                triggered.events.publish(event())
            assert triggered.executions.wait(execution.id, SECONDS).result == "done"
        assert taken == [1]

    def test_an_errand_that_never_comes_holds_nothing_up(
        self, triggered: Actium, create: CreateAction, working: Working
    ) -> None:
        """A publisher that was interrupted on the way is not waited for longer than a second or two."""
        action = create("other")
        with working(triggered, poll_interval=0.1) as worker:
            triggered.executions.wait(triggered.events.publish(event()).executions[0], SECONDS)
            worker.expect_errands()  # and nobody says that they have come
            began = time.monotonic()
            ended = triggered.executions.wait(triggered.actions.run(action.id).id, SECONDS)
            assert ended.status is ExecutionStatus.SUCCEEDED
            assert time.monotonic() - began < 5


class TestInTurn:
    def test_what_comes_before_an_event_that_cannot_be_made_is_stored(self, triggered: Actium) -> None:
        """Events from an iterable that fails are stored up to the transaction that it fails in."""

        def events() -> Iterator[Event]:
            yield from (event(str(number)) for number in range(300))
            raise OSError("the file ends here")

        with pytest.raises(OSError, match="ends here"):
            triggered.events.publish_many(events())
        assert stored(triggered) == {str(number) for number in range(256)}

    def test_nothing_is_stored_behind_a_transaction_that_failed(
        self, triggered: Actium, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The error of a transaction in the middle is raised, and the iterable is not read to its end."""
        record_events, transactions, made = triggered.store.record_events, list[int](), list[int]()

        def failing(drafts: Any, **options: Any) -> Any:
            transactions.append(len(drafts))
            if len(transactions) == 3:
                raise StoreError("The disk is full.", hint="Free some.")
            return record_events(drafts, **options)

        def events() -> Iterator[Event]:
            for number in range(10_000):
                made.append(number)
                yield event(str(number))

        monkeypatch.setattr(triggered.store, "record_events", failing)
        with pytest.raises(StoreError, match="disk is full"):
            triggered.events.publish_many(events())
        assert stored(triggered) == {str(number) for number in range(256)}
        assert len(made) <= 128 * 6

    @pytest.mark.parametrize(
        ("error", "told"), [(OSError("the file ends here"), StoreError), (KeyboardInterrupt(), KeyboardInterrupt)]
    )
    def test_what_fails_first_is_told_unless_its_publisher_is_interrupted(
        self, triggered: Actium, monkeypatch: pytest.MonkeyPatch, error: BaseException, told: type[BaseException]
    ) -> None:
        """A transaction that fails counts before events behind it that cannot be made; Ctrl-C is never lost."""
        is_over = threading.Event()

        def failing(drafts: Any, **options: Any) -> Any:
            is_over.wait(SECONDS)
            raise StoreError("The disk is full.", hint="Free some.")

        def events() -> Iterator[Event]:
            yield from (event() for _ in range(200))
            is_over.set()
            raise error

        monkeypatch.setattr(triggered.store, "record_events", failing)
        with pytest.raises(told):
            triggered.events.publish_many(events())
        assert stored(triggered) == set()

    @pytest.mark.parametrize("refused", ["the first", "the second"])
    def test_all_is_stored_where_no_thread_is_to_be_had(
        self, app: Actium, monkeypatch: pytest.MonkeyPatch, refused: str
    ) -> None:
        """Then the caller stores by itself, or the thread that was to start the other one; no errand is left open."""

        def refuse(*arguments: object) -> None:
            raise RuntimeError("can't start new thread")

        worker = app.worker()
        if refused == "the first":
            monkeypatch.setattr(in_turn, "start_new_thread", refuse)
        monkeypatch.setattr(threading.Thread, "start", refuse)
        published = app.events.publish_many(event(str(number)) for number in range(300))
        assert [app.events.get(one.id).name for one in published[::50]] == [str(number) for number in range(0, 300, 50)]
        assert not worker._outbox.will_be_taken

    @pytest.mark.parametrize("at", ["thread", "atexit"])
    def test_all_is_stored_at_the_end_of_a_program(self, url: str, at: str) -> None:
        """What a thread publishes that outlives the main thread, and what is published when the program ends."""
        program = [sys.executable, "-c", AT_THE_END, url, at]
        ended = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
        assert (ended.stdout.strip(), ended.stderr) == ("300", "")

    def test_what_is_published_while_python_ends_keeps_nobody_waiting(self, url: str) -> None:
        """It is stored, or refused where the store was closed before; no thread would come that could store it."""
        program = [sys.executable, "-c", WHILE_PYTHON_ENDS, url]
        ended = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
        assert (ended.stdout.strip() in {"300", "StoreClosedError"}, ended.stderr) == (True, "")

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
    @pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
    def test_a_copy_leaves_what_makes_the_events(self, triggered: Actium) -> None:
        """What makes events may fork; a copy that leaves by an exception does not wait for its parent's thread."""

        def events() -> Iterator[Event]:
            for number in range(300):
                if number == 200 and not (child := os.fork()):
                    raise KeyboardInterrupt
                yield event(str(number))
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7

        original = os.getpid()
        try:
            published = triggered.events.publish_many(events())
        finally:
            if os.getpid() != original:
                os._exit(7)
        assert len(published) == 300

    def test_a_handler_that_publishes_many_is_named_as_their_cause(self, app: Actium, create: CreateAction) -> None:
        """Events of later transactions, too, which another thread stores, belong to the execution that publishes."""

        def publish(config: ActionConfig, handler: Any) -> None:
            app.events.publish_many(event(str(number)) for number in range(300))

        app.flavors.register(action_flavor("test.publishing")(publish))
        execution = app.actions.run(create(flavor="test.publishing").id)
        app.worker().run_until_idle()
        assert app.executions.get(execution.id).status is ExecutionStatus.SUCCEEDED
        causes = {app.events.get(str(number)).event.extensions()["causationid"] for number in (0, 150, 299)}
        assert causes == {str(execution.id)}


def event(number: str | None = None) -> Event:
    given = {} if number is None else {"id": number}
    return Event(type="a.b", source="/stream", **given)  # type: ignore[arg-type]


def stored(app: Actium) -> set[str]:
    """The CloudEvents ids of all stored events."""
    return {one.name for one in app.events.list(EventFilter(max_size=10_000)).items}
