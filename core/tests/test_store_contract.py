"""What a store promises, held against any store that claims it: a store of another kind runs these with its fixture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actium.errors import (
    AlreadyExistsError,
    ConflictError,
    InactiveAccountError,
    InUseError,
    InvalidInputError,
    InvalidQueryError,
    NotFoundError,
    NotReadyError,
    StoreClosedError,
    VersionConflictError,
)
from actium.models import ActionStatus, ExecutionStatus
from actium.models.page import Condition, LogicalOperator, Operator
from actium.stores import BaseStore, open_store
from actium.stores.base_store import Query, StaleTriggersError
from actium.stores.records import (
    AccountRecord,
    ActionRecord,
    Ending,
    EventDraft,
    EventRecord,
    ExecutionDraft,
    ExecutionRecord,
    Outcome,
    RecordedEvent,
    Reference,
    ResourceRecord,
    TokenRecord,
    TriggerRecord,
    WorkerRecord,
    action_of,
)

NOW = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
anything_in_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
with_store = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BaseStore]:
    store = open_store("sqlite://" if request.param == "memory" else f"sqlite:///{tmp_path / 'actium.db'}")
    yield store
    store.close()


def account_record(name: str = "robot", **fields: Any) -> AccountRecord:
    given_fields = {
        "id": uuid4(),
        "project": "default",
        "name": name,
        "description": "",
        "active": True,
        "version": 1,
        "created": NOW,
        "updated": NOW,
    }
    return AccountRecord(**{**given_fields, **fields})


def action_record(account: AccountRecord, name: str = "greet", **fields: Any) -> ActionRecord:
    given_fields = {
        "id": uuid4(),
        "project": "default",
        "name": name,
        "description": "",
        "plugin_subtype": "test",
        "flavor": "echo",
        "configuration": {},
        "service_account_id": account.id,
        "auth_window": 60,
        "labels": {},
        "enabled": True,
        "run_policy": {},
        "status": ActionStatus.READY,
        "version": 1,
        "revision": 0,
        "distribution": None,
        "distribution_version": None,
        "created": NOW,
        "updated": NOW,
    }
    return ActionRecord(**{**given_fields, **fields})


def trigger_record(action: ActionRecord, name: str = "on-data", **fields: Any) -> TriggerRecord:
    given_fields = {
        "id": uuid4(),
        "project": "default",
        "name": name,
        "description": "",
        "action_id": action.id,
        "filters": [],
        "match_all": True,
        "is_active": True,
        "version": 1,
        "created": NOW,
        "updated": NOW,
    }
    return TriggerRecord(**{**given_fields, **fields})


def event_record(event_id: str = "42", **fields: Any) -> EventRecord:
    given_fields = {
        "id": uuid4(),
        "project": "default",
        "event_id": event_id,
        "source": "/a",
        "type": "x.y",
        "subject": None,
        "time": NOW,
        "received": NOW,
        "attributes": {},
        "data": None,
    }
    return EventRecord(**{**given_fields, **fields})


def resource_record(name: str = "penguins", **fields: Any) -> ResourceRecord:
    given_fields = {
        "id": uuid4(),
        "project": "default",
        "type": "pipeline",
        "name": name,
        "body": {},
        "created": NOW,
        "updated": NOW,
    }
    return ResourceRecord(**{**given_fields, **fields})


@pytest.fixture
def account(store: BaseStore) -> AccountRecord:
    account = account_record()
    store.insert_account(account)
    return account


@pytest.fixture
def action(store: BaseStore, account: AccountRecord) -> ActionRecord:
    return store.insert_action(action_record(account), (), changed_by="ada")


def pending(store: BaseStore, action: ActionRecord) -> ExecutionRecord:
    return store.insert_execution(ExecutionDraft(id=uuid4(), action_id=action.id), project="default", event=None)


class TestAccounts:
    def test_are_kept_as_given(self, store: BaseStore, account: AccountRecord) -> None:
        """What is inserted is read again, field by field."""
        assert store.get(AccountRecord, account.id) == account

    def test_names_are_unique_in_a_project(self, store: BaseStore, account: AccountRecord) -> None:
        """A taken name is refused in its project and free in others."""
        with pytest.raises(AlreadyExistsError, match="'robot'"):
            store.insert_account(account_record())
        store.insert_account(account_record(project="elsewhere"))

    def test_an_update_needs_the_version(self, store: BaseStore, account: AccountRecord) -> None:
        """A change for an old version is refused, and the row stays."""
        changed = store.update_account(replace(account, description="new"), expected_version=1)
        assert (changed.version, changed.updated > NOW) == (2, True)
        with pytest.raises(VersionConflictError, match="version 2, not 1"):
            store.update_account(replace(account, description="newer"), expected_version=1)
        assert store.get(AccountRecord, account.id) == changed
        with pytest.raises(NotFoundError):
            store.update_account(account_record("nobody"), expected_version=1)

    def test_one_in_use_is_not_deleted(self, store: BaseStore, account: AccountRecord, action: ActionRecord) -> None:
        """An account that actions use is refused with their names; afterwards it goes, its tokens with it."""
        token = TokenRecord(digest="d", service_account_id=account.id, execution_id=None, created=NOW, expires=None)
        store.insert_token(token)
        with pytest.raises(InUseError, match="'greet'") as caught:
            store.delete_account(account.id)
        assert caught.value.users == ("greet",)
        store.remove_action(action.id, expected_version=1, changed_by="ada")
        store.delete_account(account.id)
        assert store.get_token("d") is None
        with pytest.raises(NotFoundError, match=str(account.id)):
            store.delete_account(account.id)


class TestActions:
    def test_a_ready_one_has_a_revision(self, store: BaseStore, action: ActionRecord) -> None:
        """An action that is stored ready gets version 1 and revision 1, which tells every field."""
        assert (action.version, action.revision) == (1, 1)
        revision = store.revision(action.id, 1)
        assert (revision.change, revision.changed_by, action_of(revision.fields)) == ("created", "ada", action)

    def test_one_being_created_has_none(self, store: BaseStore, account: AccountRecord) -> None:
        """An action that is stored creating gets its first revision when it becomes ready, and counts as created."""
        creating = store.insert_action(action_record(account, status=ActionStatus.CREATING), (), changed_by="ada")
        assert (creating.revision, store.revisions(creating.id)) == (0, ())
        ready = store.update_action(
            replace(creating, status=ActionStatus.READY), (), expected_version=1, changed_by="ada"
        )
        assert [(item.number, item.change) for item in store.revisions(ready.id)] == [(1, "created")]

    def test_its_account_must_be_there_and_active(self, store: BaseStore, account: AccountRecord) -> None:
        """An account that is missing, of another project, or inactive is refused, at first and when it is changed."""
        foreign, inactive = account_record("f", project="elsewhere"), account_record("i", active=False)
        store.insert_account(foreign)
        store.insert_account(inactive)
        stored = store.insert_action(action_record(account), (), changed_by="ada")
        for other, error in (
            (account_record(), NotFoundError),
            (foreign, NotFoundError),
            (inactive, InactiveAccountError),
        ):
            with pytest.raises(error):
                store.insert_action(action_record(other, "second"), (), changed_by="ada")
            with pytest.raises(error):
                store.update_action(
                    replace(stored, service_account_id=other.id), None, expected_version=1, changed_by="ada"
                )
        assert store.page(ActionRecord, Query()).total == 1

    def test_an_account_that_was_deactivated_does_not_block_other_changes(
        self, store: BaseStore, account: AccountRecord, action: ActionRecord
    ) -> None:
        """Renaming an action goes on working when its account is inactive."""
        store.update_account(replace(account, active=False), expected_version=1)
        renamed = store.update_action(replace(action, name="b"), None, expected_version=1, changed_by="ada")
        assert renamed.name == "b"

    def test_references_are_replaced_or_kept(self, store: BaseStore, account: AccountRecord) -> None:
        """References are stored with an action, replaced when given, kept when not, and answer who uses a resource."""
        one, two = (Reference(type="pipeline", id=uuid4(), name=name) for name in ("one", "two"))
        action = store.insert_action(action_record(account), [one], changed_by="ada")
        assert store.action_resources(action.id) == (one,)
        kept = store.update_action(action, None, expected_version=1, changed_by="ada")
        assert store.action_resources(action.id) == (one,)
        store.update_action(kept, [two], expected_version=2, changed_by="ada")
        assert store.action_resources(action.id) == (two,)
        assert store.actions_using("pipeline", one.id) == ()
        assert [user.name for user in store.actions_using("pipeline", two.id)] == ["greet"]

    def test_restoring_adds_no_revision(self, store: BaseStore, action: ActionRecord) -> None:
        """Putting an action back is the next version of the row, and no revision."""
        changed = store.update_action(
            replace(action, name="b", status=ActionStatus.UPDATING), None, expected_version=1, changed_by="ada"
        )
        restored = store.restore_action(action, expected_version=changed.version)
        assert (restored.name, restored.version, restored.revision) == ("greet", 3, 1)
        assert len(store.revisions(action.id)) == 1
        with pytest.raises(VersionConflictError):
            store.restore_action(action, expected_version=changed.version)

    def test_deleting_is_marked_first(self, store: BaseStore, action: ActionRecord) -> None:
        """An action in use is marked by cascade only; nothing new uses a marked one, and its triggers go with it."""
        store.insert_trigger(trigger_record(action))
        with pytest.raises(InUseError, match="'on-data'"):
            store.begin_delete(action.id, cascade=False)
        before, marked = store.begin_delete(action.id, cascade=True)
        assert before == action
        assert (marked.status, marked.version) == (ActionStatus.DELETING, 2)
        with pytest.raises(NotReadyError):
            store.insert_trigger(trigger_record(action, "second"))
        with pytest.raises(NotReadyError):
            pending(store, action)
        store.remove_action(action.id, expected_version=2, changed_by="ada", problem="by force")
        assert store.page(TriggerRecord, Query()).total == 0
        assert [(item.change, item.problem) for item in store.revisions(action.id)] == [
            ("created", None),
            ("deleted", "by force"),
        ]
        with pytest.raises(NotFoundError):
            store.begin_delete(action.id, cascade=True)
        with pytest.raises(NotFoundError):
            store.remove_action(action.id, expected_version=2, changed_by="ada")

    @pytest.mark.parametrize("status", [ActionStatus.CREATING, ActionStatus.UPDATING, ActionStatus.DELETING])
    def test_deleting_one_in_change_is_asked_for(
        self, store: BaseStore, action: ActionRecord, status: ActionStatus
    ) -> None:
        """An action in the middle of a change is marked only by who takes it over, which gives its row as it was."""
        changing = store.restore_action(replace(action, status=status), expected_version=1)
        with pytest.raises(NotReadyError, match=status.value):
            store.begin_delete(action.id, cascade=True)
        before, marked = store.begin_delete(action.id, cascade=True, take_over=True)
        assert before == changing
        assert (marked.status, marked.version) == (ActionStatus.DELETING, 3)

    def test_only_the_version_that_was_read_is_removed(self, store: BaseStore, action: ActionRecord) -> None:
        """An action that someone changed meanwhile stays, its triggers with it."""
        store.update_action(action, None, expected_version=1, changed_by="ada")
        store.insert_trigger(trigger_record(action))
        with pytest.raises(VersionConflictError, match="version 2, not 1"):
            store.remove_action(action.id, expected_version=1, changed_by="ada")
        assert (store.page(ActionRecord, Query()).total, store.page(TriggerRecord, Query()).total) == (1, 1)

    def test_remembers_who_provided_a_flavor(self, store: BaseStore, account: AccountRecord) -> None:
        """The distribution that last provided a flavor is known, also after its actions are gone."""
        assert store.provider_of("test", "echo") is None
        action = store.insert_action(
            action_record(account, distribution="actium-echo", distribution_version="1.2"), (), changed_by="ada"
        )
        store.remove_action(action.id, expected_version=1, changed_by="ada")
        assert store.provider_of("test", "echo") == ("actium-echo", "1.2")

    def test_an_unknown_revision_is_told(self, store: BaseStore, action: ActionRecord) -> None:
        """A revision that is not there is an error that names it."""
        with pytest.raises(NotFoundError, match="revision 9"):
            store.revision(action.id, 9)


class TestTriggers:
    def test_generations_tell_what_changed(self, store: BaseStore, action: ActionRecord) -> None:
        """Changes since a generation are the triggers as they are now, and those that are gone."""
        assert store.trigger_changes(0).changed == ()
        one, two = trigger_record(action, "one"), trigger_record(action, "two")
        store.insert_trigger(one)
        store.insert_trigger(two)
        first = store.trigger_changes(0)
        assert (set(map(str, (item.id for item in first.changed))), first.removed) == ({str(one.id), str(two.id)}, ())
        assert store.trigger_generation() == first.generation
        changed = store.update_trigger(replace(one, is_active=False), expected_version=1)
        store.delete_trigger(two.id)
        since = store.trigger_changes(first.generation)
        assert (since.changed, since.removed) == ((changed,), (two.id,))
        assert store.trigger_changes(since.generation).generation == since.generation > first.generation

    def test_refusals(self, store: BaseStore, action: ActionRecord) -> None:
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


def record(
    store: BaseStore, event: EventRecord, drafts: Sequence[ExecutionDraft] = (), generation: int = 0
) -> RecordedEvent:
    """Record one event."""
    return store.record_events([EventDraft(event=event, executions=drafts, generation=generation)])[0]


def work_as(store: BaseStore, name: str = "w", **fields: Any) -> str:
    """Register a worker."""
    given_fields = {"name": name, "host": "h", "process": 1, "lease": 30.0, "beat": 0, "started": NOW}
    store.register_worker(WorkerRecord(**{**given_fields, **fields}))
    return name


def claim(store: BaseStore, worker: str = "w", execution_id: UUID | None = None) -> ExecutionRecord | None:
    """Claim one execution."""
    claims = store.exchange(worker, limit=1, execution_id=execution_id).claims
    return claims[0].execution if claims else None


def finish(store: BaseStore, claimed: ExecutionRecord, outcome: Outcome) -> bool:
    """Tell how an attempt ended; whether it was accepted."""
    (is_accepted,) = store.exchange(claimed.worker or "w", [Ending(claimed=claimed, outcome=outcome)], limit=0).accepted
    return is_accepted


class TestEventsAndExecutions:
    def test_are_stored_together_once(self, store: BaseStore, action: ActionRecord) -> None:
        """An event and its executions are stored once; again gives the first ids."""
        drafts = [ExecutionDraft(id=uuid4(), action_id=action.id) for _ in range(2)]
        event = event_record()
        recorded = record(store, event, drafts)
        assert (recorded.id, recorded.execution_ids) == (event.id, tuple(draft.id for draft in drafts))
        again = record(store, event_record(), drafts, generation=99)
        assert (again.id, again.execution_ids, again.duplicate) == (event.id, recorded.execution_ids, True)
        assert store.executions_of_event(event.id) == recorded.execution_ids

    def test_a_stale_generation_stores_nothing(self, store: BaseStore, action: ActionRecord) -> None:
        """An event that was matched with outdated triggers is refused, and nothing of it is there."""
        store.insert_trigger(trigger_record(action))
        with pytest.raises(StaleTriggersError):
            record(store, event_record(), [ExecutionDraft(id=uuid4(), action_id=action.id)])
        assert store.page(EventRecord, Query(sort_by="received")).total == 0
        assert store.page(ExecutionRecord, Query()).total == 0

    def test_a_problem_is_a_failed_execution(self, store: BaseStore, action: ActionRecord) -> None:
        """A draft with a problem is failed from the start, with that reason."""
        draft = ExecutionDraft(id=uuid4(), action_id=action.id, problem="its filter raised")
        record(store, event_record(), [draft])
        stored = store.get(ExecutionRecord, draft.id)
        assert (stored.status, stored.reason, stored.finished is not None) == (
            ExecutionStatus.FAILED,
            "its filter raised",
            True,
        )
        assert claim(store, work_as(store)) is None

    def test_are_claimed_oldest_first(self, store: BaseStore, action: ActionRecord) -> None:
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

    def test_finishing_records_the_outcome_once(self, store: BaseStore, action: ActionRecord) -> None:
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

    def test_cancelling(self, store: BaseStore, action: ActionRecord) -> None:
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

    def test_progress_is_kept_while_running_only(self, store: BaseStore, action: ActionRecord) -> None:
        """Progress replaces what was known, and is ignored once the execution has ended."""
        execution = pending(store, action)
        store.record_progress(execution.id, [{"name": "early"}])
        claimed = claim(store, work_as(store))
        assert claimed is not None
        store.record_progress(execution.id, [{"name": "a"}])
        store.record_progress(execution.id, [{"name": "b"}])
        assert finish(store, claimed, Outcome(status=ExecutionStatus.SUCCEEDED))
        store.record_progress(execution.id, [{"name": "late"}])
        assert store.get(ExecutionRecord, execution.id).progress == [{"name": "b"}]

    def test_by_hand(self, store: BaseStore, account: AccountRecord, action: ActionRecord) -> None:
        """An execution by hand needs a usable action of the project, and reuses a known event."""
        creating = store.insert_action(
            action_record(account, "half", status=ActionStatus.CREATING), (), changed_by="ada"
        )
        with pytest.raises(NotReadyError, match="creating"):
            pending(store, creating)
        with pytest.raises(NotFoundError):
            store.insert_execution(ExecutionDraft(id=uuid4(), action_id=action.id), project="other", event=None)
        event = event_record()
        record(store, event)
        execution = store.insert_execution(
            ExecutionDraft(id=uuid4(), action_id=action.id), project="default", event=event_record()
        )
        assert (execution.event_id, execution.action_revision, execution.action_name) == (event.id, 1, "greet")

    @with_store
    @given(data=anything_in_json, result=anything_in_json, subject=st.none() | st.text("aü€😀 '\"\\%_", min_size=1))
    def test_hold_whatever_json_can(self, store: BaseStore, data: Any, result: Any, subject: str | None) -> None:
        """Payloads, results and texts come back as they were, whatever they hold."""
        account = account_record(str(uuid4()))
        store.insert_account(account)
        action = store.insert_action(action_record(account, str(uuid4())), (), changed_by="ada")
        event = event_record(str(uuid4()), data=data, subject=subject, attributes={"data": data})
        draft = ExecutionDraft(id=uuid4(), action_id=action.id)
        record(store, event, [draft], store.trigger_generation())
        claimed = claim(store, work_as(store, str(uuid4())), execution_id=draft.id)
        assert claimed is not None
        assert finish(store, claimed, Outcome(status=ExecutionStatus.SUCCEEDED, result=result))
        assert store.get(ExecutionRecord, draft.id).result == result
        assert store.get(EventRecord, event.id) == event


class TestTokens:
    def test_are_known_by_their_hash_and_revoked(self, store: BaseStore, account: AccountRecord) -> None:
        """Tokens are found by hash; revoking counts those that were still valid."""
        execution_id = uuid4()

        def token(digest: str, expires: datetime | None = None) -> TokenRecord:
            return TokenRecord(
                digest=digest,
                service_account_id=account.id,
                execution_id=execution_id,
                created=NOW,
                expires=expires,
            )

        for item in (token("a"), token("b"), token("c", NOW - timedelta(hours=1))):
            store.insert_token(item)
        assert store.get_token("a") == token("a")
        assert store.revoke_tokens(when=NOW, digest="a") == 1
        assert store.revoke_tokens(when=NOW, execution_id=execution_id, service_account_id=account.id) == 1
        assert store.get_token("a") == replace(token("a"), revoked=NOW)
        with pytest.raises(InvalidInputError, match="which tokens"):
            store.revoke_tokens(when=NOW)


class TestResources:
    def test_are_kept_changed_and_deleted(self, store: BaseStore, account: AccountRecord) -> None:
        """A plugin's resources have names of their own for each type; one in use is not deleted."""
        resource = resource_record()
        store.insert_resource(resource)
        store.insert_resource(resource_record(type="snapshot"))
        with pytest.raises(AlreadyExistsError, match="'penguins'"):
            store.insert_resource(resource_record())
        changed = store.update_resource(replace(resource, body={"a": [1]}))
        assert store.get(ResourceRecord, resource.id) == changed
        assert changed.version == 2
        with pytest.raises(VersionConflictError):
            store.update_resource(resource, expected_version=1)
        used = Reference(type="pipeline", id=resource.id, name="penguins")
        action = store.insert_action(action_record(account), [used], changed_by="ada")
        with pytest.raises(InUseError, match="'greet'"):
            store.delete_resource(resource.id)
        store.remove_action(action.id, expected_version=1, changed_by="ada")
        store.delete_resource(resource.id)
        with pytest.raises(NotFoundError):
            store.delete_resource(resource.id)

    def test_settings(self, store: BaseStore) -> None:
        """Settings hold any JSON, and None before they are set."""
        assert store.get_setting("hooks") is None
        store.put_setting("hooks", ["otel"])
        store.put_setting("hooks", ["otel", "audit"])
        assert store.get_setting("hooks") == ["otel", "audit"]


