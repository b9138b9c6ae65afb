"""Workers: what takes executions and runs them, until stopped or until nothing is left.

One thread, the one that calls `Worker.run`, claims executions from the store and looks after those that run. Threads
run the handlers, so that one that takes long keeps nothing else waiting; with a concurrency of 1, `run_until_idle` runs
them itself. Coroutines go on by themselves on the shared loop, where a thousand may wait.

What has ended is recorded in groups, by whoever has nothing better to do: where nothing waits for a thread, the one
that ran it, so that a lone execution goes from who stores it to the thread that runs it and back; otherwise the
worker's own thread.
"""

from __future__ import annotations

import logging
import math
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from actium.errors import InvalidInputError, StoreBusyError, StoreClosedError, StoreError, WorkerLostError
from actium.event_hub import outcomes
from actium.event_hub.conclusions import Conclusions
from actium.event_hub.deliveries import Deliveries
from actium.event_hub.endings import Endings
from actium.event_hub.execution import ExecutionRunner
from actium.event_hub.leases import DEFAULT_LEASE, Leases
from actium.event_hub.offers import Offer, Promise, Room
from actium.event_hub.outbox import Outbox
from actium.event_hub.pace import Pace
from actium.event_hub.reception import Reception
from actium.event_hub.run import Run, Why
from actium.event_hub.threads import RunThreads
from actium.event_hub.under_way import RunsUnderWay
from actium.models.execution import TriggerExecutionResponse
from actium.running import current_execution
from actium.stores.records import Claim, Ending, Exchange

DEFAULT_POLL_INTERVAL = 1.0
"""Seconds between looks for executions that other processes have stored."""

DEFAULT_GRACE = 30.0
"""Seconds that what runs is given to end when its worker stops."""

MOST_UNDER_WAY = 1_280
"""How many executions of one worker may be under way, most of them coroutines that wait."""

MAX_CONCURRENCY = 1_024

_RECORD_WITHIN = 0.02
"""Seconds that what has ended waits to be recorded while the same thread runs more."""

logger = logging.getLogger("actium.worker")


