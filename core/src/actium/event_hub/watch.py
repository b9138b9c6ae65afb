"""What is looked at while executions run: time limits, requests to cancel, and ends that are lost on their way."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from uuid import UUID

from actium.errors import StoreClosedError, StoreError
from actium.event_hub.deliveries import Deliveries
from actium.event_hub.registration import Registration
from actium.event_hub.threads import RunThreads
from actium.event_hub.under_way import RunsUnderWay
from actium.stores.base_store import BaseStore

_LOOK_FOR_REQUESTS = 0.1
"""Seconds between looks for requests to cancel, while something runs; a shorter poll interval goes for them as well."""

logger = logging.getLogger("actium.worker")


class Watch:
    """Looks after the runs of one worker, in its own thread."""

    def __init__(
        self,
        store: BaseStore,
        registration: Registration,
        runs: RunsUnderWay,
        threads: RunThreads,
        deliveries: Deliveries,
        *,
        poll_interval: float,
        lease: float,
    ) -> None:
        """Look at nothing yet.

        Args:
            store: Knows what is to be cancelled.
            registration: Of which worker.
            runs: What is under way.
            threads: What runs handlers.
            deliveries: What brings ends to the store.
            poll_interval: Seconds between looks for executions that other processes have stored.
            lease: Seconds after which others take over what the worker runs, when it gives no sign of life.
        """
        self._store = store
        self._registration = registration
        self._runs = runs
        self._threads = threads
        self._deliveries = deliveries
        self._requests_every = min(poll_interval, _LOOK_FOR_REQUESTS)
        self._ends_every = lease / 3
        self._pause = min(poll_interval, self._ends_every)
        self._looked_at_requests = self._looked_at_ends = time.monotonic()
        self._looks_again_at: float | None = None

    def pause(self, now: float) -> float:
        """Seconds until something is to be looked at again, at most a poll interval."""
        times = [one - now for one in (self._runs.next_look, self._looks_again_at) if one is not None]
        return min(self._pause, *times) if times else self._pause

    def look(self, now: float) -> None:
        """Look at what it is time for, on the monotonic clock."""
        if self._runs:
            next_look = self._looked_at_requests + self._requests_every
            self._looks_again_at = next_look if now < next_look else None  # somebody may have waked it for a request
            if now >= next_look:
                self._looked_at_requests = now
                self._runs.cancel(self._requests())
        else:
            self._looks_again_at = None
        for run in self._runs:
            if run.watch(now):
                self._threads.abandon(run)
        if now - self._looked_at_ends >= self._ends_every:
            self._looked_at_ends = now
            self._deliveries.deliver_again()

    def _requests(self) -> Sequence[UUID]:
        name = self._registration.name
        try:
            return self._store.cancel_requests(name)
        except StoreClosedError:
            raise
        except StoreError as error:
            logger.error("The worker %s cannot see what is to be cancelled, and looks again: %s", name, error)
            return ()
