"""What passes from the threads that store to those that run and back: nothing waits, is lost or is done twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from actium import ActionConfig, Actium, Event, ExecutionStatus, TriggerExecutionResponse, action_flavor, hookimpl
from actium.errors import StoreBusyError
from actium.event_hub.dispatch import Dispatch
from actium.event_hub.inbox import Inbox
from actium.event_hub.offers import Promise
from actium.event_hub.run import Run
from actium.event_hub.worker import Worker
from actium.models import ActionRequest, ActionResponse, ServiceAccountRequest, TriggerRequest
from actium.stores.sqlite import work

CreateAction = Callable[..., ActionResponse]
Working = Callable[..., AbstractContextManager[Worker]]
SECONDS = 30.0


def on_everything(app: Actium, create: CreateAction, run: Callable[..., Any], **fields: Any) -> ActionResponse:
    """An action of a function, which every event runs."""
    app.flavors.register(action_flavor("test.handed")(run))
    action = create(flavor="test.handed", **fields)
    app.triggers.create(TriggerRequest(name="every", action_id=action.id, match_all=True))
    return action


def event(**fields: Any) -> Event:
    return Event(type="a.b", source="/s", **fields)


def test_what_comes_when_there_is_nothing_to_do_is_waited_for(
    app: Actium, create: CreateAction, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that runs until idle does not return while what was stored meanwhile runs in its threads."""
    go = threading.Event()
    on_everything(app, create, lambda config: go.wait(SECONDS))
    worker = app.worker(concurrency=2)
    worker.run_until_idle()
    next_due, published = app.store.next_due, list[Any]()

    def publish_meanwhile() -> Any:
        due = next_due()
        if not published:
            thread = threading.Thread(target=lambda: published.append(app.events.publish(event())))
            thread.start()
            thread.join()
            threading.Timer(0.2, go.set).start()
        return due

    monkeypatch.setattr(app.store, "next_due", publish_meanwhile)
    assert worker.run_until_idle() == 1
    assert app.executions.get(published[0].executions[0]).status is ExecutionStatus.SUCCEEDED


def test_no_wake_up_is_lost() -> None:
    """Whoever wakes a worker while it looks at what has arrived is heard by that look, and the next one by the next."""
    inbox = Inbox()
    inbox.put(Promise(1))
    for _ in inbox.arrived():
        inbox.wake()
    inbox.wake()
    began = time.monotonic()
    assert inbox.wait(SECONDS) is None
    assert time.monotonic() - began < 5


def test_room_that_an_end_has_made_is_used(
    app: Actium, create: CreateAction, monkeypatch: pytest.MonkeyPatch, working: Working
) -> None:
    """A worker with a backlog goes on when a publisher has recorded its end along, though nothing new was stored."""
    on_everything(app, create, lambda config: time.sleep(0.2))
    worker = app.worker(concurrency=1)
    app.events.publish(event())
    worker.run_until_idle()
    record_events = app.store.record_events

    def slowly(*args: Any, **options: Any) -> Any:
        time.sleep(0.3)
        return record_events(*args, **options)

    with working(app, concurrency=1, poll_interval=SECONDS):
        published = [app.events.publish(event(id=str(number))) for number in range(3)]
        monkeypatch.setattr(app.store, "record_events", slowly)
        assert app.events.publish(event(id="0")).duplicate
        began = time.monotonic()
        for one in published:
            app.executions.wait(one.executions[0], SECONDS)
        assert time.monotonic() - began < 10


def test_of_several_workers_one_with_room_is_offered(
    app: Actium, create: CreateAction, monkeypatch: pytest.MonkeyPatch, working: Working
) -> None:
    """Where one worker is full, another begins with what is stored."""
    go, limits = threading.Event(), list[int]()
    on_everything(app, create, lambda config: go.wait(SECONDS))
    record_events = app.store.record_events

    def noting(*args: Any, **options: Any) -> Any:
        limits.append(options.get("limit", 0))
        return record_events(*args, **options)

    with working(app, concurrency=1), working(app, concurrency=1):
        monkeypatch.setattr(app.store, "record_events", noting)
        published = [app.events.publish(event()) for _ in range(3)]
        go.set()
        for one in published:
            app.executions.wait(one.executions[0], SECONDS)
    assert limits[:2] == [1, 1]


def test_a_run_on_its_way_to_a_thread_is_counted(
    app: Actium, create: CreateAction, monkeypatch: pytest.MonkeyPatch, working: Working
) -> None:
    """A second thread is started for a second run, also while the first thread has only just taken the first."""
    go, first = threading.Event(), list[int]()

    def run(config: ActionConfig, trigger_execution: TriggerExecutionResponse) -> None:
        if trigger_execution.event is not None and trigger_execution.event.data == "long":
            go.wait(SECONDS)

    on_everything(app, create, run)
    with working(app, concurrency=2) as worker:
        app.executions.wait(app.events.publish(event()).executions[0], SECONDS)
        ran = worker._threads._ran

        def slowly(run: Any) -> bool:
            if not first:
                first.append(1)
                time.sleep(0.1)
            return ran(run)

        monkeypatch.setattr(worker._threads, "_ran", slowly)
        app.events.publish(event(data="long"))
        time.sleep(0.02)
        quick = app.events.publish(event())
        assert app.executions.wait(quick.executions[0], 5).status is ExecutionStatus.SUCCEEDED
        go.set()


