"""The order of things: what happens in which order when an action is created, changed, deleted, read and listed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr

from actium import ActionConfig, Actium, action_flavor, hookimpl
from actium.errors import (
    ActiumError,
    InactiveAccountError,
    InUseError,
    InvalidConfigurationError,
    InvalidInputError,
    NotFoundError,
    StoreBusyError,
    StoreError,
)
from actium.models import (
    ActionFilter,
    ActionRequest,
    ActionResponse,
    ActionStatus,
    ActionUpdate,
    ServiceAccountRequest,
    ServiceAccountUpdate,
    TriggerRequest,
)
from actium.stores.records import AccountRecord, ActionRecord

CreateAction = Callable[..., ActionResponse]


class Boom(Exception):
    """What a test makes a step raise."""


def boom(*_: Any) -> None:
    raise Boom("step failed")


def interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def idle_account(app: Actium) -> Any:
    """The id of an account that is switched off."""
    account = app.accounts.create(ServiceAccountRequest(name="idle"))
    return app.accounts.update(account.id, ServiceAccountUpdate(active=False)).id


class Mumbled(Exception):
    """Cannot say what it is."""

    def __str__(self) -> str:
        raise Boom


def mumble(*_: Any) -> None:
    raise Mumbled


def leave(*_: Any) -> None:
    sys.exit("enough")


def full(*_: Any, **__: Any) -> None:
    raise StoreError("There is no room left.")


def busy_for(kind: type[Any], get: Callable[..., Any]) -> Callable[..., Any]:
    """A store's ``get`` that is busy for one kind of record."""

    def busy(asked: type[Any], record_id: Any) -> Any:
        if asked is kind:
            raise StoreBusyError("Another process holds the store.")
        return get(asked, record_id)

    return busy


SPOILT = [
    ("name", ""),
    ("name", "taken"),
    ("service_account_id", uuid4()),
    ("service_account_id", "idle"),
    ("service_account_id", None),
    ("status", ActionStatus.READY),
    ("revision", 9),
    ("enabled", None),
    ("auth_window", -1),
    ("configuration", {"size": "many"}),
]
"""What no action can have, or what a handler cannot set."""


def spoil(app: Actium, vault: Any, point: str, field: str, value: Any) -> None:
    """Let a point of the flavor leave what cannot be stored; beside an action of the name ``taken``."""
    given = idle_account(app) if value == "idle" else value
    account = app.accounts.create(ServiceAccountRequest(name="first"))
    request = ActionRequest(name="taken", plugin_subtype="test", flavor="echo", service_account_id=account.id)
    app.actions.create(request)

    def leave_it(action: Any, *_: Any) -> None:
        part = next(part for part in (action, action.body, action.metadata) if field in type(part).model_fields)
        setattr(part, field, given)

    vault.at[point] = leave_it


@action_flavor("test.plain")
def plain() -> None:
    """Provisions nothing."""


