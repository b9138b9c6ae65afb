"""Hostile plugins, installed for real: none breaks listing, checking or another plugin."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

GROUP = "actium.action_flavors"

PREAMBLE = """
    import os
    from actium import ActionConfig, BaseActionFlavor, BaseActionHandler, action_flavor, hookimpl

    with open(os.environ["IMPORT_LOG"], "a") as log:
        print(__name__, file=log)
"""
SOUND = """
    @action_flavor("sound.{name}")
    def flavor(config):
        return "it ran"
"""


@dataclass(frozen=True)
class Hostile:
    """A plugin that does harm.

    Attributes:
        code: Its module, which is called as the key's second half is.
        attribute: What its entry point names in the module.
        says: What is to be read of it in its problem.
    """

    code: str
    says: str
    attribute: str = "flavor"
    module: str | None = None


HOSTILE: Mapping[str, Hostile] = {
    "raises": Hostile("raise RuntimeError('out of order')", "RuntimeError: out of order"),
    "raises_unprintable": Hostile(
        """
        class Unprintable(Exception):
            def __str__(self):
                raise ValueError("not even this")

        raise Unprintable
        """,
        "Unprintable",
    ),
    "no_syntax": Hostile("this is no Python", "SyntaxError"),
    "missing_module": Hostile("", "No module named 'never_installed'", module="never_installed"),
    "missing_dependency": Hostile("import never_installed", "No module named 'never_installed'"),
    "missing_attribute": Hostile("", "has no attribute 'Missing'", attribute="Missing"),
    "invalid_value": Hostile("", "is not of the form 'module:attribute'", attribute="not a name"),
    "no_flavor": Hostile("class flavor: ...", "the class flavor, not a subclass of BasePluginFlavor"),
    "a_function": Hostile("def flavor(): ...", "an object of function, not a subclass of BasePluginFlavor"),
    "an_instance": Hostile(
        "class Instance: ...\nflavor = Instance()", "an object of Instance, not a subclass of BasePluginFlavor"
    ),
    "incomplete": Hostile("class flavor(BaseActionFlavor):\n    SUBTYPE = 'hostile'", "does not set FLAVOR"),
    "no_handler": Hostile(
        "class flavor(BaseActionFlavor):\n"
        "    SUBTYPE, FLAVOR, PLUGIN_CLASS, ACTION_CONFIG_CLASS = 'hostile', 'no_handler', dict, ActionConfig",
        "not a subclass of BasePlugin",
    ),
    "no_run": Hostile(
        """
        class Handler(BaseActionHandler):
            config_class = ActionConfig
            flavor_class = property(lambda self: flavor)

        class flavor(BaseActionFlavor):
            SUBTYPE, FLAVOR, PLUGIN_CLASS, ACTION_CONFIG_CLASS = "hostile", "no_run", Handler, ActionConfig
        """,
        "hostile_no_run:Handler does not define run",
    ),
    "other_run": Hostile(
        """
        class Handler(BaseActionHandler):
            config_class = ActionConfig
            flavor_class = property(lambda self: flavor)

            def run(self, config): ...

        class flavor(BaseActionFlavor):
            SUBTYPE, FLAVOR, PLUGIN_CLASS, ACTION_CONFIG_CLASS = "hostile", "other_run", Handler, ActionConfig
        """,
        "hostile_other_run:Handler cannot be called as run(config, trigger_execution, auth_context): too many",
    ),
    "never_awaited": Hostile(
        """
        class Handler(BaseActionHandler):
            config_class = ActionConfig
            flavor_class = property(lambda self: flavor)

            async def run(self, config, trigger_execution, auth_context): ...

            async def process_action_request(self, action, config): ...

        class flavor(BaseActionFlavor):
            SUBTYPE, FLAVOR, PLUGIN_CLASS, ACTION_CONFIG_CLASS = "hostile", "never_awaited", Handler, ActionConfig
        """,
        "hostile_never_awaited:Handler implements process_action_request as `async def`, which nobody would await",
    ),
    "yielding_run": Hostile(
        """
        class Handler(BaseActionHandler):
            config_class = ActionConfig
            flavor_class = property(lambda self: flavor)

            async def run(self, *anything):
                yield

        class flavor(BaseActionFlavor):
            SUBTYPE, FLAVOR, PLUGIN_CLASS, ACTION_CONFIG_CLASS = "hostile", "yielding_run", Handler, ActionConfig
        """,
        "implements run as an `async def` with a yield",
    ),
    "other_name": Hostile("@action_flavor('somebody.else')\ndef flavor(): ...", "calls itself action somebody.else"),
    "raises_when_looked_at": Hostile(
        """
        class Meta(type(BaseActionFlavor)):
            @property
            def FLAVOR(cls):
                raise RuntimeError("do not look")

        class flavor(BaseActionFlavor, metaclass=Meta):
            SUBTYPE = "hostile"
        """,
        "RuntimeError: do not look",
    ),
    "prints_and_raises": Hostile("print('look at me')\nraise RuntimeError('out of order')", "out of order"),
    "exits": Hostile("import sys\nsys.exit('good bye')", "SystemExit: good bye"),
    "gives_up": Hostile("raise GeneratorExit('no more')", "GeneratorExit: no more"),
    "stops_all": Hostile("class Stop(BaseException): ...\nraise Stop('everything')", "Stop: everything"),
    "stops_when_asked": Hostile(
        """
        class Stop(BaseException):
            def __str__(self):
                raise self

        raise Stop
        """,
        "Stop, which raised another exception",
    ),
    "stops_when_looked_at": Hostile(
        """
        class Stop(BaseException): ...

        class Meta(type(BaseActionFlavor)):
            @property
            def FLAVOR(cls):
                raise Stop("do not look")

        class flavor(BaseActionFlavor, metaclass=Meta):
            SUBTYPE = "hostile"
        """,
        "Stop: do not look",
    ),
}


def install(
    folder: Path, distribution: str, entry_points: str, modules: Mapping[str, str] | None = None, version: str = "6.6"
) -> None:
    """Install a distribution as pip does: a metadata folder, and modules beside it."""
    info = folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(entry_points)
    for name, code in (modules or {}).items():
        (folder / f"{name}.py").write_text(textwrap.dedent(PREAMBLE) + textwrap.dedent(code))


def install_hostile(folder: Path, name: str, hostile: Hostile) -> None:
    """Install one hostile plugin as ``hostile-NAME``, with the key ``hostile.NAME``."""
    module = hostile.module or f"hostile_{name}"
    value = f"{module}:{hostile.attribute}"
    modules = {} if hostile.module else {module: hostile.code}
    install(folder, f"hostile-{name.replace('_', '-')}", f"[{GROUP}]\nhostile.{name} = {value}\n", modules)


def install_sound(folder: Path, name: str) -> None:
    """Install one plugin that harms nobody, as ``sound-NAME``, with the key ``sound.NAME``."""
    module = f"sound_{name}"
    install(folder, f"sound-{name}", f"[{GROUP}]\nsound.{name} = {module}:flavor\n", {module: SOUND.format(name=name)})


@dataclass(frozen=True)
class Machine:
    """A folder of installed distributions, and processes that see them."""

    folder: Path

    def run(self, code: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run code in a new process; it may raise."""
        return subprocess.run(
            [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(self.folder), "IMPORT_LOG": str(self.log), **variables},
        )

    def tells(self, code: str, **variables: str) -> Any:
        """What code in a new process prints last, which is JSON."""
        done = self.run(code, **variables)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    @property
    def log(self) -> Path:
        return self.folder / "imports.log"

    def imported(self) -> list[str]:
        """The plugins' modules that any process has imported so far."""
        return self.log.read_text().split() if self.log.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    folder = tmp_path / "site"
    folder.mkdir()
    install_sound(folder, "first")
    install_sound(folder, "last")
    return Machine(folder)


