"""What goes wrong: a message in words on standard error, an exit code, no traceback, and nothing half-done."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]

CREATE = ("action", "create", "new", "--flavor", "test.steps", "--account", "trainer")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("action", "create", "x", "--flavor", "test.stesp", "--account", "trainer"), "Did you mean 'test.steps'?"),
        (("action", "create", "x", "--flavor", "teststeps", "--account", "trainer"), "is no flavor key"),
        (("action", "create", "x", "--flavor", "test.steps", "--account", "nobody"), "no service account 'nobody'"),
        (("action", "create", "retrain", "--flavor", "test.steps", "--account", "trainer"), "already"),
        (("action", "create", "x" * 256, "--flavor", "test.steps", "--account", "trainer"), "255"),
        ((*CREATE, "--config", "@huge.json"), "the limit is"),
        (("account", "create", "a\x00b"), "control characters"),
        (("action", "show", "00000000-zzzz"), "There is no action"),
        (("action", "show", "00000000-0000-0000-0000-000000000000"), "There is no action"),
        (("action", "update", "retrain", "--set", "optimizer.lr=fast"), "optimizer.lr"),
        (("trigger", "create", "t", "--action", "retrain"), "without filters"),
        (("trigger", "create", "t", "--action", "retrain", "--filter", "exact:tpye=a"), "Did you mean 'type'?"),
        (
            ("trigger", "create", "t", "--action", "retrain", "--match-all", "--filter", "exact:type=a"),
            "both|cannot have",
        ),
        (("trigger", "explain", "t", "e"), "There is no trigger"),
        (("event", "publish", "--type", "a", "--source", "/s", "--time", "yesterday"), "time"),
        (("event", "publish", "--type", "a", "--source", "/s", "--attribute", "Bad=x"), "Bad"),
        (("execution", "show", "nothing"), "There is no execution"),
        (("execution", "cancel", "nothing"), "There is no execution"),
        (("flavor", "show", "nothing.here"), "There is no action flavor"),
        (("flavor", "show", "nothing"), "is no flavor key"),
        (("account", "list", "--store", "nowhere"), "is no store URL"),
        (("account", "list", "--store", "postgresql://x/y"), "postgresql"),
    ],
)
def test_bad_input_is_told_in_words(trainer: Call, work: Path, arguments: tuple[str, ...], told: str) -> None:
    """The message names what was wrong; the exit code is 1; no traceback is shown and nothing is printed as answer."""
    (work / "huge.json").write_text(json.dumps({"text": "x" * 1_100_000}))
    failed = trainer(*arguments)
    assert failed.exit_code == 1
    assert failed.stdout == ""
    assert any(part in failed.stderr for part in told.split("|")), failed.stderr
    assert "Error: " in failed.stderr
    assert "Traceback" not in failed.stderr
    assert trainer("action", "list", "--json").json["total"] == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("action", "create"), "name"),
        (("action", "create", "x"), "--flavor"),
        (("action", "create", "x", "-f", "file.yaml"), "leave out name"),
        ((*CREATE, "--set", "lr"), "has no value"),
        (("action", "update", "retrain", "--set", "optimizer[0]=1"), "does not fit"),
        ((*CREATE, "--config", "[1]"), "object"),
        ((*CREATE, "--config", "{"), "cannot be read"),
        ((*CREATE, "--config", "@missing.json"), "missing.json"),
        ((*CREATE, "--label", "team"), "name=text"),
        ((*CREATE, "--auth-window", "-1"), "auth-window"),
        (("action", "update", "retrain"), "at least one option"),
        (("action", "update", "retrain", "--unset", "nothing"), "nothing"),
        (("trigger", "create", "t"), "--action"),
        (("trigger", "create", "t", "--action", "retrain", "--filter", "type=a"), "no filter"),
        (("trigger", "create", "t", "--action", "retrain", "--filters", "3"), "list"),
        (("trigger", "update", "t"), "at least one option"),
        (("event", "publish"), "--type"),
        (("event", "publish", "--type", "a", "--source", "/s", "--data", "{"), "cannot be read"),
        (("event", "publish", "--type", "a", "--source", "/s", "--attribute", "x"), "name=value"),
        (("account", "list", "--where", "name"), "column=value"),
        (("account", "list", "--page", "0"), "page"),
        (("action", "fly"), "fly"),
        (("fly",), "fly"),
        (("account", "list", "--fly"), "--fly"),
        (("-p", "steps", "flavor", "list"), "no:NAME"),
    ],
)
def test_a_wrong_command_line_ends_with_2(trainer: Call, arguments: tuple[str, ...], told: str) -> None:
    """A command line that is wrong in itself ends with 2, and says what was expected."""
    refused = trainer(*arguments)
    assert refused.exit_code == 2
    assert refused.stdout == ""
    words = " ".join(refused.stderr.replace("│", " ").split())
    assert any(part in words for part in told.split("|")), words


def test_field_problems_are_a_list(trainer: Call) -> None:
    """Each wrong field has a line with its path, what is wrong, the value and the expected type; then the hint."""
    failed = trainer(*CREATE, "--set", "optimizer.lr=fast", "--set", "steps=[a, 3]")
    lines = failed.stderr.splitlines()
    assert any("• optimizer.lr" in line and "got 'fast'" in line and "expected float" in line for line in lines)
    assert any("• steps[1]" in line and "got 3" in line and "expected string" in line for line in lines)
    assert lines[-1].startswith("Hint: ")


def test_ambiguous_names_tell_the_candidates(trainer: Call) -> None:
    """A beginning that fits two objects names them both."""
    trainer("account", "create", "trainee")
    failed = trainer("account", "show", "train")
    assert failed.exit_code == 1
    assert "trainer (" in failed.stderr
    assert "trainee (" in failed.stderr


class TestStores:
    @pytest.fixture
    def foreign(self, work: Path) -> Path:
        path = work / "foreign.db"
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE other (x)")
        connection.close()
        return path

    def test_a_file_that_is_no_database(self, process: Call, work: Path) -> None:
        """A file of something else is refused and left as it is."""
        path = work / "notes.txt"
        path.write_text("not a database\n" * 100)
        before = path.read_bytes()
        self._is_refused(process("account", "create", "x", "--store", f"sqlite:///{path.name}"), "notes.txt")
        assert path.read_bytes() == before

    def test_a_database_of_another_program(self, process: Call, foreign: Path) -> None:
        """Another program's database is refused; nothing is added to it."""
        self._is_refused(process("account", "create", "x", "--store", "sqlite:///foreign.db"), "foreign.db")
        with sqlite3.connect(foreign) as connection:
            tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
        connection.close()
        assert tables == [("other",)]

    def test_a_store_of_a_newer_actium(self, process: Call, work: Path) -> None:
        """A store with a newer schema is refused, with what to do."""
        process("account", "create", "x")
        with sqlite3.connect(work / "actium.db") as connection:
            connection.execute("PRAGMA user_version = 9999")
        connection.close()
        self._is_refused(process("account", "list"), "version 9999")

    def test_a_store_that_cannot_be_written(self, process: Call, work: Path) -> None:
        """A store in a folder that does not exist is refused with the path."""
        self._is_refused(process("account", "list", "--store", "sqlite:///missing/actium.db"), "missing")
        assert not (work / "missing").exists()

    @staticmethod
    def _is_refused(failed: Any, told: str) -> None:
        assert failed.exit_code == 1
        assert told in failed.stderr
        assert failed.stderr.startswith("Error: ")
        assert "Traceback" not in failed.stderr
        assert failed.stdout == ""