class TestFinding:
    def test_exact_wins_over_beginnings(self, store: BaseStore) -> None:
        """An exact id wins over an exact name, that over beginnings; at most 20 are told."""
        accounts = [account_record(name) for name in ("a", "ab", *(f"x{number}" for number in range(30)))]
        for account in accounts:
            store.insert_account(account)

        def found(reference: str) -> list[str]:
            return [item.name for item in store.find(AccountRecord, "default", reference)]

        assert (found("a"), found("ab"), found(str(accounts[0].id))) == (["a"], ["ab"], ["a"])
        assert len(found("x")) == 20
        assert (found(str(accounts[0].id)[:3]), found(str(accounts[0].id)[:4])) == ([], ["a"])
        assert store.find(AccountRecord, "elsewhere", "a") == ()

    @with_store
    @given(
        names=st.lists(st.text("ab%_'", min_size=1, max_size=4), unique=True, max_size=8),
        reference=st.text("ab%_'", min_size=1, max_size=3),
    )
    def test_names_are_taken_literally(self, store: BaseStore, names: list[str], reference: str) -> None:
        """Percent signs, underscores and quotes in names and references mean themselves."""
        project = str(uuid4())
        for name in names:
            # Ids are hexadecimal: these begin with what no reference here can be.
            store.insert_account(account_record(name, project=project, id=UUID(f"f{uuid4().hex[1:]}")))
        found = {item.name for item in store.find(AccountRecord, project, reference)}
        exact = {name for name in names if name == reference}
        assert found == (exact or {name for name in names if name.startswith(reference)})