@pytest.fixture
def infested(machine: Machine) -> Machine:
    """Every hostile plugin at once, between two sound ones."""
    for name, hostile in HOSTILE.items():
        install_hostile(machine.folder, name, hostile)
    return machine


LIST = """
    import json
    from actium.plugins.registry import PluginFlavorRegistry
    registry = PluginFlavorRegistry()
    print(json.dumps({status.name: status.state for status in registry.statuses("action")}))
"""
CHECK = """
    import json
    from actium.plugins.registry import PluginFlavorRegistry
    print(json.dumps({
        status.name: [status.state, status.origin.distribution, status.origin.version, status.problem]
        for status in PluginFlavorRegistry().check() if status.kind == "action"
    }))
"""
RUN_SOUND = """
    import json, sys
    from actium import Actium
    from actium.models import ActionRequest, ServiceAccountRequest
    with Actium(sys.argv[1] if len(sys.argv) > 1 else "sqlite://") as app:
        account = app.accounts.create(ServiceAccountRequest(name="someone"))
        for flavor in ("first", "last"):
            action = app.actions.create(ActionRequest(
                name=flavor, plugin_subtype="sound", flavor=flavor, service_account_id=account.id))
            app.actions.run(action.id)
        app.worker().run_until_idle()
        print(json.dumps([execution.status for execution in app.executions.list().items]))
"""


