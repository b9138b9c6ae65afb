"""What a worker's own thread exchanges with the store: ends of attempts for executions to begin with."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from uuid import UUID

from actium.errors import StoreError, WorkerLostError
from actium.event_hub.conclusions import Conclusions
from actium.event_hub.offers import Room
from actium.event_hub.outbox import Outbox
from actium.event_hub.registration import Registration
from actium.stores.base_store import BaseStore
from actium.stores.claims import Claim, Ending, Exchange

logger = logging.getLogger("actium.worker")


class Exchanges:
    """Records what has ended and claims more, in one transaction; the store is left alone where neither is to be done.

    Attributes:
        claimed: What was claimed; whoever has begun with it empties this.
        next_due: When something is due next, as far as anyone here has seen; None for nothing.
    """

    def __init__(
        self,
        store: BaseStore,
        registration: Registration,
        outbox: Outbox,
        room: Room,
        conclusions: Conclusions,
        *,
        wake: Callable[[], object],
    ) -> None:
        """Exchange nothing yet.

        Args:
            store: Where executions are.
            registration: Under which name they are claimed.
            outbox: What has ended.
            room: What there is room for.
            conclusions: What follows when an end is recorded.
            wake: Lets the worker look for what is to be done.
        """
        self.claimed: Sequence[Claim] = ()
        self.next_due: datetime | None = None
        self._store = store
        self._registration = registration
        self._outbox = outbox
        self._room = room
        self._conclusions = conclusions
        self._wake = wake

    def is_due(self) -> bool:
        """Whether something is due."""
        self.next_due = self._store.next_due()
        return self.next_due is not None and self.next_due <= datetime.now(UTC)

    def record_and_claim(self, limit: int) -> Sequence[Claim]:
        """Record what has ended and nobody takes along, claim more, and tell the observers of what is recorded.

        Args:
            limit: How many executions to claim at most.

        Returns:
            What is claimed.

        Raises:
            StoreError: The store fails; what has ended is still there.
        """
        exchange = self._recorded(limit=limit)
        self.next_due = exchange.next_due
        return exchange.claims

    def record_last(self) -> bool:
        """Record what has ended, also what others would take along, before the worker's own thread leaves.

        Returns:
            Whether that was possible.
        """
        try:
            self._recorded(limit=0, is_last=True)
        except StoreError as error:
            name = self._registration.name
            logger.error("What the worker %s ran last is not recorded, and is tried again by others: %s", name, error)
            return False
        return True

    def claim_one(self, execution_id: UUID) -> Sequence[Claim]:
        """Claim one execution, if it is pending."""
        return self._exchange([], limit=1, execution_id=execution_id).claims

    def recorded_elsewhere(self, due: datetime | None) -> None:
        """A thread that runs handlers has recorded what has ended, and seen when something is due."""
        self._room.look()
        if due is not None and (self.next_due is None or due < self.next_due or due <= datetime.now(UTC)):
            self.next_due = due
            self._wake()

    def _recorded(self, *, limit: int, is_last: bool = False) -> Exchange:
        with self._outbox.recording:
            ended = [] if self._outbox.will_be_taken and not is_last else self._outbox.take()
            try:
                exchange = self._exchange(ended, limit=limit)
            except BaseException:
                self._outbox.put_back(ended)
                raise
        self._conclusions.tell()
        return exchange

    def _exchange(self, ended: Sequence[Ending], *, limit: int, execution_id: UUID | None = None) -> Exchange:
        name = self._registration.renew()
        if not ended and execution_id is None and not (limit and self.is_due()):
            self._room.changed(is_behind=False if limit else None)
            return Exchange(accepted=(), claims=(), next_due=self.next_due)  # others may write meanwhile
        try:
            exchange = self._store.exchange(name, ended, limit=limit, execution_id=execution_id)
        except WorkerLostError:
            self._registration.lose()
            return Exchange(accepted=(), claims=(), next_due=None)
        self.claimed = exchange.claims  # they begin when the observers have been told of what has ended
        self._conclusions.conclude(ended, exchange.accepted)
        self._room.changed(is_behind=len(exchange.claims) == limit if limit else None)
        return exchange