def test_publishing_does_not_fail_for_want_of_threads(
    app: Actium, create: CreateAction, monkeypatch: pytest.MonkeyPatch, working: Working
) -> None:
    """Where the system has no thread to give, what was stored is run as soon as it has one."""
    on_everything(app, create, lambda config: "done")
    start, refused = threading.Thread.start, list[str]()

    def refusing(thread: threading.Thread) -> None:
        if thread.name.startswith("actium-run") and len(refused) < 2:
            refused.append(thread.name)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refusing)
    with working(app, poll_interval=0.05):
        published = app.events.publish(event())
        assert app.executions.wait(published.executions[0], SECONDS).result == "done"
    assert len(refused) == 2


def test_what_cannot_be_begun_is_given_back(
    app: Actium, create: CreateAction, monkeypatch: pytest.MonkeyPatch, working: Working
) -> None:
    """An error in beginning with what was stored is no affair of its publisher."""
    on_everything(app, create, lambda config: "done")
    with working(app):
        begin, failed = Dispatch.begin, list[int]()

        def failing(self: Dispatch, run: Run) -> None:
            if not failed:
                failed.append(1)
                raise MemoryError
            begin(self, run)

        monkeypatch.setattr(Dispatch, "begin", failing)
        ended = app.executions.wait(app.events.publish(event()).executions[0], SECONDS)
    assert (ended.result, len(ended.attempts)) == ("done", 2)
    assert ended.attempts[0].reason == "it could not be begun: MemoryError"


def test_an_end_that_cannot_be_written_harms_no_publisher(
    app: Actium, create: CreateAction, monkeypatch: pytest.MonkeyPatch, working: Working
) -> None:
    """Events are stored although what should be recorded along with them cannot be, and the worker tries it again."""
    on_everything(app, create, lambda config: "done")
    recorded, refused = work._recorded, list[int]()

    def failing(connection: Any, endings: Any, now: Any) -> Any:
        if endings and len(refused) < 3:
            refused.append(len(endings))
            connection.execute("UPDATE executions SET reason = 'half' WHERE id = ?", (str(endings[0].claimed.id),))
            raise ValueError("it cannot be written")
        return recorded(connection, endings, now)

    with working(app, concurrency=1):
        app.executions.wait(app.events.publish(event()).executions[0], SECONDS)
        monkeypatch.setattr(work, "_recorded", failing)
        monkeypatch.setattr(app.store, "exchange", _patient(app.store.exchange))
        published = app.events.publish_many(event() for _ in range(600))
        for one in published:
            assert app.executions.wait(one.executions[0], SECONDS).reason is None


def _patient(exchange: Callable[..., Any]) -> Callable[..., Any]:
    """What a worker asks of the store, which fails for a moment as a busy store does."""

    def asked(*args: Any, **options: Any) -> Any:
        try:
            return exchange(*args, **options)
        except ValueError as error:
            raise StoreBusyError("It is busy.", hint="Try again.") from error

    return asked


def test_a_callback_of_another_hub_gets_an_execution(app: Actium, create: CreateAction) -> None:
    """Who subscribes a callback, or overrides that of a handler, is given a whole execution."""
    action = on_everything(app, create, lambda config: "never")
    app.registry.get_relay("test", "handed")
    app.hub.unsubscribe_action_handler("handed", "test")
    app.hub.subscribe_action_handler(
        "handed", "test", lambda config, trigger_execution, auth_context: trigger_execution.name
    )
    execution = app.actions.run(action.id)
    app.worker().run_until_idle()
    assert app.executions.get(execution.id).result == action.name


def test_a_slow_observer_keeps_no_other_end_from_being_recorded(url: str, working: Working) -> None:
    """While an observer is told of one end, others are recorded."""
    slow = [True]

    class Observer:
        @hookimpl
        def execution_changed(self, trigger_execution: TriggerExecutionResponse) -> None:
            if trigger_execution.status.is_final and slow:
                slow.clear()
                time.sleep(2)

    with Actium(url, hooks=[Observer()]) as app:
        account = app.accounts.create(ServiceAccountRequest(name="robot")).id

        def create(flavor: str, **fields: Any) -> ActionResponse:
            subtype, _, short = flavor.partition(".")
            return app.actions.create(
                ActionRequest(name="x", plugin_subtype=subtype, flavor=short, service_account_id=account, **fields)
            )

        on_everything(app, create, lambda config: "done")
        with working(app, concurrency=4, poll_interval=0.05):
            app.events.publish(event())
            while slow:
                time.sleep(0.001)
            began = time.monotonic()
            app.executions.wait(app.events.publish(event()).executions[0], SECONDS)
            assert time.monotonic() - began < 1.5