class TestAllAtOnce:
    def test_listing_names_all_and_imports_none(self, infested: Machine) -> None:
        """However slow or hostile their modules are, they are not touched; nothing else is printed either."""
        done = infested.run(LIST)
        listed = json.loads(done.stdout)  # with whatever else is installed where the tests run
        assert {name: state for name, state in listed.items() if name.startswith(("hostile.", "sound."))} == {
            **{f"hostile.{name}": "found" for name in HOSTILE},
            "sound.first": "found",
            "sound.last": "found",
        }
        assert done.stderr == ""
        assert infested.imported() == []

    def test_pages_of_flavors_import_none_either(self, infested: Machine) -> None:
        """What callers of an application list is made of metadata alone."""
        names = infested.tells("""
            import json
            from actium import Actium
            with Actium("sqlite://") as app:
                print(json.dumps([flavor.name for flavor in app.flavors.list(max_size=100).items]))
        """)
        assert {"hostile.raises", "hostile.exits", "sound.first", "sound.last"} <= set(names)
        assert infested.imported() == []

    def test_checking_names_distribution_version_and_error_of_each(self, infested: Machine) -> None:
        """Each is told with what to uninstall and why; the sound ones are loaded."""
        checked = infested.tells(CHECK)
        for name, hostile in HOSTILE.items():
            state, distribution, version, problem = checked[f"hostile.{name}"]
            assert (state, distribution, version) == ("quarantined", f"hostile-{name.replace('_', '-')}", "6.6")
            assert hostile.says in problem
            assert f"hostile.{name} ({distribution} {version})" in problem
        assert checked["sound.first"][0] == checked["sound.last"][0] == "loaded"

    def test_hydrated_pages_tell_the_problem_of_each(self, infested: Machine) -> None:
        """Hydrating imports, and a flavor that cannot be is listed with its problem."""
        problems = infested.tells("""
            import json
            from actium import Actium
            with Actium("sqlite://") as app:
                page = app.flavors.list(max_size=100, hydrate=True)
                print(json.dumps({flavor.name: flavor.body.problem for flavor in page.items}))
        """)
        assert {name for name, problem in problems.items() if problem is None} >= {"sound.first", "sound.last"}
        for name, hostile in HOSTILE.items():
            assert hostile.says in problems[f"hostile.{name}"]

    def test_sound_flavors_run_beside_them(self, infested: Machine) -> None:
        """Creating, running and recording their actions works, and imports none of the others."""
        assert infested.tells(RUN_SOUND) == ["succeeded", "succeeded"]
        assert sorted(infested.imported()) == ["sound_first", "sound_last"]

    def test_strictness_makes_any_of_them_fatal(self, infested: Machine) -> None:
        """A build pipeline that sets ACTIUM_STRICT_PLUGINS fails, and says at whom."""
        done = infested.run("from actium import Actium; Actium('sqlite://')", ACTIUM_STRICT_PLUGINS="1")
        assert done.returncode == 1
        assert "PluginQuarantinedError: The plugin hostile." in done.stderr


