"""Who waits for executions to end, and is told by the workers of this process.

What a worker of this process has in hand need not be looked at before it is told of: whoever waits for such an
execution would find that it has not ended, and keep the worker from going on with it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeAlias
from uuid import UUID

from actium import process_copies
from actium.stores.claims import Claim

Ended: TypeAlias = Mapping[UUID, Claim | None]
"""Executions an attempt of which has ended, with how that was claimed; None where another may follow."""


class Endings:
    """Tells those who listen that an execution has ended, once that is durable."""

    def __init__(self) -> None:
        self._listeners: dict[UUID, list[Callable[[Claim | None], object]]] = {}
        self._watchers: tuple[Callable[[Ended], object], ...] = ()
        self._begin_anew()
        process_copies.begin_with(self, Endings._begin_anew)

    def _begin_anew(self) -> None:
        self._lock = threading.Lock()
        self._in_hand: set[UUID] = set()

    def take_in_hand(self, execution_ids: Collection[UUID]) -> None:
        """A worker of this process has executions; `announce` or `let_go` follows for each."""
        with self._lock:
            self._in_hand.update(execution_ids)

    def let_go(self, execution_ids: Collection[UUID]) -> None:
        """A worker of this process will tell nothing of executions that it had."""
        with self._lock:
            self._in_hand.difference_update(execution_ids)

    def will_be_announced(self, execution_id: UUID) -> bool:
        """Whether a worker of this process is about to tell of an execution; to be asked by who listens already."""
        return execution_id in self._in_hand

    @contextmanager
    def listening(self, execution_id: UUID, listener: Callable[[Claim | None], object]) -> Iterator[None]:
        """Have a function called, in a worker's thread, when an execution ends in this process; see `Ended`.

        Look at the store inside: it may have ended before, or end in another process.
        """
        process_copies.notice()
        with self._lock:
            self._listeners.setdefault(execution_id, []).append(listener)
        try:
            yield
        finally:
            with self._lock:
                listeners = self._listeners[execution_id]
                listeners.remove(listener)
                if not listeners:
                    del self._listeners[execution_id]

    def watch(self, watcher: Callable[[Ended], object]) -> None:
        """Have a function called, in a worker's thread, with all executions that end in this process."""
        with self._lock:
            self._watchers = (*self._watchers, watcher)

    def unwatch(self, watcher: Callable[[Ended], object]) -> None:
        """Call a watcher no more."""
        with self._lock:
            self._watchers = tuple(one for one in self._watchers if one != watcher)

    def announce(self, ended: Ended) -> None:
        """Tell that executions have ended, or an attempt of theirs that another follows."""
        self.let_go(ended)
        for watcher in self._watchers:
            watcher(ended)
        if not self._listeners:
            return
        with self._lock:
            told = [(listener, claim) for one, claim in ended.items() for listener in self._listeners.get(one, ())]
        for listener, claim in told:
            listener(claim)
