"""Turns among executions of one kind that were stored under different run policies."""

from __future__ import annotations

import time
from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actium import Actium, Event
from actium.models import ActionResponse, ActionUpdate, Concurrency, RunPolicy, TriggerRequest
from actium.stores.records import ExecutionRecord

CreateAction = Callable[..., ActionResponse]


class Queue:
    """An action whose maximum changes, and its executions by the letters that a test gives them."""

    def __init__(self, app: Actium, action: ActionResponse) -> None:
        self._app, self._action = app, action
        self._ids: dict[str, UUID] = {}

    def add(self, names: str, *, maximum: int) -> None:
        """Store executions of a revision with that maximum."""
        concurrency = Concurrency(mode="queued", maximum=maximum)
        self._app.actions.update(self._action.id, ActionUpdate(run_policy=RunPolicy(concurrency=concurrency)))
        for name in names:
            self._ids[name] = self._app.actions.run(self._action.id).id

    def end(self, name: str) -> None:
        self._app.executions.cancel(self._ids[name])

    def retry(self, name: str) -> None:
        self._app.executions.retry(self._ids[name])

    @property
    def waiting(self) -> str:
        """Those that wait for their turn."""
        return self.those(lambda one: not one.status.is_final and one.held)

    @property
    def going_on(self) -> str:
        """Those that have theirs."""
        return self.those(lambda one: not one.status.is_final and not one.held)

    def those(self, fit: Callable[[ExecutionRecord], bool]) -> str:
        return "".join(name for name, one in self.records().items() if fit(one))

    def records(self) -> dict[str, ExecutionRecord]:
        found = self._app.store.get_many(ExecutionRecord, [*self._ids.values()])
        return {name: found[one] for name, one in self._ids.items()}


@pytest.fixture
def queue(app: Actium, create: CreateAction) -> Queue:
    return Queue(app, create())


def test_a_smaller_maximum_holds_for_all_that_come_later(queue: Queue) -> None:
    """What was stored after the maximum became smaller begins when there is room by that, and not before."""
    queue.add("abc", maximum=3)
    queue.add("de", maximum=1)
    seen = [queue.waiting]
    for ended in "abcd":
        queue.end(ended)
        seen.append(queue.waiting)
    assert seen == ["de", "de", "de", "e", ""]


def test_a_larger_maximum_overtakes_nobody(queue: Queue) -> None:
    """What comes with a larger maximum waits behind what has a smaller one, which so gets its turn; then it is used."""
    queue.add("ab", maximum=1)
    queue.add("cde", maximum=3)
    assert queue.waiting == "bcde"
    queue.end("a")
    assert queue.waiting == "e"


def test_what_waited_behind_a_cancelled_one_goes_on(queue: Queue) -> None:
    """When the first that waits is cancelled, those behind it that find room go on at once."""
    queue.add("ab", maximum=1)
    queue.add("cde", maximum=3)
    queue.end("b")
    assert queue.waiting == "e"


def test_what_is_retried_is_the_first_again(queue: Queue) -> None:
    """What is retried was stored before those that wait; it goes on where it finds room, though they do not."""
    queue.add("a", maximum=3)
    queue.end("a")
    queue.add("bc", maximum=1)
    queue.retry("a")
    seen = [queue.waiting]
    for ended in "ba":
        queue.end(ended)
        seen.append(queue.waiting)
    assert seen == ["c", "c", ""]


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["add", "add", "end", "retry"]), st.integers(1, 4)), min_size=5, max_size=25
    )
)
def test_each_finds_room_of_its_own_and_none_gets_stuck(
    app: Actium, create: CreateAction, steps: list[tuple[str, int]]
) -> None:
    """Whatever comes, ends and is retried: who goes on finds room of its own, and the first that waits finds none."""
    queue = Queue(app, create(f"made-{uuid4()}"))
    for step, number in steps:
        had = queue.going_on
        if step == "add":
            queue.add(chr(ord("A") + len(queue.records())), maximum=number)
        elif found := queue.those(lambda one, are_ended=step == "retry": one.status.is_final == are_ended):
            getattr(queue, step)(found[number % len(found)])
        slots = {name: one.slots or 0 for name, one in queue.records().items()}
        stayed = [one for one in queue.going_on if one in had]
        began = [one for one in queue.going_on if one not in had]
        assert all(place < slots[one] for place, one in enumerate(began, start=len(stayed)))
        assert all(len(queue.going_on) >= slots[one] for one in queue.waiting[:1])


def arrived() -> Event:
    return Event(type="data.arrived", source="/bucket/raw")


def test_a_long_queue_costs_no_more_than_a_short_one(app: Actium, create: CreateAction) -> None:
    """To store another one, and to pass a turn on, takes about as long behind thousands as behind a hundred."""
    action = create(run_policy=RunPolicy(concurrency=Concurrency(mode="queued")))
    app.triggers.create(TriggerRequest(name="all", action_id=action.id, match_all=True))

    def seconds(number: int) -> float:
        began = time.perf_counter()
        executions = [one.executions[0] for one in app.events.publish_many(arrived() for _ in range(number))]
        for execution_id in executions[:-50:-1]:
            app.executions.cancel(execution_id)
        return (time.perf_counter() - began) / number

    seconds(100)
    short = min(seconds(100) for _ in range(3))
    app.events.publish_many(arrived() for _ in range(10_000))
    assert min(seconds(100) for _ in range(3)) < 5 * short
