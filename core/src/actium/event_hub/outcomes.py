"""What an attempt comes to: its result or its error as the store keeps them, and whether there is a next one."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from pydantic_core import to_jsonable_python

from actium.auth.secret_references import masked
from actium.errors import ExecutionCancelled, PermanentError, Retry
from actium.isolation.errors import UnstorableResultError
from actium.isolation.transported_errors import child_traceback
from actium.models.execution import ExecutionStatus
from actium.models.run_policy import MAX_SECONDS, RunPolicy
from actium.stores.claims import Outcome
from actium.stores.records import ExecutionRecord

MAX_RESULT_BYTES = 1_048_576
"""How large a result may be, written as JSON."""

_MAX_ERROR_CHARACTERS = 65_536
_NOTHING = Outcome(status=ExecutionStatus.SUCCEEDED)
_FINAL = (PermanentError, UnstorableResultError)
_NOT_KNOWN = "what the attempt did so far is not known"


def of_result(result: Any) -> Outcome:
    """The outcome of a handler that returned; one whose result cannot be kept has failed, for good."""
    if result is None:
        return _NOTHING
    try:
        plain = to_jsonable_python(result, inf_nan_mode="constants")
        size = len(json.dumps(plain, allow_nan=False))
    except Exception as error:  # what it holds may be made only now, and raise anything
        return _lost_result(f"its result is nothing that JSON can hold: {error}", type(error).__name__)
    if size > MAX_RESULT_BYTES:
        return _lost_result(
            f"its result of {size:,} bytes is larger than the {MAX_RESULT_BYTES:,} that are kept; "
            "let it return a reference to it",
            "ValueError",
        )
    return Outcome(status=ExecutionStatus.SUCCEEDED, result=plain)


def of_error(
    error: BaseException,
    execution: ExecutionRecord,
    policy: RunPolicy,
    *,
    now: datetime,
    draw: Callable[[], float],
) -> Outcome:
    """The outcome of a handler that raised, or could not be called.

    Args:
        error: What was raised.
        execution: As it was claimed.
        policy: Its run policy.
        now: The present time.
        draw: Draws evenly from 0 to 1, for the jitter.
    """
    if isinstance(error, ExecutionCancelled):
        return Outcome(status=ExecutionStatus.CANCELLED, reason=message_of(error))
    told = f"{type(error).__name__}: {message_of(error)}"
    outcome = Outcome(
        status=ExecutionStatus.FAILED,
        reason=told,
        error={
            "type": type(error).__name__,
            "message": message_of(error),
            "traceback": _storable(child_traceback(error) or "".join(traceback.format_exception(error))),
        },
    )
    asks = isinstance(error, Retry)
    if isinstance(error, Retry) and not error.has_a_time:  # it was given one after it was made
        asks, told = False, f"{told} (to wait for {_storable(repr(error.after))}, which is no time)"
        outcome = replace(outcome, reason=told)
    if isinstance(error, _FINAL) or not (asks or policy.retries(error)):
        return outcome
    if execution.attempt >= execution.allowance:
        if execution.allowance == 1 and not asks:
            return outcome
        return replace(outcome, reason=f"{told} (attempt {execution.attempt} of {execution.allowance})")
    next_attempt = now + timedelta(seconds=_wait(error, execution, policy, draw))
    if execution.expires is not None and next_attempt > execution.expires:
        return replace(outcome, reason=f"{told} (the next attempt would begin after the deadline)")
    return replace(
        outcome,
        next_attempt=next_attempt,
        reason=f"{told} (attempt {execution.attempt} of {execution.allowance}; the next one waits for its time)",
    )


def of_what_cannot_be_told(error: BaseException, broken: BaseException) -> Outcome:
    """The outcome of a handler whose error cannot be made an outcome."""
    kind = type(error).__name__
    return Outcome(
        status=ExecutionStatus.FAILED,
        reason=f"{kind}, of which nothing more can be told: {type(broken).__name__}",
        error={"type": kind, "message": "it cannot be told", "traceback": None},
    )


def of_interruption(error: BaseException) -> Outcome:
    """The outcome of an attempt that the end of its worker's thread cut short. What it says may hold secrets."""
    return Outcome(
        status=ExecutionStatus.FAILED,
        reason=f"the worker was interrupted ({type(error).__name__}); {_NOT_KNOWN}",
        error={"type": type(error).__name__, "message": "not kept: it may hold secrets", "traceback": None},
    )


def of_return(reason: str, now: datetime) -> Outcome:
    """The outcome of an attempt that is given back, for another worker to make."""
    return Outcome(status=ExecutionStatus.FAILED, reason=reason, next_attempt=now, is_returned=True)


def to_keep(outcome: Outcome, secrets: Sequence[str]) -> Outcome:
    """The outcome as it is kept: secrets masked in everything that it says, and then long texts shortened."""
    if secrets:
        outcome = replace(
            outcome,
            reason=masked(outcome.reason, secrets),
            result=masked(outcome.result, secrets),
            error=masked(outcome.error, secrets),
        )
    if outcome.reason is None and outcome.error is None:
        return outcome
    error = outcome.error and {key: value and _shortened(value) for key, value in outcome.error.items()}
    return replace(outcome, reason=outcome.reason and _shortened(outcome.reason), error=error)


def message_of(error: BaseException) -> str:
    """What an exception says, in a form that can be stored."""
    try:
        return _storable(str(error))
    except Exception as broken:
        return f"(its text cannot be shown: {type(broken).__name__})"


def _wait(error: BaseException, execution: ExecutionRecord, policy: RunPolicy, draw: Callable[[], float]) -> float:
    if isinstance(error, Retry) and error.has_a_time and error.after is not None:
        return max(0.0, min(error.after, MAX_SECONDS))
    return policy.backoff.seconds(execution.attempt, draw=draw())


def _lost_result(why: str, kind: str) -> Outcome:
    reason = f"the action ran, but {why}"
    return Outcome(
        status=ExecutionStatus.FAILED, reason=reason, error={"type": kind, "message": why, "traceback": None}
    )


def _storable(text: str) -> str:
    """The text with unpaired surrogates, as odd file names bring them, written out: a store cannot keep them."""
    return text.encode("utf-8", "backslashreplace").decode()


def _shortened(text: str) -> str:
    """The beginning and the end of a long text, as exceptions and tracebacks may be of any length."""
    if len(text) <= _MAX_ERROR_CHARACTERS:
        return text
    half = _MAX_ERROR_CHARACTERS // 2
    return f"{text[:half]}\n… {len(text) - 2 * half:,} characters left out …\n{text[-half:]}"
