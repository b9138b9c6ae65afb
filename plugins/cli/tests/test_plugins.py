"""Plugins: listed without being imported, checked by name, and commands of theirs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]
Install = Callable[..., None]

COMMANDS = '''
    import typer
    from actium_cli.context import current_app, current_options, output

    print("printed at import")
    app = typer.Typer(help="Look after gardens.", no_args_is_help=True)
    beds = typer.Typer(help="Beds of a garden.")
    app.add_typer(beds, name="bed")

    @app.command("list")
    def list_gardens(size: int = 3) -> None:
        """List gardens."""
        with current_app() as actium:
            total = actium.accounts.list().total
        print("printed in a command")
        gardens = [{"name": f"garden-{n}", "accounts": total} for n in range(size)]
        output(gardens, lambda: " ".join(garden["name"] for garden in gardens))

    @beds.command()
    def options() -> None:
        """Show the options."""
        options = current_options()
        output({"project": options.project, "store": options.store}, lambda: options.project)

    @beds.command()
    def fail() -> None:
        """Fail."""
        raise KeyError("no such bed")
'''


@pytest.fixture
def garden(install: Install) -> None:
    install("garden", COMMANDS, version="3.1", module="garden_commands", commands={"garden": "garden_commands:app"})


class TestCommandsOfPlugins:
    def test_a_command_is_found_and_works(self, garden: None, actium: Call) -> None:
        """A plugin's command stands in help, opens the application, and answers as text or JSON."""
        assert "Look after gardens." in actium("--help").stdout
        assert actium("garden", "list", "--size", "2").stdout == "garden-0 garden-1\n"
        assert actium("garden", "list", "--json").json[0] == {"name": "garden-0", "accounts": 0}

    def test_it_takes_the_options_of_every_command(self, garden: None, actium: Call) -> None:
        """A plugin's command, also in a group of its own, takes the common options before and after its name."""
        expected = {"project": "p", "store": "sqlite:///s.db"}
        before = actium("--project", "p", "--store", "sqlite:///s.db", "--json", "garden", "bed", "options")
        after = actium("garden", "bed", "options", "--json", "--project", "p", "--store", "sqlite:///s.db")
        assert before.json == after.json == expected
        assert "--store" in actium("garden", "bed", "options", "--help").stdout

    def test_its_errors_are_told_like_all_others(self, garden: None, process: Call) -> None:
        """What a plugin's command raises is told without a traceback."""
        failed = process("garden", "bed", "fail")
        assert failed.exit_code == 1
        assert failed.stderr.splitlines()[1] == "Error: KeyError: 'no such bed'"
        assert "Traceback" not in failed.stderr
        assert "Traceback" in process("garden", "bed", "fail", "--debug").stderr

    def test_it_is_not_imported_before_it_is_needed(self, install: Install, process: Call) -> None:
        """Another command does not import it, not even to say that it is broken."""
        install("broken", "raise SystemExit(3)", commands={"broken": "broken:app"})
        assert process("account", "list", "--json").stderr == ""

    @pytest.mark.parametrize(
        ("code", "told"),
        [
            ("raise RuntimeError('no soil')", "RuntimeError: no soil"),
            ("import a_module_that_is_not_there", "ModuleNotFoundError"),
            ("import sys; sys.exit(7)", "SystemExit: 7"),
            ("app = 42", "an object of int, not a typer.Typer"),
            ("other = 42", "AttributeError"),
            ("import typer; app = typer.Typer()", "RuntimeError"),
        ],
    )
    def test_a_broken_command_breaks_nothing_else(self, install: Install, process: Call, code: str, told: str) -> None:
        """Help shows it as broken, calling it tells distribution, version and error, and all others work."""
        install("broken", code, version="0.3", commands={"weeds": "broken:app"})
        shown = process("--help")
        assert shown.exit_code == 0
        assert "(broken)" in shown.stdout
        called = process("weeds", "list", "--anything", "x")
        assert called.exit_code == 1
        assert "broken 0.3" in called.stderr
        assert told in called.stderr
        assert "Traceback" not in called.stderr
        assert process("account", "list").exit_code == 0

    def test_a_blocked_command_is_not_there(self, garden: None, actium: Call) -> None:
        """-p no:NAME takes a command out of help; calling it says that it is blocked."""
        assert "Look after gardens." not in actium("-p", "no:garden", "--help").stdout
        called = actium("-p", "no:garden", "garden", "list")
        assert called.exit_code == 1
        assert "blocked" in called.stderr

    def test_two_claims_to_a_name_are_told(self, garden: None, install: Install, actium: Call) -> None:
        """Two distributions with a command of one name are both named; blocking one leaves the other."""
        install("rival", COMMANDS, module="rival_commands", commands={"garden": "rival_commands:app"})
        called = actium("garden", "list")
        assert called.exit_code == 1
        assert "garden 3.1" in called.stderr
        assert "rival 1.0" in called.stderr
        assert actium("-p", "no:rival", "garden", "list").exit_code == 0

    def test_actiums_own_commands_cannot_be_taken(self, install: Install, actium: Call) -> None:
        """A plugin with the name of a command of Actium's own changes nothing, and the check tells it."""
        install("thief", COMMANDS, module="thief_commands", commands={"account": "thief_commands:app"})
        assert actium("account", "list", "--json").json["total"] == 0
        checked = actium("plugin", "check")
        assert checked.exit_code == 1
        assert "actium-cli itself and by thief 1.0" in checked.stdout