class TestWhatPluginsRaise:
    CODE = """
        from actium import ActionConfig, action_flavor
        from actium.actions.base_action import BaseActionFlavor, BaseActionHandler

        class Handler(BaseActionHandler):
            config_class = ActionConfig
            flavor_class = property(lambda self: Angry)
            def run(self, config, trigger_execution, auth_context): ...
            def process_action_request(self, action, config):
                raise ZeroDivisionError("no quota left")

        class Angry(BaseActionFlavor):
            SUBTYPE, FLAVOR = "test", "angry"
            PLUGIN_CLASS, ACTION_CONFIG_CLASS = Handler, ActionConfig
    """

    @pytest.fixture
    def angry(self, install: Callable[..., None], process: Call) -> Call:
        install("angry", self.CODE, action_flavors={"test.angry": "angry:Angry"})
        process("account", "create", "trainer")
        return process

    def test_any_exception_is_told_by_its_type(self, angry: Call) -> None:
        """What a plugin raises is told with its type and the plugin's distribution; nothing is left behind."""
        failed = angry("action", "create", "x", "--flavor", "test.angry", "--account", "trainer")
        assert failed.exit_code == 1
        assert "ZeroDivisionError: no quota left" in failed.stderr
        assert "angry 1.0" in failed.stderr
        assert "Traceback" not in failed.stderr
        assert angry("action", "list", "--json").json["total"] == 0

    def test_debug_shows_where_it_comes_from(self, angry: Call) -> None:
        """With --debug the traceback is shown as well."""
        failed = angry("action", "create", "x", "--flavor", "test.angry", "--account", "trainer", "--debug")
        assert failed.exit_code == 1
        assert "Traceback" in failed.stderr
        assert "in process_action_request" in failed.stderr