class TestCreate:
    def test_the_model_comes_before_the_flavors_own_code(self, app: Actium, vault: Any, create_vault: Any) -> None:
        """A configuration that does not fit its model reaches nothing of the flavor, and nothing is stored."""
        with pytest.raises(InvalidConfigurationError, match="size"):
            create_vault(configuration={"size": "many"})
        assert (vault.calls, app.actions.list().total) == ([], 0)

    def test_the_account_is_checked_before_anything_is_provisioned(
        self, app: Actium, vault: Any, create_vault: Any
    ) -> None:
        """An account that is missing or switched off is refused by the store, before process_action_request."""
        with pytest.raises(NotFoundError, match="service account"):
            create_vault(service_account_id=uuid4())
        with pytest.raises(InactiveAccountError, match="'idle'"):
            create_vault(service_account_id=idle_account(app))
        assert vault.calls == ["validate_request"] * 2
        assert app.actions.list().total == 0

    def test_validation_sees_nothing_stored_and_processing_the_row(
        self, app: Actium, vault: Any, create_vault: Any
    ) -> None:
        """The row is made between validate_action_request and process_action_request, with what the first one left."""
        seen: list[Any] = []

        def validate(action: Any, config: Any) -> None:
            config.size = 7
            seen.append(app.actions.list().total)

        def process(action: Any, config: Any) -> None:
            seen.append((app.store.get(ActionRecord, action.id).configuration["size"], config.size))

        vault.at.update(validate_request=validate, process_request=process)
        create_vault()
        assert seen == [0, (7, 7)]

    def test_no_half_made_action_runs_or_is_used(self, app: Actium, vault: Any, create_vault: Any) -> None:
        """While it is being created an action can be neither run nor used nor changed."""
        refused: list[str] = []

        def process(action: Any, config: Any) -> None:
            for attempt in (
                lambda: app.actions.run(action.id),
                lambda: app.triggers.create(TriggerRequest(name="t", action_id=action.id, match_all=True)),
                lambda: app.actions.update(action.id, ActionUpdate(name="other")),
            ):
                with pytest.raises(Exception, match="creating") as caught:
                    attempt()
                refused.append(caught.type.__name__)

        vault.at["process_request"] = process
        create_vault()
        assert refused == ["NotReadyError"] * 3

    def test_what_processing_changed_is_stored(self, app: Actium, vault: Any, create_vault: Any) -> None:
        """Whatever process_action_request changes in response or configuration is stored, and told."""
        other = app.accounts.create(ServiceAccountRequest(name="other"))

        def provision(action: Any, config: Any) -> None:
            action.name, action.body.service_account_id = "keep-7", other.id
            action.body.enabled = False
            action.body.warnings += ("The vault is small.",)
            action.metadata.description, action.metadata.auth_window = "provisioned", 3
            action.metadata.labels["vault"] = "v-7"
            config.door = "oak"

        vault.at["process_request"] = provision
        told = create_vault()
        for action in (told, app.actions.get("keep-7")):
            assert (action.name, action.service_account_id, action.enabled) == ("keep-7", other.id, False)
            assert (action.description, action.auth_window, action.labels) == ("provisioned", 3, {"vault": "v-7"})
            assert action.configuration == {"size": 10, "door": "oak"}
            assert action.get_resources().service_account.name == "other"
        assert told.warnings == ("The vault is small.",)

    @pytest.mark.parametrize("field, value", SPOILT)
    def test_what_cannot_be_stored_of_it_is_refused(
        self, app: Actium, vault: Any, create_vault: Any, field: str, value: Any
    ) -> None:
        """What a flavor leaves goes through the same checks as a request; what was provisioned is given back."""
        spoil(app, vault, "process_request", field, value)
        with pytest.raises(ActiumError):
            create_vault("new")
        assert vault.calls == ["validate_request", "process_request", *vault.calls[2:-1], "process_delete"]
        assert [item.name for item in app.actions.list().items] == ["taken"]

    def test_nothing_is_left_when_its_response_cannot_be_read(
        self, app: Actium, account: Any, create: CreateAction, create_vault: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A store that is busy while the response is read leaves no action behind, with processing and without."""
        monkeypatch.setattr(app.store, "get", busy_for(AccountRecord, app.store.get))
        for attempt in (create, create_vault):
            with pytest.raises(StoreBusyError):
                attempt("new")
        assert app.actions.list().total == 0


@pytest.fixture
def hooked(url: str, vault: Any) -> Iterator[Hooked]:
    """An application whose every creation and change goes through a wrapper, with an action ``keep`` in it."""
    hooks = Hooked()
    with Actium(url, hooks=[hooks]) as hooks.app:
        hooks.app.flavors.register(vault.flavor)
        hooks.app.flavors.register(plain)
        hooks.account = hooks.app.accounts.create(ServiceAccountRequest(name="robot")).id
        yield hooks


class Hooked:
    """A hook plugin that does something after the flavor has done all of its own, with the application it is for."""

    app: Actium
    account: Any

    def __init__(self) -> None:
        self.after: Callable[[ActionResponse], Any] = lambda action: None
        self.read: Callable[[ActionResponse], Any] = lambda action: None

    @hookimpl(wrapper=True)
    def create_action(self) -> Any:
        action = yield
        self.after(action)
        return action

    @hookimpl(wrapper=True)
    def update_action(self) -> Any:
        action = yield
        self.after(action)
        return action

    @hookimpl(wrapper=True)
    def get_action(self, action: ActionResponse) -> Any:
        self.read(action)
        return (yield)

    def create(self, flavor: str, name: str = "keep", **fields: Any) -> ActionResponse:
        """Create an action through the wrapper."""
        subtype, _, short = flavor.partition(".")
        return self.app.actions.create(
            ActionRequest(name=name, plugin_subtype=subtype, flavor=short, service_account_id=self.account, **fields)
        )


class TestHooksAroundAChange:
    @pytest.mark.parametrize("flavor", ["test.vault", "test.plain"])
    @pytest.mark.parametrize("fail, error", [(boom, Boom), (interrupt, KeyboardInterrupt)])
    def test_one_that_fails_after_the_creation_undoes_it(
        self, hooked: Hooked, vault: Any, flavor: str, fail: Any, error: type[BaseException]
    ) -> None:
        """A wrapper that raises after its yield leaves no action; what was provisioned is given back before."""
        ids: list[Any] = []

        def use_and_fail(action: ActionResponse) -> None:
            ids.append(action.id)
            hooked.app.triggers.create(TriggerRequest(name="t", action_id=action.id, match_all=True))
            fail()

        hooked.after = use_and_fail
        with pytest.raises(error) as caught:
            hooked.create(flavor)
        assert (hooked.app.actions.list().total, hooked.app.triggers.list().total) == (0, 0)
        assert [revision.change for revision in hooked.app.actions.history(ids[0])] == ["created", "deleted"]
        assert vault.calls[-1:] == (["process_delete"] if flavor == "test.vault" else [])
        assert not any("could not" in note for note in getattr(caught.value, "__notes__", ()))
        hooked.after = lambda action: None
        assert hooked.create(flavor).version == (2 if flavor == "test.vault" else 1)

    def test_a_failing_removal_is_a_note(self, hooked: Hooked, monkeypatch: pytest.MonkeyPatch) -> None:
        """What the wrapper raised is what the caller gets, also when the action cannot be removed after it."""
        monkeypatch.setattr(hooked.app.store, "remove_action", full)
        hooked.after = boom
        with pytest.raises(Boom, match="step failed") as caught:
            hooked.create("test.vault")
        assert any("could not undo the creation either: StoreError" in note for note in caught.value.__notes__)

    @pytest.mark.parametrize("fail", [boom, leave])
    def test_what_cannot_be_given_back_is_a_note(self, hooked: Hooked, vault: Any, fail: Any) -> None:
        """A flavor that cannot give back keeps the action from staying no more than a forced deletion does."""
        vault.at["process_delete"] = fail
        hooked.after = boom
        with pytest.raises(Boom) as caught:
            hooked.create("test.vault")
        assert any("deleted by force although" in note for note in caught.value.__notes__)
        assert hooked.app.actions.list().total == 0

    def test_one_that_removes_the_action_itself_has_done_it(self, hooked: Hooked) -> None:
        """Where the wrapper has deleted the action before it fails, nothing is left to be undone or told."""

        def delete_and_fail(action: ActionResponse) -> None:
            hooked.app.actions.delete(action.id)
            boom()

        hooked.after = delete_and_fail
        with pytest.raises(Boom) as caught:
            hooked.create("test.vault")
        assert not any("could not" in note for note in caught.value.__notes__)

    def test_only_its_own_creation_is_undone(self, hooked: Hooked) -> None:
        """An action that was created within the creation of another outlives the failure of that."""

        def create_and_fail(action: ActionResponse) -> None:
            hooked.after = lambda action: None
            hooked.create("test.plain", "inner")
            boom()

        hooked.after = create_and_fail
        with pytest.raises(Boom):
            hooked.create("test.vault")
        assert [item.name for item in hooked.app.actions.list().items] == ["inner"]

    @pytest.mark.parametrize("flavor", ["test.vault", "test.plain"])
    @pytest.mark.parametrize("fail, error", [(boom, Boom), (interrupt, KeyboardInterrupt)])
    def test_one_that_fails_after_a_change_puts_every_field_back(
        self, hooked: Hooked, vault: Any, flavor: str, fail: Any, error: type[BaseException]
    ) -> None:
        """Fields and resources are as they were, the flavor adapted to them, and the history tells of both changes."""
        action = hooked.create(flavor, description="old", labels={"a": "b"})
        store = hooked.app.store
        before, resources = store.get(ActionRecord, action.id), store.action_resources(action.id)
        adapted: list[Any] = []
        vault.at["process_update"] = lambda new, config, old, old_config: adapted.append(
            (new.description, config.door, old.description, old_config.door)
        )
        hooked.after = fail
        change: dict[str, Any] = {"configuration": {"door": "oak"}} if flavor == "test.vault" else {}
        with pytest.raises(error):
            hooked.app.actions.update("keep", ActionUpdate(name="new", description="new", labels={}, **change))
        after = store.get(ActionRecord, action.id)
        kept = {"version": before.version, "revision": before.revision, "updated": before.updated}
        assert replace(after, **kept) == before
        assert store.action_resources(action.id) == resources
        revisions = hooked.app.actions.history(action.id)
        assert [revision.fields["name"] for revision in revisions] == ["keep", "new", "keep"]
        assert after.revision == 3
        if flavor == "test.vault":
            assert adapted == [("new", "oak", "old", "steel"), ("old", "steel", "new", "oak")]
        hooked.after = lambda action: None
        assert hooked.app.actions.update("keep", ActionUpdate(name="newer")).revision == 4

    def test_nobody_elses_change_is_lost_by_that(self, url: str, hooked: Hooked, vault: Any) -> None:
        """Where someone else changed the action before the wrapper failed, their change stays, and that is noted."""
        hooked.create("test.vault")

        def overtake(action: ActionResponse) -> None:
            with Actium(url) as other:
                other.flavors.register(vault.flavor)
                other.actions.update(action.id, ActionUpdate(description="theirs"))
            boom()

        hooked.after = overtake
        with pytest.raises(Boom) as caught:
            hooked.app.actions.update("keep", ActionUpdate(name="new"))
        assert any("could not put the action back either: VersionConflict" in note for note in caught.value.__notes__)
        kept = hooked.app.actions.get("new")
        assert (kept.description, kept.status) == ("theirs", ActionStatus.READY)

    def test_a_flavor_that_cannot_adapt_back_is_a_note(self, hooked: Hooked, vault: Any) -> None:
        """Every field goes back all the same."""
        hooked.create("test.vault")

        def adapt(new: ActionResponse, *_: Any) -> None:
            if new.name == "keep":
                raise OSError("no way back")

        vault.at["process_update"] = adapt
        hooked.after = boom
        with pytest.raises(Boom) as caught:
            hooked.app.actions.update("keep", ActionUpdate(name="new"))
        assert any("put the action back either: OSError: no way back" in note for note in caught.value.__notes__)
        assert hooked.app.actions.get("keep").status is ActionStatus.READY


class TestSecrets:
    def test_are_kept_as_references(
        self, app: Actium, create: CreateAction, make_flavor: Any, vault: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Creating and changing, with all that a flavor changes meanwhile, keep the reference in row and history."""

        class LockedConfig(ActionConfig):
            size: int = 1
            key: SecretStr

        def resize(action: Any, config: Any, *_: Any) -> None:
            config.size += 1

        app.flavors.register(make_flavor(vault, FLAVOR="locked", ACTION_CONFIG_CLASS=LockedConfig))
        vault.at.update(validate_request=resize, process_request=resize, process_update=resize)
        vault.at["extract"] = lambda config: {}
        monkeypatch.setenv("VAULT_KEY", "correct horse")
        create(flavor="test.locked", configuration={"key": "env:VAULT_KEY"})
        app.actions.update("greet", ActionUpdate(configuration={"size": 5, "key": "env:VAULT_KEY"}))
        expected = [{"size": size, "key": "env:VAULT_KEY"} for size in (3, 6)]
        assert [revision.fields["configuration"] for revision in app.actions.history("greet")] == expected
        assert app.actions.get("greet").configuration == expected[-1]


class TestUpdate:
    def test_goes_through_its_steps_in_order(self, app: Actium, vault: Any, create_vault: Any) -> None:
        """Updating validates, stores, processes and extracts; each step sees the row as it is by then."""
        action = create_vault()
        seen: list[Any] = []

        def look(*_: Any) -> None:
            row = app.store.get(ActionRecord, action.id)
            seen.append((row.status.value, row.configuration["size"], row.revision))

        vault.calls.clear()
        vault.at.update(validate_update=look, process_update=look, extract=look)
        updated = app.actions.update(action.id, ActionUpdate(configuration={"size": 20}))
        assert vault.calls == ["validate_update", "process_update", "extract"]
        assert seen == [("ready", 10, 1), ("updating", 20, 1), ("updating", 20, 1)]
        assert (updated.status, updated.configuration["size"], updated.revision) == (ActionStatus.READY, 20, 2)

    def test_the_model_comes_before_the_flavors_own_code(self, app: Actium, vault: Any, create_vault: Any) -> None:
        """A new configuration that does not fit its model reaches nothing of the flavor, and changes nothing."""
        before = app.store.get(ActionRecord, create_vault().id)
        vault.calls.clear()
        with pytest.raises(InvalidConfigurationError, match="size"):
            app.actions.update("keep", ActionUpdate(name="new", configuration={"size": "many"}))
        assert vault.calls == []
        assert app.store.get(ActionRecord, before.id) == before

    def test_the_account_is_checked_before_anything_is_adapted(
        self, app: Actium, vault: Any, create_vault: Any
    ) -> None:
        """An account that is missing or switched off is refused by the store, before process_action_update."""
        before = app.store.get(ActionRecord, create_vault().id)
        with pytest.raises(NotFoundError, match="service account"):
            app.actions.update("keep", ActionUpdate(service_account_id=uuid4()))
        with pytest.raises(InactiveAccountError, match="'idle'"):
            app.actions.update("keep", ActionUpdate(service_account_id=idle_account(app)))
        assert "process_update" not in vault.calls
        assert app.store.get(ActionRecord, before.id) == before

    def test_the_flavor_checks_what_will_be_stored(self, app: Actium, vault: Any, create_vault: Any) -> None:
        """validate_action_update gets the old and the new configuration; without a new one, the one that stays."""
        create_vault(configuration={"size": 1})
        seen: list[tuple[int, int]] = []
        vault.at["validate_update"] = lambda action, old, update, new: seen.append((old.size, new.size))
        app.actions.update("keep", ActionUpdate(configuration={"size": 2}))
        app.actions.update("keep", ActionUpdate(description="new"))
        assert seen == [(1, 2), (2, 2)]

    @pytest.mark.parametrize("change", [ActionUpdate(name="new"), ActionUpdate(configuration={"size": 1})])
    def test_processing_gets_what_was_beside_what_will_be(
        self, app: Actium, vault: Any, create_vault: Any, change: ActionUpdate
    ) -> None:
        """process_action_update may change action and configuration without changing what it is told they were."""
        create_vault(configuration={"size": 1})
        seen: list[Any] = []

        def adapt(action: Any, config: Any, previous: Any, previous_config: Any) -> None:
            config.size = 2
            action.metadata.labels["a"] = "b"
            seen.append((previous.name, previous.labels, previous.configuration["size"], previous_config.size))

        vault.at["process_update"] = adapt
        assert app.actions.update("keep", change).configuration["size"] == 2
        assert seen == [("keep", {}, 1, 1)]

    def test_validation_may_change_the_change(self, app: Actium, vault: Any, create_vault: Any) -> None:
        """What validate_action_update changes is what is stored, and the caller's update is left as it was."""
        create_vault()

        def change(action: Any, config: Any, action_update: ActionUpdate, config_update: Any) -> None:
            action_update.name, action_update.description = "tidy", "by the flavor"
            config_update.door = "oak"

        vault.at["validate_update"] = change
        asked = ActionUpdate(name="tidy up", configuration={"size": 3})
        action = app.actions.update("keep", asked)
        assert (action.name, action.description) == ("tidy", "by the flavor")
        assert app.actions.get(action.id).configuration == {"size": 3, "door": "oak"}
        assert (asked.name, asked.configuration, asked.description) == ("tidy up", {"size": 3}, None)

    def test_validation_cannot_make_the_change_invalid(self, app: Actium, vault: Any, create_vault: Any) -> None:
        """A flavor that sets an impossible name is refused, and nothing is changed."""
        before = app.store.get(ActionRecord, create_vault().id)

        def spoil(action: Any, config: Any, action_update: Any, config_update: Any) -> None:
            action_update.name = ""

        vault.at["validate_update"] = spoil
        with pytest.raises(InvalidInputError, match="name"):
            app.actions.update("keep", ActionUpdate(description="new"))
        assert app.store.get(ActionRecord, before.id) == before

    def test_none_clears_all_that_can_be_empty(self, app: Actium, create: CreateAction) -> None:
        """An explicit None clears description, labels and window; what is absent stays."""
        create(description="old", labels={"a": "b"}, auth_window=9, configuration={"text": "kept"}, enabled=False)
        app.actions.update("greet", ActionUpdate(description=None, labels=None, auth_window=None))
        action = app.actions.get("greet")
        assert (action.description, action.labels, action.auth_window) == ("", {}, 60)
        assert (action.configuration["text"], action.enabled) == ("kept", False)

    @pytest.mark.parametrize("fail, error", [(boom, Boom), (interrupt, KeyboardInterrupt)])
    def test_every_field_goes_back(
        self, app: Actium, vault: Any, create_vault: Any, fail: Any, error: type[BaseException]
    ) -> None:
        """Whatever ends the processing, also Ctrl-C: row, resources and history are as they were."""
        action = create_vault(description="old", labels={"a": "b"}, auth_window=9)
        other = app.accounts.create(ServiceAccountRequest(name="other"))
        before, history = app.store.get(ActionRecord, action.id), app.actions.history(action.id)
        resources = app.store.action_resources(action.id)
        vault.at["process_update"] = fail
        change = ActionUpdate(
            name="new",
            description="new",
            configuration={"size": 1, "door": "oak"},
            service_account_id=other.id,
            auth_window=0,
            labels={},
            enabled=False,
        )
        with pytest.raises(error):
            app.actions.update(action.id, change)
        after = app.store.get(ActionRecord, action.id)
        assert replace(after, version=before.version, updated=before.updated) == before
        assert app.actions.history(action.id) == history
        assert app.store.action_resources(action.id) == resources
        vault.at.clear()
        assert app.actions.update(action.id, change).name == "new"

    def test_what_processing_changed_is_stored(self, app: Actium, vault: Any, create_vault: Any) -> None:
        """Whatever process_action_update changes in response or configuration is stored, and told."""
        create_vault()
        other = app.accounts.create(ServiceAccountRequest(name="other"))

        def adapt(action: Any, config: Any, *_: Any) -> None:
            action.name, action.body.service_account_id = "keep-7", other.id
            action.body.enabled = False
            action.metadata.description, action.metadata.auth_window = "adapted", 3
            action.metadata.labels["vault"] = "v-1"
            config.door = "oak"

        vault.at["process_update"] = adapt
        told = app.actions.update("keep", ActionUpdate(configuration={"size": 5}))
        vault.at.clear()
        for action in (told, app.actions.get("keep-7")):
            assert (action.service_account_id, action.get_resources().service_account.name) == (other.id, "other")
            assert (action.enabled, action.description, action.auth_window) == (False, "adapted", 3)
            assert (action.labels, action.configuration) == ({"vault": "v-1"}, {"size": 5, "door": "oak"})
            assert action.get_resources().referenced["door"].name == "oak"

    @pytest.mark.parametrize("field, value", SPOILT)
    def test_what_processing_left_goes_through_the_same_checks(
        self, app: Actium, vault: Any, create_vault: Any, field: str, value: Any
    ) -> None:
        """What cannot be stored is refused, every field goes back, and the flavor adapts to that."""
        before = app.store.get(ActionRecord, create_vault().id)
        spoil(app, vault, "process_update", field, value)
        vault.calls.clear()
        with pytest.raises(ActiumError) as caught:
            app.actions.update("keep", ActionUpdate(name="new"))
        assert [point for point in vault.calls if point == "process_update"] == ["process_update"] * 2
        assert not any("could not" in note for note in getattr(caught.value, "__notes__", ()))
        after = app.store.get(ActionRecord, before.id)
        assert replace(after, version=before.version, updated=before.updated) == before

    def test_nothing_is_changed_when_its_response_cannot_be_read(
        self, app: Actium, create: CreateAction, create_vault: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A store that is busy while the response is read changes no field, with processing and without."""
        before = [app.store.get(ActionRecord, action.id) for action in (create(), create_vault())]
        get = app.store.get
        monkeypatch.setattr(app.store, "get", busy_for(AccountRecord, get))
        for name in ("greet", "keep"):
            with pytest.raises(StoreBusyError):
                app.actions.update(name, ActionUpdate(description="new"))
        after = [get(ActionRecord, action.id) for action in before]
        assert [(a.description, a.status, a.revision) for a in after] == [("", ActionStatus.READY, 1)] * 2


class TestDelete:
    @pytest.mark.parametrize("force", [False, True])
    def test_is_marked_then_given_back_then_removed(
        self, app: Actium, vault: Any, create_vault: Any, force: bool
    ) -> None:
        """process_action_delete gets action, configuration and force, while the row is there and says ``deleting``."""
        action = create_vault(configuration={"size": 3})
        seen: list[Any] = []

        def give_back(given: Any, config: Any, forced: bool) -> None:
            row = app.store.get(ActionRecord, action.id)
            seen.append((given.id, given.name, config.size, forced, row.status.value))

        vault.at["process_delete"] = give_back
        app.actions.delete("keep", force=force)
        assert seen == [(action.id, "keep", 3, force, "deleting")]
        assert app.actions.list().total == 0

    @pytest.mark.parametrize("force", [False, True])
    def test_all_triggers_in_the_way_are_named(self, app: Actium, vault: Any, create_vault: Any, force: bool) -> None:
        """An action in use is refused with every trigger's name, also by force, before anything is given back."""
        before = app.store.get(ActionRecord, create_vault().id)
        for name in ("one", "two", "three"):
            app.triggers.create(TriggerRequest(name=name, action_id=before.id, match_all=True, is_active=name != "two"))
        with pytest.raises(InUseError, match="'one'.*'three'.*'two'") as caught:
            app.actions.delete("keep", force=force)
        assert set(caught.value.users) == {"one", "two", "three"}
        assert "process_delete" not in vault.calls
        assert app.store.get(ActionRecord, before.id) == before

    @pytest.mark.parametrize("force", [False, True])
    def test_an_interruption_is_no_failure_to_overrule(
        self, app: Actium, vault: Any, create_vault: Any, force: bool
    ) -> None:
        """Ctrl-C while a flavor gives back leaves the action ready, also by force."""
        create_vault()
        vault.at["process_delete"] = interrupt
        with pytest.raises(KeyboardInterrupt):
            app.actions.delete("keep", force=force)
        assert app.actions.get("keep").status is ActionStatus.READY

    def test_a_mark_that_cannot_be_taken_away_is_a_note(
        self, app: Actium, vault: Any, create_vault: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """When the clean-up after a failing flavor fails too, the flavor's exception is raised with a note."""
        create_vault()
        vault.at["process_delete"] = boom

        monkeypatch.setattr(app.store, "restore_action", full)
        with pytest.raises(Boom, match="step failed") as caught:
            app.actions.delete("keep")
        assert any("could not take the mark of deletion away" in note for note in caught.value.__notes__)


class TestGet:
    def test_unhydrated_reading_makes_no_handler_and_calls_no_hook(
        self, url: str, vault: Any, create_vault: Any
    ) -> None:
        """Neither reading nor listing without hydration runs code of any plugin; hydrating runs both."""
        create_vault()
        told: list[str] = []

        class Watcher:
            @hookimpl(wrapper=True)
            def get_action(self, action: Any) -> Any:
                told.append(action.name)
                return (yield)

        vault.made.clear()
        vault.calls.clear()
        with Actium(url, hooks=[Watcher()]) as other:
            other.flavors.register(vault.flavor)
            assert other.actions.get("keep", hydrate=False).name == "keep"
            assert other.actions.list().total == 1
            assert (vault.made, vault.calls, told) == ([], [], [])
            assert other.actions.get("keep").get_resources().referenced["door"].name == "steel"
            assert (len(vault.made), vault.calls, told) == (1, ["process_response"], ["keep"])


class TestList:
    @pytest.mark.parametrize("fail, told", [(boom, "step failed"), (leave, "enough"), (mumble, "Mumbled")])
    @pytest.mark.parametrize("hydrate", [False, True])
    def test_every_row_is_shown_whatever_became_of_its_flavor(
        self,
        url: str,
        app: Actium,
        vault: Any,
        create_vault: Any,
        create: CreateAction,
        hydrate: bool,
        fail: Any,
        told: str,
    ) -> None:
        """Rows without a flavor, that fit their flavor no more, or whose flavor fails, stand in their place."""
        for name in ("a", "c", "e"):
            create_vault(name)
        for name in ("b", "d"):
            create(name)
        broken = app.store.get(ActionRecord, app.actions.get("c").id)
        app.store.update_action(
            replace(broken, configuration={"size": []}), None, expected_version=broken.version, changed_by="before"
        )

        def complete(action: Any, config: Any) -> None:
            if action.name == "e":
                fail()

        vault.at["process_response"] = complete
        with Actium(url) as other:
            other.flavors.register(vault.flavor)
            page = other.actions.list(ActionFilter(sort_by="name"), hydrate=hydrate)
            problems = {item.name: item.problem for item in page.items}
        assert (list(problems), page.total) == (["a", "b", "c", "d", "e"], 5)
        assert problems["a"] is None
        assert all("test.echo is not installed" in str(problems[name]) for name in ("b", "d"))
        if hydrate:
            assert "size" in str(problems["c"])
            assert told in str(problems["e"])
            assert page.items[2].configuration == {"size": []}

    def test_a_hook_plugin_that_fails_breaks_no_page_either(self, hooked: Hooked) -> None:
        """A wrapper that ends the process while one action is read makes that its problem."""
        for name in ("a", "b", "c"):
            hooked.create("test.plain", name)
        hooked.read = lambda action: leave() if action.name == "b" else None
        page = hooked.app.actions.list(ActionFilter(sort_by="name"), hydrate=True)
        assert [(item.name, item.problem) for item in page.items] == [
            ("a", None),
            ("b", "SystemExit: enough"),
            ("c", None),
        ]