class TestListAndCheck:
    def test_a_list_imports_nothing(self, flavors: None, garden: None, process: Call) -> None:
        """Name, kind, state, distribution and version are listed without an import."""
        listed = process("plugin", "list")
        assert listed.stderr == ""
        rows = [line.split() for line in listed.stdout.splitlines()]
        assert ["test.steps", "action", "found", "test-flavors", "2.5"] in rows
        assert ["garden", "commands", "found", "garden", "3.1"] in rows
        commands = process("plugin", "list", "--kind", "commands", "--json").json
        assert "garden" in {plugin["name"] for plugin in commands}
        assert "test.steps" not in {plugin["name"] for plugin in commands}

    def test_what_works_is_loaded(self, flavors: None, garden: None, actium: Call) -> None:
        """A check imports every plugin, tells how long that took, and ends with 0 when all work."""
        checked = actium("plugin", "check", "--json")
        assert checked.exit_code == 0
        states = {plugin["name"]: plugin["state"] for plugin in checked.json if plugin["state"] != "blocked"}
        assert states == {"test.steps": "loaded", "garden": "loaded"}
        assert all(plugin["import_seconds"] > 0 for plugin in checked.json if plugin["state"] == "loaded")

    def test_what_is_broken_is_told(self, flavors: None, install: Install, process: Call) -> None:
        """A check names distribution, version and error of each broken plugin, once, and ends with 1."""
        install("raising", "raise ValueError('bad day')", version="9", action_flavors={"a.b": "raising:X"})
        install("strange", "X = 1", version="8", action_flavors={"c.d": "strange:X"})
        install("hooking", "raise OSError('no hook')", version="7", hooks={"audit": "hooking:X"})
        checked = process("plugin", "check")
        assert checked.exit_code == 1
        for told in ("raising", "ValueError: bad day", "strange", "hooking", "OSError: no hook"):
            assert told in checked.stdout
        assert "Traceback" not in checked.stdout + checked.stderr
        assert "bad day" not in checked.stderr
        assert "Traceback" in process("plugin", "check", "--debug").stderr

    def test_broken_hook_plugins_do_not_stop_the_check(self, flavors: None, install: Install, process: Call) -> None:
        """Enabled hook plugins that are broken or missing keep applications from opening, but not the check."""
        install("hooking", "raise OSError('no hook')", hooks={"audit": "hooking:X"})
        assert process("account", "list", ACTIUM_HOOKS="audit").exit_code == 1
        checked = process("plugin", "check", ACTIUM_HOOKS="audit,missing")
        assert checked.exit_code == 1
        assert "no hook" in checked.stdout
        missing = process("plugin", "check", ACTIUM_HOOKS="missing")
        assert missing.exit_code == 1
        assert "'missing' is enabled but not installed" in missing.stdout

    def test_unreadable_metadata_is_told(self, site: Path, flavors: None, actium: Call) -> None:
        """A distribution with a malformed list of entry points is told; all others are there."""
        info = site / "torn-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: torn\nVersion: 1.0\n")
        (info / "entry_points.txt").write_bytes(b"[actium.action_flavors]\nno equals sign here\n\xff\xfe")
        assert "test.steps" in actium("flavor", "list").stdout
        checked = actium("plugin", "check")
        assert checked.exit_code == 1
        assert "torn" in checked.stdout

    def test_blocking_by_name(self, flavors: None, actium: Call) -> None:
        """A blocked flavor is listed as blocked and cannot be used."""
        assert "blocked" in actium("-p", "no:test-flavors", "flavor", "list").stdout
        actium("account", "create", "trainer")
        failed = actium(
            "-p", "no:test.steps", "action", "create", "x", "--flavor", "test.steps", "--account", "trainer"
        )
        assert failed.exit_code == 1
        assert "blocked" in failed.stderr

    def test_a_flavor_shows_what_its_configuration_takes(self, flavors: None, actium: Call) -> None:
        """The fields of the configuration are shown with their types and defaults."""
        shown = actium("flavor", "show", "test.steps").stdout
        assert "Steps that are done as soon as they are told." in shown
        rows = [" ".join(line.split()) for line in shown.splitlines()]
        assert 'text string "hello"' in rows
        assert 'steps list of string ["load", "fit"]' in rows
        assert actium("flavor", "show", "test.steps", "--json").json["metadata"]["config_schema"]["properties"]
        assert actium("flavor", "list", "--subtype", "other", "--json").json == []


class TestCompletion:
    def test_commands_and_options_are_completed(self, garden: None, process: Call) -> None:
        """The shell gets the names of commands, also of plugins', and of options; nothing that a plugin prints."""

        def completed(line: str) -> str:
            return str(
                process(
                    _ACTIUM_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(len(line.split(" ")) - 1)
                ).stdout
            )

        assert completed("actium ga").split() == ["garden"]
        assert completed("actium action cr").split() == ["create"]
        assert "--json" in completed("actium action list --js")
