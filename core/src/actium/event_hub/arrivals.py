"""What publishers of the same process have stored for a worker to begin with at once; see `Reception`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from actium.event_hub import outcomes
from actium.event_hub.dispatch import Dispatch
from actium.event_hub.endings import Endings
from actium.event_hub.inbox import Inbox
from actium.event_hub.offers import Promise, Room
from actium.event_hub.registration import Registration
from actium.event_hub.run import Run
from actium.stores.claims import Claim, Ending

logger = logging.getLogger("actium.worker")


class Arrivals:
    """Begins with what arrives: in the thread that has stored it, or in the worker's own where that runs handlers."""

    def __init__(
        self,
        inbox: Inbox,
        room: Room,
        dispatch: Dispatch,
        registration: Registration,
        endings: Endings,
        *,
        run_of: Callable[[Claim], Run],
        deliver: Callable[[Ending], object],
    ) -> None:
        """Begin with nothing yet.

        Args:
            inbox: What the worker's own thread looks into.
            room: What was promised to those who store.
            dispatch: Has something run.
            registration: Under which name it was to be claimed.
            endings: Who waits for executions to end.
            run_of: Makes an attempt at what was claimed.
            deliver: Takes the end of what comes to no attempt.
        """
        self._inbox = inbox
        self._room = room
        self._dispatch = dispatch
        self._registration = registration
        self._endings = endings
        self._run_of = run_of
        self._deliver = deliver

    def receive(self, promise: Promise) -> None:
        """Begin with what this thread has stored, or leave it to the one that runs it."""
        self._endings.take_in_hand([claim.execution.id for claim in promise.claims])
        if self._dispatch.runs_here:
            self._inbox.put(promise)
        else:
            self._begin_with(promise)

    def begin(self) -> None:
        """Begin with what was left for this thread, the worker's own."""
        for promise in self._inbox.arrived():
            self._begin_with(promise)

    def wait(self, seconds: float) -> None:
        """Wait for what comes next, be it a wake-up, and begin with it."""
        promise = self._inbox.wait(seconds)
        if promise is not None:
            self._begin_with(promise)

    def _begin_with(self, promise: Promise) -> None:
        """Begin with what was claimed when it was stored; what others have taken over since is theirs."""
        is_to_begin = self._room.keeps(promise) and not self._dispatch.is_stopping
        registration = self._registration  # its name may be lost meanwhile
        try:
            for claim in promise.claims:
                if claim.execution.worker != registration.name:
                    self._endings.let_go([claim.execution.id])
                elif is_to_begin:
                    self._begin_or_give_back(claim)
                else:  # it comes too late, and may have been given back already
                    self._run_of(claim).return_unmade()
        finally:
            self._room.arrived(promise)

    def _begin_or_give_back(self, claim: Claim) -> None:
        run: Run | None = None
        try:
            run = self._run_of(claim)
            self._dispatch.begin(run)
        except BaseException as error:
            reason = f"it could not be begun: {type(error).__name__}"
            if run is None:
                returned = outcomes.of_return(reason, datetime.now(UTC))
                self._deliver(Ending(claimed=claim.execution, outcome=returned))
            else:
                run.return_unmade(reason)
            if not isinstance(error, Exception):
                raise
            logger.exception("The execution %s cannot be begun here.", claim.execution.id)  # no affair of its storer
