"""Where those who store executions leave them with a worker of the same process, and take its ends of others along."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial

from actium.errors import StoreError, WorkerLostError
from actium.event_hub import outcomes
from actium.event_hub.execution import ExecutionRunner
from actium.event_hub.offers import Offer, Promise, Room
from actium.event_hub.outbox import Errand, Outbox, lead_on
from actium.event_hub.pace import Pace
from actium.event_hub.registration import Registration
from actium.running import current_execution
from actium.stores.claims import Along, Claim, Ending

logger = logging.getLogger("actium.worker")


class Reception:
    """Makes a worker's offers, and sees to what becomes of them, in the threads of those who store."""

    def __init__(
        self,
        runner: ExecutionRunner,
        registration: Registration,
        room: Room,
        pace: Pace,
        outbox: Outbox,
        *,
        begin: Callable[[Promise], object],
        conclude: Callable[[Sequence[Ending], Sequence[bool]], object],
        wake: Callable[[], object],
    ) -> None:
        """Receive nothing yet.

        Args:
            runner: Knows the store, and whether anyone is told of ends.
            registration: Under which name is claimed what is stored.
            room: What the worker has room for.
            pace: How quickly it runs that.
            outbox: What it has ended.
            begin: Begins with what was claimed for a promise.
            conclude: Lets go of what was recorded, with whether each was accepted.
            wake: Lets the worker look for what is to be done.
        """
        self._runner = runner
        self._registration = registration
        self._room = room
        self._pace = pace
        self._outbox = outbox
        self._begin = begin
        self._conclude = conclude
        self._wake = wake

    def offer(self, most: int, *, waits: bool) -> Offer | None:
        """Room for executions that are about to be stored.

        Args:
            most: For how many.
            waits: Whether to wait a moment where there is less.

        Returns:
            Room for some of them, perhaps for none; None where the worker takes nothing.
        """
        worker = self._registration.name
        if not worker or not self._room.is_open:
            return None
        is_own_run = current_execution() is not None  # which may be what has to end for there to be room
        seconds = self._pace.worth_waiting(most) if waits and not is_own_run else 0.0
        promise = self._room.promise(most, seconds=seconds)
        errand = self._errand()
        return Offer(
            worker=worker,
            room=promise.room,
            endings=errand.take,
            take=partial(self._take, errand, promise),
            fail=partial(self._fail, errand, promise),
        )

    def expect(self) -> Callable[[], object]:
        """Leave what is to be recorded to errands that are about to come, until what is returned is called."""
        errand = self._errand(is_standing=True)

        def end() -> None:
            errand.close()
            if self._outbox:
                self._wake()

        return end

    def _errand(self, *, is_standing: bool = False) -> Errand:
        """Observers that are told of ends are no affair of who publishes; where there are any, nothing goes along."""
        return self._outbox.open_errand(takes=not self._runner.is_observed, is_standing=is_standing)

    def _take(self, errand: Errand, promise: Promise, claims: Sequence[Claim], along: Along) -> None:
        """Begin with what was stored, and let go of what was recorded along with it."""
        is_kept = self._room.take(promise, claims)
        if claims and is_kept:
            self._begin(promise)
        elif claims:
            self._give_back(claims)
        errand.close()
        if along.endings and along.accepted:
            self._conclude(along.endings, along.accepted)
            self._room.look()
        elif along.endings:  # the store could not record them, and stored the events all the same
            self._outbox.put_back(along.endings)
        is_room_wanted = bool(along.endings) and self._room.is_behind
        if self._outbox.is_left_alone or is_room_wanted or lead_on(along.endings):
            self._wake()

    def _fail(self, errand: Errand, promise: Promise, along: Along) -> None:
        """What was to be stored, and to be recorded along with it, is not."""
        self._room.take(promise, ())
        self._outbox.put_back(along.endings)
        errand.close()
        self._wake()

    def _give_back(self, claims: Sequence[Claim]) -> None:
        """The worker has been interrupted since it promised the room, or has given up who comes so late."""
        returned = outcomes.of_return("its worker kept no room for it any more", datetime.now(UTC))
        endings = [Ending(claimed=claim.execution, outcome=returned) for claim in claims]
        try:
            self._runner.store.exchange(claims[0].execution.worker or "", endings, limit=0)
        except (StoreError, WorkerLostError) as error:  # no affair of who publishes: what they stored is stored
            logger.error("%d executions that were not begun are tried again by others: %s", len(claims), error)
        self._wake()
