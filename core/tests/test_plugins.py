"""Flavors made in code, the one handler of each, enabling and blocking by name, and what a bare handler lacks."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, Field

from actium import ActionConfig, Actium, BaseActionFlavor, BaseActionHandler, PluginType
from actium.errors import (
    AlreadyExistsError,
    DuplicateFlavorError,
    FlavorNotFoundError,
    InvalidInputError,
    InvalidQueryError,
    NotConfiguredError,
    NotFoundError,
    PluginBlockedError,
    PluginError,
    PluginQuarantinedError,
    VersionConflictError,
)
from actium.event_hub.event_hub import EventHub
from actium.models import ActionRequest, ActionResponse, ServiceAccountRequest, ServiceAccountUpdate
from actium.plugins.registry import FlavorKey, PluginFlavorRegistry
from actium.plugins.relay import Observers
from actium.stores import open_store

CreateAction = Callable[..., ActionResponse]


class CountedHandler(BaseActionHandler):
    """Counts its makings and closings."""

    made: ClassVar[list[BaseActionHandler]] = []
    closed: ClassVar[list[BaseActionHandler]] = []

    def __init__(self, event_hub: Any = None) -> None:
        super().__init__(event_hub)
        self.made.append(self)

    @property
    def config_class(self) -> type[ActionConfig]:
        return ActionConfig

    @property
    def flavor_class(self) -> type[BaseActionFlavor]:
        return CountedFlavor

    def run(self, config: Any, trigger_execution: Any, auth_context: Any) -> Any:
        return None

    def close(self) -> None:
        self.closed.append(self)


class CountedFlavor(BaseActionFlavor):
    """Counts its handlers.

    And says more than one paragraph about it.
    """

    SUBTYPE = "test"
    FLAVOR = "counted"
    PLUGIN_CLASS = CountedHandler
    ACTION_CONFIG_CLASS = ActionConfig


class OtherFlavor(CountedFlavor):
    """Claims the same key."""


@pytest.fixture(autouse=True)
def counts() -> Iterator[None]:
    CountedHandler.made.clear()
    CountedHandler.closed.clear()
    return


class TestHandlers:
    def test_there_is_one_however_many_ask(self, url: str) -> None:
        """Threads that ask for a flavor at once get one handler, made once and closed with the application."""
        with Actium(url) as app:
            app.flavors.register(CountedFlavor)
            begin = threading.Barrier(8)
            got: list[Any] = []

            def ask() -> None:
                begin.wait()
                got.append(app.registry.get_plugin("action", "test", "counted"))

            threads = [threading.Thread(target=ask) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert len(set(map(id, got))) == len(CountedHandler.made) == 1
            assert CountedHandler.closed == []
        assert CountedHandler.closed == CountedHandler.made
        app.close()
        assert len(CountedHandler.closed) == 1

    def test_applications_share_nothing(self, tmp_path: Path) -> None:
        """Two applications in one process have stores, registries, hubs and handlers of their own."""
        with Actium(f"sqlite:///{tmp_path / 'a.db'}") as one, Actium(f"sqlite:///{tmp_path / 'b.db'}") as two:
            one.flavors.register(CountedFlavor)
            with pytest.raises(FlavorNotFoundError):
                two.registry.get_plugin("action", "test", "counted")
            two.flavors.register(CountedFlavor)
            handlers = [app.registry.get_plugin("action", "test", "counted") for app in (one, two)]
            assert handlers[0] is not handlers[1]
            assert [handler.store for handler in handlers] == [one.store, two.store]
            one.accounts.create(ServiceAccountRequest(name="robot"))
            assert two.accounts.list().total == 0

    def test_a_handler_that_cannot_close_harms_no_other(self, url: str, caplog: pytest.LogCaptureFixture) -> None:
        """A handler that raises while it closes is logged, and the others are closed."""

        class Stubborn(CountedHandler):
            @property
            def flavor_class(self) -> type[BaseActionFlavor]:
                return StubbornFlavor

            def close(self) -> None:
                raise OSError("still busy")

        class StubbornFlavor(CountedFlavor):
            FLAVOR = "stubborn"
            PLUGIN_CLASS = Stubborn

        with Actium(url) as app:
            for flavor in (StubbornFlavor, CountedFlavor):
                app.flavors.register(flavor)
                app.registry.get_plugin("action", "test", flavor.FLAVOR)
        assert "test.stubborn failed to close" in caplog.text
        assert len(CountedHandler.closed) == 1

    @pytest.mark.parametrize("failure", [SystemExit(1), KeyboardInterrupt(), GeneratorExit()])
    def test_every_handler_is_closed_whatever_one_raises(self, url: str, failure: BaseException) -> None:
        """Not even a handler that ends the process while it closes keeps the others from being closed."""

        class Leaving(CountedHandler):
            @property
            def flavor_class(self) -> type[BaseActionFlavor]:
                return LeavingFlavor

            def close(self) -> None:
                raise failure

        class LeavingFlavor(CountedFlavor):
            FLAVOR = "leaving"
            PLUGIN_CLASS = Leaving

        app = Actium(url)
        for flavor in (LeavingFlavor, CountedFlavor):
            app.flavors.register(flavor)
            app.registry.get_plugin("action", "test", flavor.FLAVOR)
        with pytest.raises(KeyboardInterrupt) if isinstance(failure, KeyboardInterrupt) else nullcontext():
            app.close()
        assert len(CountedHandler.closed) == 1

    def test_a_closed_registry_makes_no_more(self, url: str) -> None:
        """A handler that was made after closing would never be closed itself; asking for one is refused."""
        with Actium(url) as app:
            app.flavors.register(CountedFlavor)
            app.registry.get_plugin("action", "test", "counted")
        for ask in (
            lambda: app.registry.get_plugin("action", "test", "counted"),
            lambda: app.registry.get_relay("test", "counted"),
        ):
            with pytest.raises(PluginError, match=r"test\.counted cannot be used any more: its registry is closed"):
                ask()
        assert CountedHandler.closed == CountedHandler.made

    def test_flavors_that_share_a_handler_are_told(self, app: Actium) -> None:
        """A handler that names another flavor than the one that names it is refused with both, and closed."""

        class Sharing(CountedFlavor):
            FLAVOR = "sharing"

        app.flavors.register(CountedFlavor)
        app.flavors.register(Sharing)
        app.registry.get_plugin("action", "test", "counted")
        with pytest.raises(
            PluginQuarantinedError, match=r"flavor_class is \S+CountedFlavor, not \S+Sharing; each"
        ) as caught:
            app.registry.get_plugin("action", "test", "sharing")
        assert "PLUGIN_CLASS of its own" in str(caught.value)
        assert CountedHandler.closed == CountedHandler.made[1:]

    @pytest.mark.parametrize("of", ["flavor", "handler"])
    def test_a_configuration_that_would_not_be_stored_is_told(self, app: Actium, of: str) -> None:
        """A model that leaves fields out of what it writes is refused with their paths, where the flavor is registered
        or, when only the handler names it, first used."""

        class Part(BaseModel):
            kept: int = 0
            parts: list[Part] | None = None
            note: str = Field("", exclude=True)

        class Leaky(ActionConfig):
            token: str = Field("", exclude=True)
            parts: dict[str, list[Part] | None] = Field(default_factory=dict)

        class LeakyHandler(CountedHandler):
            @property
            def config_class(self) -> type[ActionConfig]:
                return Leaky

            @property
            def flavor_class(self) -> type[BaseActionFlavor]:
                return LeakyFlavor

        class LeakyFlavor(BaseActionFlavor):
            SUBTYPE = "test"
            FLAVOR = "leaky"
            PLUGIN_CLASS = LeakyHandler
            ACTION_CONFIG_CLASS = Leaky if of == "flavor" else ActionConfig

        with pytest.raises(PluginError, match=r"Leaky would lose parts\.note, token: a field with exclude=True"):
            app.flavors.register(LeakyFlavor)
            app.registry.get_plugin("action", "test", "leaky")
        assert CountedHandler.closed == CountedHandler.made

    def test_a_handler_that_cannot_be_attached_is_closed(self, app: Actium) -> None:
        """When something else is subscribed for a flavor, that is told, and the handler that was made is closed."""
        app.flavors.register(CountedFlavor)
        stranger = CountedHandler(app.hub)
        with pytest.raises(AlreadyExistsError, match="subscribed already"):
            app.registry.get_plugin("action", "test", "counted")
        assert CountedHandler.made[0] is stranger
        assert CountedHandler.closed == CountedHandler.made[1:]
        app.hub.unsubscribe_action_handler("counted", "test")
        assert app.registry.get_plugin("action", "test", "counted") is CountedHandler.made[2]

    def test_a_bare_handler_says_what_it_lacks(self) -> None:
        """Without an application, store and event hub are errors that say what to call."""
        handler = CountedHandler()
        with pytest.raises(NotConfiguredError, match="set_event_hub"):
            _ = handler.event_hub
        with pytest.raises(RuntimeError, match="attach"):
            _ = handler.store

    def test_a_handler_may_be_given_its_hub(self) -> None:
        """A handler made with a hub is subscribed to it; the hub knows its callback."""
        store = open_store("sqlite://")
        hub = EventHub(store, observers=lambda: Observers(()))
        handler = CountedHandler(hub)
        assert handler.event_hub is hub
        assert hub.action_callback("counted", "test") == handler.event_hub_callback
        handler.set_event_hub(hub)
        with pytest.raises(AlreadyExistsError, match=r"test\.counted is subscribed already"):
            CountedHandler(hub)
        hub.unsubscribe_action_handler("counted", "test")
        hub.unsubscribe_action_handler("counted", "test")
        with pytest.raises(NotFoundError, match="No handler is subscribed"):
            hub.action_callback("counted", "test")
        store.close()

    def test_a_bare_handler_has_the_whole_lifecycle(self, app: Actium) -> None:
        """A handler that was attached to a store by hand creates, reads and deletes without an application."""
        handler = CountedHandler()
        handler.attach(app.store)
        account = app.accounts.create(ServiceAccountRequest(name="robot"))
        action = handler.create_action(
            ActionRequest(name="n", plugin_subtype="test", flavor="counted", service_account_id=account.id)
        )
        assert handler.get_action(action) is action
        action.resources = None
        assert handler.get_action(action, hydrate=True).get_resources().service_account.name == "robot"
        handler.delete_action(action)
        assert app.actions.list().total == 0


class TestFlavors:
    def test_describe_themselves(self, app: Actium) -> None:
        """A flavor is listed with its key; hydrated with its schema and the first paragraph about it."""
        app.flavors.register(CountedFlavor)
        flavor = app.flavors.get("test.counted")
        assert (flavor.key, flavor.state, flavor.body.type) == ("test.counted", "loaded", PluginType.ACTION)
        assert flavor.get_metadata().description == "Counts its handlers."
        assert flavor.config_schema["type"] == "object"
        assert app.flavors.get("test.echo").config_schema["properties"]["times"]["default"] == 1
        assert app.flavors.get("test.counted", hydrate=False).metadata is None
        assert CountedFlavor.get_flavor_response_model(hydrate=False).metadata is None

    def test_are_listed_in_pages_by_subtype(self, app: Actium) -> None:
        """Listing is paged and can be kept to a subtype."""
        app.flavors.register(CountedFlavor)
        assert [item.key for item in app.flavors.list(subtype="test").items] == ["test.counted", "test.echo"]
        page = app.flavors.list(subtype="test", index=2, max_size=1, hydrate=True)
        assert ([item.key for item in page.items], page.total_pages) == (["test.echo"], 2)
        with pytest.raises(InvalidQueryError, match="no page 3"):
            app.flavors.list(subtype="test", index=3, max_size=1)

    def test_ids_are_the_same_everywhere(self, app: Actium) -> None:
        """A flavor's id depends on its key alone."""
        app.flavors.register(CountedFlavor)
        assert app.flavors.get("test.counted").id == CountedFlavor.get_flavor_response_model(hydrate=False).id

    @pytest.mark.parametrize("key, error", [("nodot", InvalidInputError), ("a.b", FlavorNotFoundError)])
    def test_unknown_keys_are_refused(self, app: Actium, key: str, error: type[Exception]) -> None:
        """A key of another form, and one that nothing has, are refused."""
        with pytest.raises(error):
            app.flavors.get(key)

    def test_the_same_class_twice_is_harmless_another_is_not(self, app: Actium) -> None:
        """Registering a class again changes nothing; another class with its key is refused, and both are named."""
        app.flavors.register(CountedFlavor)
        app.flavors.register(CountedFlavor)
        with pytest.raises(DuplicateFlavorError, match=r"CountedFlavor and by .*OtherFlavor"):
            app.flavors.register(OtherFlavor)

    @pytest.mark.parametrize(
        "flavor, message",
        [
            (object(), "not a subclass of BasePluginFlavor"),
            (dict, "the class dict, not a subclass"),
            (type("Half", (BaseActionFlavor,), {"SUBTYPE": "a"}), "Half does not set FLAVOR, PLUGIN_CLASS"),
            (
                type("Odd", (BaseActionFlavor,), {"SUBTYPE": "a", "FLAVOR": "b", "PLUGIN_CLASS": dict}),
                "not a subclass of BasePlugin",
            ),
        ],
    )
    def test_what_is_no_flavor_is_refused(self, app: Actium, flavor: Any, message: str) -> None:
        """An object, a foreign class and a half-made flavor are refused with what is missing."""
        with pytest.raises(PluginError, match=message):
            app.flavors.register(flavor)


