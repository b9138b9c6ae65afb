"""What is told of plugins that are wrong, of the order in which hooks call, and what the doctor makes of it all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import actium as actium_package
import actium_cli as actium_cli_package
from actium.stores.records import WorkerRecord
from actium.stores.urls import open_store

Call = Callable[..., Any]
Install = Callable[..., None]

WRAPPER = """
    from pathlib import Path
    from actium import hookimpl

    Path({log!r}).touch()

    class Plugin:
        {more}

        @hookimpl(wrapper=True{options})
        def {hook}({arguments}):
            return (yield)
"""

MISSPELLED = """
    from actium import ActionConfig, BaseActionFlavor, BaseActionHandler

    class Handler(BaseActionHandler):
        ISOLATON = "process"
        LIMIT = 3
        config_class = ActionConfig
        flavor_class = property(lambda self: Flavor)

        def run(self, config, trigger_execution, auth_context): ...
        def procces_action_request(self, action, config): ...
        def validate_request(self, action, config): ...
        def validate_action_update(self, action, config, action_update, config_update): ...
        def validate_action_updates(self): ...
        def upload(self): ...

    class Flavor(BaseActionFlavor):
        SUBTYPE, FLAVOR, PLUGIN_CLASS, ACTION_CONFIG_CLASS = "a", "mist", Handler, ActionConfig
        AUTH_WINDW = 5
        ISOLATION = "process"
"""


@pytest.fixture
def hook_plugin(install: Install, tmp_path: Path) -> Call:
    """Install a hook plugin ``NAME`` as ``acme-NAME``; its import leaves the file ``NAME.imported``."""

    def install_hook_plugin(
        name: str,
        *,
        hook: str = "run_action",
        options: str = "",
        arguments: str = "self",
        more: str = "",
        **distribution: Any,
    ) -> Path:
        log = tmp_path / f"{name}.imported"
        code = WRAPPER.format(hook=hook, options=options, arguments=arguments, more=more, log=str(log))
        install(f"acme-{name}", code, hooks={name: f"acme_{name.replace('-', '_')}:Plugin"}, **distribution)
        return log

    return install_hook_plugin


def checked(outcome: Any) -> dict[str, Any]:
    """What a list or a check in JSON says of each plugin that is not blocked, as those of this environment are."""
    return {plugin["name"]: plugin for plugin in outcome.json if plugin["state"] != "blocked"}


class TestList:
    def test_only_loading_tells_hooks_and_time(self, hook_plugin: Call, process: Call) -> None:
        """A list imports nothing; with --load it tells the hooks and how long each import took."""
        log = hook_plugin("audit", version="2.1")
        found = checked(process("plugin", "list", "--kind", "hooks", "--json"))["audit"]
        assert (found["state"], found["hooks"], found["import_seconds"]) == ("found", [], None)
        assert not log.exists()
        loaded = checked(process("plugin", "list", "--kind", "hooks", "--load", "--json"))["audit"]
        assert (loaded["state"], loaded["hooks"], loaded["version"]) == ("loaded", ["run_action"], "2.1")
        assert loaded["import_seconds"] > 0
        assert log.exists()
        assert "run_action" in process("plugin", "list", "--load").stdout

    def test_what_takes_long_is_seen(self, install: Install, process: Call) -> None:
        """The time is that of the plugin's own import, not that of what all plugins share."""
        install("quick", "from actium import action_flavor\n@action_flavor('a.quick')\ndef flavor(): ...",
                action_flavors={"a.quick": "quick:flavor"})  # fmt: skip
        install("slow", "import time; time.sleep(0.3)\nfrom actium import action_flavor\n"
                "@action_flavor('b.slow')\ndef flavor(): ...", action_flavors={"b.slow": "slow:flavor"})  # fmt: skip
        plugins = checked(process("plugin", "list", "--load", "--json"))
        assert plugins["b.slow"]["import_seconds"] >= 0.3
        assert plugins["a.quick"]["import_seconds"] < plugins["b.slow"]["import_seconds"]

    def test_listing_what_is_broken_is_no_failure(self, hook_plugin: Call, process: Call) -> None:
        """A list with --load shows what is quarantined and ends with 0; only a check ends with 1."""
        hook_plugin("typo", hook="run_acton")
        assert process("plugin", "list", "--load").exit_code == 0
        assert process("plugin", "check").exit_code == 1

    def test_a_name_to_block_that_nothing_has_is_told(self, hook_plugin: Call, flavors: None, process: Call) -> None:
        """Once on standard error with the nearest, whichever command it is; a dot is no hyphen in a plugin's name."""
        hook_plugin("audit")
        for arguments in (["plugin", "list"], ["plugin", "check"], ["doctor"], ["account", "list"]):
            done = process("-p", "no:acme.Audti", *arguments)
            assert done.exit_code == 0
            assert done.stderr.count("'acme.Audti' is to be blocked, but no plugin") == 1
            assert "Did you mean 'acme-audit'?" in done.stderr
            assert "to be blocked" not in process("-p", "no:acme.AUDIT", *arguments).stderr
        assert "'test-steps' is to be blocked" in process("-p", "no:test-steps", "plugin", "list").stderr
        assert process("-p", "no:Test.steps", "plugin", "list").stderr == ""

    @pytest.mark.parametrize("name", ["audit", "acme-audit", "ACME_audit", "Acme.-_Audit"])
    def test_what_is_blocked_is_never_imported(self, name: str, hook_plugin: Call, process: Call) -> None:
        """-p no:NAME and ACTIUM_BLOCK, with the name of plugin or distribution, keep every command from importing."""
        log = hook_plugin("audit")
        for arguments in (["plugin", "check"], ["plugin", "list", "--load"], ["plugin", "hooks", "--all"], ["doctor"]):
            done = process("-p", f"no:{name}", *arguments)
            assert done.exit_code == 0, done.stdout + done.stderr
            assert process(*arguments, ACTIUM_BLOCK=f"{os.environ['ACTIUM_BLOCK']}, {name}").exit_code == 0
        assert not log.exists()
        plugins = process("-p", f"no:{name}", "plugin", "list", "--kind", "hooks", "--json").json
        (listed,) = [plugin for plugin in plugins if plugin["name"] == "audit"]
        assert (listed["state"], listed["hint"]) == (
            "blocked",
            "Take its name out of ACTIUM_BLOCK, or of what blocks it.",
        )