values = st.sampled_from(["", "a", "A", "ab", "ba", "%", "_", "b%"])
conditions = st.one_of(
    st.builds(
        Condition,
        st.just("name"),
        st.sampled_from([operator for operator in Operator if operator is not Operator.ONEOF]),
        values,
    ),
    st.builds(Condition, st.just("name"), st.just(Operator.ONEOF), st.lists(values, max_size=3).map(tuple)),
    st.builds(
        Condition, st.just("type"), st.sampled_from([Operator.EQUALS, Operator.NOTEQUALS]), st.sampled_from(["p", "q"])
    ),
)
COMPARE = {
    Operator.EQUALS: lambda value, wanted: value == wanted,
    Operator.NOTEQUALS: lambda value, wanted: value != wanted,
    Operator.CONTAINS: lambda value, wanted: wanted in value,
    Operator.STARTSWITH: lambda value, wanted: value.startswith(wanted),
    Operator.ENDSWITH: lambda value, wanted: value.endswith(wanted),
    Operator.ONEOF: lambda value, wanted: value in wanted,
    Operator.GT: lambda value, wanted: value > wanted,
    Operator.GTE: lambda value, wanted: value >= wanted,
    Operator.LT: lambda value, wanted: value < wanted,
    Operator.LTE: lambda value, wanted: value <= wanted,
}


