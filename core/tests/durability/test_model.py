"""The store and the hub, driven at random, do what a model of a page does."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actium import Actium, Event, ExecutionStatus, action_flavor
from actium.errors import ConflictError, NotFoundError, WorkerLostError
from actium.event_hub.offers import Offer
from actium.models import (
    ActionRequest,
    ActionUpdate,
    Concurrency,
    PublishedEvent,
    RunPolicy,
    ServiceAccountRequest,
    TriggerExecutionFilter,
    TriggerRequest,
    TriggerUpdate,
)
from actium.models.run_policy import MAX_LOSSES
from actium.stores.claims import Along, Claim, Ending, Outcome
from actium.stores.records import ExecutionRecord, WorkerRecord

PENDING, RUNNING = ExecutionStatus.PENDING, ExecutionStatus.RUNNING
SUCCEEDED, FAILED = ExecutionStatus.SUCCEEDED, ExecutionStatus.FAILED
CANCELLED, SKIPPED = ExecutionStatus.CANCELLED, ExecutionStatus.SKIPPED
MAX_ATTEMPTS = 2
SLOTS = 2
ACTIONS = ("free", "in turn")
names = st.sampled_from(["first", "second", "third"])
keys = st.sampled_from("abcdefgh")
actions = st.sampled_from(ACTIONS)
triggers = st.sampled_from(["t1", "t2", "t3"])
hows = st.sampled_from(["succeed", "fail", "fail for good", "give back"])


@dataclass
class Modelled:
    """What the model knows of an execution.

    Attributes:
        kind: What it takes turns with; None where it does not.
        due: When it became pending, as a number that grows.
    """

    action: str
    kind: str | None
    due: int
    status: ExecutionStatus = PENDING
    worker: str | None = None
    attempts: list[ExecutionStatus | None] = field(default_factory=list)
    allowance: int = MAX_ATTEMPTS
    losses: int = 0
    is_held: bool = False
    is_to_be_cancelled: bool = False

    def begin(self, worker: str) -> None:
        self.status, self.worker = RUNNING, worker
        self.attempts.append(None)


@action_flavor("model.nothing")
def nothing() -> None:
    """Does nothing; it is the model's worker that says how it ended."""