class Worker:
    """Runs executions; several workers, also in several processes, share one store.

    Attributes:
        name: ``host:process:number``, as attempts record it; the workers of one application share it. It is empty
            until the worker runs, and another one after a lease was lost.
    """

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
        _check(concurrency, poll_interval, lease)
        self.name = ""
        self._runner = runner
        self._leases = leases
        self._endings = endings
        self._concurrency = concurrency
        self._poll_interval = poll_interval
        self._lease = lease
        self._process = os.getpid()
        self._working = threading.RLock()
        self._inbox: queue.SimpleQueue[Promise | None] = queue.SimpleQueue()
        self._is_woken = False
        self._in_this_thread = True
        self._is_awaited = True
        self._stop_at: float | None = None
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._outbox = Outbox()
        self._runs = RunsUnderWay()
        self._conclusions = Conclusions(self._runner, self._runs, self._endings)
        self._here: deque[Run] = deque()
        self._threads = RunThreads(self._concurrency, on_ran=self._ran)
        self._deliveries = Deliveries(
            self._runner.store,
            self._runs,
            self._outbox,
            self._threads,
            conclude=self._conclude,
            on_recorded=self._recorded_elsewhere,
            wake=self.wake,
        )
        self._run_of = partial(Run, self._runner, deliver=self._deliveries.take, on_deadline=self.wake)
        self._pace = Pace(self._concurrency)
        self._next_due: datetime | None = None
        self._claimed: Sequence[Claim] = ()
        self._looked_at_requests = self._looked_at_ends = time.monotonic()
        self._room = Room(self._space)
        self._reception = Reception(
            self._runner, self._room, self._outbox, begin=self._receive, conclude=self._conclude, wake=self.wake
        )

    @property
    def in_hand(self) -> list[UUID]:
        """The executions that it runs, or is about to begin with. May be asked from any thread."""
        about_to_begin = [*self._room.on_their_way, *self._claimed]  # looked at first: from here they go to the runs
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
        with self._working:
            self._in_this_thread = self._is_awaited = True
            self._after_fork()
            with self._leaving_nothing():
                claims = self._exchange([], limit=1, execution_id=execution_id).claims
                for claim in claims:
                    self._begin(self._run_of(claim))
                while self._runs:
                    self._turn(limit=0)
            return self._runner.response(execution_id) if claims else None

    def stop(self, *, grace: float = DEFAULT_GRACE) -> None:
        """Take no further execution, and finish what runs. May be called from other threads and signal handlers.

        Args:
            grace: Seconds after which what still runs is asked to end and given back, for others to try again. A
                handler that does not heed ``cancel_requested`` goes on unheard until its process ends.
        """
        self._stop_at = time.monotonic() + grace
        self.wake()
        if self._in_this_thread and self._runs:  # the thread that would ask them is the one that runs them
            asking = threading.Timer(grace, self._runs.ask_to_end, (Why.STOPPING,))
            asking.daemon = True
            asking.start()

    def join(self) -> None:
        """Wait until what runs has ended, unless it is what calls this."""
        if self._process != os.getpid():  # it runs in the process that forked, with its locks
            return
        with self._working:
            return

    def wake(self) -> None:
        """Look for executions now. May be called from any thread."""
        if not self._is_woken:
            self._is_woken = True
            self._inbox.put(None)

    def close(self) -> None:
        """End the threads, those that run something as soon as it has ended."""
        self._threads.close()

    def offer(self, most: int, *, waits: bool = True) -> Offer | None:
        """Room for executions that are about to be stored. May be called from any thread.

        Args:
            most: For how many.
            waits: Whether to wait a moment where there is less.

        Returns:
            Room for some of them, perhaps for none; None where it takes nothing.
        """
        name = self.name
        if self._process != os.getpid() or not name or self._stop_at is not None:
            return None
        is_own_run = current_execution() is not None  # which may be what has to end for there to be room
        seconds = self._pace.worth_waiting(most) if waits and not is_own_run else 0.0
        return self._reception.offer(name, most, seconds=seconds)

    def expect_errands(self) -> Callable[[], object]:
        """Leave what is to be recorded to offers that are about to be made, until what is returned is called.

        May be called from any thread.
        """
        return self._reception.expect()

    def _receive(self, promise: Promise) -> None:
        """Begin with what was stored in another thread."""
        self._endings.take_in_hand([claim.execution.id for claim in promise.claims])
        if self._in_this_thread and self._concurrency == 1:
            self._inbox.put(promise)
        else:
            self._begin_with(promise)

    def _work(self, *, until_idle: bool) -> int:
        with self._working:
            before = self._conclusions.attempts
            self._in_this_thread = self._is_awaited = until_idle
            self._after_fork()
            if until_idle:
                self._take_over()
            with self._leaving_nothing():
                self._room.open()
                while self._goes_on(until_idle=until_idle) or not self._is_closed():
                    self._turn(limit=self._claimable(), is_patient=not until_idle)
            return self._conclusions.attempts - before

    @contextmanager
    def _leaving_nothing(self) -> Iterator[None]:
        """Give back and record everything when this thread leaves with an exception, as nobody looks after it then."""
        try:
            yield
        except BaseException:
            self._after_fork()
            self._room.close()
            self._claimed = ()  # what has not begun by now never will
            self._begin_with_what_has_arrived()  # which gives it back
            self._room.give_up(before=math.inf)
            self._give_back_what_waits()
            self._record_what_is_left()
            raise

    def _is_closed(self) -> bool:
        """Close the room, unless something has come since it was seen that there is nothing to do."""
        if not self._room.close_when_kept():
            return False
        if not self._runs and not self._outbox and (self._stop_at is not None or not self._conclusions.is_telling):
            return True
        self._room.open()
        return False

    def _take_over(self) -> None:
        """Make pending what workers that are gone have left: they may be all that is to be done."""
        if not self.name:
            self._register()

    def _goes_on(self, *, until_idle: bool) -> bool:
        if self._runs or self._outbox or self._room.promised:
            return True
        if self._stop_at is not None:
            return False
        return not until_idle or self._conclusions.is_telling or self._is_due()

    def _turn(self, *, limit: int, is_patient: bool = False) -> None:
        """Record what has ended and claim more; begin with that; wait for what comes next."""
        self._after_fork()
        self._begin_with_what_has_arrived()
        self._give_up_promises()
        try:
            exchange = self._recorded(limit=limit)
        except StoreClosedError:
            raise
        except StoreError as error:
            if not is_patient and not isinstance(error, StoreBusyError):
                raise
            if self._stop_at is not None and time.monotonic() >= self._stop_at:
                logger.error("The worker %s stops, and what it ran is tried again by others: %s", self.name, error)
                self._outbox.clear()
                self._lose_everything()
                return
            logger.error("The worker %s tries again: %s", self.name, error)
            self._wait(self._poll_interval)
            return
        self._next_due = exchange.next_due
        for claim in exchange.claims:
            self._begin(self._run_of(claim))
        self._claimed = ()
        self._run_here()
        self._threads.start_as_needed()
        self._look_after_runs()
        is_needed = self._runs or self._room.promised or self._conclusions.is_telling
        if is_needed or (is_patient and self._stop_at is None):
            self._wait(0.0 if self._here or self._outbox.is_left_alone else self._pause())

    def _give_up_promises(self) -> None:
        """Wait no longer for those who were promised room a lease ago, or at all when the time to stop is over."""
        if self._room.promised:
            now = time.monotonic()
            is_over = self._stop_at is not None and now >= self._stop_at
            self._room.give_up(before=now if is_over else now - self._lease)

    def _begin_with_what_has_arrived(self) -> None:
        while not self._inbox.empty():
            arrived = self._inbox.get()
            if arrived is not None:
                self._begin_with(arrived)
        self._is_woken = False  # what anyone woke it for until now is seen to by who calls this

    def _recorded(self, *, limit: int, is_last: bool = False) -> Exchange:
        """Record what has ended, and claim more; at last also what others would take along."""
        with self._outbox.recording:
            ended = [] if self._outbox.will_be_taken and not is_last else self._outbox.take()
            try:
                exchange = self._exchange(ended, limit=limit)
            except BaseException:
                self._outbox.put_back(ended)
                raise
        self._conclusions.tell()
        return exchange

    def _begin_with(self, promise: Promise) -> None:
        """Begin with what was claimed when it was stored; what others have taken over since is theirs."""
        is_to_begin = self._room.keeps(promise) and self._stop_at is None
        try:
            for claim in promise.claims:
                if claim.execution.worker != self.name:
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
            self._begin(run)
        except BaseException as error:
            reason = f"it could not be begun: {type(error).__name__}"
            if run is None:
                returned = outcomes.of_return(reason, datetime.now(UTC))
                self._deliveries.take(Ending(claimed=claim.execution, outcome=returned))
            else:
                run.return_unmade(reason)
            if not isinstance(error, Exception):
                raise
            logger.exception("The execution %s cannot be begun here.", claim.execution.id)  # no affair of its storer

    def _ran(self, seconds: float) -> None:
        """A thread has run something, and goes on with the next where there is one."""
        self._note_seconds(seconds)
        while self._deliveries.record_in_passing(self.name):
            if self._conclusions.tell() and self._is_awaited:
                self.wake()

    def _recorded_elsewhere(self, due: datetime | None) -> None:
        """A thread that runs handlers has recorded what has ended, and seen when something is due."""
        self._room.look()
        if due is not None and (self._next_due is None or due < self._next_due or due <= datetime.now(UTC)):
            self._next_due = due
            self.wake()

    def _exchange(self, ended: Sequence[Ending], *, limit: int, execution_id: UUID | None = None) -> Exchange:
        store = self._runner.store
        self._register()
        if not ended and execution_id is None and not (limit and self._is_due()):
            self._room.changed(is_behind=False if limit else None)
            return Exchange(accepted=(), claims=(), next_due=self._next_due)  # others may write meanwhile
        try:
            exchange = store.exchange(self.name, ended, limit=limit, execution_id=execution_id)
        except WorkerLostError:
            self._lose_everything()
            return Exchange(accepted=(), claims=(), next_due=None)
        self._claimed = exchange.claims  # they begin when the observers have been told of what has ended
        self._conclude(ended, exchange.accepted)
        self._room.changed(is_behind=len(exchange.claims) == limit if limit else None)
        return exchange

    def _conclude(self, ended: Sequence[Ending], all_accepted: Sequence[bool]) -> None:
        self._conclusions.conclude(ended, all_accepted)
        if self._is_awaited or self._stop_at is not None:
            self.wake()

    def _record_what_is_left(self) -> None:
        """Record what has ended, before this thread leaves with an exception."""
        try:
            self._recorded(limit=0, is_last=True)
        except StoreError as error:
            logger.error(
                "What the worker %s ran last is not recorded, and is tried again by others: %s", self.name, error
            )
            self._endings.let_go(self._runs.execution_ids)

    def _is_due(self) -> bool:
        self._next_due = self._runner.store.next_due()
        return self._next_due is not None and self._next_due <= datetime.now(UTC)

    def _register(self) -> None:
        name = self._leases.name(self._lease)
        if self.name and name != self.name:
            self._lose_everything()
        self.name = name

    def _after_fork(self) -> None:
        """What the process that forked has begun is its own affair, also where a handler has forked this one off."""
        if self._process != os.getpid():
            self._process, self.name, self._inbox = os.getpid(), "", queue.SimpleQueue()
            self._begin_anew()

    def _lose_everything(self) -> None:
        """Others have taken over; what still runs here goes on unheard, and is asked to end."""
        self._leases.forget(self.name)
        self.name = ""
        self._here.clear()
        self._threads.take_back()
        self._runs.ask_to_end(Why.STOPPING)
        self._endings.let_go(self._runs.execution_ids)
        self._runs.forget()

    def _begin(self, run: Run) -> None:
        self._runs.add(run)
        if self._concurrency == 1 and self._in_this_thread and not run.needs_watching:
            self._here.append(run)
        else:
            self._threads.put(run)

    def _run_here(self) -> None:
        began = time.monotonic()
        while self._here and self._stop_at is None and time.monotonic() - began < _RECORD_WITHIN:
            started = time.monotonic()
            self._here.popleft().start()
            self._note_seconds(time.monotonic() - started)

    def _claimable(self) -> int:
        return 0 if self._stop_at is not None or self._here else self._room.left

    def _space(self) -> int:
        if self._runs.is_one_alone:
            return 0
        ahead = self._pace.ahead - self._threads.load - len(self._here)
        return max(0, min(ahead, MOST_UNDER_WAY - len(self._runs)))

    def _note_seconds(self, seconds: float) -> None:
        self._pace.note(seconds)
        self._room.look()

    def _pause(self) -> float:
        """How long to wait for an ending or a wake-up: until the time of something has come."""
        now = time.monotonic()
        times = [self._poll_interval, self._lease / 3]  # the latter for what was lost on its way
        if (next_look := self._runs.next_look) is not None:
            times.append(next_look - now)
        if self._stop_at is not None:
            times += [self._stop_at - now] if now < self._stop_at else []  # after that, what runs has been asked to end
        elif self._next_due is not None and self._claimable():
            times.append((self._next_due - datetime.now(UTC)).total_seconds())
        return max(0.0, min(times))

    def _wait(self, seconds: float) -> None:
        try:
            arrived = self._inbox.get(block=seconds > 0, timeout=seconds or None)
        except queue.Empty:
            return
        if arrived is not None:
            self._begin_with(arrived)

    def _look_after_runs(self) -> None:
        now = time.monotonic()
        if self._stop_at is not None:
            self._give_back_what_waits()
            if now >= self._stop_at:
                self._runs.ask_to_end(Why.STOPPING)
        if self._runs and now - self._looked_at_requests >= min(self._poll_interval, 0.1):
            self._looked_at_requests = now
            self._runs.cancel(self._cancel_requests())
        for run in self._runs:
            if run.watch(now):
                self._threads.abandon(run)
        if now - self._looked_at_ends >= self._lease / 3:
            self._looked_at_ends = now
            self._deliveries.deliver_again()

    def _cancel_requests(self) -> Sequence[UUID]:
        try:
            return self._runner.store.cancel_requests(self.name)
        except StoreClosedError:
            raise
        except StoreError as error:
            logger.error("The worker %s cannot see what is to be cancelled, and looks again: %s", self.name, error)
            return ()

    def _give_back_what_waits(self) -> None:
        """Give back what was claimed and has not begun."""
        waiting = [*self._here, *self._threads.take_back()]
        self._here.clear()
        for run in waiting:
            run.return_unmade()


def _check(concurrency: int, poll_interval: float, lease: float) -> None:
    if not 1 <= concurrency <= MAX_CONCURRENCY:
        raise InvalidInputError(
            f"A worker cannot run {concurrency!r} handlers at once.", hint=f"Give 1 to {MAX_CONCURRENCY:,}."
        )
    for name, seconds in (("look every", poll_interval), ("have a lease of", lease)):
        if not 0 < seconds <= threading.TIMEOUT_MAX:
            raise InvalidInputError(f"A worker cannot {name} {seconds!r} s.", hint="Give seconds above 0.")
