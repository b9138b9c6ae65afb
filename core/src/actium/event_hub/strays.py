"""What a process has claimed, and nobody in it has: whoever was to hand it over was interrupted on the way.

An exception from a signal's handler, or from another thread, may strike a thread anywhere, also between the moment when
its transaction is durable and the one when a worker has what was claimed in it. Nothing that this thread does can mend
that for certain. So what the store says that a process runs is compared, now and then, with what its workers have.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Container, Iterable
from datetime import UTC, datetime
from typing import TypeAlias
from uuid import UUID

from actium.errors import WorkerLostError
from actium.event_hub import outcomes
from actium.stores.base_store import BaseStore
from actium.stores.claims import Ending
from actium.stores.records import ExecutionRecord

AttemptKey: TypeAlias = tuple[UUID, int]

logger = logging.getLogger("actium.leases")


class Strays:
    """Finds what the workers of an application have lost, and gives it back."""

    def __init__(self, store: BaseStore, *, in_hand: Callable[[], Container[UUID]]) -> None:
        """Find nothing yet.

        Args:
            store: Knows what is claimed.
            in_hand: The executions that the workers of this application run, or are about to begin with.
        """
        self._store = store
        self._in_hand = in_hand
        self._missed: set[AttemptKey] = set()

    def give_back(self, workers: Iterable[str]) -> int:
        """Give back what was missed already the last time this was called, and still is.

        What is missed for the first time may be on its way. What is later still, and runs after all, cannot end twice:
        its attempt is over then.

        Args:
            workers: The names that this application's workers have.

        Returns:
            How many executions have become pending.

        Raises:
            StoreError: The store fails; it is tried again the next time.
        """
        missed, number = set[AttemptKey](), 0
        for worker in workers:
            claimed = self._store.executions_of_worker(worker)
            in_hand = self._in_hand()  # after that: what the store knows of has had more time to arrive
            here = {(one, attempt) for one, attempt in claimed.items() if one not in in_hand}
            missed |= here
            with contextlib.suppress(WorkerLostError):  # others have taken over already
                number += self._given_back(worker, here & self._missed)
        self._missed = missed
        return number

    def _given_back(self, worker: str, strays: set[AttemptKey]) -> int:
        if not strays:
            return 0
        records = self._store.get_many(ExecutionRecord, [execution_id for execution_id, _ in strays])
        outcome = outcomes.of_return("it was claimed, and lost on the way to its worker", datetime.now(UTC))
        endings = [Ending(claimed=one, outcome=outcome) for one in records.values() if (one.id, one.attempt) in strays]
        number = sum(self._store.exchange(worker, endings, limit=0).accepted)
        logger.warning("%d execution(s) were lost on the way to a worker of this process, and are tried again.", number)
        return number
