"""Outcomes that a worker tells together: each is recorded as it is, those of attempts that were overtaken are not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from actium import Actium, action_flavor
from actium.models import ActionRequest, ActionResponse, ServiceAccountRequest
from actium.models.execution import ExecutionStatus
from actium.stores.claims import Claim, Ending, Outcome
from actium.stores.records import ExecutionRecord, WorkerRecord

CreateAction = Callable[..., ActionResponse]
SUCCEEDED, FAILED = ExecutionStatus.SUCCEEDED, ExecutionStatus.FAILED


@pytest.fixture
def claims(app: Actium, create: CreateAction) -> Sequence[Claim]:
    """Five executions that one worker runs; a sixth stays with another one."""
    action = create()
    for _ in range(6):
        app.actions.run(action.id)
    for worker in ("first", "another"):
        app.store.register_worker(
            WorkerRecord(name=worker, host="h", process=1, lease=30.0, beat=0, started=datetime.now(UTC))
        )
    claimed = app.store.exchange("first", limit=5).claims
    app.store.exchange("another", limit=1)
    return claimed


def ending(claim: Claim, **fields: Any) -> Ending:
    return Ending(claimed=claim.execution, outcome=Outcome(**{"status": SUCCEEDED, **fields}))


def stored(app: Actium, claims: Sequence[Claim]) -> list[ExecutionRecord]:
    found = app.store.get_many(ExecutionRecord, [claim.execution.id for claim in claims])
    return [found[claim.execution.id] for claim in claims]


def running(app: Actium) -> int:
    return sum(execution.status is ExecutionStatus.RUNNING for execution in app.executions.list().items)


def test_that_are_alike(app: Actium, claims: Sequence[Claim]) -> None:
    """Executions that end in the same way do so at one time, and no other ends with them."""
    told = app.store.exchange("first", [ending(claim, result=7) for claim in claims[:4]], limit=0)
    assert told.accepted == (True,) * 4
    ended = stored(app, claims)
    assert [(one.status, one.result) for one in ended[:4]] == [(SUCCEEDED, 7)] * 4
    assert len({one.finished for one in ended[:4]}) == 1
    assert ended[4].status is ExecutionStatus.RUNNING
    assert running(app) == 2


def test_that_differ(app: Actium, claims: Sequence[Claim]) -> None:
    """Each execution gets its own result or error."""
    error = {"type": "ValueError", "message": "no", "traceback": None}
    endings = [
        *(ending(claim, result={"number": number}) for number, claim in enumerate(claims[:4])),
        ending(claims[4], status=FAILED, reason="no", error=error),
    ]
    assert app.store.exchange("first", endings, limit=0).accepted == (True,) * 5
    ended = stored(app, claims)
    assert [one.result for one in ended] == [*({"number": number} for number in range(4)), None]
    assert (ended[4].status, ended[4].reason, ended[4].error) == (FAILED, "no", error)


@given(
    st.lists(
        st.tuples(st.text(), st.text() | st.lists(st.text(), max_size=2), st.text(max_size=3)), min_size=2, max_size=5
    )
)
@example([("a\0b", "a\0b", "a\0b"), ("a\0c", "a\0c", "a\0c"), ("a", "a", "a")])
def test_are_kept_whatever_they_say(told: list[tuple[str, Any, str]]) -> None:
    """Reasons, results and errors that are told together are kept to their end, also those that hold a NUL."""
    with Actium("sqlite://") as app:
        app.flavors.register(action_flavor("test.nothing")(lambda config: None))
        account = app.accounts.create(ServiceAccountRequest(name="robot"))
        app.actions.create(
            ActionRequest(name="a", plugin_subtype="test", flavor="nothing", service_account_id=account.id)
        )
        for _ in told:
            app.actions.run("a")
        app.store.register_worker(
            WorkerRecord(name="first", host="h", process=1, lease=30.0, beat=0, started=datetime.now(UTC))
        )
        claims = app.store.exchange("first", limit=len(told)).claims
        endings = [
            ending(claim, status=FAILED, reason=reason, result=result, error={"message": message})
            for claim, (reason, result, message) in zip(claims, told, strict=True)
        ]
        assert app.store.exchange("first", endings, limit=0).accepted == (True,) * len(told)
        assert [(one.reason, one.result, (one.error or {})["message"]) for one in stored(app, claims)] == told


@pytest.mark.parametrize("results", [[None] * 5, [*range(5)]], ids=["alike", "each its own"])
def test_of_which_one_was_overtaken(app: Actium, claims: Sequence[Claim], results: list[object]) -> None:
    """What is told too late changes nothing, whatever is told beside it."""
    assert app.store.exchange("first", [ending(claims[2], status=FAILED, reason="first")], limit=0).accepted == (True,)
    endings = [ending(claim, result=result) for claim, result in zip(claims, results, strict=True)]
    assert app.store.exchange("first", endings, limit=0).accepted == (True, True, False, True, True)
    ended = stored(app, claims)
    assert [one.status for one in ended] == [SUCCEEDED, SUCCEEDED, FAILED, SUCCEEDED, SUCCEEDED]
    assert [one.result for one in ended] == [*results[:2], None, *results[3:]]
    assert ended[2].reason == "first"


@pytest.mark.parametrize("fields", [{"worker": "another"}, {"attempt": 2}])
def test_with_another_fence(app: Actium, claims: Sequence[Claim], fields: dict[str, Any]) -> None:
    """An attempt of another worker, or another attempt, is not ended by whoever knows the execution's id."""
    endings = [
        Ending(claimed=claim.execution._replace(**fields), outcome=Outcome(status=SUCCEEDED)) for claim in claims
    ]
    assert app.store.exchange("first", endings, limit=0).accepted == (False,) * 5
    assert running(app) == 6


def test_told_twice_at_once(app: Actium, claims: Sequence[Claim]) -> None:
    """Of two endings of one attempt, the first counts."""
    endings = [ending(claims[0]), ending(claims[0]), ending(claims[1])]
    assert app.store.exchange("first", endings, limit=0).accepted == (True, False, True)
    assert running(app) == 4


def test_that_make_something_due(app: Actium, claims: Sequence[Claim]) -> None:
    """The worker is told when what is to be tried again is due, and gets what is due at once."""
    later = datetime.now(UTC) + timedelta(hours=1)
    again = replace(ending(claims[0]).outcome, status=FAILED, next_attempt=later, is_returned=True)
    told = app.store.exchange("first", [ending(claims[1]), Ending(claimed=claims[0].execution, outcome=again)], limit=0)
    assert (told.accepted, told.next_due) == ((True, True), later)
    soon = replace(again, next_attempt=datetime.now(UTC))
    told = app.store.exchange("first", [Ending(claimed=claims[2].execution, outcome=soon)], limit=9)
    assert [claim.execution.id for claim in told.claims] == [claims[2].execution.id]
