"""Workers: what takes executions and runs them, until stopped or until nothing is left.

One thread, the one that calls `Worker.run`, claims executions from the store and looks after those that run. Threads
run the handlers, so that one that takes long keeps nothing else waiting; with a concurrency of 1, `run_until_idle` runs
them itself. Coroutines go on by themselves on the shared loop, where a thousand may wait.

What has ended is recorded in groups, by whoever has nothing better to do: where nothing waits for a thread, the one
that ran it, so that a lone execution goes from who stores it to the thread that runs it and back; otherwise the
worker's own thread.

Here are the turns of that thread, and what others may ask of a worker. Its parts have modules of their own: how
executions come from who stores them (``reception``, ``arrivals``), where they run (``dispatch``), what is looked at
meanwhile (``watch``), and how their ends get to the store (``deliveries``, ``exchanges``).
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from actium import process_copies
from actium.errors import StoreBusyError, StoreClosedError, StoreError
from actium.event_hub.arrivals import Arrivals
from actium.event_hub.conclusions import Conclusions
from actium.event_hub.deliveries import Deliveries
from actium.event_hub.dispatch import Dispatch
from actium.event_hub.endings import Endings
from actium.event_hub.exchanges import Exchanges
from actium.event_hub.execution import ExecutionRunner
from actium.event_hub.inbox import Inbox
from actium.event_hub.leases import DEFAULT_LEASE, Leases
from actium.event_hub.limits import check_limits
from actium.event_hub.offers import Offer, Room
from actium.event_hub.outbox import Outbox
from actium.event_hub.pace import Pace
from actium.event_hub.reception import Reception
from actium.event_hub.registration import Registration
from actium.event_hub.run import Run, Why
from actium.event_hub.threads import RunThreads
from actium.event_hub.under_way import RunsUnderWay
from actium.event_hub.watch import Watch
from actium.models.execution import TriggerExecutionResponse
from actium.process_copies import ProcessLock

DEFAULT_POLL_INTERVAL = 1.0
"""Seconds between looks for executions that other processes have stored."""

DEFAULT_GRACE = 30.0
"""Seconds that what runs is given to end when its worker stops."""

logger = logging.getLogger("actium.worker")


class Worker:
    """Runs executions; several workers, also in several processes, share one store."""

    def __init__(
        self,
        runner: ExecutionRunner,
        *,
        leases: Leases,
        endings: Endings,
        concurrency: int = 1,
        poll_interval: float = DEFAULT_POLL_INTERVAL,
        lease: float = DEFAULT_LEASE,
    ) -> None:
        """Make a worker; use ``Actium.worker()``.

        Args:
            runner: Knows how to run.
            leases: Keeps it alive in the store.
            endings: Who waits for executions to end.
            concurrency: How many handlers run at once; coroutines that wait do not count. With 1, they run in
                the thread that calls `run_until_idle` or `run_one`.
            poll_interval: Seconds between looks for executions that other processes have stored.
            lease: Seconds after which others take over what it runs, when it gives no sign of life.

        Raises:
            InvalidInputError: A number is out of range.
        """
        check_limits(concurrency=concurrency, poll_interval=poll_interval, lease=lease)
        self._runner = runner
        self._leases = leases
        self._endings = endings
        self._concurrency = concurrency
        self._poll_interval = poll_interval
        self._lease = lease
        self._working = ProcessLock()
        self._is_awaited = True
        self._stop_at: float | None = None
        self._begin()
        process_copies.begin_with(self, Worker._begin_anew)

    def _begin_anew(self) -> None:
        """What the process that forked has begun is its own affair, also where a handler has forked this one off."""
        self._dispatch.leave_to_parent()
        self._begin()

    def _begin(self) -> None:
        store, endings, inbox, pace = self._runner.store, self._endings, Inbox(), Pace(self._concurrency)
        self._inbox, self._pace = inbox, pace
        self._outbox = outbox = Outbox()
        self._runs = runs = RunsUnderWay()
        self._threads = threads = RunThreads(self._concurrency, on_ran=self._ran)
        self._dispatch = dispatch = Dispatch(
            runs,
            threads,
            pace,
            endings,
            on_ran=self._note_seconds,
            runs_here=self._runs_here,
            is_stopping=self._stop_at is not None,
        )
        self._room = room = Room(dispatch.space)
        self._registration = registration = Registration(self._leases, self._lease, on_lost=dispatch.lose)
        self._conclusions = conclusions = Conclusions(self._runner, runs, endings, on_concluded=self._concluded)
        self._exchanges = Exchanges(store, registration, outbox, room, conclusions, wake=inbox.wake)
        self._deliveries = deliveries = Deliveries(
            store,
            registration,
            runs,
            outbox,
            threads,
            conclude=conclusions.conclude,
            on_recorded=self._exchanges.recorded_elsewhere,
            wake=inbox.wake,
        )
        self._run_of = partial(Run, self._runner, deliver=deliveries.take, on_deadline=inbox.wake)
        self._arrivals = Arrivals(
            inbox, room, dispatch, registration, endings, run_of=self._run_of, deliver=deliveries.take
        )
        self._reception = Reception(
            self._runner,
            registration,
            room,
            pace,
            outbox,
            begin=self._arrivals.receive,
            conclude=conclusions.conclude,
            wake=deliveries.leave,
        )
        self._watch = Watch(
            store, registration, runs, threads, deliveries, poll_interval=self._poll_interval, lease=self._lease
        )

    @property
    def _runs_here(self) -> bool:
        return self._is_awaited and self._concurrency == 1

    @property
    def name(self) -> str:
        """``host:process:number``, as attempts record it; the workers of one application share it.

        It is empty until the worker runs, and another one after a lease was lost.
        """
        return self._registration.name

    @property
    def in_hand(self) -> list[UUID]:
        """The executions that it runs, or is about to begin with. May be asked from any thread."""
        # These are looked at first, as from here they go to the runs.
        about_to_begin = [*self._room.on_their_way, *self._exchanges.claimed]
        return [*(claim.execution.id for claim in about_to_begin), *self._runs.execution_ids]

    def run(self) -> int:
        """Run executions until `stop` is called. A store that fails is asked again.

        Returns:
            How many attempts were made.
        """
        return self._work(until_idle=False)

    def run_until_idle(self) -> int:
        """Run executions until none is due, including those that they led to, or `stop` is called.

        Those that wait for the time of their next attempt stay pending.

        Returns:
            How many attempts were made.

        Raises:
            StoreError: The store fails; what is not recorded by then is tried again by others.
        """
        return self._work(until_idle=True)

    def run_one(self, execution_id: UUID) -> TriggerExecutionResponse | None:
        """Make one attempt at one execution.

        Returns:
            It after that; None when it was not pending.
        """
        with self._working.here:
            self._attend(is_awaited=True)
            with self._leaving_nothing():
                claims = self._exchanges.claim_one(execution_id)
                for claim in claims:
                    self._dispatch.begin(self._run_of(claim))
                while self._runs:  # in a copy that a handler has forked off there are none
                    self._turn(limit=0)
            return self._runner.response(execution_id) if claims else None

    def stop(self, *, grace: float = DEFAULT_GRACE) -> None:
        """Take no further execution, and finish what runs. May be called from other threads and signal handlers.

        Args:
            grace: Seconds after which what still runs is asked to end and given back, for others to try again. A
                handler that does not heed ``cancel_requested`` goes on unheard until its process ends.
        """
        self._dispatch.is_stopping = True
        self._stop_at = time.monotonic() + grace
        self.wake()
        if self._is_awaited and self._runs:  # the thread that would ask them is the one that runs them
            asking = threading.Timer(grace, self._runs.ask_to_end, (Why.STOPPING,))
            asking.daemon = True
            asking.start()

    def join(self) -> None:
        """Wait until what runs has ended, unless it is what calls this."""
        process_copies.notice()
        with self._working.here:
            return

    def wake(self) -> None:
        """Look for executions now. May be called from any thread."""
        self._inbox.wake()

    def close(self) -> None:
        """End the threads, those that run something as soon as it has ended."""
        self._deliveries.are_unattended = False  # what is cancelled from now on is tried again by others
        self._threads.close()

    def offer(self, most: int, *, waits: bool = True) -> Offer | None:
        """Room for executions that are about to be stored. May be called from any thread.

        Args:
            most: For how many.
            waits: Whether to wait a moment where there is less.

        Returns:
            Room for some of them, perhaps for none; None where it takes nothing.
        """
        process_copies.notice()
        if self._stop_at is not None:
            return None
        return self._reception.offer(most, waits=waits)

    def expect_errands(self) -> Callable[[], object]:
        """Leave what is to be recorded to offers that are about to be made, until what is returned is called.

        May be called from any thread.
        """
        return self._reception.expect()

    def _work(self, *, until_idle: bool) -> int:
        with self._working.here:
            self._attend(is_awaited=until_idle)
            process, before = process_copies.this_process(), self._conclusions.attempts
            if until_idle and not self.name:  # what workers that are gone have left may be all that is to be done
                self._registration.renew()
            with self._leaving_nothing():
                self._room.open()
                while self._goes_on(until_idle=until_idle) or not self._is_closed():
                    self._turn(limit=self._claimable(), is_patient=not until_idle)
                    if process_copies.this_process() is not process:  # a handler has forked this one off
                        return 0
            return self._conclusions.attempts - before

    def _attend(self, *, is_awaited: bool) -> None:
        """Be the worker's own thread, whose caller waits for there to be nothing left to do, or for `stop`."""
        self._is_awaited = is_awaited
        process_copies.notice()
        self._dispatch.runs_here = self._runs_here
        self._deliveries.are_unattended = False

    @contextmanager
    def _leaving_nothing(self) -> Iterator[None]:
        """Give back and record everything when this thread leaves with an exception, as nobody looks after it then.

        What still runs then is recorded by threads that run handlers.
        """
        try:
            yield
        except BaseException:
            process_copies.notice()
            self._deliveries.are_unattended = True
            self._room.close()
            self._exchanges.claimed = ()  # what has not begun by now never will
            self._arrivals.begin()  # which gives it back
            self._room.give_up(before=math.inf)
            self._dispatch.give_back()
            if not self._exchanges.record_last():
                self._endings.let_go(self._runs.execution_ids)
            raise

    def _is_closed(self) -> bool:
        """Close the room, unless something has come since it was seen that there is nothing to do."""
        if not self._room.close_when_kept():
            return False
        if not self._runs and not self._outbox and (self._stop_at is not None or not self._conclusions.is_telling):
            return True
        self._room.open()
        return False

    def _goes_on(self, *, until_idle: bool) -> bool:
        if self._runs or self._outbox or self._room.promised:
            return True
        if self._stop_at is not None:
            return False
        return not until_idle or self._conclusions.is_telling or self._exchanges.is_due()

    def _turn(self, *, limit: int, is_patient: bool = False) -> None:
        """Record what has ended and claim more; begin with that; wait for what comes next."""
        process_copies.notice()
        self._arrivals.begin()
        self._give_up_promises()
        try:
            claims = self._exchanges.record_and_claim(limit)
        except StoreClosedError:
            raise
        except StoreError as error:
            if not is_patient and not isinstance(error, StoreBusyError):
                raise
            if self._stop_at is not None and time.monotonic() >= self._stop_at:
                logger.error("The worker %s stops, and what it ran is tried again by others: %s", self.name, error)
                self._outbox.clear()
                self._registration.lose()
                return
            logger.error("The worker %s tries again: %s", self.name, error)
            self._arrivals.wait(self._poll_interval)
            return
        begin, run_of = self._dispatch.begin, self._run_of
        for claim in claims:
            begin(run_of(claim))
        self._exchanges.claimed = ()
        self._dispatch.run_here()
        self._threads.start_as_needed()
        self._look_after_runs()
        is_needed = self._runs or self._room.promised or self._conclusions.is_telling
        if is_needed or (is_patient and self._stop_at is None):
            self._arrivals.wait(0.0 if self._dispatch.waits_here or self._outbox.is_left_alone else self._pause())

    def _give_up_promises(self) -> None:
        """Wait no longer for those who were promised room a lease ago, or at all when the time to stop is over."""
        if self._room.promised:
            now = time.monotonic()
            is_over = self._stop_at is not None and now >= self._stop_at
            self._room.give_up(before=now if is_over else now - self._lease)

    def _ran(self, seconds: float) -> None:
        """A thread has run something, and goes on with the next where there is one."""
        self._note_seconds(seconds)
        while self._deliveries.record_in_passing():
            if self._conclusions.tell() and self._is_awaited:
                self.wake()

    def _concluded(self) -> None:
        if self._is_awaited or self._stop_at is not None:
            self.wake()

    def _claimable(self) -> int:
        return 0 if self._stop_at is not None or self._dispatch.waits_here else self._room.left

    def _note_seconds(self, seconds: float) -> None:
        self._pace.note(seconds)
        self._room.look()

    def _pause(self) -> float:
        """How long to wait for an ending or a wake-up: until the time of something has come."""
        now = time.monotonic()
        times = [self._watch.pause(now)]
        if self._stop_at is not None:
            times += [self._stop_at - now] if now < self._stop_at else []  # after that, what runs has been asked to end
        elif self._exchanges.next_due is not None and self._claimable():
            times.append((self._exchanges.next_due - datetime.now(UTC)).total_seconds())
        return max(0.0, min(times))

    def _look_after_runs(self) -> None:
        now = time.monotonic()
        if self._stop_at is not None:
            self._dispatch.give_back()
            if now >= self._stop_at:
                self._runs.ask_to_end(Why.STOPPING)
        self._watch.look(now)
