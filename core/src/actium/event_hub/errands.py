"""Who is about to write to the store, and takes along what a worker has to record: one transaction in place of two.

Whoever has ended an attempt asks whether one of them will come by; then nothing else need be done. Whatever comes of
that errand, who is on it looks afterwards for what is left.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from actium.stores.records import Ending


class Errands:
    """The errands of one worker that have not passed by yet. They may be asked for from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = 0

    @property
    def are_open(self) -> bool:
        """Whether there is any: what has ended until this is asked for is taken along by it, or looked for afterwards.

        It takes no lock, for it is asked after every run: an errand is counted out before it takes what there is.
        """
        return self._open > 0

    def begun(self, take: Callable[[], Sequence[Ending]], *, is_to_take: bool) -> Errand:
        """Begin an errand.

        Args:
            take: Gives what has ended.
            is_to_take: Whether it takes that along at all.
        """
        with self._lock:
            self._open += is_to_take
        return Errand(self, take, is_open=is_to_take)

    def passed_by(self) -> None:
        """One of them takes nothing more along."""
        with self._lock:
            self._open -= 1


class Errand:
    """One way to the store. What ends before it has passed by is taken along."""

    __slots__ = ("_errands", "_is_open", "_take")

    def __init__(self, errands: Errands, take: Callable[[], Sequence[Ending]], *, is_open: bool) -> None:
        self._errands = errands
        self._take = take
        self._is_open = is_open

    def taken(self) -> Sequence[Ending]:
        """What has ended; whatever ends from now on is not taken along."""
        if not self._is_open:
            return ()
        self.end()
        return self._take()

    def end(self) -> None:
        """Nothing more is taken along. Saying so twice is harmless."""
        if self._is_open:
            self._is_open = False
            self._errands.passed_by()
