"""What a worker offers to whoever stores executions in the same process: room for some, to begin with at once.

Whoever takes it records what the worker has to record along with that. What goes this way is claimed in the
transaction that stores it, and needs no second one. Who stores more than a quick worker has room for waits a moment
for it: to store it for the worker to claim later would cost both of them more.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from actium.stores.claims import Along, Claim, Ending

_PATIENCE = 2.0
"""How many times as long as running what is to be stored may take, its storer waits for room."""

_LONGEST_WAIT = 0.05
"""Seconds that nobody waits longer than."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Room that is kept until it is taken, and what the worker would have recorded along with what takes it.

    Attributes:
        worker: Under which name the executions are claimed.
        room: How many at most.
        endings: Gives what is to be recorded in the same transaction; may be called once, inside it.
        take: To be called once, with what was claimed, perhaps nothing, and what was recorded, after that is durable.
        fail: To be called in its place, with what was to be recorded, where storing has failed.
    """

    worker: str
    room: int
    endings: Callable[[], Sequence[Ending]]
    take: Callable[[Sequence[Claim], Along], object]
    fail: Callable[[Along], object]


class Promise:
    """Room that is kept for one who stores, until what it has stored has arrived.

    Attributes:
        room: For how many executions.
        claims: What it has stored, and is on its way to the worker.
        since: When it was given, on the monotonic clock.
    """

    __slots__ = ("claims", "room", "since")

    def __init__(self, room: int) -> None:
        self.room = room
        self.claims: Sequence[Claim] = ()
        self.since = time.monotonic()


class Room:
    """The room of one worker, and what of it is promised. It may be used from any thread.

    Attributes:
        promised: For how many executions it is kept, those included that were taken and have not arrived.
        is_open: Whether anything is promised.
    """

    def __init__(self, space: Callable[[], int]) -> None:
        """Promise nothing yet.

        Args:
            space: How many more executions there is room for, apart from what is promised.
        """
        self._space = space
        # What is used in `with` is the lock itself: a condition's `__enter__` may be interrupted when it has locked.
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._is_behind = False
        self._awaited: list[int] = []
        self._promises: set[Promise] = set()
        self.promised = 0
        self.is_open = False

    @property
    def is_behind(self) -> bool:
        """Whether something waits in the store for room."""
        return self._is_behind

    @property
    def left(self) -> int:
        """How much is not promised."""
        return max(0, self._space() - self.promised)

    def open(self) -> None:
        """Promise from now on."""
        with self._lock:
            self.is_open = True

    def close(self) -> None:
        """Promise no more; what is promised is not kept."""
        with self._lock:
            self.is_open = False
            self._changed.notify_all()

    def close_when_kept(self) -> bool:
        """Promise no more, unless someone still has a promise; whether it is closed."""
        with self._lock:
            self.is_open = self.promised > 0
            return not self.is_open

    @property
    def on_their_way(self) -> list[Claim]:
        """What was taken and has not arrived."""
        return [claim for promise in self._promises.copy() for claim in promise.claims]

    def promise(self, most: int, *, seconds: float) -> Promise:
        """Keep room.

        Args:
            most: For how many executions.
            seconds: How long they may take to run. Where there is less room, twice that is waited for it at most, and
                never longer than a twentieth of a second.

        Returns:
            Room for some of them, perhaps for none.
        """
        with self._lock:
            if self.is_open and not self._has_room(most):
                self._awaited.append(most)
                try:
                    self._changed.wait_for(lambda: self._has_room(most), min(_PATIENCE * seconds, _LONGEST_WAIT))
                finally:
                    self._awaited.remove(most)
            promise = Promise(min(most, self.left) if self.is_open else 0)
            self._is_behind = self._is_behind or promise.room < most
            self._promises.add(promise)
            self.promised += promise.room
            return promise

    def take(self, promise: Promise, claims: Sequence[Claim]) -> bool:
        """Make use of a promise.

        Args:
            promise: What was promised.
            claims: What it is used for; `arrived` follows where that is something.

        Returns:
            Whether the promise is kept.
        """
        with self._lock:
            is_kept = self.is_open and promise in self._promises
            if is_kept and claims:
                self.promised -= promise.room - len(claims)
                promise.room, promise.claims = len(claims), claims
            else:
                self._end(promise)
            return is_kept

    def keeps(self, promise: Promise) -> bool:
        """Whether a promise is kept: it was not given up as too old, and there is room at all."""
        with self._lock:
            return self.is_open and promise in self._promises

    def arrived(self, promise: Promise) -> None:
        """What was taken has arrived."""
        with self._lock:
            self._end(promise)

    def give_up(self, *, before: float) -> None:
        """Keep no promises that were given before a time on the monotonic clock.

        Whoever had them was interrupted on the way, or comes too late: then they are not kept, and that is all.
        """
        with self._lock:
            self._promises = {promise for promise in self._promises if promise.since >= before}
            self.promised = sum(promise.room for promise in self._promises)
            self._changed.notify_all()

    def changed(self, *, is_behind: bool | None = None) -> None:
        """There may be more room now.

        Args:
            is_behind: Whether something waits in the store, which comes before what is stored next; None where nobody
                has looked.
        """
        with self._lock:
            if is_behind is not None:
                self._is_behind = is_behind
            self._changed.notify_all()

    def look(self) -> None:
        """There is room for a little more. Costs next to nothing where nobody waits for it."""
        if self._awaited and self._has_room(min(self._awaited, default=0)):
            self.changed()

    def _end(self, promise: Promise) -> None:
        if promise in self._promises:
            self._promises.remove(promise)
            self.promised -= promise.room

    def _has_room(self, most: int) -> bool:
        return not self.is_open or (not self._is_behind and self.left >= most)
