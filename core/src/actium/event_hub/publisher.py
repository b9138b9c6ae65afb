"""Publishing for coroutines: what they publish at one time is stored together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from queue import SimpleQueue

from actium import process_copies
from actium.errors import StoreBusyError
from actium.event_hub.event_hub import Answer, EventHub
from actium.models.event import Event
from actium.models.published import PublishedEvent
from actium.plugins.publishing import Publishing

PUBLISHED_TOGETHER = 128
"""How many events are stored in one transaction at most."""

logger = logging.getLogger("actium.publisher")


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    begun: Publishing
    project: str
    loop: asyncio.AbstractEventLoop
    published: asyncio.Future[PublishedEvent]
    since: float


class Publisher:
    """Gathers the events that coroutines publish while a transaction is under way, and stores them with the next.

    It has a thread of its own: those of an event loop may all be taken by what coroutines wait for. An executor would
    not do, for Ctrl-C in its ``submit`` may leave locks of it held.
    """

    def __init__(self, hub: EventHub) -> None:
        self._hub = hub
        self._is_closed = False
        self._begin_anew()
        process_copies.begin_with(self, Publisher._begin_anew)

    def _begin_anew(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[_Waiting] = []
        self._under_way: list[_Waiting] = []
        self._orders: SimpleQueue[bool] = SimpleQueue()
        self._thread: threading.Thread | None = None

    async def publish(self, event: Event, project: str) -> PublishedEvent:
        """Publish an event; see `BaseEventHub.publish_event`."""
        process_copies.notice()
        loop = asyncio.get_running_loop()
        published: asyncio.Future[PublishedEvent] = loop.create_future()
        since = time.monotonic()
        (begun,) = self._hub.begin([event])  # here, where the context variables are the publisher's
        waiting = _Waiting(begun, project, loop, published, since)
        if self._will_store(waiting):
            return await published
        (answer,) = self._hub.store_events([begun], project)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def close(self) -> None:
        """End the thread, when what it stores is stored; whoever publishes then finds by itself what has closed."""
        process_copies.notice()
        with self._lock:
            self._is_closed = True
        self._orders.put(False)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _will_store(self, waiting: _Waiting) -> bool:
        """Leave an event to the thread; False where that has ended, and will not begin again."""
        try:
            with self._lock:
                if self._is_closed:
                    return False
                self._start_as_needed()
                if not self._waiting:  # the others are stored, or given up, by who takes up the first one's order
                    self._orders.put(True)
                self._waiting.append(waiting)  # last: to order what does not come harms nobody
            return True
        except BaseException as error:  # there is no further thread, the program ends, or this was interrupted
            told = self._withdraw(waiting, error)
        raise told

    def _start_as_needed(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            thread = threading.Thread(target=self._serve, name="actium-publish", daemon=True)
            thread.start()
            self._thread = thread

    def _serve(self) -> None:
        while self._orders.get():
            self._store()
        self._orders.put(False)  # where who started a thread was interrupted at that, there is another one

    def _withdraw(self, waiting: _Waiting, error: BaseException) -> BaseException:
        """Store an event no more, unless that is under way; what to tell its publisher."""
        with self._lock:
            is_under_way = waiting in self._under_way
            self._waiting = [one for one in self._waiting if one is not waiting]
        return error if is_under_way else waiting.begun.fail(error)

    def _store(self) -> None:
        """Store what waits, until nobody does."""
        try:
            while some := self._next():
                self._store_together(some)
        except BaseException as error:
            logger.exception("What coroutines have published may not be stored.")
            self._give_up(error)

    def _store_together(self, some: list[_Waiting]) -> None:
        began = time.monotonic()
        answers = self._hub.store_events([one.begun for one in some], some[0].project)
        busy = next((one for one in answers if isinstance(one, StoreBusyError)), None)
        _tell_all(some, answers)
        if busy is not None:
            _fail_all(self._given_up(before=began), busy)

    def _give_up(self, error: BaseException) -> None:
        """Tell those whose events were under way, and all who wait, of what keeps theirs from being stored."""
        with self._lock:
            waiting, self._waiting = [*self._under_way, *self._waiting], []
        _fail_all(waiting, error)

    def _next(self) -> list[_Waiting]:
        """What is to be stored next, all of one project; nothing where nobody waits."""
        with self._lock:
            project = self._waiting[0].project if self._waiting else None
            some = [one for one in self._waiting if one.project == project][:PUBLISHED_TOGETHER]
            taken = set(some)
            self._waiting = [one for one in self._waiting if one not in taken]
            self._under_way = some
        return some

    def _given_up(self, *, before: float) -> list[_Waiting]:
        """Who has waited as long as those who were told that the store is busy; to wait for it again would be twice."""
        with self._lock:
            some = [one for one in self._waiting if one.since <= before]
            self._waiting = [one for one in self._waiting if one.since > before]
        return some


def _fail_all(waiting: Sequence[_Waiting], error: BaseException) -> None:
    """Tell hooks and publishers what keeps their events from being stored."""
    _tell_all(waiting, [one.begun.fail(error) for one in waiting])


def _tell_all(waiting: Sequence[_Waiting], answers: Sequence[Answer]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Waiting, Answer]]] = {}
    for one, answer in zip(waiting, answers, strict=True):
        by_loop.setdefault(one.loop, []).append((one, answer))
    for loop, told in by_loop.items():
        with contextlib.suppress(RuntimeError):  # it is closed, and nobody waits any more
            loop.call_soon_threadsafe(_tell, told)


def _tell(told: list[tuple[_Waiting, Answer]]) -> None:
    for waiting, answer in told:
        try:
            _tell_one(waiting.published, answer)
        except Exception:  # the others are to be told all the same
            logger.exception("Who has published the event %s is not told of it.", waiting.begun.event.id)


def _tell_one(published: asyncio.Future[PublishedEvent], answer: Answer) -> None:
    if published.done():
        return  # nobody waits any more
    if isinstance(answer, StopIteration):  # which no coroutine can raise
        error = RuntimeError("What was to store the event has raised StopIteration.")
        error.__cause__ = answer
        published.set_exception(error)
    elif isinstance(answer, BaseException):
        published.set_exception(answer)
    else:
        published.set_result(answer)
