"""How the ends of a worker's attempts get to the store: by whoever has nothing better to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from actium.event_hub.outbox import Outbox
from actium.event_hub.registration import Registration
from actium.event_hub.run import Run
from actium.event_hub.threads import RunThreads
from actium.event_hub.under_way import RunsUnderWay
from actium.stores.base_store import BaseStore
from actium.stores.claims import Ending


class Deliveries:
    """Takes ends in any thread, and records them in those that have run something and have nothing more to run.

    What they leave, errands and the worker's own thread take; see `Outbox`.

    Attributes:
        are_unattended: Whether the worker's own thread has left, although something may still run.
    """

    def __init__(
        self,
        store: BaseStore,
        registration: Registration,
        runs: RunsUnderWay,
        outbox: Outbox,
        threads: RunThreads,
        *,
        conclude: Callable[[Sequence[Ending], Sequence[bool]], object],
        on_recorded: Callable[[datetime | None], object],
        wake: Callable[[], object],
    ) -> None:
        """Take nothing yet.

        Args:
            store: Where ends are recorded.
            registration: Under which name.
            runs: What is under way.
            outbox: What has ended.
            threads: What runs handlers.
            conclude: Lets go of what was recorded, with whether each was accepted.
            on_recorded: Called after that, with when something is due next, as the store says.
            wake: Lets the worker's own thread look for what is to be done.
        """
        self.are_unattended = False
        self._store = store
        self._registration = registration
        self._runs = runs
        self._outbox = outbox
        self._threads = threads
        self._conclude = conclude
        self._on_recorded = on_recorded
        self._wake = wake
        self._seen: set[Run] = set()

    def take(self, ending: Ending) -> None:
        """Take the end of a run, in whichever thread it comes about. Those that run handlers see to it afterwards."""
        self._outbox.add(ending)
        if not self._threads.are_here() and not self._outbox.will_be_taken:
            self.leave()

    def leave(self) -> None:
        """Leave what has ended to the worker's own thread or, while nobody attends to it, to one that runs handlers."""
        if self.are_unattended:
            self._threads.pass_by()
        else:
            self._wake()

    def record_in_passing(self) -> bool:
        """Record what has ended, in a thread that has run something, unless it has more to run or others record.

        Returns:
            Whether something was recorded; then more may have ended meanwhile.
        """
        if not self._outbox or self._outbox.will_be_taken:
            return False
        if self._threads.are_behind:
            self._wake()
            return False
        if not self._outbox.recording.acquire(blocking=False):  # who records looks again afterwards
            return False
        try:
            return self._record()
        finally:
            self._outbox.recording.release()

    def deliver_again(self) -> None:
        """Record what had ended when this was called last and is not recorded, or nobody here knows that it is.

        Whoever took it along to the store was interrupted on the way there or back. What is recorded twice counts once.
        """
        ended = {run: run.ending for run in self._runs if run.ending is not None}
        missing = ended.keys() & self._seen
        for run in missing:
            run.is_recorded_again = True
        self._outbox.restore([ended[run] for run in missing])
        self._seen = set(ended)

    def _record(self) -> bool:
        """Record what has ended; where that fails it is the worker's own thread's part, which knows what to do."""
        ended = self._outbox.take()
        if not ended:
            return False
        try:
            exchange = self._store.exchange(self._registration.name, ended, limit=0)
        except Exception:
            self._outbox.put_back(ended)
            self._wake()
            return False
        self._conclude(ended, exchange.accepted)
        self._on_recorded(exchange.next_due)
        return True
