"""Closing an application while others use it: nobody hangs, nobody is told of what is not there, no raw error."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import pytest

from actium import Actium, Event, action_flavor
from actium.errors import StoreClosedError
from actium.models import ActionRequest, EventFilter, PublishedEvent, ServiceAccountRequest, TriggerRequest

SECONDS = 30.0


class Publishers:
    """Publish in many threads and coroutines until they are told that the store is closed."""

    def __init__(self, app: Actium) -> None:
        self.app = app
        self.published: list[PublishedEvent] = []
        self.raised: list[BaseException] = []
        self.threads = [
            threading.Thread(target=self.until_closed, args=(publish,), daemon=True)
            for publish in (self.one, self.one, self.many, self.many, self.coroutines)
        ]
        for thread in self.threads:
            thread.start()

    def until_closed(self, publish: Callable[[], Sequence[PublishedEvent]]) -> None:
        try:
            while True:
                self.published += publish()
        except BaseException as error:
            self.raised.append(error)

    def one(self) -> Sequence[PublishedEvent]:
        return [self.app.events.publish(event())]

    def many(self) -> Sequence[PublishedEvent]:
        return self.app.events.publish_many(event() for _ in range(300))

    def coroutines(self) -> Sequence[PublishedEvent]:
        async def some() -> Sequence[PublishedEvent]:
            told = await asyncio.gather(*(self.app.events.apublish(event()) for _ in range(50)), return_exceptions=True)
            self.published += [one for one in told if isinstance(one, PublishedEvent)]
            for one in told:
                if isinstance(one, BaseException):
                    raise one
            return ()

        return asyncio.run(some())


def event() -> Event:
    return Event(type="a.b", source="/s")


def opened(url: str) -> Actium:
    """An application with an action that every event runs."""
    app = Actium(url)
    app.flavors.register(action_flavor("test.nothing")(lambda config: None))
    account = app.accounts.create(ServiceAccountRequest(name="robot"))
    request = ActionRequest(name="x", plugin_subtype="test", flavor="nothing", service_account_id=account.id)
    app.triggers.create(TriggerRequest(name="every", action_id=app.actions.create(request).id, match_all=True))
    return app


@pytest.mark.parametrize("works", [True, False])
@pytest.mark.parametrize("after", [0.05, 0.2, 0.35])
def test_publishers_are_told_and_what_was_acknowledged_is_there(url: str, after: float, works: bool) -> None:
    """Each call returns what is stored or raises that the store was closed; its own worker is closed as well."""
    app = opened(url)
    working = threading.Thread(target=app.worker(concurrency=2).run if works else lambda: None, daemon=True)
    working.start()
    publishers = Publishers(app)
    time.sleep(after)
    closing = threading.Thread(target=app.close, daemon=True)
    closing.start()
    for thread in (closing, working, *publishers.threads):
        thread.join(SECONDS)
        assert not thread.is_alive()
    assert {type(error) for error in publishers.raised} == {StoreClosedError}
    assert len(publishers.raised) == len(publishers.threads)
    with Actium(url) as again:
        stored = stored_events(again)
        assert {one.id for one in publishers.published} <= stored
        assert again.store.check() == ()
        executions = again.executions
        for one in publishers.published[-20:]:
            assert [executions.get(execution_id).id for execution_id in one.executions] == list(one.executions)


def stored_events(app: Actium) -> set[UUID]:
    """The ids of all events that are stored."""
    page: Any = app.events.list(EventFilter(max_size=10_000))
    found = {one.id for one in page.items}
    for index in range(2, page.total_pages + 1):
        found |= {one.id for one in app.events.list(EventFilter(max_size=10_000, index=index)).items}
    return found
