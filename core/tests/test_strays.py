"""What passes between a worker and those who store, and is lost on the way, as their thread was interrupted."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from actium import ActionConfig, Actium, Event, ExecutionStatus, TriggerExecutionResponse, action_flavor, hookimpl
from actium.event_hub.arrivals import Arrivals
from actium.event_hub.dispatch import Dispatch
from actium.event_hub.offers import Promise, Room
from actium.event_hub.outbox import Outbox
from actium.event_hub.reception import Reception
from actium.event_hub.run import Run
from actium.event_hub.strays import Strays
from actium.event_hub.worker import Worker
from actium.models import ActionRequest, ActionResponse, Concurrency, RunPolicy, ServiceAccountRequest, TriggerRequest
from actium.stores.claims import Along, Claim, Ending, Outcome
from actium.stores.records import ExecutionRecord, WorkerRecord
from actium.stores.sqlite import work
from actium.stores.sqlite.store import SQLiteStore

CreateAction = Callable[..., ActionResponse]
Working = Callable[..., AbstractContextManager[Worker]]
LEASE = 1.5
SECONDS = 30.0


@pytest.fixture
def triggered(app: Actium, create: CreateAction) -> Actium:
    """An application with an action that every event runs."""
    app.triggers.create(TriggerRequest(name="every", action_id=create().id, match_all=True))
    return app


def event() -> Event:
    return Event(type="a.b", source="/s")


def interrupted(monkeypatch: pytest.MonkeyPatch, owner: type, name: str, *, does_it: bool = True) -> None:
    """Let the next call of a method be interrupted, after it has done what it does."""
    method = getattr(owner, name)

    def once(*args: Any, **options: Any) -> Any:
        monkeypatch.setattr(owner, name, method)
        if does_it:
            method(*args, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(owner, name, once)


@pytest.mark.parametrize(
    ("owner", "name", "does_it"),
    [
        (SQLiteStore, "record_events", True),
        (Room, "take", False),
        (Room, "take", True),
        (Room, "keeps", False),
        (Dispatch, "begin", False),
    ],
    ids=["stored", "not taken", "taken", "not received", "not begun"],
)
def test_what_an_interrupted_publisher_has_stored_is_run(
    triggered: Actium,
    monkeypatch: pytest.MonkeyPatch,
    working: Working,
    owner: type,
    name: str,
    does_it: bool,
) -> None:
    """Wherever an interruption strikes behind the commit: what is stored is run all the same, once, and soon."""
    with working(triggered, lease=LEASE):
        interrupted(monkeypatch, owner, name, does_it=does_it)
        with pytest.raises(KeyboardInterrupt):
            triggered.events.publish(event())
        (execution,) = triggered.executions.list().items
        ended = triggered.executions.wait(execution.id, SECONDS)
        assert (ended.status, ended.attempt, len(ended.attempts)) == (ExecutionStatus.SUCCEEDED, 2, 2)
        assert triggered.executions.wait(triggered.events.publish(event()).executions[0], SECONDS).attempt == 1


def test_what_has_begun_when_its_publisher_is_interrupted_goes_on(
    app: Actium, create: CreateAction, monkeypatch: pytest.MonkeyPatch, working: Working
) -> None:
    """An interruption that strikes when a thread has begun already gives nothing back: it would run twice at once."""
    begun, go, begin = list[int](), threading.Event(), Dispatch.begin

    def waiting(config: ActionConfig, trigger_execution: TriggerExecutionResponse) -> bool:
        begun.append(trigger_execution.attempt)
        return go.wait(SECONDS)

    def begin_and_be_interrupted(self: Dispatch, run: Run) -> None:
        monkeypatch.setattr(Dispatch, "begin", begin)
        begin(self, run)
        while not begun:
            time.sleep(0.001)
        raise KeyboardInterrupt

    app.flavors.register(action_flavor("test.waiting")(waiting))
    action = create("waiting", flavor="test.waiting")
    app.triggers.create(TriggerRequest(name="every", action_id=action.id, match_all=True))
    with working(app, lease=LEASE):
        monkeypatch.setattr(Dispatch, "begin", begin_and_be_interrupted)
        with pytest.raises(KeyboardInterrupt):
            app.events.publish(event())
        (execution,) = app.executions.list().items
        time.sleep(2 * LEASE)  # nor is it given back for lasting longer than that
        go.set()
        assert app.executions.wait(execution.id, SECONDS).attempt == 1
    assert begun == [1]


def test_what_comes_later_than_a_lease_is_given_back_at_once(
    triggered: Actium, monkeypatch: pytest.MonkeyPatch, working: Working
) -> None:
    """A publisher whose promise of room was given up gives back what it has stored, and the worker takes that."""
    with working(triggered, poll_interval=60.0) as worker:
        record_events = triggered.store.record_events

        def late(*args: Any, **options: Any) -> Any:
            recorded = record_events(*args, **options)
            worker._room.give_up(before=math.inf)
            return recorded

        monkeypatch.setattr(triggered.store, "record_events", late)
        published = triggered.events.publish(event())
        ended = triggered.executions.wait(published.executions[0], 5.0)
    assert [(one.number, one.reason) for one in ended.get_metadata().attempts] == [
        (1, "its worker kept no room for it any more"),
        (2, None),
    ]


def test_what_arrives_later_than_a_lease_does_not_begin(
    app: Actium, create: CreateAction, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a worker finds in its inbox when it has been given back, and has succeeded, is not run once more."""
    ran = list[int]()

    def note(config: ActionConfig, trigger_execution: TriggerExecutionResponse) -> None:
        ran.append(trigger_execution.attempt)

    app.flavors.register(action_flavor("test.noting")(note))
    action = create(flavor="test.noting")
    app.triggers.create(TriggerRequest(name="every", action_id=action.id, match_all=True))
    stalled, goes_on, receive = threading.Event(), threading.Event(), Arrivals.receive

    def stalling(self: Arrivals, promise: Promise) -> None:
        stalled.set()
        assert goes_on.wait(SECONDS)
        receive(self, promise)

    with monkeypatch.context() as while_made:
        while_made.setattr(Arrivals, "receive", stalling)
        worker = app.worker(lease=LEASE)
    first = app.actions.run(action.id)
    worker.run_until_idle()
    worker._room.open()
    publishing = threading.Thread(target=app.events.publish, args=(event(),))
    publishing.start()
    assert stalled.wait(SECONDS)
    worker._room.give_up(before=math.inf)  # as it does a lease later
    (execution,) = [one for one in app.executions.list().items if one.id != first.id]
    assert app.store.exchange(worker.name, [returned(app, execution.id)], limit=0).accepted == (True,)
    assert app.worker(lease=LEASE).run_until_idle() == 1
    goes_on.set()
    publishing.join(SECONDS)
    app.actions.run(action.id)  # so that there is something to do
    worker.run_until_idle()
    ended = app.executions.get(execution.id)
    assert (ended.status, ended.attempt, ran) == (ExecutionStatus.SUCCEEDED, 2, [1, 2, 1])


