"""Events that coroutines publish: they wait together, for no longer than one of them would, and for nobody else."""

from __future__ import annotations

import asyncio
import itertools
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from actium import Actium, Event, hookimpl
from actium.errors import StoreBusyError, StoreClosedError
from actium.event_hub import publisher
from actium.event_hub.event_hub import EventHub
from actium.models import ActionResponse, EventFilter, PublishedEvent, TriggerRequest
from actium.stores.publications import EventDraft, Recorded
from actium.stores.records import EventRecord
from actium.stores.sqlite.store import SQLiteStore

sys.path.insert(0, str(Path(__file__).parent))
from interrupting import Interruption  # beside this file, as other processes use it too

CreateAction = Callable[..., ActionResponse]
FILES = publisher.__file__, threading.__file__
LONG = 30.0
MANY = 1_000
LIMIT = 0.5


class Watching:
    """A hook plugin that learns how many events are published, and what keeps some of them from being stored."""

    def __init__(self) -> None:
        self.began = 0
        self.told: list[type[BaseException]] = []

    @hookimpl(wrapper=True)
    def publish_event(self) -> Generator[None, PublishedEvent, PublishedEvent]:
        self.began += 1
        try:
            return (yield)
        except BaseException as error:
            self.told.append(type(error))
            raise


def arrived(source: str = "/bucket/raw") -> Event:
    return Event(type="data.arrived", source=source)


def test_all_are_told_of_a_busy_store_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """However many wait, each is told when its own time is over, and not one transaction of them after the other.

    The limit is that of a transaction, and what comes while one waits has to wait for the next: twice the limit.
    """
    assert SQLiteStore.__init__.__kwdefaults__ is not None
    monkeypatch.setitem(SQLiteStore.__init__.__kwdefaults__, "busy_seconds", LIMIT)
    file = tmp_path / "actium.db"

    async def publish(app: Actium, number: int) -> float:
        began = time.monotonic()
        with pytest.raises(StoreBusyError):
            await app.events.apublish(arrived(), project=f"project-{number % 3}")
        return time.monotonic() - began

    async def publish_all(app: Actium) -> list[float]:
        return await asyncio.gather(*(publish(app, number) for number in range(MANY)))

    with Actium(f"sqlite:///{file}") as app:
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            waited = asyncio.run(publish_all(app))
        assert LIMIT * 0.9 < min(waited) <= max(waited) < 2 * LIMIT + 1  # a third one would begin at 2 * LIMIT + LIMIT
        assert app.events.list().total == 0
        asyncio.run(app.events.apublish(arrived()))  # and it goes on
        assert app.events.list().total == 1


def test_does_not_wait_for_threads_of_the_loop(app: Actium) -> None:
    """Coroutines that keep all threads of their loop busy keep no event from being stored."""
    goes_on = threading.Event()

    async def publish() -> float:
        loop = asyncio.get_running_loop()
        busy = [loop.run_in_executor(None, goes_on.wait, 30) for _ in range((os.cpu_count() or 1) + 36)]
        try:
            await asyncio.wait_for(app.events.apublish(arrived()), 20)
        finally:
            goes_on.set()
        return len(await asyncio.gather(*busy))

    asyncio.run(publish())
    assert app.events.list().total == 1


def test_projects_are_kept_apart(app: Actium) -> None:
    """What is published for several projects at one time lies in each of them."""

    async def publish() -> None:
        await asyncio.gather(*(app.events.apublish(arrived(), project=f"p{number % 3}") for number in range(300)))

    asyncio.run(publish())
    assert [app.events.list(EventFilter(project=f"p{number}")).total for number in range(3)] == [100, 100, 100]


def test_closing_ends_its_thread(app: Actium) -> None:
    """Nothing of it is left behind, and whoever publishes then is told."""

    async def publish() -> None:
        await app.events.apublish(arrived())

    asyncio.run(publish())
    assert [each.name for each in threading.enumerate() if each.name.startswith("actium-publish")]
    app.close()
    assert not [each.name for each in threading.enumerate() if each.name.startswith("actium-publish")]
    with pytest.raises(StoreClosedError):
        asyncio.run(publish())
    assert not [each.name for each in threading.enumerate() if each.name.startswith("actium-publish")]


