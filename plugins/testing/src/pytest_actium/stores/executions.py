"""Rules of triggers, events and executions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actium.errors import (
    AlreadyExistsError,
    ConflictError,
    NotFoundError,
    NotReadyError,
    VersionConflictError,
)
from actium.models import ActionStatus, ExecutionStatus
from actium.models.attributes import ORIGIN_ATTRIBUTES
from actium.stores.base_store import BaseStore, Query, StaleTriggersError
from actium.stores.claims import Along, Ending, Outcome
from actium.stores.publications import EventDraft, ExecutionDraft
from actium.stores.records import AccountRecord, ActionRecord, EventRecord, ExecutionRecord
from actium.stores.steps import MAX_STEP_CHARACTERS, MAX_STEPS, bounded
from pytest_actium.stores.subject import (
    StoreSubject,
    account_record,
    action_record,
    claim,
    event_record,
    finish,
    pending,
    record,
    trigger_record,
    with_store,
    work_as,
)

anything_in_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


class TriggerRules(StoreSubject):
    """What becomes of triggers."""

    def test_triggers_generations_tell_what_changed(self, store: BaseStore, action: ActionRecord) -> None:
        """Changes since a generation are the triggers as they are now, and those that are gone."""
        assert store.trigger_changes(0).changed == ()
        one, two = trigger_record(action, "one"), trigger_record(action, "two")
        store.insert_trigger(one)
        store.insert_trigger(two)
        untouched = trigger_record(action, "untouched")
        store.insert_trigger(untouched)
        first = store.trigger_changes(0)
        assert (set(map(str, (item.id for item in first.changed))), first.removed) == (
            {str(one.id), str(two.id), str(untouched.id)},
            (),
        )
        assert store.trigger_generation() == first.generation
        changed = store.update_trigger(replace(one, is_active=False), expected_version=1)
        store.delete_trigger(two.id)
        since = store.trigger_changes(first.generation)
        assert (since.changed, since.removed) == ((changed,), (two.id,))
        assert store.trigger_changes(since.generation).generation == since.generation > first.generation

    def test_triggers_who_follows_them_misses_none(self, store: BaseStore, action: ActionRecord) -> None:
        """Who asks again and again for what is new has seen all that others stored meanwhile: each is told once."""
        triggers = [trigger_record(action, f"number {number}") for number in range(100)]
        seen: list[UUID] = []
        generation, is_over = 0, False
        with ThreadPoolExecutor(1) as thread:
            stored = thread.submit(lambda: [store.insert_trigger(each) for each in triggers])
            while not is_over:
                is_over = stored.done()  # before it is asked: what comes after that is seen
                changes = store.trigger_changes(generation)
                generation = changes.generation
                seen += [each.id for each in changes.changed]
        assert stored.exception() is None
        assert seen == [each.id for each in triggers]

    def test_triggers_refusals(self, store: BaseStore, action: ActionRecord) -> None:
        """A taken name, an old version, a missing trigger and a missing action are refused."""
        trigger = trigger_record(action)
        store.insert_trigger(trigger)
        with pytest.raises(AlreadyExistsError):
            store.insert_trigger(trigger_record(action))
        with pytest.raises(VersionConflictError):
            store.update_trigger(trigger, expected_version=7)
        with pytest.raises(NotFoundError):
            store.delete_trigger(uuid4())
        with pytest.raises(NotFoundError):
            store.insert_trigger(trigger_record(replace(action, id=uuid4()), "other"))


class ExecutionRules(StoreSubject):
    """What becomes of events and executions."""

    def test_executions_are_stored_together_once(self, store: BaseStore, action: ActionRecord) -> None:
        """An event and its executions are stored once; again gives the first ids."""
        drafts, ids = [ExecutionDraft(action.id)] * 2, (uuid4(), uuid4())
        event = event_record()
        recorded = record(store, event, drafts, ids=ids)
        assert (recorded.id, recorded.execution_ids) == (event.id, ids)
        again = record(store, event_record(), drafts, generation=99)
        assert (again.id, again.execution_ids, again.duplicate) == (event.id, recorded.execution_ids, True)
        assert store.executions_of_event(event.id) == recorded.execution_ids

    def test_executions_an_event_that_was_only_given_is_not_known(self, store: BaseStore, action: ActionRecord) -> None:
        """One that was stored with an execution by hand gets its own when it is first published, and only then."""
        given, ids = event_record(), (uuid4(), uuid4())
        by_hand = store.insert_execution(uuid4(), action.id, project=given.project, event=given)
        published = record(store, event_record(), [ExecutionDraft(action.id)] * 2, ids=ids)
        assert (published.id, published.duplicate) == (given.id, False)
        assert published.execution_ids == ids
        again = record(store, event_record(), [ExecutionDraft(action.id)])
        assert (again.id, again.execution_ids, again.duplicate) == (given.id, published.execution_ids, True)
        assert set(store.executions_of_event(given.id)) == {by_hand.id, *published.execution_ids}
        assert store.page(EventRecord, Query(sort_by="received")).total == 1

    def test_executions_what_is_published_takes_the_place_of_what_was_given(
        self, store: BaseStore, action: ActionRecord
    ) -> None:
        """Triggers were matched with that, and a worker that begins at once gets that; unless they have changed."""
        given = event_record()
        store.insert_execution(uuid4(), action.id, project=given.project, event=given)
        (by_hand,) = store.exchange(work_as(store), [], limit=1).claims
        event = event_record(type="x.z", subject="s", attributes={"a": "1"}, data={"b": 2})
        draft = EventDraft(event, [ExecutionDraft(action.id)], (uuid4(),), store.trigger_generation())
        with pytest.raises(StaleTriggersError):
            store.record_events([draft._replace(generation=draft.generation + 1)])
        kept = store.get(EventRecord, given.id)
        assert kept == by_hand.event
        recorded = store.record_events([draft, draft], worker="w", limit=2)
        assert [(one.id, one.duplicate) for one in recorded.events] == [(given.id, False), (given.id, True)]
        stored = store.get(EventRecord, given.id)
        assert stored == draft.event._replace(id=given.id, received=stored.received)
        assert stored.received >= kept.received
        claims = [*recorded.claims] or store.exchange("w", [], limit=1).claims
        assert [claim.event for claim in claims] == [stored]

    def test_executions_a_stale_generation_stores_nothing(self, store: BaseStore, action: ActionRecord) -> None:
        """An event that was matched with outdated triggers is refused, and nothing of it is there."""
        store.insert_trigger(trigger_record(action))
        with pytest.raises(StaleTriggersError):
            record(store, event_record(), [ExecutionDraft(action.id)])
        assert store.page(EventRecord, Query(sort_by="received")).total == 0
        assert store.page(ExecutionRecord, Query()).total == 0

    def test_executions_a_problem_is_a_failed_execution(self, store: BaseStore, action: ActionRecord) -> None:
        """A draft with a problem is failed from the start, with that reason."""
        (failed,) = record(
            store, event_record(), [ExecutionDraft(action.id, problem="its filter raised")]
        ).execution_ids
        stored = store.get(ExecutionRecord, failed)
        assert (stored.status, stored.reason, stored.finished is not None) == (
            ExecutionStatus.FAILED,
            "its filter raised",
            True,
        )
        assert claim(store, work_as(store)) is None

    def test_executions_are_claimed_oldest_first(self, store: BaseStore, action: ActionRecord) -> None:
        """Claiming takes the oldest pending execution, or the named one, and begins its attempt."""
        first, second, third = (pending(store, action) for _ in range(3))
        work_as(store)
        named = claim(store, execution_id=third.id)
        assert named is not None
        assert (named.id, named.status, named.attempt) == (third.id, ExecutionStatus.RUNNING, 1)
        assert claim(store, execution_id=third.id) is None
        claimed = [claim(store) for _ in range(3)]
        assert [item and item.id for item in claimed] == [first.id, second.id, None]
        assert [(item.number, item.worker, item.status) for item in store.attempts([first.id])[first.id]] == [
            (1, "w", None)
        ]

    def test_executions_finishing_records_the_outcome_once(self, store: BaseStore, action: ActionRecord) -> None:
        """An outcome is recorded for the running attempt only; any other is refused and changes nothing."""
        execution = pending(store, action)
        outcome = Outcome(status=ExecutionStatus.FAILED, reason="why", result=[1], error={"type": "E", "message": "m"})
        work_as(store)
        assert not finish(store, execution, outcome)
        claimed = claim(store)
        assert claimed is not None
        assert not finish(store, claimed._replace(attempt=2), outcome)
        assert store.get(ExecutionRecord, execution.id) == claimed
        assert finish(store, claimed, outcome)
        finished = store.get(ExecutionRecord, execution.id)
        assert (finished.status, finished.reason, finished.result, finished.error) == (
            outcome.status,
            "why",
            [1],
            {"type": "E", "message": "m"},
        )
        (attempt,) = store.attempts([execution.id])[execution.id]
        assert (attempt.status, attempt.error, attempt.finished) == (
            outcome.status,
            outcome.error,
            finished.finished,
        )
        assert not finish(store, claimed, outcome)
        assert not finish(store, claimed._replace(id=uuid4()), outcome)

    def test_executions_are_ended_along_with_new_events(self, store: BaseStore, action: ActionRecord) -> None:
        """What a worker has ended is recorded with an event, or left to `BaseStore.exchange`; never half."""
        waiting, overtaken = pending(store, action), pending(store, action)
        work_as(store)
        first, second = claim(store), claim(store)
        assert first is not None
        assert second is not None
        endings = [
            Ending(claimed=first, outcome=Outcome(status=ExecutionStatus.SUCCEEDED, result=[1])),
            Ending(claimed=second._replace(attempt=2), outcome=Outcome(status=ExecutionStatus.SUCCEEDED)),
        ]
        along, unknown = Along(lambda: endings), Along(lambda: endings)
        store.record_events([EventDraft(event_record("1"), (), (), 0)], worker="another", along=unknown)
        assert not unknown.endings
        store.record_events([EventDraft(event_record("2"), (), (), 0)], worker="w", along=along)
        if along.endings:
            assert (list(along.endings), along.accepted) == (endings, (True, False))
            assert store.get(ExecutionRecord, waiting.id).result == [1]
        else:
            assert store.get(ExecutionRecord, waiting.id) == first
        assert store.get(ExecutionRecord, overtaken.id) == second

    def test_executions_cancelling(self, store: BaseStore, action: ActionRecord) -> None:
        """A pending execution is cancelled at once, a running one is marked, an ended one refused."""
        waiting, running = pending(store, action), pending(store, action)
        assert store.request_cancel(waiting.id).status is ExecutionStatus.CANCELLED
        claim(store, work_as(store))
        assert not store.cancel_requested(running.id)
        assert store.request_cancel(running.id).status is ExecutionStatus.RUNNING
        assert store.cancel_requested(running.id)
        with pytest.raises(ConflictError):
            store.request_cancel(waiting.id)
        assert not store.cancel_requested(uuid4())

    def test_executions_of_another_start_are_as_new(
        self, store: BaseStore, account: AccountRecord, action: ActionRecord
    ) -> None:
        """A retry has all attempts, losses and time before it, is not cancelled, and keeps its account."""
        policy = {"max_attempts": 2, "deadline": 3_600}
        action = store.update_action(
            replace(action, run_policy=policy), None, expected_version=action.version, changed_by="ada"
        )
        execution = pending(store, action)
        assert execution.expires == execution.created + timedelta(hours=1)
        for worker in ("first", "second"):
            assert claim(store, work_as(store, worker)) is not None
            store.remove_worker(worker, reason="it is gone")
        claimed = claim(store, work_as(store))
        assert claimed is not None
        assert claimed.losses == 2
        store.request_cancel(execution.id)
        assert finish(store, claimed, Outcome(status=ExecutionStatus.CANCELLED, reason="as asked"))
        other = account_record("other")
        store.insert_account(other)
        store.update_action(
            replace(action, service_account_id=other.id), None, expected_version=action.version, changed_by="ada"
        )
        again = store.retry_execution(execution.id, latest=False)
        assert (again.status, again.allowance - again.attempt, again.losses) == (ExecutionStatus.PENDING, 2, 0)
        assert (again.cancel_requested, again.expires, again.finished) == (False, None, None)
        assert again.service_account_id == account.id
        for worker in ("third", "fourth"):
            assert claim(store, work_as(store, worker)) is not None
            assert not store.cancel_requested(execution.id)
            store.remove_worker(worker, reason="it is gone")
        assert store.get(ExecutionRecord, execution.id).status is ExecutionStatus.PENDING
        store.request_cancel(execution.id)
        assert store.retry_execution(execution.id, latest=True).service_account_id == other.id

    def test_executions_that_take_the_place_of_others(self, store: BaseStore, account: AccountRecord) -> None:
        """With ``restart`` what has not begun is cancelled at once, what runs is asked to end, and the newest waits."""
        policy = {"concurrency": {"mode": "restart"}}
        action = store.insert_action(action_record(account, "newest", run_policy=policy), (), changed_by="ada")
        first, second = pending(store, action), pending(store, action)
        replaced = store.get(ExecutionRecord, first.id)
        assert (replaced.status, replaced.finished is not None) == (ExecutionStatus.CANCELLED, True)
        assert "newer" in str(replaced.reason)
        claimed = claim(store, work_as(store))
        assert claimed is not None
        assert claimed.id == second.id
        third, fourth = pending(store, action), pending(store, action)
        assert store.cancel_requested(second.id)
        assert claim(store) is None
        assert store.get(ExecutionRecord, third.id).status is ExecutionStatus.CANCELLED
        assert finish(store, claimed, Outcome(status=ExecutionStatus.CANCELLED, reason="as asked"))
        newest = claim(store)
        assert newest is not None
        assert newest.id == fourth.id

    def test_executions_progress_is_kept_while_running_only(self, store: BaseStore, action: ActionRecord) -> None:
        """Progress replaces what was known, and is ignored once the execution has ended."""
        execution = pending(store, action)
        store.record_progress(execution.id, [{"name": "early"}])
        claimed = claim(store, work_as(store))
        assert claimed is not None
        store.record_progress(execution.id, [{"name": "a"}])
        store.record_progress(execution.id, [{"name": "b"}], attempt=1)
        store.record_progress(execution.id, [{"name": "of another attempt"}], attempt=2)
        assert finish(store, claimed, Outcome(status=ExecutionStatus.SUCCEEDED))
        store.record_progress(execution.id, [{"name": "late"}])
        assert store.get(ExecutionRecord, execution.id).progress == [{"name": "b"}]

    def test_executions_progress_is_bounded(self, store: BaseStore, action: ActionRecord) -> None:
        """Of too many steps the first and the last are kept, of too long texts beginning and end; each says so."""
        execution = pending(store, action)
        assert claim(store, work_as(store)) is not None
        long = f"begin{'x' * 10_000_000}end"
        steps = [{"name": str(number), "status": "running", "seconds": 0.5, "error": None} for number in range(5_000)]
        store.record_progress(execution.id, [steps[0] | {"error": long}, *steps[1:]])
        kept = store.get(ExecutionRecord, execution.id).progress
        assert kept == bounded([steps[0] | {"error": long}, *steps[1:]])
        assert (len(kept), kept[-1]) == (MAX_STEPS, steps[-1])
        assert "4,001 steps left out" in kept[MAX_STEPS // 2]["name"]
        assert len(kept[0]["error"]) < MAX_STEP_CHARACTERS + 100
        assert (kept[0]["error"][:5], kept[0]["error"][-3:]) == ("begin", "end")
        just_enough = [steps[0] | {"error": "x" * MAX_STEP_CHARACTERS}, *steps[1:MAX_STEPS]]
        store.record_progress(execution.id, just_enough)
        assert store.get(ExecutionRecord, execution.id).progress == just_enough

    def test_executions_by_hand(self, store: BaseStore, account: AccountRecord, action: ActionRecord) -> None:
        """An execution by hand needs a usable action of the project, and reuses a known event."""
        creating = store.insert_action(
            action_record(account, "half", status=ActionStatus.CREATING), (), changed_by="ada"
        )
        with pytest.raises(NotReadyError, match="creating"):
            pending(store, creating)
        with pytest.raises(NotFoundError):
            store.insert_execution(uuid4(), action.id, project="other", event=None)
        event = event_record()
        record(store, event)
        execution = store.insert_execution(uuid4(), action.id, project="default", event=event_record())
        assert (execution.event_id, execution.action_revision, execution.action_name) == (event.id, 1, "greet")

    def test_executions_by_hand_know_an_event_by_what_it_says(self, store: BaseStore, action: ActionRecord) -> None:
        """One that says something else than is known is refused; how it came about is not part of what it says."""
        one_way, another = (dict.fromkeys(ORIGIN_ATTRIBUTES, way) for way in ("one way", "another"))
        event = event_record(subject="s", attributes={"a": "1", **one_way}, data={"b": 2})
        record(store, event)
        others = {"type": "x.z"}, {"subject": None}, {"data": {"b": 3}}, {"attributes": {"a": "2", **one_way}}
        for other in others:
            with pytest.raises(ConflictError):
                store.insert_execution(uuid4(), action.id, project="default", event=event._replace(id=uuid4(), **other))
        for origin in ({}, another):
            again = event._replace(id=uuid4(), attributes={"a": "1", **origin})
            assert store.insert_execution(uuid4(), action.id, project="default", event=again).event_id == event.id
        assert store.get(EventRecord, event.id).attributes == event.attributes

    @with_store
    @given(data=anything_in_json, result=anything_in_json, subject=st.none() | st.text("aü€😀 '\"\\%_", min_size=1))
    def test_executions_hold_whatever_json_can(
        self, store: BaseStore, data: Any, result: Any, subject: str | None
    ) -> None:
        """Payloads, results and texts come back as they were, whatever they hold."""
        account = account_record(str(uuid4()))
        store.insert_account(account)
        action = store.insert_action(action_record(account, str(uuid4())), (), changed_by="ada")
        event = event_record(str(uuid4()), data=data, subject=subject, attributes={"data": data})
        recorded = record(store, event, [ExecutionDraft(action.id)], generation=store.trigger_generation())
        (execution_id,) = recorded.execution_ids
        claimed = claim(store, work_as(store, str(uuid4())), execution_id=execution_id)
        assert claimed is not None
        assert finish(store, claimed, Outcome(status=ExecutionStatus.SUCCEEDED, result=result))
        assert store.get(ExecutionRecord, execution_id).result == result
        assert store.get(EventRecord, event.id)._replace(received=event.received) == event
