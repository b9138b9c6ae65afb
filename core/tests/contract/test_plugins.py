"""Plugins: keys, one handler for each flavor and application, and what is told of keys that were ignored."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field

from actium import ActionConfig, Actium, BaseActionFlavor, action_flavor, hookimpl
from actium.errors import DuplicateFlavorError
from actium.models import (
    ActionRequest,
    ActionResponse,
    ActionUpdate,
    Event,
    ServiceAccountRequest,
    TriggerRequest,
)
from actium.stores.records import ResourceRecord

CreateAction = Callable[..., ActionResponse]


LAMP = """
from actium import ActionConfig, BaseActionFlavor, BaseActionHandler

class LampHandler(BaseActionHandler):
    @property
    def config_class(self):
        return ActionConfig

    @property
    def flavor_class(self):
        return Lamp

    def run(self, config, trigger_execution, auth_context):
        return "light"

class Lamp(BaseActionFlavor):
    SUBTYPE, FLAVOR = "test", "lamp"
    PLUGIN_CLASS, ACTION_CONFIG_CLASS = LampHandler, ActionConfig
"""


@pytest.fixture
def installed_lamp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[BaseActionFlavor]]:
    """The flavor ``test.lamp`` of an installed distribution"""
    site = tmp_path / "site"
    metadata = site / "actium_lamp-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: actium-lamp\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[actium.action_flavors]\ntest.lamp = lamp:Lamp\n")
    (site / "lamp.py").write_text(LAMP)
    monkeypatch.syspath_prepend(site)
    yield importlib.import_module("lamp").Lamp
    del sys.modules["lamp"]


class TestKeys:
    def test_a_third_party_brings_a_subtype_of_its_own(self, app: Actium, create: CreateAction) -> None:
        """A flavor of a subtype that nobody knew is listed, creates, filters and runs like any other."""
        app.flavors.register(action_flavor("weather.oracle")(lambda: "rain"))
        action = create(flavor="weather.oracle")
        assert [item.key for item in app.flavors.list(subtype="weather").items] == ["weather.oracle"]
        assert (action.plugin_subtype, action.flavor) == ("weather", "oracle")
        app.actions.run(action.id)
        app.worker().run_until_idle()
        assert [item.result for item in app.executions.list(hydrate=True).items] == ["rain"]

    def test_the_same_class_again_changes_nothing(self, app: Actium, vault: Any, create_vault: CreateAction) -> None:
        """Registering a class again, also once it is in use, keeps its one handler and its actions."""
        create_vault()
        for _ in range(2):
            app.flavors.register(vault.flavor)
        app.actions.run("keep")
        app.worker().run_until_idle()
        assert len(vault.made) == 1
        assert [item.key for item in app.flavors.list(subtype="test").items].count("test.vault") == 1

    @pytest.mark.parametrize("is_used_before", [False, True])
    def test_an_installed_class_may_be_registered_too(
        self, installed_lamp: type[BaseActionFlavor], url: str, is_used_before: bool
    ) -> None:
        """Registering the very class that is installed is harmless, whether its flavor was used before or not."""
        with Actium(url) as app:
            for _ in range(2):
                if is_used_before:
                    assert app.flavors.get("test.lamp").key == "test.lamp"
                app.flavors.register(installed_lamp)
            (status,) = [status for status in app.registry.statuses("action") if status.name == "test.lamp"]
            assert (status.state, status.origin.distribution) == ("loaded", "actium-lamp")

    def test_another_class_with_an_installed_key_is_another_claim(
        self, installed_lamp: type[BaseActionFlavor], url: str, make_flavor: Any, vault: Any
    ) -> None:
        """A class made in code cannot take the key of an installed one; both are named, and the installed one stays."""
        with Actium(url) as app:
            with pytest.raises(
                DuplicateFlavorError,
                match=r"'test\.lamp' is claimed by actium-lamp 1\.0 \(lamp:Lamp\) and by .*VaultFlavor",
            ):
                app.flavors.register(make_flavor(vault, FLAVOR="lamp"))
            assert app.registry.get_flavor_class("action", "test", "lamp") is installed_lamp

    def test_a_blocked_claim_does_not_keep_its_key(
        self, installed_lamp: type[BaseActionFlavor], url: str, make_flavor: Any, vault: Any
    ) -> None:
        """Where the installed flavor is blocked, one made in code takes its key."""
        other = make_flavor(vault, FLAVOR="lamp")
        with Actium(url, block=["actium-lamp"]) as app:
            app.flavors.register(other)
            assert app.registry.get_flavor_class("action", "test", "lamp") is other

    def test_another_class_of_the_same_name_is_another_claim(
        self, app: Actium, vault: Any, make_flavor: Any, create_vault: CreateAction
    ) -> None:
        """A second class with a key is refused with both named, and the first goes on working."""
        create_vault()
        with pytest.raises(
            DuplicateFlavorError, match=r"'test\.vault' is claimed by .*VaultFlavor and by .*VaultFlavor"
        ):
            app.flavors.register(make_flavor(vault))
        assert app.actions.get("keep").problem is None
        assert len(vault.made) == 1


class TestHandlers:
    def test_one_is_made_at_first_use_and_closed_with_the_application(self, url: str, app: Actium, vault: Any) -> None:
        """No handler is made before its flavor is used, none twice, and each is closed once."""
        with Actium(url) as other:
            other.flavors.register(vault.flavor)
            other.flavors.register(action_flavor("test.unused")(lambda: None))
            account = other.accounts.create(ServiceAccountRequest(name="robot"))
            other.flavors.list(hydrate=True)
            assert vault.made == []
            request = ActionRequest(name="keep", plugin_subtype="test", flavor="vault", service_account_id=account.id)
            action = other.actions.create(request)
            other.triggers.create(TriggerRequest(name="t", action_id=action.id, match_all=True))
            other.events.publish(Event(type="a.b", source="/a"))
            other.worker().run_until_idle()
            other.actions.update("keep", ActionUpdate(description="new"))
            other.actions.get("keep")
            other.actions.delete("keep", cascade=True)
            assert (len(vault.made), vault.closed) == (1, [])
        other.close()
        assert vault.closed == vault.made

    def test_every_override_point_is_called_by_its_public_name(
        self, app: Actium, vault: Any, create_vault: CreateAction
    ) -> None:
        """A handler that overrides public names alone takes part in every step of an action's life."""
        create_vault()
        app.actions.update("keep", ActionUpdate(configuration={"size": 1}))
        app.actions.get("keep")
        app.actions.run("keep")
        app.worker().run_until_idle()
        app.actions.delete("keep")
        assert vault.calls == [
            *("validate_request", "process_request", "extract"),
            *("validate_update", "process_update", "extract"),
            "process_response",
            "run",
            "process_delete",
        ]


