"""Files that describe accounts, actions and triggers: all of a file is created, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]

ALL = """
kind: account
name: trainer
---
kind: action
name: retrain
flavor: test.steps
service_account: trainer
configuration:
  optimizer: {lr: 1e-3}
labels: {team: ml}
---
kind: trigger
name: arrived
action: retrain
filters:
  - exact: {type: com.example.arrived}
"""


@pytest.fixture
def actium(actium: Call, flavors: None) -> Call:
    return actium


def counts(actium: Call) -> list[int]:
    """How many accounts, actions and triggers there are."""
    return [actium(kind, "list", "--json").json["total"] for kind in ("account", "action", "trigger")]


def test_one_file_sets_everything_up(actium: Call, work: Path) -> None:
    """The documents of a file are created in their order, and refer to each other by name."""
    (work / "all.yaml").write_text(ALL)
    created = actium("action", "create", "-f", "all.yaml", "--json")
    assert [document["name"] for document in created.json] == ["trainer", "retrain", "arrived"]
    assert created.json[1]["metadata"]["configuration"]["optimizer"]["lr"] == 0.001
    assert created.json[2]["body"]["action_id"] == created.json[1]["id"]


def test_json_and_standard_input_do_as_well(actium: Call) -> None:
    """A list in JSON on standard input is the same as YAML documents; the command is the kind that is not said."""
    text = '[\t{"name": "a"},\n\t{"name": "b", "active": false}]'
    created = actium("account", "create", "-f", "-", stdin=text)
    assert [line.split()[:3] for line in created.stdout.splitlines()] == [
        ["Created", "account", "a"],
        ["Created", "account", "b"],
    ]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("filters:", "filtres:", "filtres"),
        ("exact: {type", "exact: {tpye", "Did you mean 'type'?"),
        ("action: retrain", "action: nothing", "There is no action 'nothing'"),
        ("action: retrain", "action: 7", "7 is no name"),
        ("kind: trigger", "kind: tigger", "Did you mean 'trigger'?"),
        ("name: arrived", "project: other", "--project other"),
    ],
)
def test_a_wrong_document_leaves_nothing_behind(actium: Call, work: Path, old: str, new: str, told: str) -> None:
    """When one document is wrong, those before it are removed again, and the message says which one it is."""
    (work / "all.yaml").write_text(ALL.replace(old, new))
    failed = actium("trigger", "create", "-f", "all.yaml")
    assert failed.exit_code == 1
    assert told in failed.stderr
    assert "all.yaml, document 3" in failed.stderr
    assert counts(actium) == [0, 0, 0]


def test_what_cannot_be_removed_again_is_told(actium: Call, work: Path, install: Callable[..., None]) -> None:
    """When the removal fails as well, the error that came first is told, and the other beside it."""
    install(
        "sticky",
        """
        from actium import ActionConfig
        from actium.actions.base_action import BaseActionFlavor, BaseActionHandler

        class Handler(BaseActionHandler):
            config_class = ActionConfig
            flavor_class = property(lambda self: Sticky)
            def run(self, config, trigger_execution, auth_context): ...
            def process_action_delete(self, action, config, force):
                raise OSError("it sticks")

        class Sticky(BaseActionFlavor):
            SUBTYPE, FLAVOR = "test", "sticky"
            PLUGIN_CLASS, ACTION_CONFIG_CLASS = Handler, ActionConfig
        """,
        action_flavors={"test.sticky": "sticky:Sticky"},
    )
    (work / "all.yaml").write_text(ALL.replace("test.steps", "test.sticky").replace("action: retrain", "action: no"))
    failed = actium("trigger", "create", "-f", "all.yaml")
    assert failed.exit_code == 1
    assert "Error: There is no action 'no'" in failed.stderr
    assert "Note: The action 'retrain' was created before, and could not be removed: it sticks" in failed.stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("- 3", "not an object"),
        ("name: [", "line 1"),
        ("name: a\nname: b", "the key 'name' is twice"),
        ("{", "cannot be read"),
        ("name: !!python/object/apply:os.system [true]", "cannot be read"),
    ],
)
def test_a_file_that_says_nothing_readable(actium: Call, work: Path, text: str, told: str) -> None:
    """A file that cannot be understood is told with its name and what is wrong."""
    (work / "file.yaml").write_text(text)
    failed = actium("account", "create", "-f", "file.yaml")
    assert failed.exit_code == 1
    assert "file.yaml" in failed.stderr
    assert told in failed.stderr


def test_a_file_that_is_not_there(actium: Call) -> None:
    """A missing file is told with its name."""
    failed = actium("account", "create", "-f", "missing.yaml")
    assert failed.exit_code == 1
    assert "missing.yaml cannot be read: No such file or directory" in failed.stderr


def test_events_come_from_files_too(actium: Call, work: Path) -> None:
    """A file may hold several events; data of an option may stand in a file."""
    (work / "events.yaml").write_text("type: a\nsource: /s\nid: '1'\n---\ntype: a\nsource: /s\nid: '2'\n")
    assert len(actium("event", "publish", "-f", "events.yaml", "--json").json) == 2
    (work / "data.json").write_text('{"rows": 3}')
    actium("event", "publish", "--type", "a", "--source", "/s", "--id", "3", "--data", "@data.json")
    assert actium("event", "show", "3", "--json").json["metadata"]["event"]["data"] == {"rows": 3}