class TestCheck:
    @pytest.mark.parametrize(
        "written, told",
        [
            ({"hook": "run_acton"}, "it implements 'run_acton', which is no hook. Did you mean 'run_action'?"),
            ({"arguments": "self, confg"}, "'confg', which that hook does not have. Did you mean 'config'?"),
            ({"arguments": "self, *, config"}, "'config' by keyword only"),
            (
                {"more": "HOOK_VERSION = 99"},
                "written for version 99 of the hooks, and those of this Actium are version",
            ),
            ({"more": "HOOK_VERSION = 'one'"}, "HOOK_VERSION = 'one', which is no version"),
            ({"more": "HOOK_VERSION = 99\n        def __init__(self, wanted): ..."}, "written for version 99"),
            ({"more": "def __init__(self, wanted): ..."}, "missing 1 required positional argument: 'wanted'"),
            ({"options": ", tryfirst=True, trylast=True"}, "both first and last"),
        ],
    )
    def test_a_hook_plugin_that_cannot_work(
        self, written: dict[str, str], told: str, hook_plugin: Call, process: Call
    ) -> None:
        """What is misspelled, never given, or for other hooks, is told with distribution and version."""
        hook_plugin("audit", version="3.2", **written)
        done = process("plugin", "check")
        assert done.exit_code == 1
        assert told in done.stdout
        assert "The plugin audit (acme-audit 3.2) is broken" in done.stdout
        assert "Traceback" not in done.stdout + done.stderr

    def test_an_unfinished_coroutine(self, install: Install, process: Call) -> None:
        """An observer, or a method of a handler, that is `async def` where nobody would await it is told."""
        install("watch", "from actium import hookimpl\n@hookimpl\nasync def event_published(event): ...",
                hooks={"watch": "watch"})  # fmt: skip
        install(
            "late",
            """
            from actium import ActionConfig, BaseActionFlavor, BaseActionHandler

            class Handler(BaseActionHandler):
                config_class = ActionConfig
                flavor_class = property(lambda self: Flavor)
                async def run(self, config, trigger_execution, auth_context): ...
                async def extract_resources(self, action_config, hydrate=False): ...

            class Flavor(BaseActionFlavor):
                SUBTYPE, FLAVOR, PLUGIN_CLASS, ACTION_CONFIG_CLASS = "a", "late", Handler, ActionConfig
            """,
            action_flavors={"a.late": "late:Flavor"},
        )
        plugins = checked(process("plugin", "check", "--json"))
        assert "'event_published' as `async def`" in plugins["watch"]["problem"]
        assert "extract_resources as `async def`" in plugins["a.late"]["problem"]

    def test_the_plugins_own_traceback(self, install: Install, site: Path, process: Call) -> None:
        """What an import raises is shown with the plugin's lines and the cause, and none of Actium's or Python's."""
        code = """
            def connect():
                raise OSError("no route")

            try:
                connect()
            except OSError as error:
                raise RuntimeError("cannot start") from error
        """
        install("raising", code, action_flavors={"a.b": "raising:X"})
        told = checked(process("plugin", "check", "--json"))["a.b"]["traceback"]
        assert [line.strip() for line in told.splitlines() if line.strip().startswith("File")] == [
            f'File "{site}/raising.py", line 6, in <module>',
            f'File "{site}/raising.py", line 3, in connect',
            f'File "{site}/raising.py", line 8, in <module>',
        ]
        assert told.index("OSError: no route") < told.index("which led to") < told.index("RuntimeError: cannot start")
        assert 'raise OSError("no route")' in process("plugin", "check").stdout

    def test_a_plugin_that_is_called_as_actium_is_shows_its_own_lines(
        self, install: Install, site: Path, process: Call
    ) -> None:
        """Beside Actium in one folder, what begins with its name is as foreign as any, and so is another importlib."""
        for package in (actium_package, actium_cli_package):
            shutil.copytree(Path(package.__file__).parent, site / package.__name__)
        install("actium-acme", "import acme.importlib.part", action_flavors={"a.b": "actium_acme:X"})
        install("actium-cli-acme", "raise OSError('no line')", action_flavors={"c.d": "actium_cli_acme:X"})
        part = site / "acme" / "importlib" / "part.py"
        part.parent.mkdir(parents=True)
        part.write_text("raise OSError('no route')")
        plugins = checked(process("plugin", "check", "--json"))
        assert str(site / "actium_acme.py") in plugins["a.b"]["traceback"]
        assert str(part) in plugins["a.b"]["traceback"]
        assert str(site / "actium_cli_acme.py") in plugins["c.d"]["traceback"]
        assert str(site / "actium" / "plugins") not in plugins["c.d"]["traceback"]

    def test_whatever_an_import_raises_concerns_that_plugin_only(self, install: Install, process: Call) -> None:
        """SystemExit, GeneratorExit and exceptions that are none end no command, whichever kind of plugin it is."""
        raised = {
            "exits": "SystemExit('good bye')",
            "gives-up": "GeneratorExit('good bye')",
            "stops": "type('Stop', (BaseException,), {})('good bye')",
        }
        for name, raising in raised.items():
            module = name.replace("-", "_")
            kinds: dict[str, dict[str, str]] = {
                "action_flavors": {f"bad.{module}": f"{module}:X"},
                "hooks": {f"{name}-hooks": f"{module}:X"},
                "stores": {f"{name}-store": f"{module}:X"},
                "commands": {f"{name}-command": f"{module}:X"},
            }
            install(name, f"raise {raising}", **kinds)
        told = process("plugin", "check", "--json")
        assert told.exit_code == 1
        problems = [plugin["problem"] for plugin in checked(told).values()]
        assert len(problems) == 12
        assert all("good bye" in problem for problem in problems)
        assert process("plugin", "list", "--load").exit_code == 0
        assert "bad.stops" in process("doctor").stdout
        assert "good bye" in process("--help").stdout
        assert process("stops-command").exit_code == 1
        assert "good bye" in process("--store", "stops-store://", "account", "list").stderr
        assert "good bye" in process("account", "list", ACTIUM_HOOKS="stops-hooks").stderr
        assert process("account", "list").exit_code == 0

    def test_what_cannot_be_compiled_shows_its_line(self, install: Install, process: Call) -> None:
        """A syntax error has no frame, but a line."""
        install("broken", "x = = 3", action_flavors={"a.b": "broken:X"})
        assert "x = = 3" in checked(process("plugin", "check", "--json"))["a.b"]["traceback"]

    def test_what_is_not_the_plugins_code_has_no_traceback(self, install: Install, process: Call) -> None:
        """Where only Actium's own code ran, there is nothing to show but the problem."""
        install("strange", "X = 1", action_flavors={"a.b": "strange:X", "c.d": "nowhere:X"})
        plugins = checked(process("plugin", "check", "--json"))
        assert plugins["a.b"]["traceback"] is None
        assert plugins["c.d"]["traceback"] is None
        assert "No module named 'nowhere'" in plugins["c.d"]["problem"]

    def test_requirements_that_are_not_met(self, hook_plugin: Call, install: Install, process: Call) -> None:
        """A plugin may load and still be told: its distribution wants what is not here, or in another version."""
        install("basis", "", version="1.5")
        hook_plugin(
            "needy",
            requires=[
                "basis>=2,<3",
                "never-there>=1; python_version > '3'",
                "only-elsewhere; sys_platform == 'never'",
                "colours; extra == 'pretty'",
                "basis<2",
                "basis >>> 2",
            ],
        )
        done = process("plugin", "check", "--json")
        assert done.exit_code == 1
        needy = checked(done)["needy"]
        assert needy["state"] == "loaded"
        assert [conflict["problem"] for conflict in needy["conflicts"]] == [
            "acme-needy requires basis<3,>=2, but basis 1.5 is installed.",
            "acme-needy requires never-there>=1, which is not installed.",
            "acme-needy requires 'basis >>> 2', which is no requirement.",
        ]
        assert needy["conflicts"][0]["remedy"] == "Try `pip install 'basis<3,>=2'`."
        assert "but basis 1.5 is installed" in process("plugin", "check").stdout

    def test_met_requirements_are_no_news(self, hook_plugin: Call, process: Call) -> None:
        """What is installed in a fitting version, also a pre-release, is not told."""
        hook_plugin("content", requires=["typer", "rich>=1", "PyYAML (>=3)"])
        done = process("plugin", "check")
        assert done.exit_code == 0
        assert "1 plugin of" in done.stdout

    def test_two_hook_plugins_or_stores_of_one_name(self, install: Install, process: Call) -> None:
        """Whatever its kind, a name that two distributions claim is told once, with both, and a list shows it, too."""
        for name in ("one", "two"):
            install(name, "x = 1", hooks={"audit": f"{name}:x"}, stores={"ftp": f"{name}:x"})
        done = process("plugin", "check")
        assert done.exit_code == 1
        assert done.stdout.count("'audit' is claimed by") == 1
        assert done.stdout.count("'ftp' is claimed by") == 1
        listed = process("plugin", "list", "--json").json
        assert [each["state"] for each in listed if each["name"] == "audit"] == ["quarantined", "quarantined"]

    def test_stores_are_checked(self, install: Install, process: Call) -> None:
        """A store that cannot be imported, or called, is told."""
        install("ftp", "raise OSError('no line')", stores={"ftp": "ftp:open_store"})
        install("tape", "open_store = 3", stores={"tape": "tape:open_store"})
        install("good", "def open_store(url): ...", stores={"good": "good:open_store"})
        plugins = checked(process("plugin", "check", "--json"))
        assert "OSError: no line" in plugins["ftp"]["problem"]
        assert "an object of int, which cannot be called" in plugins["tape"]["problem"]
        assert plugins["good"]["state"] == "loaded"

    def test_orders_that_cannot_be(self, hook_plugin: Call, process: Call) -> None:
        """Plugins that want to be called before each other are told once, and harm no other."""
        hook_plugin("a", options=", before='b'")
        hook_plugin("b", options=", before='a'")
        hook_plugin("c", options=", after='a'")
        done = process("plugin", "check")
        assert done.exit_code == 1
        assert done.stdout.count("is asked for, which cannot be") == 1
        plugins = checked(process("plugin", "check", "--json"))
        assert {name: bool(plugin["conflicts"]) for name, plugin in plugins.items()} == {
            "a": True,
            "b": True,
            "c": False,
        }
        assert process("account", "list", ACTIUM_HOOKS="a,b,c").exit_code == 0

    def test_names_that_nobody_has_are_noted(self, hook_plugin: Call, process: Call) -> None:
        """A plugin may be placed beside one that is not installed; that is told with the nearest, and is no failure."""
        hook_plugin("audit")
        hook_plugin("clock", options=", after='audti'")
        done = process("plugin", "check")
        assert done.exit_code == 0
        assert "called after 'audti', which is not installed. Did you mean 'audit'?" in done.stdout

    def test_a_forgotten_mark_is_noted(self, hook_plugin: Call, process: Call) -> None:
        """A function that is called like a hook and is not marked as one is told."""
        hook_plugin("audit", more="def event_published(self, event): ...")
        done = process("plugin", "check")
        assert done.exit_code == 0
        assert "Its function event_published is never called: no hookimpl marks it." in done.stdout

    def test_a_function_that_is_nearly_called_as_a_hook_is_noted(self, hook_plugin: Call, process: Call) -> None:
        """One that nothing marks is told with the hook that it may be, unless the plugin implements that."""
        hook_plugin(
            "audit",
            more="""
        def event_publishd(self, event): ...
        def run_actions(self): ...
        def summary(self): ...
        _event_published = event_publishd
        """,
        )
        (note,) = checked(process("plugin", "check", "--json"))["audit"]["notes"]
        assert note.startswith("Its function event_publishd is never called: no hookimpl marks it.")
        assert note.endswith("Did you mean the hook 'event_published'?")

    def test_what_is_misspelled_in_a_flavor_is_noted(self, install: Install, process: Call) -> None:
        """A method or constant that is nearly one that Actium uses is told; the flavor's own names are not."""
        install("mist", MISSPELLED, action_flavors={"a.mist": "mist:Flavor"})
        done = process("plugin", "check", "--json")
        assert done.exit_code == 0
        assert checked(done)["a.mist"]["notes"] == [
            "mist:Handler has ISOLATON, which Actium never uses. Did you mean 'ISOLATION'?",
            "mist:Handler has procces_action_request, which Actium never uses. Did you mean 'process_action_request'?",
            "mist:Handler has validate_request, which Actium never uses. Did you mean 'validate_action_request'?",
            "mist:Flavor has AUTH_WINDW, which Actium never uses. Did you mean 'AUTH_WINDOW'?",
            "mist:Flavor sets ISOLATION, which is read from mist:Handler only.",
        ]

    def test_what_is_missing_is_told_with_what_it_may_have_been(self, install: Install, process: Call) -> None:
        """A handler without run, or a flavor without its name, is told what there is of nearly that name."""
        install("rum", MISSPELLED.replace("def run(", "def rum("), action_flavors={"a.mist": "rum:Flavor"})
        install("tang", MISSPELLED.replace(" FLAVOR,", " FLAVOUR,"), action_flavors={"a.tang": "tang:Flavor"})
        plugins = checked(process("plugin", "check", "--json"))
        assert "rum:Handler does not define run; is rum to be run?" in plugins["a.mist"]["problem"]
        assert "Flavor does not set FLAVOR; is FLAVOUR to be FLAVOR?" in plugins["a.tang"]["problem"]

    def test_a_coroutine_that_an_import_leaves_behind(self, install: Install, process: Call) -> None:
        """Whether it is dropped or kept, it is told with its place, for every kind of plugin; the plugin works."""
        code = """
            from actium import action_flavor, hookimpl
            import typer

            async def connect(): ...

            connect()
            kept = connect()

            @action_flavor("a.b")
            def flavor(): ...

            class Hooks:
                @hookimpl
                def event_published(self, event): ...

            app = typer.Typer()
            app.command()(lambda: None)
        """
        install("acting", code, action_flavors={"a.b": "acting:flavor"})
        install("hooking", code, hooks={"hooking": "hooking:Hooks"})
        install("storing", code, stores={"storing": "storing:flavor"})
        install("telling", code, commands={"telling": "telling:app"})
        done = process("plugin", "check", "--json", PYTHONWARNINGS="default")
        assert done.exit_code == 1
        plugins = checked(done)
        for name, module in {"a.b": "acting", "hooking": "hooking", "storing": "storing", "telling": "telling"}.items():
            assert plugins[name]["state"] == "loaded"
            dropped, kept = (conflict["problem"] for conflict in plugins[name]["conflicts"])
            assert dropped.startswith("Its import makes the coroutine 'connect', made in ")
            assert dropped.endswith(f"{module}.py, line 7, and never awaits it.")
            assert kept.endswith(f"{module}.py, line 8, and never awaits it.")
        told = {finding["what"] for finding in process("doctor", "--json").json}
        assert "hooks plugin hooking (hooking 1.0)" in told

    def test_an_import_that_awaits_is_no_news(self, install: Install, process: Call) -> None:
        """What was run is not told, and neither is any other warning, which Python shows as ever."""
        code = """
            import asyncio, warnings
            from actium import action_flavor

            async def connect(): ...

            asyncio.run(connect())
            warnings.warn("it is getting late", UserWarning)

            @action_flavor("a.b")
            def flavor(): ...
        """
        install("awaiting", code, action_flavors={"a.b": "awaiting:flavor"})
        done = process("plugin", "check", "--json", PYTHONWARNINGS="default")
        assert done.exit_code == 0
        assert checked(done)["a.b"]["conflicts"] == []
        assert "it is getting late" in done.stderr

    def test_a_plain_function_around_an_async_one_is_noted(self, install: Install, process: Call) -> None:
        """A decorator may hide that a method or hook is a coroutine; as it may also await it, that is no failure."""
        decorated = """
            import functools
            from actium import ActionConfig, BaseActionFlavor, BaseActionHandler, hookimpl

            def timed(function):
                @functools.wraps(function)
                def around(*args, **kwargs):
                    return function(*args, **kwargs)
                return around

            class Handler(BaseActionHandler):
                config_class = ActionConfig
                flavor_class = property(lambda self: Flavor)

                @timed
                async def run(self, config, trigger_execution, auth_context): ...

            class Flavor(BaseActionFlavor):
                SUBTYPE, FLAVOR, PLUGIN_CLASS, ACTION_CONFIG_CLASS = "a", "timed", Handler, ActionConfig

            class Hooks:
                @hookimpl
                @timed
                async def event_published(self, event): ...
        """
        install("timed", decorated, action_flavors={"a.timed": "timed:Flavor"}, hooks={"timed": "timed:Hooks"})
        done = process("plugin", "check", "--json")
        assert done.exit_code == 0
        (run,), (published,) = (checked(done)[name]["notes"] for name in ("a.timed", "timed"))
        assert run == (
            "timed:Handler implements run with a plain function around an `async def`. Where that returns a coroutine, "
            "nobody awaits it: write the decorator's inner function with `async def`."
        )
        assert published.startswith("It implements event_published with a plain function around an `async def`.")


