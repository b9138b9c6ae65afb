"""One attempt at an execution: from its claim to its outcome.

Everything that can go wrong on the way, from a deleted action to a result that is no JSON, comes out as an outcome
with a reason. What is recorded, and when, is the worker's part.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from enum import StrEnum
from functools import partial
from typing import Any

from actium.errors import ExecutionCancelled, ExecutionTimeoutError, NotFoundError, StoreError
from actium.event_hub import outcomes
from actium.event_hub.attempt_traces import AttemptTrace
from actium.event_hub.base_event_hub import given_execution
from actium.event_hub.execution import ExecutionRunner
from actium.logging import current_context, logging_for
from actium.models.execution import ExecutionStatus
from actium.models.plain_json import copied
from actium.models.run_policy import RunPolicy
from actium.running import RunningAttempt, belonging_to, forget_running, note_running
from actium.stores.claims import Claim, Ending, Outcome
from actium.stores.obstacles import obstacle_of
from actium.stores.records import ActionRecord, ExecutionRecord
from actium.stores.responses import execution_response
from actium.tracing.recorder import current as current_span

logger = logging.getLogger("actium.executions")

TIME_TO_END = 2.0
"""Seconds that a run is given to end when it has been asked to, before others go on without it."""


class Why(StrEnum):
    """Why an attempt is asked to end."""

    CANCELLED = "someone cancelled it"
    TIMED_OUT = "its time is over"
    STOPPING = "its worker stops"


_LOOK_AGAIN_AFTER = 0.1
"""Seconds that an execution may wait in its worker before its action is looked at once more."""

_NEVER_AWAITED = frozenset({type(None), bool, int, float, str, dict, list, tuple})
"""What most handlers return; to ask whether it can be awaited takes longer than looking here."""

_INTERRUPTED = outcomes.of_interruption(KeyboardInterrupt())
"""The outcome of an attempt whose end was about to be told when the thread was interrupted."""

_UNKNOWN_POLICY = RunPolicy()
"""What holds until the action's revision was read; frozen, so that all may have the same."""


