"""The order of things: what happens in which order when an action is created, changed, deleted, read and listed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr

from actium import ActionConfig, Actium, hookimpl
from actium.errors import (
    InactiveAccountError,
    InUseError,
    InvalidConfigurationError,
    InvalidInputError,
    NotFoundError,
    StoreError,
)
from actium.models import (
    ActionFilter,
    ActionResponse,
    ActionStatus,
    ActionUpdate,
    ServiceAccountRequest,
    ServiceAccountUpdate,
    TriggerRequest,
)
from actium.stores.records import ActionRecord

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

        def adapt(action: Any, config: Any, *_: Any) -> None:
            action.body.enabled = False
            action.metadata.description, action.metadata.auth_window = "adapted", 3
            action.metadata.labels["vault"] = "v-1"
            config.door = "oak"

        vault.at["process_update"] = adapt
        told = app.actions.update("keep", ActionUpdate(configuration={"size": 5}))
        vault.at.clear()
        for action in (told, app.actions.get("keep")):
            assert (action.enabled, action.description, action.auth_window) == (False, "adapted", 3)
            assert (action.labels, action.configuration) == ({"vault": "v-1"}, {"size": 5, "door": "oak"})
            assert action.get_resources().referenced["door"].name == "oak"


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

        def full(*_: Any, **__: Any) -> None:
            raise StoreError("There is no room left.")

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
    @pytest.mark.parametrize("hydrate", [False, True])
    def test_every_row_is_shown_whatever_became_of_its_flavor(
        self, url: str, app: Actium, vault: Any, create_vault: Any, create: CreateAction, hydrate: bool
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
                boom()

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
            assert "step failed" in str(problems["e"])
            assert page.items[2].configuration == {"size": []}