class TestHooks:
    @pytest.fixture(autouse=True)
    def plugins(self, hook_plugin: Call, flavors: None) -> None:
        hook_plugin("audit", options=", tryfirst=True", version="2.1")
        hook_plugin("policy", options=", before='audit'")
        hook_plugin("clock", hook="get_action")
        hook_plugin("typo", hook="run_acton")

    def test_a_hook_shows_who_is_called_and_why(self, process: Call) -> None:
        """The enabled plugins stand in the order of their calls, each with its reasons, the flavor last."""
        calls = process("plugin", "hooks", "run_action", "--json", ACTIUM_HOOKS="audit,policy,clock").json
        assert [(call["plugin"], call["position"], call["reasons"]) for call in calls] == [
            ("policy", "wrapper", ["before audit", "enabled 2nd"]),
            ("audit", "wrapper", ["tryfirst", "enabled 1st"]),
            ("the flavor", "handler", ["inside all wrappers"]),
        ]
        assert (calls[1]["distribution"], calls[1]["version"]) == ("acme-audit", "2.1")
        shown = process("plugin", "hooks", "run_action", ACTIUM_HOOKS="audit,policy").stdout
        assert shown.index("before audit; enabled 2nd") < shown.index("tryfirst; enabled 1st")

    def test_without_a_name_all_hooks_are_shown(self, process: Call) -> None:
        """Hooks in which no enabled plugin takes part are left out."""
        calls = process("plugin", "hooks", "--json", ACTIUM_HOOKS="audit,clock").json
        assert list(dict.fromkeys(call["hook"] for call in calls)) == ["get_action", "run_action"]
        assert "--all also shows" in process("plugin", "hooks").stdout

    def test_a_plugin_shows_the_hooks_that_it_takes_part_in(self, process: Call) -> None:
        """Of these, everyone who is called is shown."""
        calls = process("plugin", "hooks", "clock", "--json", ACTIUM_HOOKS="audit,clock").json
        assert [(call["hook"], call["plugin"]) for call in calls] == [
            ("get_action", "clock"),
            ("get_action", "the flavor"),
        ]

    def test_a_flavor_is_what_the_others_stand_around(self, process: Call) -> None:
        """With a flavor's name its handler is shown with distribution and version."""
        calls = process("plugin", "hooks", "test.steps", "--json", ACTIUM_HOOKS="audit").json
        assert [call["plugin"] for call in calls] == ["audit", "test.steps"]
        assert calls[1]["distribution"] == "test-flavors"

    def test_those_that_are_not_enabled(self, process: Call) -> None:
        """With --all they are shown as if they were, but told apart; those that are broken are passed over."""
        calls = process("plugin", "hooks", "run_action", "--all", "--json", ACTIUM_HOOKS="audit").json
        assert [(call["plugin"], call["is_enabled"]) for call in calls] == [
            ("policy", False),
            ("audit", True),
            ("the flavor", True),
        ]
        assert calls[0]["reasons"] == ["before audit", "not enabled"]

    def test_what_is_no_hook_is_refused(self, process: Call) -> None:
        """The error names the hooks and hook plugins that there are."""
        failed = process("plugin", "hooks", "run_acton")
        assert failed.exit_code == 1
        assert "There is no hook, hook plugin or flavor 'run_acton'" in failed.stderr
        assert "run_action" in failed.stderr

    def test_a_broken_plugin_that_is_enabled_is_told(self, process: Call) -> None:
        """As it keeps applications from opening, there is no order to show."""
        failed = process("plugin", "hooks", ACTIUM_HOOKS="typo")
        assert failed.exit_code == 1
        assert "Did you mean 'run_action'?" in failed.stderr