def returned(app: Actium, execution_id: UUID) -> Ending:
    """That an execution was given back."""
    outcome = Outcome(status=ExecutionStatus.FAILED, reason="lost", next_attempt=datetime.now(UTC), is_returned=True)
    return Ending(claimed=app.store.get(ExecutionRecord, execution_id), outcome=outcome)


@pytest.mark.parametrize("is_recorded", [True, False])
def test_an_end_that_an_interrupted_publisher_took_along_is_not_lost(
    triggered: Actium, create: CreateAction, monkeypatch: pytest.MonkeyPatch, working: Working, is_recorded: bool
) -> None:
    """Whether it was recorded or not: it is in the end, as it was, and holds up no worker that is to stop."""
    go, record_events = threading.Event(), triggered.store.record_events
    triggered.flavors.register(action_flavor("test.waiting")(lambda config: go.wait(SECONDS)))
    execution = triggered.actions.run(create("waiting", flavor="test.waiting").id)

    def slowly(*args: Any, along: Any = None, **options: Any) -> Any:
        go.set()
        time.sleep(0.2)  # it ends meanwhile, and is left to this errand
        if not is_recorded:
            assert len(along.take()) == 1
            raise KeyboardInterrupt
        recorded = record_events(*args, along=along, **options)
        assert len(along.endings) == 1
        return recorded

    with working(triggered, lease=LEASE):
        time.sleep(0.1)
        monkeypatch.setattr(triggered.store, "record_events", slowly)
        interrupted(monkeypatch, Reception, "_take", does_it=False)
        with pytest.raises(KeyboardInterrupt):
            triggered.events.publish(event())
        ended = triggered.executions.wait(execution.id, SECONDS)
        assert (ended.result, len(ended.attempts)) == (True, 1)