def install(folder: Path, name: str, version: str, entry_points: str, **modules: str) -> None:
    """Lay a distribution into a folder of the path, as pip would."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(entry_points)
    for module, code in modules.items():
        (folder / f"{module}.py").write_text(code)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of the path for distributions; what they bring is forgotten afterwards."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield folder
    for module in set(sys.modules) - before:
        if module.startswith("installed_"):
            del sys.modules[module]


HOOKS = """
from actium import hookimpl

class Stamp:
    @hookimpl(wrapper=True)
    def create_action(self, action):
        action.labels["stamp"] = "yes"
        return (yield)

@hookimpl
def event_published(event):
    pass
"""
FLAVORS = """
from actium import action_flavor

@action_flavor("{subtype}.one")
def one(config):
    return 1
"""


class TestInstalledHooks:
    def test_take_part_once_enabled(self, site: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """An installed hook plugin does nothing until it is enabled, in code or by ACTIUM_HOOKS; once each."""
        install(site, "actium-stamp", "1.0", "[actium.hooks]\nstamp = installed_hooks:Stamp\n", installed_hooks=HOOKS)

        def labels(**options: Any) -> dict[str, str]:
            with Actium("sqlite://", **options) as app:
                app.flavors.register(CountedFlavor)
                account = app.accounts.create(ServiceAccountRequest(name="robot"))
                return app.actions.create(
                    ActionRequest(name="n", plugin_subtype="test", flavor="counted", service_account_id=account.id)
                ).labels

        assert labels() == {}
        assert labels(hooks=["stamp"]) == {"stamp": "yes"}
        monkeypatch.setenv("ACTIUM_HOOKS", " stamp ,")
        assert labels() == labels(hooks=["stamp"]) == {"stamp": "yes"}

    def test_a_module_is_a_hook_plugin_too(self, site: Path) -> None:
        """An entry point may name a module whose functions are hooks."""
        install(site, "actium-stamp", "1.0", "[actium.hooks]\nstamp = installed_module\n", installed_module=HOOKS)
        registry = PluginFlavorRegistry(hooks=["stamp"])
        assert [str(plugin.origin) for plugin in registry.hook_plugins()] == ["stamp (actium-stamp 1.0)"]

    def test_one_that_is_not_there_is_fatal(self, url: str, site: Path) -> None:
        """An enabled hook plugin that is missing, blocked or claimed twice keeps the application from opening."""
        with pytest.raises(PluginError, match="'absent' is enabled but not installed"):
            Actium(url, hooks=["absent"])
        for name in ("actium-one", "actium-two"):
            install(site, name, "1.0", "[actium.hooks]\nstamp = installed_hooks:Stamp\n", installed_hooks=HOOKS)
        with pytest.raises(DuplicateFlavorError, match="actium-one 1.0 .* and by actium-two 1.0"):
            Actium(url, hooks=["stamp"])
        with Actium(url, hooks=["stamp"], block=["actium-two"]) as app:
            assert len(app.registry.hook_plugins()) == 1
        with pytest.raises(PluginBlockedError):
            Actium(url, hooks=["stamp"], block=["stamp"])

    def test_one_that_fits_no_hook_is_fatal(self, url: str, site: Path) -> None:
        """An enabled hook plugin without hooks keeps the application from opening, with its distribution named."""
        install(site, "actium-empty", "1.0", "[actium.hooks]\nempty = installed_empty\n", installed_empty="")
        with pytest.raises(PluginQuarantinedError, match=r"actium-empty 1\.0.*implements no hook"):
            Actium(url, hooks=["empty"])


class TestQuarantine:
    def test_an_error_does_not_grow_with_every_use(self, site: Path, url: str) -> None:
        """Each use of a broken plugin is told by an error of its own, as short as the one before."""
        install(site, "actium-broken", "1.0", "[actium.action_flavors]\nbroken.one = installed_nowhere:one\n")
        with Actium(url) as app:
            told = []
            for _ in range(5):
                with pytest.raises(PluginQuarantinedError) as caught:
                    app.registry.get_flavor_class("action", "broken", "one")
                told.append(caught.value)
            (status,) = (status for status in app.registry.check() if status.name == "broken.one")
        assert len({id(error) for error in told}) == 5
        assert len({str(error) for error in told}) == 1
        written = {"".join(traceback.format_exception(error)) for error in told[1:]}
        assert len(written) == 1
        assert "ModuleNotFoundError" in written.pop()
        assert isinstance(status.error, PluginQuarantinedError)
        assert isinstance(status.error.__cause__, ModuleNotFoundError)


class TestBlocking:
    @pytest.mark.parametrize(
        "name", ["blocking.one", "actium-blocking", "Actium_Blocking", "ACTIUM.blocking", "blocking.ONE"]
    )
    def test_by_name_of_plugin_or_distribution(
        self, site: Path, url: str, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        """A blocked plugin is listed as such and refused, however the distribution's name is spelled."""
        code = FLAVORS.format(subtype="blocking")
        group = "[actium.action_flavors]\nblocking.one = installed_blocking:one\n"
        install(site, "actium-blocking", "1.0", group, installed_blocking=code)
        monkeypatch.setenv("ACTIUM_BLOCK", name)
        with Actium(url) as app:
            status = app.registry.flavor_status("action", "blocking", "one")
            assert status is not None
            assert (status.state, "is blocked" in str(status.problem)) == ("blocked", True)
            with pytest.raises(PluginBlockedError, match="ACTIUM_BLOCK"):
                app.registry.get_flavor_class("action", "blocking", "one")
            assert app.flavors.get("blocking.one").state == "blocked"
        assert "installed_blocking" not in sys.modules

    def test_strictness_can_be_asked_for_in_code(self, site: Path, url: str) -> None:
        """With ``strict_plugins`` a broken plugin keeps the application from opening; without, it does not."""
        install(site, "actium-broken", "1.0", "[actium.action_flavors]\nbroken.one = installed_nowhere:one\n")
        with pytest.raises(PluginQuarantinedError, match="actium-broken 1.0"):
            Actium(url, strict_plugins=True)
        Actium(url, strict_plugins=False).close()

    def test_an_installed_key_cannot_be_taken_in_code(self, site: Path, url: str) -> None:
        """A flavor made in code cannot take the key of an installed one."""
        group = "[actium.action_flavors]\ntest.counted = installed_nowhere:one\n"
        install(site, "actium-first", "1.0", group)
        with Actium(url) as app, pytest.raises(DuplicateFlavorError, match="actium-first 1.0"):
            app.flavors.register(CountedFlavor)

    def test_the_provider_of_a_missing_flavor_is_named(self, site: Path, url: str) -> None:
        """Creating an action of a flavor that was uninstalled names the distribution that had provided it."""
        code = FLAVORS.format(subtype="leaving")
        group = "[actium.action_flavors]\nleaving.one = installed_leaving:one\n"
        install(site, "actium-leaving", "2.0", group, installed_leaving=code)

        def request(name: str, account_id: Any) -> ActionRequest:
            return ActionRequest(name=name, plugin_subtype="leaving", flavor="one", service_account_id=account_id)

        with Actium(url) as app:
            account = app.accounts.create(ServiceAccountRequest(name="robot"))
            app.actions.create(request("first", account.id))
        (site / "actium_leaving-2.0.dist-info" / "entry_points.txt").unlink()
        with Actium(url) as app:
            with pytest.raises(FlavorNotFoundError, match="actium-leaving 2.0 provided it. Run `pip install"):
                app.actions.create(request("second", account.id))
            assert "actium-leaving 2.0" in str(app.actions.get("first").problem)


class TestAccounts:
    def test_are_found_changed_and_deleted(self, app: Actium) -> None:
        """Accounts are found by name, changed with a version guard, and deleted when nothing uses them."""
        made = app.accounts.create(ServiceAccountRequest(name="robot", description="old"))
        changed = app.accounts.update("robot", ServiceAccountUpdate(description=None, version=made.version))
        assert (changed.description, changed.version, changed.active) == ("", 2, True)
        with pytest.raises(VersionConflictError, match="version 2, not 1"):
            app.accounts.update("robot", ServiceAccountUpdate(active=False, version=1))
        app.accounts.delete("robot")
        with pytest.raises(NotFoundError, match="service account 'robot'"):
            app.accounts.get("robot")


def test_a_flavors_key_is_its_name() -> None:
    """A key's name is what its entry point is called."""
    assert FlavorKey("action", "notify", "slack").name == "notify.slack"
