"""What a worker has ended and not recorded yet, and who is about to take that along.

Whoever writes to the store anyway takes it along: one transaction in place of two. While such an errand is open,
whoever has ended an attempt need do nothing else; who is on it looks afterwards for what is left.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence

from actium.stores.claims import Ending

_LATE = 1.0
"""Seconds after which an errand is not counted on any more, as its thread may have been interrupted on the way."""


class Outbox:
    """The ends of attempts, until they are recorded. It may be used from any thread.

    Attributes:
        recording: Held by who records without an errand: one thread of a worker at a time.
    """

    def __init__(self) -> None:
        self.recording = threading.Lock()
        self._ended: deque[Ending] = deque()
        self._lock = threading.Lock()
        self._errands: dict[Errand, float] = {}
        self._latest = 0.0

    def __bool__(self) -> bool:
        return bool(self._ended)

    @property
    def will_be_taken(self) -> bool:
        """Whether an errand is open: what is in here now is taken along by it, or looked for afterwards.

        It takes no lock, for it is asked after every run: an errand is struck off before it takes what there is.
        """
        return bool(self._errands) and time.monotonic() - self._latest < _LATE

    @property
    def is_left_alone(self) -> bool:
        """Whether there is something in here that no errand takes."""
        return bool(self._ended) and not self.will_be_taken

    def add(self, ending: Ending) -> None:
        """An attempt has ended."""
        self._ended.append(ending)

    def take(self) -> list[Ending]:
        """What has ended; each is taken once."""
        taken = []
        with contextlib.suppress(IndexError):
            while True:
                taken.append(self._ended.popleft())
        return taken

    def put_back(self, endings: Sequence[Ending]) -> None:
        """What was taken is not recorded."""
        self._ended.extendleft(reversed(endings))

    def restore(self, endings: Iterable[Ending]) -> None:
        """Take in again what was taken and may be lost; what is in here is not taken in twice."""
        here = set(map(id, self._ended.copy()))
        self._ended.extend(one for one in endings if id(one) not in here)

    def clear(self) -> None:
        """Give up what has ended: others have taken over, or will."""
        self._ended.clear()

    def open_errand(self, *, takes: bool, is_standing: bool = False) -> Errand:
        """Begin an errand.

        Args:
            takes: Whether it takes anything along at all.
            is_standing: Whether it only says that others come one after the other, until it is closed.
        """
        errand = Errand(self, is_open=takes)
        if takes:
            with self._lock:
                self._latest = now = time.monotonic()
                for late in [one for one, since in self._errands.items() if now - since >= _LATE]:
                    del self._errands[late]
                self._errands[errand] = math.inf if is_standing else now
        return errand

    def close_errand(self, errand: Errand) -> None:
        """It takes nothing more along."""
        with self._lock:
            self._errands.pop(errand, None)


class Errand:
    """One way to the store. What ends before it has passed by is taken along."""

    __slots__ = ("_is_open", "_outbox")

    def __init__(self, outbox: Outbox, *, is_open: bool) -> None:
        self._outbox = outbox
        self._is_open = is_open

    def take(self) -> Sequence[Ending]:
        """What has ended; whatever ends from now on is not taken along."""
        if not self._is_open:
            return ()
        self.close()
        return self._outbox.take()

    def close(self) -> None:
        """Nothing more is taken along. Saying so twice is harmless."""
        if self._is_open:
            self._is_open = False
            self._outbox.close_errand(self)


def lead_on(endings: Iterable[Ending]) -> bool:
    """Whether any of these ends may let something else begin: another attempt, or what waits for its turn."""
    return any(one.outcome.next_attempt is not None or one.claimed.kind is not None for one in endings)
