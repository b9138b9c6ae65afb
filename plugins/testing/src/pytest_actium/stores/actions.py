"""Rules of accounts and actions."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from actium.errors import (
    AlreadyExistsError,
    InactiveAccountError,
    InUseError,
    NotFoundError,
    NotReadyError,
    VersionConflictError,
)
from actium.models import ActionStatus
from actium.stores.base_store import BaseStore, Query
from actium.stores.records import (
    AccountRecord,
    ActionRecord,
    Reference,
    TokenRecord,
    TriggerRecord,
    action_of,
)
from pytest_actium.stores.subject import (
    NOW,
    StoreSubject,
    account_record,
    action_record,
    pending,
    trigger_record,
)


class AccountRules(StoreSubject):
    """What becomes of service accounts."""

    def test_accounts_are_kept_as_given(self, store: BaseStore, account: AccountRecord) -> None:
        """What is inserted is read again, field by field."""
        assert store.get(AccountRecord, account.id) == account

    def test_accounts_names_are_unique_in_a_project(self, store: BaseStore, account: AccountRecord) -> None:
        """A taken name is refused in its project and free in others."""
        with pytest.raises(AlreadyExistsError, match="'robot'"):
            store.insert_account(account_record())
        store.insert_account(account_record(project="elsewhere"))

    def test_accounts_an_update_needs_the_version(self, store: BaseStore, account: AccountRecord) -> None:
        """A change for an old version is refused, and the row stays."""
        changed = store.update_account(replace(account, description="new"), expected_version=1)
        assert (changed.version, changed.updated > NOW) == (2, True)
        with pytest.raises(VersionConflictError, match="version 2, not 1"):
            store.update_account(replace(account, description="newer"), expected_version=1)
        assert store.get(AccountRecord, account.id) == changed
        with pytest.raises(NotFoundError):
            store.update_account(account_record("nobody"), expected_version=1)

    def test_accounts_one_in_use_is_not_deleted(
        self, store: BaseStore, account: AccountRecord, action: ActionRecord
    ) -> None:
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


class ActionRules(StoreSubject):
    """What becomes of actions and their revisions."""

    def test_actions_a_ready_one_has_a_revision(self, store: BaseStore, action: ActionRecord) -> None:
        """An action that is stored ready gets version 1 and revision 1, which tells every field."""
        assert (action.version, action.revision) == (1, 1)
        revision = store.revision(action.id, 1)
        assert (revision.change, revision.changed_by, action_of(revision.fields)) == ("created", "ada", action)

    def test_actions_one_being_created_has_none(self, store: BaseStore, account: AccountRecord) -> None:
        """An action that is stored creating gets its first revision when it becomes ready, and counts as created."""
        creating = store.insert_action(action_record(account, status=ActionStatus.CREATING), (), changed_by="ada")
        assert (creating.revision, store.revisions(creating.id)) == (0, ())
        ready = store.update_action(
            replace(creating, status=ActionStatus.READY), (), expected_version=1, changed_by="ada"
        )
        assert [(item.number, item.change) for item in store.revisions(ready.id)] == [(1, "created")]

    def test_actions_its_account_must_be_there_and_active(self, store: BaseStore, account: AccountRecord) -> None:
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

    def test_actions_an_account_that_was_deactivated_does_not_block_other_changes(
        self, store: BaseStore, account: AccountRecord, action: ActionRecord
    ) -> None:
        """Renaming an action goes on working when its account is inactive."""
        store.update_account(replace(account, active=False), expected_version=1)
        renamed = store.update_action(replace(action, name="b"), None, expected_version=1, changed_by="ada")
        assert renamed.name == "b"

    def test_actions_references_are_replaced_or_kept(self, store: BaseStore, account: AccountRecord) -> None:
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

    def test_actions_restoring_adds_no_revision(self, store: BaseStore, action: ActionRecord) -> None:
        """Putting an action back is the next version of the row, and no revision."""
        changed = store.update_action(
            replace(action, name="b", status=ActionStatus.UPDATING), None, expected_version=1, changed_by="ada"
        )
        restored = store.restore_action(action, expected_version=changed.version)
        assert (restored.name, restored.version, restored.revision) == ("greet", 3, 1)
        assert len(store.revisions(action.id)) == 1
        with pytest.raises(VersionConflictError):
            store.restore_action(action, expected_version=changed.version)

    def test_actions_deleting_is_marked_first(self, store: BaseStore, action: ActionRecord) -> None:
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
    def test_actions_deleting_one_in_change_is_asked_for(
        self, store: BaseStore, action: ActionRecord, status: ActionStatus
    ) -> None:
        """An action in the middle of a change is marked only by who takes it over, which gives its row as it was."""
        changing = store.restore_action(replace(action, status=status), expected_version=1)
        with pytest.raises(NotReadyError, match=status.value):
            store.begin_delete(action.id, cascade=True)
        before, marked = store.begin_delete(action.id, cascade=True, take_over=True)
        assert before == changing
        assert (marked.status, marked.version) == (ActionStatus.DELETING, 3)

    def test_actions_only_the_version_that_was_read_is_removed(self, store: BaseStore, action: ActionRecord) -> None:
        """An action that someone changed meanwhile stays, its triggers with it."""
        store.update_action(action, None, expected_version=1, changed_by="ada")
        store.insert_trigger(trigger_record(action))
        with pytest.raises(VersionConflictError, match="version 2, not 1"):
            store.remove_action(action.id, expected_version=1, changed_by="ada")
        assert (store.page(ActionRecord, Query()).total, store.page(TriggerRecord, Query()).total) == (1, 1)

    def test_actions_remembers_who_provided_a_flavor(self, store: BaseStore, account: AccountRecord) -> None:
        """The distribution that last provided a flavor is known, also after its actions are gone."""
        assert store.provider_of("test", "echo") is None
        action = store.insert_action(
            action_record(account, distribution="actium-echo", distribution_version="1.2"), (), changed_by="ada"
        )
        store.remove_action(action.id, expected_version=1, changed_by="ada")
        assert store.provider_of("test", "echo") == ("actium-echo", "1.2")

    def test_actions_an_unknown_revision_is_told(self, store: BaseStore, action: ActionRecord) -> None:
        """A revision that is not there is an error that names it."""
        with pytest.raises(NotFoundError, match="revision 9"):
            store.revision(action.id, 9)
