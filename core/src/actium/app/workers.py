"""The workers of an application, as those meet them who store executions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import UUID
from weakref import WeakSet

from actium.event_hub.offers import Offer
from actium.event_hub.worker import Worker
from actium.process_copies import ProcessLock
from actium.stores.claims import Along

_everyones: WeakSet[Workers] = WeakSet()
_changing = ProcessLock()


class Workers:
    """Those that an application has made, for as long as somebody has them."""

    def __init__(self, place: str | None) -> None:
        """Have none yet.

        Args:
            place: Where their store is, see `BaseStore.place`.
        """
        self._place = place
        self._workers: WeakSet[Worker] = WeakSet()
        global _everyones
        with _changing.here:
            _everyones = WeakSet([*_everyones, self])

    def __iter__(self) -> Iterator[Worker]:
        return iter(tuple(self._workers))

    def add(self, worker: Worker) -> None:
        """Have one more."""
        with _changing.here:
            self._workers = WeakSet([*self._workers, worker])

    def wake(self) -> None:
        """Let them look for executions, and those of other applications of this process that have the same store."""
        for others in tuple(_everyones):
            if others is self or (self._place is not None and others._place == self._place):
                for worker in others:
                    worker.wake()

    def offer(self, most: int) -> Offer | None:
        """Room that one of them has for executions that are about to be stored."""
        workers = tuple(self)
        full: Offer | None = None
        for worker in workers:
            offer = worker.offer(most, waits=len(workers) == 1)
            if offer is None:
                continue
            if full is not None:
                full.take((), Along(full.endings))
            if offer.room:
                return offer
            full = offer
        return full

    def expect_more(self) -> Callable[[], object]:
        """Let them leave what they have to record to transactions that come, until what is returned is called."""
        workers = tuple(self)
        # Of several, each transaction takes along what one of them has; the others are not to wait for their turn.
        return workers[0].expect_errands() if len(workers) == 1 else lambda: None

    def in_hand(self) -> set[UUID]:
        """The executions that they run, or are about to begin with."""
        return {execution_id for worker in self for execution_id in worker.in_hand}

    def close(self) -> None:
        """Stop them, wait for what they run, and end their threads."""
        workers = tuple(self)
        for worker in workers:
            worker.stop()
        for worker in workers:
            worker.join()
        for worker in workers:
            worker.close()
