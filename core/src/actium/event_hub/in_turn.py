"""Publishing many events: batches of them are stored one after the other, while the next ones are made."""

from __future__ import annotations

import contextvars
import itertools
import sys
import threading
from _thread import start_new_thread
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from queue import SimpleQueue

from actium.event_hub.event_hub import EventHub
from actium.models.event import Event
from actium.models.published import PublishedEvents
from actium.process_copies import this_process

_AHEAD = 4
"""How many batches are under way at most."""

_LEFT = 1
"""How many are left when the caller goes on: to wait for each by itself would wake it, between the others, as often."""


class InTurn:
    """Stores batches of events one after the other in another thread, while the caller makes the next.

    SQLite and the disk leave the interpreter to others while they write, so that the next events cost no time of their
    own. While one batch waits for another, workers leave what they have to record to the next transaction.

    The caller may be interrupted anywhere, as by Ctrl-C. So it waits for the thread by nothing but queues, whose
    methods are done or not, and leaves to it what must be undone, for no signal comes there. An executor would not do:
    one that was interrupted may keep its locks, and none takes anything up when the program ends.
    """

    def __init__(self, hub: EventHub, project: str) -> None:
        """Store nothing yet.

        Args:
            hub: What stores.
            project: Whose triggers are matched.
        """
        self._prepare = partial(hub.prepare_events, project=project)
        self._expect = hub.expect_more
        self._orders: SimpleQueue[Callable[[], PublishedEvents] | None] = SimpleQueue()
        self._room: SimpleQueue[None] = SimpleQueue()
        self._ended: SimpleQueue[None] = SimpleQueue()
        self._published: list[PublishedEvents] = []
        self._failure: BaseException | None = None
        self._unmade: Exception | None = None

    def store(self, batches: Iterable[Sequence[Event]]) -> PublishedEvents:
        """Store batches, once.

        Args:
            batches: What to store. None of them is stored after one that could not be.

        Returns:
            What became of each event, in their order.

        Raises:
            Exception: What could not be stored, or could not be made, first; what came before it is stored.
            BaseException: What has interrupted the caller; what was made before that is stored, unless it fails.
        """
        has_thread, process = False, this_process()
        try:
            has_thread = self._has_begun()
            store = self._hand_over if has_thread else self._store_here
            store(iter(batches))
        finally:
            self._orders.put(None)  # the thread may be there in any case
            if has_thread and this_process() is process:  # not in a copy that was forked off meanwhile
                self._ended.get()
        for error in (self._failure, self._unmade):
            if error is not None:
                raise error
        return PublishedEvents.joined(self._published)

    def _has_begun(self) -> bool:
        """Start the thread; False where none is to be had, as at the end of a program."""
        if sys.is_finalizing():  # Python 3.11 would start it, and it would never run
            return False
        try:
            start_new_thread(self._begin, ())
        except RuntimeError:
            return False
        return True

    def _begin(self) -> None:
        """Start the thread that stores, which has a name in traces and the like.

        That takes locks in Python code: a caller interrupted at that might keep it from running, and be told of an
        error of `threading` in place of its own. So it is done in a thread of its own, which is begun by one builtin.
        """
        try:
            threading.Thread(target=self._serve, name="actium-publish", daemon=True).start()
        except Exception:  # no second one is to be had; the caller counts on the first
            self._serve()

    def _store_here(self, batches: Iterator[Sequence[Event]]) -> None:
        for batch in batches:
            self._published.append(self._prepare(batch)())

    def _hand_over(self, batches: Iterator[Sequence[Event]]) -> None:
        """Leave batches to the thread, for as long as it stores them."""
        self._room.get()  # it is there: it would take long to begin beside a caller that makes events
        for number in itertools.count():
            store = self._next(batches)
            if store is None or self._failure is not None:
                return
            if number >= _AHEAD and (number - _AHEAD) % (_AHEAD - _LEFT) == 0:
                self._room.get()  # put there whenever so many more are stored; see `_store_in_turn`
            self._orders.put(store)

    def _next(self, batches: Iterator[Sequence[Event]]) -> Callable[[], PublishedEvents] | None:
        """What stores the next batch, in a copy of the caller's context; None where there is none.

        What keeps it from being made is told later, since what is under way may fail, and comes first.
        """
        try:
            batch = next(batches, None)
            return None if batch is None else partial(contextvars.copy_context().run, self._prepare(batch))
        except Exception as error:
            self._unmade = error
            return None

    def _serve(self) -> None:
        self._room.put(None)
        try:
            self._store_in_turn()
        except BaseException as error:  # told by the caller
            self._failure = error
        finally:
            self._room.put(None)
            self._ended.put(None)

    def _store_in_turn(self) -> None:
        """Store what is handed over, until there is no more to come, or something fails."""
        with ExitStack() as expecting:
            is_first = True
            for number, store in enumerate(iter(self._orders.get, None), 1):
                if is_first:
                    expecting.callback(self._expect())
                self._published.append(store())
                is_first = self._orders.empty()
                if is_first:
                    expecting.close()
                if number % (_AHEAD - _LEFT) == 0:
                    self._room.put(None)