class Run:
    """An attempt under way. Whatever ends it first counts; what comes after is dropped.

    Attributes:
        claim: What was claimed.
        why: Why it was asked to end, if it was.
        ending: How it has ended; None until then.
        is_recorded_again: Whether that is delivered once more, as it may be lost.
    """

    def __init__(
        self,
        runner: ExecutionRunner,
        claim: Claim,
        *,
        deliver: Callable[[Ending], object],
        on_deadline: Callable[[], object],
    ) -> None:
        """Prepare a run.

        Args:
            runner: How to run it.
            claim: What was claimed.
            deliver: Takes the ending, once, in whichever thread it comes about; must not block.
            on_deadline: Called when it has begun, and has to be watched from now on.
        """
        execution = claim.execution
        self.claim = claim
        self.why: Why | None = None
        self.ending: Ending | None = None
        self.is_recorded_again = False
        self._is_taken_up = False
        self._asked_at = 0.0
        self._deadline: float | None = None
        self._runner = runner
        self._deliver = deliver
        self._on_deadline = on_deadline
        self._claimed = time.monotonic()
        self._lock = threading.Lock()
        self._has_ended = False
        self._cancel: Callable[[], object] | None = None
        self._work = runner.known_work(execution)
        self._attempt = RunningAttempt(
            execution.id,
            attempt=execution.attempt,
            action=execution.action_name,
            flavor="" if self._work is None else self._work.key,
            correlation=None if claim.event is None else claim.event.attributes.get("correlationid"),
        )
        self._trace: AttemptTrace | None = None

    @property
    def secrets(self) -> Sequence[str]:
        """What it has resolved."""
        return self._attempt.secrets

    @property
    def needs_watching(self) -> bool:
        """Whether someone has to look at the clock while it runs; then it needs a thread besides the worker's."""
        return self._work is not None and self._work.policy.timeout is not None

    @property
    def next_look(self) -> float | None:
        """When, on the monotonic clock, to `watch` it next; None while there is nothing to wait for."""
        if self._has_ended or self.why is Why.CANCELLED or self._attempt.is_isolated:
            return None
        return self._deadline if self.why is None else self._asked_at + TIME_TO_END

    def watch(self, now: float) -> bool:
        """Ask for its end when its time is over, and go on without it when it does not heed that.

        Returns:
            Whether it was given up: its thread, if it has one, is lost to it.
        """
        at = self.next_look
        if at is None or now < at:
            return False
        if self.why is None:
            self.ask_to_end(Why.TIMED_OUT)
            return False
        self._raised(ExecutionCancelled("It did not end when it was asked to."))
        return True

    def return_unmade(self, reason: str = "its worker was stopped before it began") -> None:
        """Give it back, unless it has begun: then it ends by itself. No thread begins with it afterwards."""
        if self._take_up():
            self._end(outcomes.of_return(reason, self._runner.now()))

    def _take_up(self) -> bool:
        """Whether nobody else has taken it up, be it to run it or to give it back."""
        with self._lock:
            is_first, self._is_taken_up = not self._is_taken_up, True
        return is_first

    def start(self) -> None:
        """Run it in this thread; a coroutine goes on by itself on the shared loop.

        Raises:
            BaseException: What interrupted this thread, such as ``KeyboardInterrupt``; it was delivered too.
        """
        if not self._take_up():
            return
        try:
            self._start()
        except BaseException as error:
            if not isinstance(error, KeyboardInterrupt) or not self._has_ended:  # else that was told
                self._raised(error)
            if not isinstance(error, Exception):
                raise

    def _start(self) -> None:
        execution = self.claim.execution
        if self.why is Why.STOPPING:
            self._end(outcomes.of_return("its worker was stopped before it began", self._runner.now()))
            return
        if self.why is Why.CANCELLED:
            self._end(Outcome(status=ExecutionStatus.CANCELLED, reason="it was cancelled before it began"))
            return
        note_running(self._attempt)
        obstacle = self.claim.obstacle or self._obstacle_since()
        if obstacle is not None:
            self._end(Outcome(status=ExecutionStatus.SKIPPED, reason=obstacle))
            return
        self._trace = trace = self._runner.trace(self.claim, self._attempt, self._work)
        span = current_span.set(trace.entered)
        try:
            with belonging_to(self._attempt):
                self._run(execution)
        finally:
            current_span.reset(span)

    def _run(self, execution: ExecutionRecord) -> None:
        try:
            result = self._called(execution)
            if type(result) not in _NEVER_AWAITED and inspect.isawaitable(result):
                self._cancel = self._runner.coroutines.start(result, on_result=self._returned, on_error=self._raised)
                if self.why is not None:  # it was asked to end before it could be cancelled
                    self._cancel()
            else:
                self._returned(result)
        except KeyboardInterrupt as error:
            self._end(outcomes.of_interruption(error))
            if threading.current_thread() is threading.main_thread():  # elsewhere nobody has pressed a key
                raise
        except BaseException as error:
            self._raised(error)

    def ask_to_end(self, why: Why) -> None:
        """Ask for its end: a coroutine is cancelled, another handler sees it in ``cancel_requested``."""
        with self._lock:
            if self._has_ended or self.why is not None:
                return
            self.why, self._asked_at = why, time.monotonic()
            self._attempt.is_to_end = True
        if self._cancel is not None:
            self._cancel()

    def _obstacle_since(self) -> str | None:
        """What has come between since it was claimed, where it has waited long enough for that."""
        execution, runner = self.claim.execution, self._runner
        if execution.expires is None and time.monotonic() - self._claimed < _LOOK_AGAIN_AFTER:
            return None
        try:
            action = runner.store.get(ActionRecord, execution.action_id)
        except NotFoundError:
            action = None
        except StoreError:
            return None  # nobody knows; it was in order when it was claimed
        return obstacle_of(execution, action, runner.now())

    def _called(self, execution: ExecutionRecord) -> Any:
        claim, runner, attempt = self.claim, self._runner, self._attempt
        running = runner.told_begun(partial(execution_response, execution, event=claim.event))
        work = self._work = self._work or runner.work(execution.action_id, execution.action_revision)
        attempt.timeout = work.policy.timeout
        if attempt.timeout is not None:
            self._deadline = time.monotonic() + attempt.timeout
            self._on_deadline()
        if claim.account is None:
            raise NotFoundError(
                f"The service account {execution.service_account_id} of this execution was deleted.",
                hint="Give the action another one, and retry the execution with the latest revision.",
            )
        auth_context = runner.tokens.issue(
            claim.account, execution_id=execution.id, window=work.auth_window, on_token=attempt.secrets.append
        )
        callback = runner.hub.action_callback(work.flavor, work.plugin_subtype)
        return callback(copied(work.configuration), given_execution(callback, running), auth_context)

    @property
    def _policy(self) -> RunPolicy:
        return _UNKNOWN_POLICY if self._work is None else self._work.policy

    def _is_late(self) -> bool:
        """Whether it ends because, or after, its time is over. Who watches it may have been too busy to say so."""
        if not self._attempt.is_isolated and self._deadline is not None and time.monotonic() >= self._deadline:
            self.ask_to_end(Why.TIMED_OUT)
        return self.why is Why.TIMED_OUT

    def _returned(self, result: Any) -> None:
        if self._deadline is not None and self._is_late():
            self._raised(ExecutionCancelled("It returned after its time was over."))
            return
        try:
            outcome = outcomes.of_result(result)
        except BaseException as error:  # from a result that is made while it is written down
            self._raised(error)
        else:
            self._end(outcome)

    def _raised(self, error: BaseException) -> None:
        if self._has_ended:  # its text may hold secrets, which are masked in outcomes only
            kind = type(error).__name__
            logger.warning("Execution %s raised %s, which is not recorded: it was over.", self.claim.execution.id, kind)
            return
        try:
            outcome = self._outcome_of(error)
        except Exception as broken:  # whatever a handler raises, its execution ends
            logger.exception("The error of execution %s cannot be told.", self.claim.execution.id)
            outcome = outcomes.of_what_cannot_be_told(error, broken)
        self._end(outcome)

    def _outcome_of(self, error: BaseException) -> Outcome:
        execution, now, draw = self.claim.execution, self._runner.now(), self._runner.draw
        has_heeded = isinstance(error, ExecutionCancelled | asyncio.CancelledError | CancelledError)
        if has_heeded and self.why is Why.STOPPING:
            return outcomes.of_return("its worker was stopped", now)
        if has_heeded and self._deadline is not None and self._is_late():
            limit = ExecutionTimeoutError(f"The attempt took longer than {self._policy.timeout:g} s.")
            return outcomes.of_error(limit, execution, self._policy, now=now, draw=draw)
        if isinstance(error, asyncio.CancelledError | CancelledError) and self.why is Why.CANCELLED:
            return Outcome(status=ExecutionStatus.CANCELLED, reason="it was cancelled while it ran")
        if isinstance(error, KeyboardInterrupt):
            return outcomes.of_interruption(error)
        return outcomes.of_error(error, execution, self._policy, now=now, draw=draw)

    def _end(self, outcome: Outcome) -> None:
        if current_context.get() is self._attempt:
            self._end_once(outcome)
            return
        with logging_for(self._attempt):  # whichever thread it comes about in
            self._end_once(outcome)

    def _end_once(self, outcome: Outcome) -> None:
        with self._lock:
            if self._has_ended:
                logger.warning("What execution %s came to is not recorded: it was over.", self.claim.execution.id)
                return
            self._has_ended = True
        ending: Ending | None = None
        try:
            ending = self._told(outcome)
        except Exception as broken:  # a filter of logs, say: whatever it is, the end of the attempt is told
            ending = self._ending(outcomes.of_what_cannot_be_told(broken, broken))
        finally:
            self.ending = ending or self._ending(_INTERRUPTED)
            self._deliver(self.ending)

    def _told(self, outcome: Outcome) -> Ending:
        """How it has ended, as it is to be recorded; people are told of failures."""
        outcome = outcomes.to_keep(outcome, self._attempt.secrets)
        if outcome.status is ExecutionStatus.FAILED and not outcome.is_returned:
            execution = self.claim.execution
            logger.warning("Execution %s of %r failed: %s", execution.id, execution.action_name, outcome.reason)
        return self._ending(outcome)

    def _ending(self, outcome: Outcome) -> Ending:
        forget_running(self._attempt)
        self._attempt.is_to_end = True  # for code of it that goes on all the same
        trace, self._trace = self._trace, None
        told = None if trace is None else trace.end(outcome)
        return Ending(claimed=self.claim.execution, outcome=outcome, trace=told)
