"""What coroutines publish at one time is stored together, in transactions of bounded size, one after the other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from actium import Actium, Event
from actium.models import ActionResponse, PublishedEvent, TriggerRequest
from actium.stores.records import EventDraft, EventRecord, RecordedEvent

CreateAction = Callable[..., ActionResponse]
SECONDS = 30.0


@pytest.mark.parametrize("number_of_loops", [1, 3])
def test_coroutines_share_transactions(
    app: Actium, create: CreateAction, monkeypatch: pytest.MonkeyPatch, number_of_loops: int
) -> None:
    """While one transaction is under way, all that come wait; then at most 128 are stored with each, of any loop."""
    action = create()
    app.triggers.create(TriggerRequest(name="every", action_id=action.id, match_all=True))
    together, under_way = list[int](), threading.Lock()
    all_have_come, record_events = threading.Barrier(number_of_loops + 1), app.store.record_events

    def stored(drafts: Sequence[EventDraft], **options: Any) -> tuple[RecordedEvent, ...]:
        assert under_way.acquire(blocking=False), "two transactions at once"
        try:
            together.append(len(drafts))
            if len(together) == 1:
                all_have_come.wait(SECONDS)
            return record_events(drafts, **options)
        finally:
            under_way.release()

    async def publish(loop: int) -> list[PublishedEvent]:
        async def one(number: int) -> PublishedEvent:
            return await app.events.apublish(Event(type="a.b", source="/s", id=f"{loop}-{number}"))

        publishing = [asyncio.ensure_future(one(number)) for number in range(300 // number_of_loops)]
        await asyncio.sleep(0)  # each of them has begun to wait
        await asyncio.to_thread(all_have_come.wait, SECONDS)
        async with asyncio.timeout(SECONDS):
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