class TestNothingIsShared:
    def test_two_applications_run_their_own(self, tmp_path: Any, vault: Any) -> None:
        """Of two applications with one flavor class each has a handler, a store, hooks and executions of its own."""
        told: list[str] = []

        class Watcher:
            def __init__(self, name: str) -> None:
                self.name = name

            @hookimpl(wrapper=True)
            def run_action(self, trigger_execution: Any) -> Any:
                told.append(f"{self.name}: {trigger_execution.name}")
                return (yield)

        def keep(handler: Any, config: Any, execution: Any, _: Any) -> str:
            now = execution.body.created
            handler.store.insert_resource(
                ResourceRecord(
                    id=execution.id,
                    type="safe",
                    project="default",
                    name=f"of {execution.name}",
                    body={},
                    version=1,
                    created=now,
                    updated=now,
                )
            )
            return str(handler.store.url)

        vault.at["run"] = keep
        urls = {name: f"sqlite:///{tmp_path / name}.db" for name in ("one", "two")}
        with Actium(urls["one"], hooks=[Watcher("one")]) as one, Actium(urls["two"], hooks=[Watcher("two")]) as two:
            apps = {"one": one, "two": two}
            for name, app in apps.items():
                app.flavors.register(vault.flavor)
                account = app.accounts.create(ServiceAccountRequest(name="robot"))
                app.actions.create(
                    ActionRequest(name=name, plugin_subtype="test", flavor="vault", service_account_id=account.id)
                )
                app.actions.run(name)
            assert one.worker().run_until_idle() == 1
            assert told == ["one: one"]
            assert two.worker().run_until_idle() == 1
            assert told == ["one: one", "two: two"]
            for name, app in apps.items():
                (execution,) = app.executions.list(hydrate=True).items
                assert (execution.name, execution.result) == (name, app.store.url)
                assert app.store.get(ResourceRecord, execution.id).name == f"of {name}"
                assert app.actions.list().total == 1
            one.close()
            two.actions.run("two")
            assert vault.closed == vault.made[:1]
        assert (len(vault.made), vault.closed) == (2, vault.made)


class Door(ActionConfig):
    material: str = "steel"


class HouseConfig(ActionConfig):
    doors: list[Door] = Field(default_factory=list)
    floors: int = 1


class TestIgnoredKeys:
    def test_are_left_out_and_told_with_the_nearest_when_created_and_changed(
        self, app: Actium, create: CreateAction
    ) -> None:
        """Unknown keys are no error: they are not stored, and told with their place and the nearest known key."""
        app.flavors.register(action_flavor("test.house", config=HouseConfig)(lambda: None))
        created = create(flavor="test.house", configuration={"flors": 3, "doors": [{"materail": "oak"}]})
        changed = app.actions.update("greet", ActionUpdate(configuration={"florrs": 3}))
        assert created.warnings == (
            "The key 'flors' was ignored: did you mean 'floors'?",
            "The key 'doors[0].materail' was ignored: did you mean 'material'?",
        )
        assert created.configuration == {"doors": [{"material": "steel"}], "floors": 1}
        assert changed.warnings == ("The key 'florrs' was ignored: did you mean 'floors'?",)
        assert app.actions.get("greet").configuration == {"doors": [], "floors": 1}