@pytest.mark.parametrize("name", HOSTILE)
def test_using_a_hostile_flavor_is_refused(machine: Machine, name: str) -> None:
    """Creating an action of it is an error of Actium's that tells why; the process and its store go on."""
    install_hostile(machine.folder, name, HOSTILE[name])
    told = machine.tells(f"""
        import json
        from actium import Actium, ActiumError
        from actium.models import ActionRequest, ServiceAccountRequest
        with Actium("sqlite://") as app:
            account = app.accounts.create(ServiceAccountRequest(name="someone"))
            errors = []
            for _ in range(2):
                try:
                    app.actions.create(ActionRequest(
                        name="bad", plugin_subtype="hostile", flavor={name!r}, service_account_id=account.id))
                except ActiumError as error:
                    errors.append([type(error).__name__, str(error)])
            print(json.dumps([errors, app.actions.list().total, app.accounts.list().total]))
    """)
    errors, actions, accounts = told
    assert [kind for kind, _ in errors] == ["PluginQuarantinedError"] * 2
    assert HOSTILE[name].says in errors[0][1]
    assert errors[0] == errors[1]
    assert (actions, accounts) == (0, 1)
    assert machine.imported().count(f"hostile_{name}") <= 1


class TestClaims:
    def test_a_taken_name_is_refused_and_both_claimants_are_named(self, machine: Machine) -> None:
        """Neither wins by chance; blocking one by its distribution gives the name to the other."""
        install(machine.folder, "usurper", f"[{GROUP}]\nsound.first = usurper:flavor\n", {"usurper": ""}, version="9")
        checked = machine.tells(CHECK)
        state, *_, problem = checked["sound.first"]
        assert state == "quarantined"
        assert "sound-first 6.6" in problem
        assert "usurper 9" in problem
        assert checked["sound.last"][0] == "loaded"
        assert "usurper" not in machine.imported()
        assert machine.tells(RUN_SOUND, ACTIUM_BLOCK="usurper") == ["succeeded", "succeeded"]

    @pytest.mark.parametrize("name", ["nodot", "a.b.c", ".", "Upper.Case", "with space.x", "", "hostile."])
    def test_a_name_that_is_no_key_concerns_itself_only(self, machine: Machine, name: str) -> None:
        """It is listed with its problem, and checking goes on to the others."""
        install(machine.folder, "misnamed", f"[{GROUP}]\n{name} = misnamed:flavor\n", {"misnamed": "flavor = 1"})
        checked = machine.tells(CHECK)
        state, distribution, version, problem = checked[name]
        assert (state, distribution, version) == ("quarantined", "misnamed", "6.6")
        assert problem
        assert checked["sound.first"][0] == checked["sound.last"][0] == "loaded"
        assert machine.tells(RUN_SOUND) == ["succeeded", "succeeded"]
        names = machine.tells("""
            import json
            from actium import Actium
            with Actium("sqlite://") as app:
                print(json.dumps([flavor.name for flavor in app.flavors.list(hydrate=True).items]))
        """)
        assert {"sound.first", "sound.last"} <= set(names)


class TestMetadata:
    def test_malformed_entry_points_are_a_problem_of_their_distribution(self, machine: Machine) -> None:
        """The others are listed, and the problem names distribution, version and line."""
        install(machine.folder, "malformed", f"[{GROUP}]\nthis is no entry point\n", version="0.3")
        (problem,) = machine.tells("""
            import json
            from actium.plugins.registry import PluginFlavorRegistry
            print(json.dumps([
                [problem.distribution, problem.version, problem.error]
                for problem in PluginFlavorRegistry().discovery_problems()
            ]))
        """)
        assert problem[:2] == ["malformed", "0.3"]
        assert "this is no entry point" in problem[2]
        done = machine.run(RUN_SOUND)
        assert json.loads(done.stdout) == ["succeeded", "succeeded"]
        assert "pydantic cannot search its plugins" in done.stderr