class TestDoctor:
    def test_all_is_well(self, flavors: None, hook_plugin: Call, process: Call) -> None:
        """Where nothing is wrong, it says what it looked at."""
        hook_plugin("audit")
        done = process("doctor")
        assert done.exit_code == 0
        assert done.stdout == "All is well.\nLooked at the plugins, and at the store sqlite:///actium.db.\n"
        assert process("doctor", "--json").json == []

    def test_a_worker_elsewhere_is_waited_for(self, trainer: Call) -> None:
        """It says that it waits for signs of life, unless it is not to, and mends what a silent worker left."""
        execution = trainer("action", "run", "retrain", "--no-wait", "--json").json["id"]
        with closing(open_store("sqlite:///actium.db")) as store:
            fields: dict[str, Any] = {"process": 1, "lease": 0.5, "beat": 0, "started": datetime.now(UTC)}
            store.register_worker(WorkerRecord(name="pod-1", host="pod", **fields))
            assert store.exchange("pod-1", limit=1).claims
        at_once = trainer("doctor", "--watch", "0", "--json")
        assert (at_once.json, at_once.stderr) == ([], "")
        mended = trainer("doctor", "--mend", "--json")
        assert mended.stderr == "Waiting up to 1 s for signs of life of workers on other machines ...\n"
        assert [(one["what"], one["mended"]) for one in mended.json] == [("worker pod-1", True)]
        assert mended.exit_code == 0
        assert trainer("execution", "show", execution, "--json").json["body"]["status"] == "pending"

    def test_everything_is_told_at_once_with_what_to_do(
        self, hook_plugin: Call, install: Install, process: Call
    ) -> None:
        """Broken plugins, requirements that are not met, orders that cannot be, and the store, each with a hint."""
        hook_plugin("typo", hook="run_acton")
        hook_plugin("needy", requires=["never-there"])
        hook_plugin("a", options=", before='b'")
        hook_plugin("b", options=", before='a'")
        install("raising", "raise ValueError('bad day')", action_flavors={"a.b": "raising:X"})
        done = process("doctor", "--store", "sqlite:////nowhere/at/all.db", "--json")
        assert done.exit_code == 1
        told = {finding["what"]: finding for finding in done.json}
        assert list(told) == [
            "action plugin a.b (raising 1.0)",
            "order of hook plugins",
            "distribution acme-needy 1.0",
            "hooks plugin typo (acme-typo 1.0)",
            "store sqlite:////nowhere/at/all.db",
        ]
        assert all(finding["remedy"] for finding in told.values())
        assert "`actium plugin check` shows where it comes from." in told["action plugin a.b (raising 1.0)"]["remedy"]
        assert "cannot be opened" in told["store sqlite:////nowhere/at/all.db"]["problem"]

    def test_a_broken_hook_plugin_hides_nothing_else(self, hook_plugin: Call, process: Call) -> None:
        """Where it keeps the store from opening, that is told, and the problem itself once."""
        hook_plugin("typo", hook="run_acton")
        done = process("doctor", "--json", ACTIUM_HOOKS="typo")
        assert done.exit_code == 1
        assert [finding["what"] for finding in done.json] == [
            "hooks plugin typo (acme-typo 1.0)",
            "store sqlite:///actium.db",
        ]
        assert "was not looked at" in done.json[1]["problem"]

    def test_a_hook_plugin_that_is_not_there(self, process: Call) -> None:
        """One that is enabled and not installed is told as what it is."""
        missing = process("doctor", "--json", ACTIUM_HOOKS="nothing")
        assert missing.exit_code == 1
        assert missing.json[0]["what"] == "ACTIUM_HOOKS"
        assert "'nothing' is enabled but not installed" in missing.json[0]["problem"]

    def test_metadata_that_cannot_be_read(self, site: Path, process: Call) -> None:
        """A distribution whose entry points are malformed is told by its name."""
        info = site / "torn-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: torn\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[actium.action_flavors]\nno equals sign here\n")
        (finding,) = process("doctor", "--json").json
        assert (finding["what"], finding["remedy"]) == ("distribution torn 1.0", "Install it again.")

    def test_a_password_in_the_url_is_not_told(self, process: Call) -> None:
        """What is said of the store holds no secret."""
        done = process("doctor", "--store", "ftp://robot:hunter2@host/db", "--json")
        assert done.exit_code == 1
        assert "hunter2" not in done.stdout + done.stderr