class TestPages:
    @with_store
    @given(
        rows=st.lists(st.tuples(st.sampled_from(["p", "q"]), values.filter(bool)), unique=True, max_size=10),
        asked=st.lists(conditions, max_size=3),
        combine=st.sampled_from(LogicalOperator),
        sort_by=st.sampled_from(["name", "type", "created"]),
        descending=st.booleans(),
        index=st.integers(1, 3),
        max_size=st.integers(1, 4),
    )
    def test_are_what_plain_python_would_give(
        self,
        store: BaseStore,
        rows: list[tuple[str, str]],
        asked: list[Condition],
        combine: LogicalOperator,
        sort_by: str,
        descending: bool,
        index: int,
        max_size: int,
    ) -> None:
        """Conditions, their combination, order and cut equal those of plain Python over the same rows."""
        project = str(uuid4())
        records = [
            resource_record(name, type=kind, project=project, created=NOW + timedelta(seconds=position // 2))
            for position, (kind, name) in enumerate(rows)
        ]
        for record in records:
            store.insert_resource(record)
        store.insert_resource(resource_record(str(uuid4()), project=str(uuid4())))
        every = all if combine is LogicalOperator.AND else any

        def fits(record: ResourceRecord) -> bool:
            return not asked or every(
                COMPARE[item.operator](getattr(record, item.column), item.value) for item in asked
            )

        expected = list(filter(fits, records))
        if descending:
            expected.reverse()
        expected.sort(key=lambda record: getattr(record, sort_by), reverse=descending)
        page = store.page(
            ResourceRecord,
            Query(
                project=project,
                conditions=tuple(asked),
                combine=combine,
                sort_by=sort_by,
                descending=descending,
                index=index,
                max_size=max_size,
            ),
        )
        assert page.total == len(expected)
        assert list(page.records) == expected[(index - 1) * max_size : index * max_size]

    def test_an_unknown_column_is_refused(self, store: BaseStore) -> None:
        """A column that is not there never reaches the database."""
        with pytest.raises(InvalidQueryError, match="'name; DROP TABLE'"):
            store.page(ResourceRecord, Query(sort_by="name; DROP TABLE"))

    def test_conditions_on_other_types(self, store: BaseStore, account: AccountRecord) -> None:
        """Times, truth values and ids are compared as what they are."""
        store.insert_account(account_record("late", active=False, created=NOW + timedelta(days=1)))

        def names(*asked: Condition) -> list[str]:
            return [record.name for record in store.page(AccountRecord, Query(conditions=asked)).records]

        assert names(Condition("created", Operator.GT, NOW)) == ["late"]
        assert names(Condition("active", Operator.EQUALS, True)) == ["robot"]
        assert names(Condition("id", Operator.ONEOF, (account.id,))) == ["robot"]
        assert names(Condition("id", Operator.STARTSWITH, str(account.id)[:8])) == ["robot"]


def test_a_closed_store_says_so(store: BaseStore) -> None:
    """Every use after close raises StoreClosedError; closing again is harmless."""
    store.close()
    store.close()
    uses = [
        lambda: store.get(AccountRecord, uuid4()),
        lambda: store.page(AccountRecord, Query()),
        lambda: store.insert_account(account_record()),
        lambda: store.exchange("w", limit=1),
        store.check,
    ]
    for use in uses:
        with pytest.raises(StoreClosedError, match="was closed"):
            use()


def test_a_sound_store_has_no_problems(store: BaseStore, action: ActionRecord) -> None:
    """The self-check of a sound store finds nothing."""
    assert store.check() == ()