def test_a_thread_that_cannot_start_is_told_and_waited_for_no_longer(
    app: Actium, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system gives no further thread, all who wait are told, and the next one tries again."""

    async def publish_all() -> list[object]:
        return await asyncio.gather(*(app.events.apublish(arrived()) for _ in range(3)), return_exceptions=True)

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        told = asyncio.run(asyncio.wait_for(publish_all(), 20))
    assert [str(error) for error in told] == ["can't start new thread"] * 3
    assert not any(isinstance(one, BaseException) for one in asyncio.run(asyncio.wait_for(publish_all(), 20)))
    assert app.events.list().total >= 3


def test_an_interruption_keeps_nobody_else_from_publishing() -> None:
    """Wherever in it Ctrl-C comes, the hooks around the event are told, and whoever publishes next is stored."""
    for number in itertools.count(1):
        watching = Watching()
        with Actium("sqlite://", hooks=[watching]) as app, closing(asyncio.new_event_loop()) as loop:
            publishing = app.events.apublish(arrived())
            interruption = Interruption(number, FILES)
            # An interrupted wait of `threading` may fail to let go of its lock, and say so.
            with suppress(KeyboardInterrupt, RuntimeError), interruption.awaited():
                loop.run_until_complete(publishing)
            began = watching.began
            loop.run_until_complete(asyncio.wait_for(app.events.apublish(arrived()), LONG))
            assert app.events.list().total == began + 1 - len(watching.told)
        if interruption.where is None:
            break
    assert number > 10


def test_all_are_told_of_what_nobody_has_foreseen(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Those whose events were to be stored and those who wait behind them, and their hooks; and it is logged."""
    goes_on, watching = threading.Event(), Watching()

    def fail(hub: EventHub, *begun: Any) -> Any:
        goes_on.wait(LONG)
        return None  # what no hub gives, so that telling of it fails

    async def publish_all() -> list[PublishedEvent | BaseException]:
        publishing = [asyncio.ensure_future(app.events.apublish(arrived(), project=f"p{n}")) for n in range(3)]
        await asyncio.sleep(0)
        goes_on.set()
        async with asyncio.timeout(LONG):
            return await asyncio.gather(*publishing, return_exceptions=True)

    with Actium(url, hooks=[watching]) as app:
        with monkeypatch.context() as patched:
            patched.setattr(EventHub, "store_events", fail)
            outcomes = asyncio.run(publish_all())
        assert [type(one) for one in outcomes] == watching.told == [TypeError] * 3
        (record,) = [record for record in caplog.records if record.name == "actium.publisher"]
        assert record.exc_info is not None
        assert record.exc_info[0] is TypeError
        assert not any(isinstance(one, BaseException) for one in asyncio.run(publish_all()))
        assert watching.told == [TypeError] * 3


def test_all_are_told_of_what_no_coroutine_can_raise(app: Actium, monkeypatch: pytest.MonkeyPatch) -> None:
    """A StopIteration would end whoever awaits as if it were done; so it comes as the cause of an error."""

    def stop(drafts: Sequence[EventDraft], **options: Any) -> Recorded:
        raise StopIteration

    async def publish_all() -> list[PublishedEvent | BaseException]:
        async with asyncio.timeout(LONG):
            return await asyncio.gather(*(app.events.apublish(arrived()) for _ in range(3)), return_exceptions=True)

    monkeypatch.setattr(app.store, "record_events", stop)
    outcomes = asyncio.run(publish_all())
    assert [type(one) for one in outcomes] == [RuntimeError] * 3
    assert all(isinstance(one, RuntimeError) and isinstance(one.__cause__, StopIteration) for one in outcomes)


def test_who_cannot_be_told_keeps_nobody_else_waiting(
    app: Actium, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Those who wait in the same loop are told all the same, and it is logged."""

    all_have_come, record_events, made = threading.Event(), app.store.record_events, itertools.count()

    class Refusing(asyncio.Future[PublishedEvent]):
        """The future of a loop that another package has made."""

        def set_result(self, result: PublishedEvent) -> None:
            raise OverflowError

    def stored(drafts: Sequence[EventDraft], **options: Any) -> Recorded:
        all_have_come.wait(LONG)
        return record_events(drafts, **options)

    async def publish_all() -> None:
        loop = asyncio.get_running_loop()
        create_future = loop.create_future
        monkeypatch.setattr(loop, "create_future", lambda: Refusing(loop=loop) if next(made) == 1 else create_future())
        one, refusing, *others = [asyncio.ensure_future(app.events.apublish(arrived())) for _ in range(5)]
        await asyncio.sleep(0)
        all_have_come.set()
        async with asyncio.timeout(LONG):
            await asyncio.gather(one, *others)
        refusing.cancel()

    monkeypatch.setattr(app.store, "record_events", stored)
    asyncio.run(publish_all())
    assert app.events.list().total == 5
    assert [record.name for record in caplog.records] == ["actium.publisher"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_copy_of_the_process_has_a_thread_of_its_own(app: Actium) -> None:
    """After a fork, the copy's coroutines publish as those of the parent do."""

    async def publish(source: str) -> None:
        await app.events.apublish(arrived(source))

    asyncio.run(publish("/parent"))
    child = os.fork()
    if child == 0:
        try:
            asyncio.run(asyncio.wait_for(publish("/copy"), 20))
            os._exit(0)
        except BaseException:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    asyncio.run(publish("/parent"))
    assert app.events.list().total == 3


@pytest.mark.parametrize("number_of_loops", [1, 3])
def test_coroutines_share_transactions(
    app: Actium, create: CreateAction, monkeypatch: pytest.MonkeyPatch, number_of_loops: int
) -> None:
    """While one transaction is under way, all that come wait; then at most 128 are stored with each, of any loop."""
    action = create()
    app.triggers.create(TriggerRequest(name="every", action_id=action.id, match_all=True))
    together, under_way = list[int](), threading.Lock()
    all_have_come, record_events = threading.Barrier(number_of_loops + 1), app.store.record_events

    def stored(drafts: Sequence[EventDraft], **options: Any) -> Recorded:
        assert under_way.acquire(blocking=False), "two transactions at once"
        try:
            together.append(len(drafts))
            if len(together) == 1:
                all_have_come.wait(LONG)
            return record_events(drafts, **options)
        finally:
            under_way.release()

    async def publish(loop: int) -> list[PublishedEvent]:
        async def one(number: int) -> PublishedEvent:
            return await app.events.apublish(Event(type="data.arrived", source="/s", id=f"{loop}-{number}"))

        publishing = [asyncio.ensure_future(one(number)) for number in range(300 // number_of_loops)]
        await asyncio.sleep(0)  # each of them has begun to wait
        await asyncio.to_thread(all_have_come.wait, LONG)
        async with asyncio.timeout(LONG):
            return await asyncio.gather(*publishing)

    monkeypatch.setattr(app.store, "record_events", stored)
    published = dict[int, list[PublishedEvent]]()
    threads = [
        threading.Thread(target=lambda loop=loop: published.update({loop: asyncio.run(publish(loop))}))
        for loop in range(number_of_loops)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first, *others, last = together  # the first one takes what has come until then
    assert set(others) == {128}
    assert max(first, last) <= 128
    assert (sum(together), len(published)) == (300, number_of_loops)
    for loop, own in published.items():
        events = app.store.get_many(EventRecord, [one.id for one in own])
        assert [events[one.id].event_id for one in own] == [f"{loop}-{number}" for number in range(len(own))]
    assert app.executions.list().total == app.events.list().total == 300
