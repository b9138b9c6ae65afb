"""Accounts, actions, triggers, events and executions, from the command line and back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

Call = Callable[..., Any]


class TestAccounts:
    def test_an_account_lives_and_dies(self, actium: Call) -> None:
        """An account is created, shown, changed, listed and deleted."""
        created = actium("account", "create", "trainer", "--description", "trains", "--json").json
        assert actium("account", "show", "trai", "--json").json["metadata"] == {"description": "trains"}
        updated = actium("account", "update", created["id"], "--inactive", "--name", "coach", "--json").json
        assert (updated["name"], updated["body"]["active"]) == ("coach", False)
        assert "inactive" in actium("account", "list").stdout
        assert actium("account", "delete", "coach", "--json").json == {"deleted": created["id"], "name": "coach"}
        assert actium("account", "list", "--json").json["total"] == 0

    def test_an_account_in_use_stays(self, trainer: Call) -> None:
        """Deleting an account that actions use is refused with their names."""
        refused = trainer("account", "delete", "trainer")
        assert refused.exit_code == 1
        assert "retrain" in refused.stderr


class TestActions:
    def test_settings_reach_the_configuration(self, actium: Call, flavors: None) -> None:
        """--set writes typed values at nested paths, over what --config gives."""
        actium("account", "create", "trainer")
        created = actium(
            "action", "create", "retrain", "--flavor", "test.steps", "--account", "trainer", "--json",
            "--config", '{"text": "a", "steps": ["x"]}', "--set", "optimizer.lr=1e-3", "--set", "steps[1]=y",
            "--label", "team=ml", "--auth-window", "5", "--description", "Train again", "--disabled",
        ).json  # fmt: skip
        assert created["metadata"]["configuration"] == {
            "text": "a",
            "steps": ["x", "y"],
            "optimizer": {"name": "adam", "lr": 0.001},
            "fail": False,
            "gate": None,
            "until_cancelled": False,
            "looks": 0,
        }
        assert created["metadata"]["labels"] == {"team": "ml"}
        assert created["metadata"]["auth_window"] == 5
        assert created["body"]["enabled"] is False

    def test_an_update_changes_single_fields(self, trainer: Call) -> None:
        """--set and --unset change fields of the configuration that is there, and leave the others."""
        trainer("action", "update", "retrain", "--set", "text=bye", "--set", "optimizer.name=sgd")
        updated = trainer(
            "action", "update", "retrain", "--unset", "text", "--name", "again", "--label", "a=b", "--json"
        ).json
        assert updated["metadata"]["configuration"]["text"] == "hello"
        assert updated["metadata"]["configuration"]["optimizer"] == {"name": "sgd", "lr": 0.1}
        assert (updated["name"], updated["metadata"]["labels"]) == ("again", {"a": "b"})

    def test_a_whole_configuration_replaces_the_old_one(self, trainer: Call) -> None:
        """--config leaves nothing of the configuration that was there."""
        trainer("action", "update", "retrain", "--set", "text=bye")
        updated = trainer("action", "update", "retrain", "--config", "steps: [one]", "--json").json
        assert updated["metadata"]["configuration"]["text"] == "hello"
        assert updated["metadata"]["configuration"]["steps"] == ["one"]

    def test_a_lost_update_is_refused(self, trainer: Call) -> None:
        """--version refuses an update of an action that has changed since."""
        trainer("action", "update", "retrain", "--disable")
        refused = trainer("action", "update", "retrain", "--enable", "--version", "1")
        assert refused.exit_code == 1
        assert "version" in refused.stderr

    def test_the_auth_window_goes_back_to_the_flavor(self, trainer: Call) -> None:
        """--default-auth-window takes back what --auth-window set."""

        def window(option: str, *value: str) -> object:
            return trainer("action", "update", "retrain", option, *value, "--json").json["metadata"]["auth_window"]

        assert window("--auth-window", "7") == 7
        assert window("--default-auth-window") != 7

    def test_history_tells_what_changed(self, trainer: Call) -> None:
        """The history shows each changed field with its old and new value, and nothing else."""
        trainer("action", "update", "retrain", "--set", "optimizer.lr=0.5")
        shown = trainer("action", "history", "retrain").stdout
        assert "configuration.optimizer.lr: 0.1 → 0.5" in shown
        assert "revision" not in shown
        assert [revision["change"] for revision in trainer("action", "history", "retrain", "--json").json] == [
            "created",
            "updated",
        ]

    def test_an_ignored_key_is_a_warning(self, trainer: Call) -> None:
        """A misspelled key is told on standard error, with the nearest known one."""
        created = trainer(
            "action", "create", "x", "--flavor", "test.steps", "--account", "trainer", "--set", "txet=a", "--json"
        )
        assert created.json["body"]["warnings"]
        assert "did you mean 'text'" in created.stderr

    def test_a_list_shows_what_cannot_run(self, trainer: Call, site: Path) -> None:
        """An action whose flavor is gone is listed with its problem and the distribution that had it."""
        for path in [*site.glob("*/*"), *site.glob("*.dist-info")]:
            path.unlink() if path.is_file() else path.rmdir()
        listed = trainer("action", "list")
        assert listed.exit_code == 0
        assert "broken" in listed.stdout
        assert "test-flavors 2.5" in listed.stdout

    def test_deleting_needs_no_trigger_or_cascade(self, trainer: Call) -> None:
        """An action that triggers use stays, unless they are to go with it."""
        trainer("trigger", "create", "always", "--action", "retrain", "--match-all")
        refused = trainer("action", "delete", "retrain")
        assert refused.exit_code == 1
        assert "always" in refused.stderr
        assert trainer("action", "delete", "retrain", "--cascade").exit_code == 0
        assert trainer("trigger", "list", "--json").json["total"] == 0


class TestTriggers:
    def test_a_trigger_lives_and_dies(self, trainer: Call) -> None:
        """A trigger is created, shown, listed, switched, changed and deleted."""
        created = trainer(
            "trigger", "create", "arrived", "--action", "retrain", "--json",
            "--filter", "exact:type=com.example.arrived", "--filter", "not:prefix:source=/test",
        ).json  # fmt: skip
        filters = [{"exact": {"type": "com.example.arrived"}}, {"not": {"prefix": {"source": "/test"}}}]
        assert created["metadata"]["filters"] == filters
        assert trainer("trigger", "disable", "arrived", "--json").json["body"]["is_active"] is False
        assert trainer("trigger", "enable", "arrived", "--json").json["body"]["is_active"] is True
        assert "exact:type=com.example.arrived and not:prefix:source=/test" in trainer("trigger", "list").stdout
        updated = trainer("trigger", "update", "arrived", "--filters", '{"any": [{"suffix": {"id": "7"}}]}', "--json")
        assert updated.json["metadata"]["filters"] == [{"any": [{"suffix": {"id": "7"}}]}]
        assert trainer("trigger", "update", "arrived", "--match-all", "--json").json["metadata"]["match_all"] is True
        assert "every event" in trainer("trigger", "show", "arr").stdout
        assert trainer("trigger", "delete", "arrived", "--json").json["name"] == "arrived"

    def test_why_a_trigger_matches_or_not(self, trainer: Call) -> None:
        """The explanation marks every part of the filters."""
        trainer("trigger", "create", "t", "--action", "retrain", "--filter", "exact:type=a", "--filter", "prefix:id=7")
        trainer("event", "publish", "--type", "a", "--source", "/s", "--id", "8")
        shown = trainer("trigger", "explain", "t", "8").stdout
        assert "does not match" in shown
        assert "✓ type is 'a'" in shown
        assert "✗ id begins with '7'" in shown
        explained = trainer("trigger", "explain", "t", "8", "--json").json
        assert explained["matches"] is False
        assert [part["outcome"] for part in explained["explained"]["children"]] == [True, False]


class TestEventsAndExecutions:
    def test_an_event_runs_an_action(self, trainer: Call) -> None:
        """A published event is stored with its execution, which a worker runs and a listing shows."""
        trainer("trigger", "create", "t", "--action", "retrain", "--filter", "exact:type=a")
        published = trainer(
            "event", "publish", "--type", "a", "--source", "/s", "--id", "7", "--data", '{"rows": 3}',
            "--subject", "file", "--attribute", "partitionkey=k", "--time", "2026-01-31T10:00:00Z", "--json",
        ).json  # fmt: skip
        worked = trainer("worker", "--until-idle", "--json")
        assert worked.json == {"ran": 1, "by_status": {"succeeded": 1}, "waiting": 0}
        (listed,) = trainer(
            "execution", "list", "--action", "retrain", "--trigger", "t", "--event", "7", "--json"
        ).json["items"]
        assert [listed["id"]] == published["executions"]
        shown = trainer("execution", "show", listed["id"][:8], "--json").json
        assert shown["metadata"]["result"] == {"text": "hello", "data": {"rows": 3}}
        event = trainer("event", "show", "7", "--json").json["metadata"]["event"]
        assert (event["subject"], event["partitionkey"]) == ("file", "k")
        assert "partitionkey" in trainer("event", "show", "7").stdout
        assert "file" in trainer("event", "list", "--type", "a", "--source", "/s").stdout

    def test_publishing_twice_changes_nothing(self, trainer: Call) -> None:
        """An event that is known already is told as such."""
        arguments = ("event", "publish", "--type", "a", "--source", "/s", "--id", "7")
        trainer(*arguments)
        assert "Known already" in trainer(*arguments).stdout
        assert trainer(*arguments, "--json").json["duplicate"] is True

    def test_a_pending_execution_is_cancelled(self, trainer: Call) -> None:
        """A pending execution is cancelled at once; one that has ended is not."""
        execution = trainer("action", "run", "retrain", "--no-wait", "--json").json
        assert execution["body"]["status"] == "pending"
        assert trainer("execution", "cancel", execution["id"], "--json").json["body"]["status"] == "cancelled"
        assert trainer("execution", "cancel", execution["id"]).exit_code == 1
        assert trainer("execution", "list", "--status", "cancelled", "--json").json["total"] == 1

    def test_running_by_hand_shows_steps_and_result(self, trainer: Call) -> None:
        """A run by hand is run at once; its steps are lines where there is no terminal, and its result follows."""
        ran = trainer("action", "run", "retrain", "--data", '{"path": "x"}')
        assert ran.exit_code == 0
        lines = ran.stdout.splitlines()
        identifier = lines[0].split()[1]
        assert UUID(identifier)
        assert lines[:4] == [
            f"retrain {identifier} running",
            f"retrain {identifier} step load succeeded after 0.5 s",
            f"retrain {identifier} step fit succeeded after 0.5 s",
            f"retrain {identifier} succeeded",
        ]
        assert "path: x" in ran.stdout
        assert "printed in run" in ran.stderr

    def test_a_failed_run_ends_with_1(self, trainer: Call) -> None:
        """A run that fails tells the reason, and its traceback only when debugging."""
        trainer("action", "update", "retrain", "--set", "fail=true")
        failed = trainer("action", "run", "retrain")
        assert failed.exit_code == 1
        assert "RuntimeError: it was asked to fail" in failed.stdout
        assert "Traceback" not in failed.stdout + failed.stderr
        execution = failed.stdout.split()[1]
        assert "Traceback" in trainer("execution", "show", execution, "--debug").stdout
        assert trainer("action", "run", "retrain", "--json").json["body"]["status"] == "failed"


class TestListings:
    @pytest.fixture
    def many(self, actium: Call) -> Call:
        actium("account", "create", "-f", "-", stdin=json.dumps([{"name": f"account-{n:02}"} for n in range(25)]))
        return actium

    def test_pages(self, many: Call) -> None:
        """A page has the size that was asked for; one beyond the end is an error."""
        page = many("account", "list", "--page", "3", "--page-size", "10", "--json").json
        assert (len(page["items"]), page["total"], page["total_pages"]) == (5, 25, 3)
        assert many("account", "list", "--page", "4", "--page-size", "10").exit_code == 1

    def test_conditions_and_order(self, many: Call) -> None:
        """--where takes operators, several conditions must all hold, and --sort orders."""
        page = many(
            "account", "list", "--where", "name=startswith:account-0", "-w", "name=gte:account-07",
            "--sort", "desc:name", "--json",
        ).json  # fmt: skip
        assert [item["name"] for item in page["items"]] == ["account-09", "account-08", "account-07"]

    @pytest.mark.parametrize("options", [["--where", "nmae=x"], ["--sort", "nmae"], ["--where", "created=gte:x"]])
    def test_a_wrong_condition_is_told(self, many: Call, options: list[str]) -> None:
        """An unknown column or a value that does not fit is an error in words."""
        refused = many("account", "list", *options)
        assert refused.exit_code == 1
        assert refused.stderr.startswith("Error: ")

    def test_projects_are_apart(self, many: Call) -> None:
        """--project, before or after the command, looks only there."""
        assert many("--project", "other", "account", "list", "--json").json["total"] == 0
        assert many("account", "create", "account-01", "--project", "other").exit_code == 0
        assert many("account", "list", "--project", "other", "--json").json["total"] == 1
