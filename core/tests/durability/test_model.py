"""The store and the hub, driven at random, do what a model of a page does."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from actium import Actium, Event, ExecutionStatus, action_flavor
from actium.errors import ConflictError, NotFoundError, WorkerLostError
from actium.event_hub.offers import Offer
from actium.models import (
    ActionRequest,
    PublishedEvent,
    RunPolicy,
    ServiceAccountRequest,
    TriggerExecutionFilter,
    TriggerRequest,
)
from actium.models.run_policy import MAX_LOSSES
from actium.stores.records import Claim, Ending, Outcome, WorkerRecord

PENDING, RUNNING = ExecutionStatus.PENDING, ExecutionStatus.RUNNING
SUCCEEDED, FAILED, CANCELLED = ExecutionStatus.SUCCEEDED, ExecutionStatus.FAILED, ExecutionStatus.CANCELLED
MAX_ATTEMPTS = 2
WORKERS = ("first", "second", "third")
names = st.sampled_from(WORKERS)
keys = st.sampled_from("abcdefgh")


@dataclass
class Modelled:
    """What the model knows of an execution."""

    status: ExecutionStatus = PENDING
    worker: str | None = None
    attempts: list[ExecutionStatus | None] = field(default_factory=list)
    allowance: int = MAX_ATTEMPTS
    losses: int = 0
    is_to_be_cancelled: bool = False

    def begin(self, worker: str) -> None:
        self.status, self.worker = RUNNING, worker
        self.attempts.append(None)

    def end(self, status: ExecutionStatus) -> None:
        self.status = self.attempts[-1] = status

    def pause(self, status: ExecutionStatus) -> None:
        """An attempt is over, and another is to follow, unless someone has cancelled the execution meanwhile."""
        self.attempts[-1] = status
        self.status = PENDING
        if self.is_to_be_cancelled:
            self.end(CANCELLED)


@action_flavor("model.nothing")
def nothing() -> None:
    """Does nothing; it is the model's worker that says how it ended."""