def test_an_end_that_is_long_on_its_way_is_told_once(
    triggered: Actium,
    create: CreateAction,
    monkeypatch: pytest.MonkeyPatch,
    working: Working,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What a transaction takes along that lasts longer than the time after which it may be lost has not been lost."""
    go, record_along = threading.Event(), work.record_along
    triggered.flavors.register(action_flavor("test.waiting")(lambda config: go.wait(SECONDS)))
    execution = triggered.actions.run(create("waiting", flavor="test.waiting").id)

    def slowly(connection: Any, worker: str, along: Along) -> None:
        go.set()
        time.sleep(0.2)  # it ends meanwhile, and is left to this errand
        record_along(connection, worker, along)
        assert len(along.endings) == 1
        time.sleep(1.0)

    with working(triggered, lease=0.6) as worker:
        time.sleep(0.1)
        with monkeypatch.context() as while_slow:
            while_slow.setattr(work, "record_along", slowly)
            triggered.events.publish(event())
        ended = triggered.executions.wait(execution.id, SECONDS)
    assert (ended.result, len(ended.attempts)) == (True, 1)
    assert worker._conclusions.attempts == 2  # what is recorded again counts once
    assert "taken over" not in caplog.text


def test_an_end_that_could_not_be_taken_is_told_of_and_recorded(
    triggered: Actium, monkeypatch: pytest.MonkeyPatch, working: Working, caplog: pytest.LogCaptureFixture
) -> None:
    """An error after the end of a run is logged, not swallowed, and the end is recorded a third of a lease later."""
    add = Outbox.add

    def failing(self: Outbox, ending: Ending) -> None:
        monkeypatch.setattr(Outbox, "add", add)
        raise RuntimeError("no room in here")

    with working(triggered, lease=0.6):
        monkeypatch.setattr(Outbox, "add", failing)
        ended = triggered.executions.wait(triggered.events.publish(event()).executions[0], SECONDS)
    assert (ended.status, len(ended.get_metadata().attempts)) == (ExecutionStatus.SUCCEEDED, 1)
    assert "raised RuntimeError, which is not recorded" in caplog.text


def test_what_is_missed_once_may_be_on_its_way(triggered: Actium) -> None:
    """Given back is what was missed twice in the same attempt, and nothing that a worker has."""
    store, here = triggered.store, set[UUID]()
    strays = Strays(store, in_hand=lambda: here)
    claims = claimed(triggered, "mine", number=3)
    assert strays.give_back(["mine"]) == 0
    here.add(claims[0].execution.id)
    assert strays.give_back(["mine"]) == 2
    statuses = [store.get(ExecutionRecord, claim.execution.id).status for claim in claims]
    assert statuses == [ExecutionStatus.RUNNING, ExecutionStatus.PENDING, ExecutionStatus.PENDING]
    assert strays.give_back(["mine"]) == 0
    again = store.exchange("mine", [], limit=10).claims
    assert {claim.execution.attempt for claim in again} == {2}
    assert strays.give_back(["mine"]) == 0  # these attempts are missed for the first time
    assert strays.give_back(["mine"]) == 2


def claimed(app: Actium, worker: str, *, number: int) -> Sequence[Claim]:
    """Executions that a worker of that name has claimed."""
    for _ in range(number):
        app.events.publish(event())
    now = datetime.now(UTC)
    app.store.register_worker(WorkerRecord(name=worker, host="h", process=1, lease=30, beat=0, started=now))
    return app.store.exchange(worker, [], limit=number).claims


def test_what_a_slow_observer_keeps_from_beginning_is_not_lost(url: str) -> None:
    """What a worker has claimed stays with it, though it tells an observer for longer than a lease before it begins."""

    class Slow:
        @hookimpl
        def execution_changed(self, trigger_execution: TriggerExecutionResponse) -> None:
            if trigger_execution.id == first.id and trigger_execution.status.is_final:
                time.sleep(1.2)

    with Actium(url, hooks=[Slow()]) as app:
        app.flavors.register(action_flavor("test.nothing")(lambda config: None))
        account = app.accounts.create(ServiceAccountRequest(name="robot"))
        policy = RunPolicy(concurrency=Concurrency(mode="queued"))  # so that the end of one lets the other be claimed
        action = app.actions.create(
            ActionRequest(
                name="x", plugin_subtype="test", flavor="nothing", service_account_id=account.id, run_policy=policy
            )
        )
        first, second = app.actions.run(action.id), app.actions.run(action.id)
        assert app.worker(lease=0.9).run_until_idle() == 2
        assert [one.number for one in app.executions.get(second.id).attempts] == [1]


def test_workers_are_woken_for_what_is_given_back(triggered: Actium, working: Working) -> None:
    """What one worker has lost is begun by another of its process at once, however seldom that looks of itself."""
    loser = triggered.worker(lease=0.9)
    with working(triggered, poll_interval=600.0, lease=600.0):
        loser.run_until_idle()
        (action,) = triggered.actions.list().items
        execution = triggered.store.insert_execution(uuid4(), action.id, project=triggered.project, event=None)
        (claim,) = triggered.store.exchange(loser.name, limit=1).claims
        assert claim.execution.id == execution.id
        ended = triggered.executions.wait(execution.id, SECONDS / 3)
    assert [one.reason for one in ended.attempts] == ["it was claimed, and lost on the way to its worker", None]