class Model(RuleBasedStateMachine):
    """Publishers, workers and operators on one file."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.executions: dict[UUID, Modelled] = {}  # in the order in which they were stored
        self.events: dict[str, PublishedEvent] = {}
        self.replayed: set[UUID] = set()
        self.registered: set[str] = set()
        self.disabled: set[str] = set()
        self.triggers: dict[str, tuple[str, bool, bool]] = {}  # its action, whether for vowels only, whether active
        self.claims: list[Claim] = []
        self.given_up: list[Claim] = []
        self.now = 0

    @initialize()
    def prepare(self) -> None:
        self.app = Actium(f"sqlite:///{Path(self.folder.name, 'actium.db')}?synchronous=normal")
        self.app.flavors.register(nothing)
        account = self.app.accounts.create(ServiceAccountRequest(name="robot"))
        for name, mode in zip(ACTIONS, (Concurrency(), Concurrency(mode="queued", maximum=SLOTS)), strict=True):
            self.app.actions.create(
                ActionRequest(
                    name=name,
                    plugin_subtype="model",
                    flavor="nothing",
                    service_account_id=account.id,
                    run_policy=RunPolicy(max_attempts=MAX_ATTEMPTS, concurrency=mode),
                )
            )
        self.create_trigger("every", "free", for_vowels=False)
        self.create_trigger("vowels", "in turn", for_vowels=True)
        self.register("first")

    def teardown(self) -> None:
        self.app.close()
        self.folder.cleanup()

    # Authors

    @rule(name=triggers, action=actions, for_vowels=st.booleans())
    def create_trigger(self, name: str, action: str, *, for_vowels: bool) -> None:
        if name not in self.triggers:
            filters: list[dict[str, object]] = [{"exact": {"type": "vowel"}}] if for_vowels else []
            action_id = self.app.actions.get(action, hydrate=False).id
            request = TriggerRequest(name=name, action_id=action_id, filters=filters, match_all=not for_vowels)
            self.app.triggers.create(request)
            self.triggers[name] = (action, for_vowels, True)

    @rule(name=triggers, is_active=st.booleans())
    def switch_trigger(self, name: str, *, is_active: bool) -> None:
        if name in self.triggers:
            self.app.triggers.update(name, TriggerUpdate(is_active=is_active))
            self.triggers[name] = (*self.triggers[name][:2], is_active)

    @rule(name=triggers)
    def delete_trigger(self, name: str) -> None:
        if self.triggers.pop(name, None) is not None:
            self.app.triggers.delete(name)

    @rule(name=actions)
    def switch_action(self, name: str) -> None:
        """A disabled action's executions are stored, and not to be begun."""
        self.disabled ^= {name}
        self.app.actions.update(name, ActionUpdate(enabled=name not in self.disabled))

    # Publishers

    @rule(key=keys)
    def publish(self, key: str) -> None:
        self.note(key, self.app.events.publish(event_of(key)))

    @rule(some=st.lists(keys, max_size=6))
    def publish_many(self, some: list[str]) -> None:
        self.now += 1
        for key, published in zip(some, self.app.events.publish_many(map(event_of, some)), strict=True):
            self.note(key, published)

    @rule(key=keys, worker=names, room=st.integers(0, 3), how=st.lists(st.tuples(st.integers(0, 9), hows), max_size=4))
    def publish_to_a_worker(self, key: str, worker: str, room: int, how: list[tuple[int, str]]) -> None:
        """A worker of the same process has room, and ends to record.

        It gets what is new where nothing waits, and it is registered; what it has ended is recorded along with that,
        unless no trigger matches, so that nobody asks it.
        """
        has_time = worker in self.registered and not self.queue()
        endings, self.now = self.endings(worker, how), self.now + 1
        latest, ended = [self.is_latest(ending.claimed) for ending in endings], self.now
        taken: list[Claim] = []
        recorded: list[Along] = []

        def fail(along: Along) -> None:
            assert not along.endings  # triggers had changed, and nothing was stored

        def take(claims: Sequence[Claim], along: Along) -> None:
            taken.extend(claims)
            recorded.append(along)

        hub = self.app.hub
        hub._offer = lambda most: Offer(
            worker=worker, room=min(room, most), endings=lambda: endings, take=take, fail=fail
        )
        try:
            published = self.app.events.publish(event_of(key))
        finally:
            hub._offer = lambda most: None
        is_new = key not in self.events
        self.note(key, published)
        expected = []
        if is_new and has_time:
            models = [(one, self.executions[one]) for one in published.executions]
            can_begin = [one for one, m in models if m.kind is None and m.action not in self.disabled]
            expected = can_begin[: min(room, len(models))]
        assert [claim.execution.id for claim in taken] == expected
        self.begin(worker, taken)
        if recorded and worker in self.registered:
            assert (recorded[0].endings, recorded[0].accepted) == (endings, tuple(latest))
            self.end_all(endings, latest, due=ended)
        else:
            assert not any(along.endings for along in recorded)
            self.claims += self.given_up

    def note(self, key: str, published: PublishedEvent) -> None:
        assert published.duplicate == (key in self.events)
        if published.duplicate:
            first = tuple(one for one in self.events[key].executions if one not in self.replayed)
            assert (published.id, published.executions) == (self.events[key].id, first)
        else:
            self.events[key] = published
            self.add(key, published.executions)

    @rule(key=keys)
    def replay(self, key: str) -> None:
        if key in self.events:
            before = self.events[key]
            again = self.app.events.replay(before.id).executions
            self.add(key, again)
            self.replayed.update(again)
            stored = self.app.events.get(before.id).get_metadata().executions
            assert stored == (*before.executions, *again)
            self.events[key] = PublishedEvent(id=before.id, executions=stored, duplicate=False)

    def add(self, key: str, execution_ids: tuple[UUID, ...]) -> None:
        """An acknowledged event has one execution for each trigger that is active and matches."""
        self.now += 1
        records = self.app.store.get_many(ExecutionRecord, execution_ids)
        stored = [records[one].action_name for one in execution_ids]
        matching = [
            action for action, vowels, active in self.triggers.values() if active and (not vowels or key in "ae")
        ]
        assert sorted(stored) == sorted(matching)
        for execution_id, action in zip(execution_ids, stored, strict=True):
            kind = action if action == "in turn" else None
            self.executions[execution_id] = Modelled(action, kind, self.now, is_held=self.must_wait(kind))

    # Turns

    def must_wait(self, kind: str | None) -> bool:
        return kind is not None and len(self.with_a_slot(kind)) >= SLOTS

    def with_a_slot(self, kind: str) -> list[Modelled]:
        return [m for m in self.executions.values() if m.kind == kind and not m.status.is_final and not m.is_held]

    def queue(self) -> list[UUID]:
        """What can be claimed, in the order in which it is."""
        pending = [one for one, m in self.executions.items() if m.status is PENDING and not m.is_held]
        return sorted(pending, key=lambda one: self.executions[one].due)

    def end(self, execution: Modelled, status: ExecutionStatus) -> None:
        execution.status = status
        if execution.kind is not None:
            held = [
                m for m in self.executions.values() if m.kind == execution.kind and m.status is PENDING and m.is_held
            ]
            for one in held[: max(0, SLOTS - len(self.with_a_slot(execution.kind)))]:
                one.is_held = False

    def end_attempt(
        self, execution: Modelled, status: ExecutionStatus, *, is_final: bool, due: int | None = None
    ) -> None:
        """An attempt is over; another follows, unless it is the last one or someone has cancelled the execution."""
        if not is_final and execution.is_to_be_cancelled:
            is_final, status = True, CANCELLED
        execution.attempts[-1] = status
        if is_final:
            self.end(execution, status)
        else:
            execution.status, execution.due = PENDING, self.now if due is None else due

    # Workers

    @rule(worker=names)
    def register(self, worker: str) -> None:
        if worker not in self.registered:
            now = datetime.now(UTC)
            self.app.store.register_worker(
                WorkerRecord(name=worker, host="here", process=1, lease=30.0, beat=0, started=now)
            )
            self.registered.add(worker)

    @rule(worker=names, how=st.lists(st.tuples(st.integers(0, 9), hows), max_size=6), limit=st.integers(0, 4))
    def exchange(self, worker: str, how: list[tuple[int, str]], limit: int) -> None:
        """Record how attempts ended, which others may have overtaken since, and claim more."""
        endings = self.endings(worker, how)
        if worker not in self.registered:
            try:
                self.app.store.exchange(worker, endings, limit=limit)
            except WorkerLostError:
                return
            raise AssertionError("a worker that is not known was heard")
        self.now += 1
        latest = [self.is_latest(ending.claimed) for ending in endings]
        exchange = self.app.store.exchange(worker, endings, limit=limit)
        assert exchange.accepted == tuple(latest)
        self.end_all(endings, latest, due=self.now)
        assert [claim.execution.id for claim in exchange.claims] == self.to_claim(worker, limit)
        self.begin(worker, exchange.claims)

    def end_all(self, endings: Sequence[Ending], latest: Sequence[bool], *, due: int) -> None:
        for ending, is_latest in zip(endings, latest, strict=True):
            if is_latest:
                execution, outcome = self.executions[ending.claimed.id], ending.outcome
                execution.allowance += outcome.is_returned
                self.end_attempt(execution, outcome.status, is_final=outcome.next_attempt is None, due=due)

    def to_claim(self, worker: str, limit: int) -> list[UUID]:
        """What a worker gets: what may be lost only once more, alone, and else what is due."""
        runs = [m for m in self.executions.values() if m.status is RUNNING and m.worker == worker]
        suspects = [one for one in self.queue() if self.executions[one].losses == MAX_LOSSES - 1]
        if any(m.losses == MAX_LOSSES - 1 for m in runs) or (suspects and runs):
            return []
        return (suspects[:1] or self.queue())[:limit]

    def endings(self, worker: str, how: Sequence[tuple[int, str]]) -> list[Ending]:
        """Endings of a worker's attempts, and of those that its process had under a name that it has lost."""
        endings, now, self.given_up = [], datetime.now(UTC), []
        for index, manner in how:
            mine = [one for one in self.claims if one.execution.worker == worker or not self.is_latest(one.execution)]
            if mine:
                claim = mine[index % len(mine)]
                self.claims.remove(claim)
                self.given_up.append(claim)
                endings.append(Ending(claimed=claim.execution, outcome=outcome_of(claim, manner, now)))
        return endings

    def is_latest(self, claimed: ExecutionRecord) -> bool:
        execution = self.executions.get(claimed.id)
        if execution is None or execution.status is not RUNNING:
            return False
        return (execution.worker, len(execution.attempts)) == (claimed.worker, claimed.attempt)

    def begin(self, worker: str, claims: Sequence[Claim]) -> None:
        for claim in claims:
            execution = self.executions[claim.execution.id]
            execution.begin(worker)
            assert (claim.execution.attempt, claim.execution.worker) == (len(execution.attempts), worker)
            assert claim.execution.allowance == execution.allowance
            assert (claim.obstacle is not None) == (execution.action in self.disabled)
            self.claims.append(claim)

    @rule(worker=names)
    def lose(self, worker: str) -> None:
        self.now += 1
        running = [m for m in self.executions.values() if m.status is RUNNING and m.worker == worker]
        assert self.app.store.remove_worker(worker, reason="it is gone") == len(running)
        self.registered.discard(worker)
        for execution in running:
            execution.losses += 1
            execution.allowance += execution.losses < MAX_LOSSES and not execution.is_to_be_cancelled
            self.end_attempt(execution, FAILED, is_final=execution.losses >= MAX_LOSSES)

    @rule(worker=names)
    def sleep(self, worker: str) -> None:
        """A worker is lost, and its process goes on: what it ran before may still end, beside what it claims now."""
        self.lose(worker)
        self.register(worker)
        self.exchange(worker, [], 4)

    # Operators

    @precondition(lambda self: self.executions)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        execution_id = data.draw(st.sampled_from(list(self.executions)))
        execution = self.executions[execution_id]
        try:
            self.app.executions.cancel(execution_id)
        except ConflictError:
            assert execution.status.is_final
            return
        assert not execution.status.is_final
        execution.is_to_be_cancelled = True
        if execution.status is PENDING:
            self.end(execution, CANCELLED)

    @precondition(lambda self: self.executions)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        execution_id = data.draw(st.sampled_from(list(self.executions)))
        status = self.executions[execution_id].status
        try:
            self.app.executions.retry(execution_id)
        except ConflictError:
            assert not status.is_final or status is SUCCEEDED
            return
        assert status in {FAILED, CANCELLED, SKIPPED}
        self.is_retried(execution_id)

    @rule(status=st.sampled_from([None, FAILED, CANCELLED, SUCCEEDED]))
    def retry_all(self, status: ExecutionStatus | None) -> None:
        wanted = {FAILED if status is None else status} - {SUCCEEDED}
        expected = {one for one, m in self.executions.items() if m.status in wanted}
        retried = self.app.executions.retry_all(TriggerExecutionFilter(status=status))
        assert {execution.id for execution in retried} == expected
        for execution in retried:
            self.is_retried(execution.id)

    def is_retried(self, execution_id: UUID) -> None:
        self.now += 1
        execution = self.executions[execution_id]
        execution.is_held = self.must_wait(execution.kind)
        execution.status, execution.is_to_be_cancelled, execution.losses = PENDING, False, 0
        execution.allowance, execution.due = len(execution.attempts) + MAX_ATTEMPTS, self.now

    @rule(keep_failed=st.booleans())
    def prune(self, *, keep_failed: bool) -> None:
        """Everything that has ended goes, and with it the events that have nothing left."""
        self.app.retention.prune(timedelta(0), keep_failed=keep_failed)
        kept = {FAILED} if keep_failed else set()
        self.executions = {one: m for one, m in self.executions.items() if not m.status.is_final or m.status in kept}
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
        """Also: what has ended stays as it is, attempts have no gaps, and nothing runs under two workers."""
        if not hasattr(self, "app"):
            return
        stored = self.app.store.get_many(ExecutionRecord, self.executions)
        attempts = self.app.store.attempts(list(self.executions))
        assert self.app.executions.list(TriggerExecutionFilter(max_size=1)).total == len(self.executions)
        for execution_id, model in self.executions.items():
            one, tried = stored[execution_id], attempts.get(execution_id, ())
            assert (one.status, one.attempt) == (model.status, len(model.attempts))
            assert [attempt.number for attempt in tried] == [*range(1, one.attempt + 1)]
            assert [attempt.status for attempt in tried] == model.attempts
            assert all((attempt.finished is None) == (attempt.status is None) for attempt in tried)
            assert one.status is not RUNNING or one.worker == tried[-1].worker == model.worker
            assert (one.finished is not None) == one.status.is_final

    @invariant()
    def no_more_than_allowed_run_of_a_kind(self) -> None:
        running = [m for m in self.executions.values() if m.kind is not None and m.status is RUNNING]
        assert len(running) <= SLOTS


def event_of(key: str) -> Event:
    """One of a few events, so that some are published again."""
    return Event(id=key, source="/model", type="vowel" if key in "ae" else "consonant")


def outcome_of(claim: Claim, how: str, now: datetime) -> Outcome:
    """What a worker records of an attempt that ended in some way."""
    if claim.obstacle is not None:
        return Outcome(status=SKIPPED, reason=claim.obstacle)
    if how == "succeed":
        return Outcome(status=SUCCEEDED, result=claim.execution.attempt)
    is_returned = how == "give back"
    is_over = how == "fail for good" or claim.execution.attempt >= claim.execution.allowance
    next_attempt = now if is_returned or not is_over else None
    return Outcome(status=FAILED, reason=how, next_attempt=next_attempt, is_returned=is_returned)


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