class Model(RuleBasedStateMachine):
    """Publishers, workers and operators on one file."""

    claims: Bundle[Claim] = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.executions: dict[UUID, Modelled] = {}
        self.order: list[UUID] = []
        self.events: dict[str, PublishedEvent] = {}
        self.registered: set[str] = set()

    @initialize()
    def prepare(self) -> None:
        self.app = Actium(f"sqlite:///{Path(self.folder.name, 'actium.db')}?synchronous=normal")
        self.app.flavors.register(nothing)
        account = self.app.accounts.create(ServiceAccountRequest(name="robot"))
        policy = RunPolicy(max_attempts=MAX_ATTEMPTS)
        request = ActionRequest(
            name="a", plugin_subtype="model", flavor="nothing", service_account_id=account.id, run_policy=policy
        )
        action = self.app.actions.create(request)
        for name, filters in (("every", []), ("vowels", [{"exact": {"type": "vowel"}}])):
            self.app.triggers.create(
                TriggerRequest(name=name, action_id=action.id, filters=filters, match_all=not filters)
            )

    def teardown(self) -> None:
        self.app.close()
        self.folder.cleanup()

    # Publishers

    @rule(key=keys)
    def publish(self, key: str) -> None:
        self.note(key, self.app.events.publish(event_of(key)))

    @rule(some=st.lists(keys, max_size=6))
    def publish_many(self, some: list[str]) -> None:
        for key, published in zip(some, self.app.events.publish_many(map(event_of, some)), strict=True):
            self.note(key, published)

    @rule(target=claims, key=keys, worker=names, room=st.integers(1, 3))
    def publish_to_a_worker(self, key: str, worker: str, room: int) -> object:
        """A worker of the same process has room; it gets what is new where nothing waits, and it is registered."""
        was_idle = PENDING not in {one.status for one in self.executions.values()}
        taken: list[Claim] = []
        hub = self.app.hub
        hub._offer = lambda most: Offer(worker=worker, room=min(room, most), take=taken.extend)
        try:
            published = self.app.events.publish(event_of(key))
        finally:
            hub._offer = lambda most: None
        self.note(key, published)
        expected = published.executions[:room]
        if published.duplicate or not was_idle or worker not in self.registered:
            expected = ()
        assert tuple(claim.execution.id for claim in taken) == expected
        for execution_id in expected:
            self.executions[execution_id].begin(worker)
        return multiple(*taken)

    def note(self, key: str, published: PublishedEvent) -> None:
        assert published.duplicate == (key in self.events)
        if published.duplicate:
            assert (published.id, published.executions) == (self.events[key].id, self.events[key].executions)
            return
        assert len(published.executions) == (2 if key in "ae" else 1)
        self.events[key] = published
        self.add(published.executions)

    @rule(key=keys)
    def replay(self, key: str) -> None:
        if key in self.events:
            self.add(self.app.events.replay(self.events[key].id).executions)
            stored = self.app.events.get(self.events[key].id).get_metadata().executions
            self.events[key] = PublishedEvent(id=self.events[key].id, executions=stored, duplicate=False)

    def add(self, execution_ids: tuple[UUID, ...]) -> None:
        self.order += execution_ids
        self.executions.update((one, Modelled()) for one in execution_ids)

    # Workers

    @rule(worker=names)
    def register(self, worker: str) -> None:
        if worker not in self.registered:
            now = datetime.now(UTC)
            self.app.store.register_worker(
                WorkerRecord(name=worker, host="here", process=1, lease=30.0, beat=0, started=now)
            )
            self.registered.add(worker)

    @rule(target=claims, worker=names, limit=st.integers(1, 4))
    def claim(self, worker: str, limit: int) -> object:
        if worker not in self.registered:
            self.is_refused(worker, [], limit)
            return multiple()
        claimed = self.app.store.exchange(worker, limit=limit).claims
        pending = [one for one in self.order if self.executions[one].status is PENDING]
        assert len(claimed) == min(limit, len(pending))
        for claim in claimed:
            assert claim.execution.id in pending
            self.executions[claim.execution.id].begin(worker)
        return multiple(*claimed)

    @rule(claim=consumes(claims), how=st.sampled_from(["succeed", "fail", "fail for good", "give back"]))
    def end(self, claim: Claim, how: str) -> None:
        """End an attempt, which another may have overtaken since: because its worker was lost, or it was pruned."""
        execution, worker = self.executions.get(claim.execution.id), claim.execution.worker or ""
        is_latest = (
            execution is not None
            and execution.status is RUNNING
            and (execution.worker, len(execution.attempts)) == (worker, claim.execution.attempt)
        )
        again = how == "give back" or (how == "fail" and claim.execution.attempt < claim.execution.allowance)
        status = {"succeed": SUCCEEDED, "give back": CANCELLED}.get(how, FAILED)
        outcome = Outcome(
            status=status,
            reason=how,
            next_attempt=datetime.now(UTC) if again else None,
            is_returned=how == "give back",
        )
        ending = Ending(claimed=claim.execution, outcome=outcome)
        if worker not in self.registered:
            self.is_refused(worker, [ending], 0)
            return
        assert self.app.store.exchange(worker, [ending], limit=0).accepted == (is_latest,)
        if not is_latest or execution is None:
            return
        if again:
            execution.allowance += how == "give back"
            execution.pause(status)
        else:
            execution.end(status)

    def is_refused(self, worker: str, endings: list[Ending], limit: int) -> None:
        try:
            self.app.store.exchange(worker, endings, limit=limit)
        except WorkerLostError:
            return
        raise AssertionError("a worker that is not known was heard")

    @rule(worker=names)
    def lose(self, worker: str) -> None:
        self.app.store.remove_worker(worker, reason="it is gone")
        self.registered.discard(worker)
        for execution in self.executions.values():
            if execution.status is RUNNING and execution.worker == worker:
                execution.losses += 1
                if execution.losses >= MAX_LOSSES:
                    execution.end(FAILED)
                else:
                    execution.allowance += 1
                    execution.pause(FAILED)

    # Operators

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        execution_id = self.some(data)
        if execution_id is None:
            return
        execution = self.executions[execution_id]
        try:
            self.app.executions.cancel(execution_id)
        except ConflictError:
            assert execution.status.is_final
            return
        assert not execution.status.is_final
        execution.is_to_be_cancelled = True
        if execution.status is PENDING:
            execution.status = CANCELLED

    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        execution_id = self.some(data)
        if execution_id is None:
            return
        execution = self.executions[execution_id]
        try:
            self.app.executions.retry(execution_id)
        except ConflictError:
            assert not execution.status.is_final or execution.status is SUCCEEDED
            return
        assert execution.status in {FAILED, CANCELLED}
        execution.status, execution.is_to_be_cancelled, execution.losses = PENDING, False, 0
        execution.allowance = len(execution.attempts) + MAX_ATTEMPTS

    def some(self, data: st.DataObject) -> UUID | None:
        return data.draw(st.sampled_from(self.order)) if self.order else None

    @rule(keep_failed=st.booleans())
    def prune(self, *, keep_failed: bool) -> None:
        """Everything that has ended goes, and with it the events that have nothing left."""
        self.app.retention.prune(timedelta(0), keep_failed=keep_failed)
        for execution_id in tuple(self.order):
            status = self.executions[execution_id].status
            if status.is_final and not (keep_failed and status is FAILED):
                self.order.remove(execution_id)
                del self.executions[execution_id]
        for key, published in tuple(self.events.items()):
            left = tuple(one for one in published.executions if one in self.executions)
            if left:
                self.events[key] = PublishedEvent(id=published.id, executions=left, duplicate=False)
            else:
                del self.events[key]
                try:
                    self.app.events.get(published.id)
                except NotFoundError:
                    continue
                raise AssertionError("an event without executions was kept")

    @rule()
    def close_and_open_again(self) -> None:
        url = self.app.store.url
        self.app.close()
        self.app = Actium(url)
        self.app.flavors.register(nothing)

    # What always holds

    @invariant()
    def executions_are_as_the_model_says(self) -> None:
        if not hasattr(self, "app"):
            return
        stored = self.app.executions.list(TriggerExecutionFilter(max_size=1_000), hydrate=True).items
        assert {one.id: one.status for one in stored} == {one: m.status for one, m in self.executions.items()}
        for one in stored:
            attempts = one.attempts
            assert [attempt.number for attempt in attempts] == [*range(1, len(attempts) + 1)]
            told = [attempt.status for attempt in attempts]
            model = self.executions[one.id]
            assert len(told) == len(model.attempts) == one.attempt
            if one.status is RUNNING:
                assert told[-1] is None
            assert all(status is not None for status in told[:-1])


def event_of(key: str) -> Event:
    """One of a few events, so that some are published again."""
    return Event(id=key, source="/model", type="vowel" if key in "ae" else "consonant")


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
