"""Publishing many events: what coroutines publish at one time is stored together, and batches are stored in turn."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from actium.event_hub.event_hub import EventHub
from actium.models.event import Event, PublishedEvent
from actium.plugins.publishing import Publishing

PUBLISHED_TOGETHER = 128
"""How many events are stored in one transaction at most."""


def stored_in_turn(
    batches: Iterable[Sequence[Event]], store: Callable[[Sequence[Event]], tuple[PublishedEvent, ...]]
) -> tuple[PublishedEvent, ...]:
    """Store batches one after the other in another thread, while this one gets the next.

    SQLite and the disk leave the interpreter to others while they write, so that making events costs no time of its own.

    Args:
        batches: What to store. The next is asked for while one is stored, and none after one that could not be.
        store: Stores a batch; it sees the context variables of the caller.

    Returns:
        What became of each event, in their order.

    Raises:
        BaseException: What ``batches`` or ``store`` raised first; what came before it is stored.
    """
    published: list[PublishedEvent] = []
    with ThreadPoolExecutor(1, thread_name_prefix="actium-publish") as storing:
        under_way: Future[tuple[PublishedEvent, ...]] | None = None
        try:
            for batch in batches:
                if under_way is not None:
                    published += under_way.result()
                under_way = storing.submit(contextvars.copy_context().run, store, batch)
        finally:  # where the next batch could not be made, too: what is under way tells of its own failure first
            if under_way is not None:
                published += under_way.result()
    return tuple(published)


@dataclass(frozen=True, slots=True)
class _Waiting:
    begun: Publishing
    project: str
    loop: asyncio.AbstractEventLoop
    published: asyncio.Future[PublishedEvent]


class Publisher:
    """Gathers the events that coroutines publish while a transaction is under way, and stores them with the next."""

    def __init__(self, hub: EventHub) -> None:
        self._hub = hub
        self._lock = threading.Lock()
        self._waiting: list[_Waiting] = []
        self._is_storing = False

    async def publish(self, event: Event, project: str) -> PublishedEvent:
        """Publish an event; see `BaseEventHub.publish_event`."""
        loop = asyncio.get_running_loop()
        (begun,) = self._hub.begin([event])  # here, where the context variables are the publisher's
        waiting = _Waiting(begun, project, loop, loop.create_future())
        with self._lock:
            self._waiting.append(waiting)
            begins = not self._is_storing
            self._is_storing = True
        if begins:
            loop.run_in_executor(None, self._store)
        return await waiting.published

    def _store(self) -> None:
        while True:
            with self._lock:
                some, self._waiting = self._waiting[:PUBLISHED_TOGETHER], self._waiting[PUBLISHED_TOGETHER:]
                if not some:
                    self._is_storing = False
                    return
            for project in dict.fromkeys(one.project for one in some):
                self._store_together([one for one in some if one.project == project], project)

    def _store_together(self, waiting: list[_Waiting], project: str) -> None:
        outcomes: list[PublishedEvent | BaseException]
        try:
            outcomes = [*self._hub.store_events([one.begun for one in waiting], project)]
        except BaseException as error:  # each of them is told
            outcomes = [error] * len(waiting)
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Waiting, PublishedEvent | BaseException]]] = {}
        for one, outcome in zip(waiting, outcomes, strict=True):
            by_loop.setdefault(one.loop, []).append((one, outcome))
        for loop, told in by_loop.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_tell, told)


def _tell(told: list[tuple[_Waiting, PublishedEvent | BaseException]]) -> None:
    for waiting, outcome in told:
        if waiting.published.done():
            continue  # nobody waits any more
        if isinstance(outcome, BaseException):
            waiting.published.set_exception(outcome)
        else:
            waiting.published.set_result(outcome)
