"""What a worker offers to whoever stores executions in the same process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actium import Actium, Event, action_flavor
from actium.event_hub.offers import Promise, Room
from actium.models import ActionResponse, TriggerRequest

CreateAction = Callable[..., ActionResponse]
LONG = 30.0


class Space:
    """How much room a worker has, for a test to say."""

    def __init__(self, left: int) -> None:
        self.left = left

    def __call__(self) -> int:
        return self.left


def opened(space: Space) -> Room:
    """The room of a worker that runs."""
    room = Room(space)
    room.open()
    return room


def claims(number: int) -> Sequence[Any]:
    """Claims of which nothing but their number matters."""
    return [object() for _ in range(number)]


def promised_later(room: Room, most: int) -> tuple[threading.Thread, list[int]]:
    """Ask for room in another thread, which waits for it by now; and what it gets."""
    got: list[int] = []
    thread = threading.Thread(target=lambda: got.append(room.promise(most, seconds=LONG).room))
    thread.start()
    while not room._awaited:
        time.sleep(0.001)
    return thread, got


class TestRoom:
    """The room of one worker."""

    def test_what_is_there_is_promised_at_once(self) -> None:
        """Room is promised up to what there is, and not twice."""
        room = opened(Space(10))
        assert room.promise(7, seconds=LONG).room == 7
        assert room.promise(7, seconds=0.0).room == 3
        assert room.promise(7, seconds=0.0).room == 0
        assert room.promised == 10

    def test_room_is_waited_for(self) -> None:
        """Who stores more than there is room for waits until what runs has made room for all of it."""
        space = Space(2)
        room = opened(space)
        thread, got = promised_later(room, 5)
        space.left = 4
        room.look()
        assert not got
        space.left = 5
        room.look()
        thread.join(LONG)
        assert got == [5]

    def test_what_waits_in_the_store_comes_first(self) -> None:
        """Where more was stored than there was room for, the next waits until the worker has claimed that."""
        room = opened(Space(2))
        promise = room.promise(5, seconds=0.0)
        assert room.take(promise, claims(2))
        thread, got = promised_later(room, 0)
        room.changed()
        room.changed(is_behind=True)
        assert not got
        room.changed(is_behind=False)
        thread.join(LONG)
        assert got == [0]

    def test_nobody_waits_for_longer_than_running_it_takes(self) -> None:
        """Who waits in vain goes on with the room that there is: what does not fit is stored for later."""
        room = opened(Space(2))
        began = time.monotonic()
        assert room.promise(5, seconds=0.05).room == 2
        assert 0.05 <= time.monotonic() - began < LONG

    def test_closing_ends_every_wait(self) -> None:
        """A worker that stops keeps nobody waiting, and promises nothing."""
        room = opened(Space(2))
        waiting = [promised_later(room, 5) for _ in range(3)]
        room.close()
        for thread, got in waiting:
            thread.join(LONG)
            assert got == [0]
        assert room.promise(1, seconds=LONG).room == 0

    def test_a_promise_to_a_closed_worker_is_not_kept(self) -> None:
        """What was stored for a worker that was interrupted meanwhile does not arrive, and its promise is over."""
        room = opened(Space(5))
        promise = room.promise(3, seconds=0.0)
        assert promise.room == 3
        room.close()
        assert not room.take(promise, claims(2))
        assert room.promised == 0

    def test_it_closes_when_every_promise_was_kept(self) -> None:
        """A worker stays open for those that it has promised room to."""
        room = opened(Space(5))
        promise = room.promise(3, seconds=0.0)
        assert not room.close_when_kept()
        room.take(promise, claims(1))
        assert not room.close_when_kept()
        room.arrived(promise)
        assert room.close_when_kept()

    def test_a_promise_that_nobody_comes_for_is_given_up(self) -> None:
        """Old promises are not kept, whether their owner is lost on the way or only late; younger ones are."""
        room = opened(Space(5))
        lost, late = room.promise(1, seconds=0.0), room.promise(1, seconds=0.0)
        room.take(lost, claims(1))
        now = time.monotonic()
        young = room.promise(2, seconds=0.0)
        room.give_up(before=now)
        assert room.promised == 2
        assert not room.take(late, claims(1))
        assert room.take(young, claims(2))
        room.arrived(lost)
        room.arrived(young)
        assert room.promised == 0

    @given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.booleans())))
    def test_no_more_is_promised_than_there_is(self, steps: list[tuple[int, int, bool]]) -> None:
        """However many ask and take less than they were promised, promises stay within the room, and end with it."""
        room = opened(Space(20))
        under_way: list[Promise] = []
        for most, taken, arrives in steps:
            promise = room.promise(most, seconds=0.0)
            assert promise.room <= min(most, 20 - len(room.on_their_way))
            assert room.take(promise, claims(min(taken, promise.room)))
            under_way.append(promise)
            while arrives and under_way:
                room.arrived(under_way.pop())
            assert room.promised == len(room.on_their_way) == sum(len(one.claims) for one in under_way)


@pytest.mark.parametrize("until_idle", [True, False])
def test_a_publisher_that_never_comes_keeps_no_worker(app: Actium, create: CreateAction, until_idle: bool) -> None:
    """Room that was promised to a thread that was interrupted holds up neither a worker that is idle nor `stop`."""
    offered: list[Any] = []
    app.flavors.register(action_flavor("test.asking")(lambda config: offered.append(worker.offer(1))))
    execution = app.actions.run(create(flavor="test.asking").id)
    worker = app.worker(concurrency=2, lease=0.5 if until_idle else LONG)
    thread = threading.Thread(target=worker.run_until_idle if until_idle else worker.run, daemon=True)
    thread.start()
    app.executions.wait(execution.id, LONG)
    assert offered[0].room == 1
    if not until_idle:
        worker.stop(grace=0.1)
    thread.join(LONG / 2)
    assert not thread.is_alive()


@pytest.mark.parametrize(("each", "waits"), [(0.0001, True), (0.5, False)])
def test_who_waits_for_room(
    app: Actium, create: CreateAction, monkeypatch: pytest.MonkeyPatch, each: float, waits: bool
) -> None:
    """Only a worker whose handlers are quick is waited for, and never by a handler: its own end may make the room."""
    seconds: list[float] = []
    promise = Room.promise

    def noted(self: Room, most: int, **options: float) -> Promise:
        seconds.append(options["seconds"])
        return promise(self, most, **options)

    monkeypatch.setattr(Room, "promise", noted)

    def publish(config: Any) -> None:
        app.events.publish(Event(type="second", source="/s"))

    app.flavors.register(action_flavor("test.publish")(publish))
    app.flavors.register(action_flavor("test.nothing")(lambda config: None))
    for kind, flavor in (("first", "publish"), ("second", "nothing")):
        action = create(kind, flavor=f"test.{flavor}")
        app.triggers.create(TriggerRequest(name=kind, action_id=action.id, filters=[{"exact": {"type": kind}}]))
    worker = app.worker(concurrency=2)
    worker._pace._mean_seconds = each  # as if it had run some
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        while not worker.name:
            time.sleep(0.001)
        published = app.events.publish(Event(type="first", source="/s"))
        app.executions.wait(published.executions[0], LONG)
    finally:
        worker.stop()
        thread.join()
    of_caller, of_handler = seconds
    assert (of_caller > 0.0) is waits
    assert of_handler == 0.0


def test_a_slow_worker_keeps_no_publisher_waiting(app: Actium, create: CreateAction) -> None:
    """Who publishes more than a worker that was quick until now has room for waits a moment, and then goes on."""
    go = threading.Event()
    app.flavors.register(action_flavor("test.slow")(lambda config: go.wait(LONG)))
    action = create(flavor="test.slow")
    app.triggers.create(TriggerRequest(name="all", action_id=action.id, match_all=True))
    worker = app.worker(concurrency=1)
    worker._pace._mean_seconds = 0.00099  # as if its handlers had been quick until now
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        began = time.monotonic()
        for _ in range(20):
            app.events.publish_many(Event(type="a.b", source="/s") for _ in range(100))
        took = time.monotonic() - began
        go.set()
    finally:
        worker.stop()
        thread.join()
    assert took < 3.0  # it would be four seconds if nothing but the number of events bounded it
