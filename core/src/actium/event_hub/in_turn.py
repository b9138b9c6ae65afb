"""Publishing many events: batches of them are stored one after the other, while the next ones are made."""

from __future__ import annotations

import contextvars
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial

from actium.event_hub.event_hub import EventHub
from actium.models.event import Event
from actium.models.published import PublishedEvents

_AHEAD = 4
"""How many batches are under way at most."""

_LEFT = 1
"""How many are left when the caller goes on: to wait for each by itself would wake it, between the others, as often."""


class InTurn:
    """Stores batches of events one after the other in another thread, while the caller makes the next.

    SQLite and the disk leave the interpreter to others while they write, so that the next events cost no time of their
    own. While one batch waits for another, workers leave what they have to record to the next transaction.
    """

    def __init__(self, hub: EventHub, project: str) -> None:
        """Store nothing yet.

        Args:
            hub: What stores.
            project: Whose triggers are matched.
        """
        self._prepare = partial(hub.prepare_events, project=project)
        self._expect = hub.expect_more
        self._lock = threading.Lock()
        self._left = 0
        self._has_failed = False
        self._expecting: Callable[[], object] | None = None

    def store(self, batches: Iterable[Sequence[Event]]) -> PublishedEvents:
        """Store batches.

        Args:
            batches: What to store. None of them is stored after one that could not be.

        Returns:
            What became of each event, in their order.

        Raises:
            BaseException: What could not be stored, or could not be made, first; what came before it is stored.
        """
        published: list[PublishedEvents] = []
        under_way: deque[Future[PublishedEvents]] = deque()
        with ThreadPoolExecutor(1, thread_name_prefix="actium-publish") as thread:
            try:
                for store in map(self._prepare, batches):
                    if len(under_way) == _AHEAD:
                        wait([under_way[-1 - _LEFT]])  # tells of no failure; the first one is told below
                        while len(under_way) > _LEFT:
                            published.append(under_way.popleft().result())
                    self._begin()
                    under_way.append(thread.submit(contextvars.copy_context().run, self._store_one, store))
            finally:  # what is under way when the next batch cannot be made tells of its own failure first
                while under_way:
                    published.append(under_way.popleft().result())
        return PublishedEvents.joined(published)

    def _begin(self) -> None:
        with self._lock:
            self._left += 1
            if self._expecting is None:
                self._expecting = self._expect()

    def _store_one(self, store: Callable[[], PublishedEvents]) -> PublishedEvents:
        try:
            return PublishedEvents() if self._has_failed else store()
        except BaseException:
            self._has_failed = True
            raise
        finally:
            self._end()

    def _end(self) -> None:
        with self._lock:
            self._left -= 1
            done, self._expecting = (self._expecting, None) if self._left == 0 else (None, self._expecting)
        if done is not None:
            done()