class TestHandlers:
    def test_a_handler_that_cannot_be_made_is_quarantined(self, machine: Machine) -> None:
        """Its constructor may raise or exit, or it may lack what an action's handler needs; that is its own problem."""
        harms = {"raising": "RuntimeError('no handler')", "exiting": "SystemExit(3)", "stopping": "BaseException('no')"}
        for name, harm in harms.items():
            code = f"""
                class Handler(BaseActionHandler):
                    config_class = ActionConfig
                    flavor_class = property(lambda self: flavor)

                    def __init__(self):
                        raise {harm}

                    def run(self, config, trigger_execution, auth_context): ...

                class flavor(BaseActionFlavor):
                    SUBTYPE, FLAVOR, PLUGIN_CLASS, ACTION_CONFIG_CLASS = "hostile", {name!r}, Handler, ActionConfig
            """
            install_hostile(machine.folder, name, Hostile(code, says=""))
        no_action = """
            from actium.plugins.base_plugin_flavor import BasePlugin, BasePluginFlavor

            class Plugin(BasePlugin):
                config_class = flavor_class = None

            class flavor(BasePluginFlavor):
                TYPE, SUBTYPE, FLAVOR, PLUGIN_CLASS = "action", "hostile", "no_action", Plugin

                @classmethod
                def get_flavor_response_model(cls, hydrate): ...
        """
        install_hostile(machine.folder, "no_action", Hostile(no_action, says=""))
        told = machine.tells("""
            import json
            from actium.errors import PluginQuarantinedError
            from actium.plugins.registry import PluginFlavorRegistry
            registry, errors = PluginFlavorRegistry(), []
            for name in ("raising", "exiting", "stopping", "no_action"):
                try:
                    registry.get_plugin("action", "hostile", name)
                except PluginQuarantinedError as error:
                    errors.append(str(error))
            registry.get_plugin("action", "sound", "first")
            print(json.dumps(errors))
        """)
        raising, exiting, stopping, no_action = told
        assert "BaseException: no" in stopping
        assert "RuntimeError: no handler" in raising
        assert "SystemExit: 3" in exiting
        assert "hostile_no_action:Plugin cannot be made" in no_action


class TestHookPlugins:
    def test_only_enabled_hook_plugins_are_imported(self, machine: Machine) -> None:
        """One that is installed but not enabled sees no action and can do no harm."""
        install(machine.folder, "spy", "[actium.hooks]\nspy = spy:Spy\n", {"spy": "raise RuntimeError('spying')"})
        assert machine.tells(RUN_SOUND) == ["succeeded", "succeeded"]
        assert "spy" not in machine.imported()

    def test_an_enabled_hook_plugin_that_is_broken_is_fatal(self, machine: Machine) -> None:
        """It may be there to refuse what must not happen, so nothing runs without it."""
        install(
            machine.folder, "guard", "[actium.hooks]\nguard = guard:Guard\n", {"guard": "raise RuntimeError('asleep')"}
        )
        done = machine.run(RUN_SOUND, ACTIUM_HOOKS="guard")
        assert done.returncode == 1
        assert "PluginQuarantinedError: The plugin guard (guard 6.6) is broken" in done.stderr
        assert "RuntimeError: asleep" in done.stderr


def test_an_action_whose_plugin_breaks_later_is_listed_with_its_problem(machine: Machine, tmp_path: Path) -> None:
    """An upgrade that breaks a plugin loses no action: it is shown with the reason, and deleted by force if wanted."""
    url = f"sqlite:///{tmp_path}/actium.db"
    assert machine.tells(RUN_SOUND.replace('"sqlite://"', repr(url))) == ["succeeded", "succeeded"]
    (machine.folder / "sound_first.py").write_text("raise RuntimeError('upgraded too far')")
    shown, remaining = machine.tells(f"""
        import json
        from actium import Actium
        with Actium({url!r}) as app:
            shown = {{action.name: action.body.problem for action in app.actions.list(hydrate=True).items}}
            app.actions.delete("first", force=True)
            print(json.dumps([shown, [action.name for action in app.actions.list().items]]))
    """)
    assert "RuntimeError: upgraded too far" in shown["first"]
    assert shown["last"] is None
    assert remaining == ["last"]
