"""Executions that are tried several times, from the command line: policies, retries, replays, and what is shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import typer

from actium_cli import run_policies
from actium_cli.durations import parse_duration

Call = Callable[..., Any]


def policy(shown: dict[str, Any]) -> dict[str, Any]:
    """The run policy of an action in JSON."""
    found: dict[str, Any] = shown["metadata"]["run_policy"]
    return found


def status(actium: Call, execution: str) -> str:
    """The status of an execution."""
    return str(actium("execution", "show", execution, "--json").json["body"]["status"])


def failed(actium: Call, count: int = 1) -> list[str]:
    """The ids of executions of ``retrain`` that have failed; its handler fails from now on."""
    actium("action", "update", "retrain", "--set", "fail=true")
    return [actium("action", "run", "retrain", "--json").json["id"] for _ in range(count)]


class TestRunPolicies:
    def test_every_option_reaches_the_policy(self, actium: Call, flavors: None) -> None:
        """An action gets the run policy that the options of `action create` describe."""
        actium("account", "create", "trainer")
        created = actium(
            "action", "create", "retrain", "--flavor", "test.steps", "--account", "trainer", "--json",
            "--max-attempts", "5", "--backoff", "fixed", "--backoff-base", "2", "--backoff-factor", "3",
            "--backoff-cap", "60", "--no-jitter", "--retry-on", "ConnectionError", "--retry-on", "OSError",
            "--timeout", "90", "--concurrency-mode", "queued", "--concurrency-max", "2",
            "--concurrency-key", "data.customer", "--deadline", "3600", "--max-chain", "12",
        ).json  # fmt: skip
        assert policy(created) == {
            "max_attempts": 5,
            "backoff": {"kind": "fixed", "base": 2.0, "factor": 3.0, "cap": 60.0, "jitter": False},
            "retry_on": ["ConnectionError", "OSError"],
            "timeout": 90.0,
            "concurrency": {"mode": "queued", "maximum": 2, "key": "data.customer"},
            "deadline": 3600.0,
            "max_chain": 12,
        }

    def test_an_update_changes_what_it_names(self, trainer: Call) -> None:
        """Options of a policy leave the rest of it, 0 and an empty text take limits away, and all can be taken back."""
        default = policy(trainer("action", "show", "retrain", "--json").json)
        trainer("action", "update", "retrain", "--max-attempts", "3", "--timeout", "5", "--concurrency-key", "subject")
        updated = policy(trainer("action", "update", "retrain", "--backoff-base", "7", "--json").json)
        assert (updated["max_attempts"], updated["timeout"], updated["concurrency"]["key"]) == (3, 5.0, "subject")
        assert updated["backoff"]["base"] == 7.0
        limitless = trainer("action", "update", "retrain", "--timeout", "0", "--concurrency-key", "", "--json").json
        assert (policy(limitless)["timeout"], policy(limitless)["concurrency"]["key"]) == (None, None)
        reset = trainer("action", "update", "retrain", "--default-run-policy", "--max-attempts", "2", "--json").json
        assert policy(reset) == {**default, "max_attempts": 2}
        assert policy(trainer("action", "update", "retrain", "--default-run-policy", "--json").json) == default

    def test_a_file_describes_a_policy(self, actium: Call, flavors: None, work: Path) -> None:
        """A document of an action may have a run policy, as the request has it."""
        (work / "all.yaml").write_text(
            "kind: account\nname: trainer\n---\nkind: action\nname: retrain\nflavor: test.steps\n"
            "service_account: trainer\nrun_policy:\n  max_attempts: 4\n  backoff: {kind: fixed}\n  retry_on: OSError\n"
        )
        _, created = actium("action", "create", "-f", "all.yaml", "--json").json
        assert (policy(created)["max_attempts"], policy(created)["retry_on"]) == (4, ["OSError"])
        assert policy(created)["backoff"]["kind"] == "fixed"

    def test_people_read_the_policy(self, trainer: Call) -> None:
        """`action show` tells the policy in words."""
        trainer("action", "update", "retrain", "--max-attempts", "3", "--concurrency-mode", "single", "--timeout", "9")
        shown = trainer("action", "show", "retrain").stdout
        assert "up to 3; the next one follows after 1 s, times 2 each time, up to 3600 s, drawn between" in shown
        assert "any exception" in shown
        assert "9 s an attempt" in shown
        assert "single, up to 1" in shown

    @pytest.mark.parametrize(
        ("options", "exit_code", "told"),
        [
            (["--backoff-base=-1"], 1, "greater than 0"),
            (["--concurrency-mode", "single", "--concurrency-max", "2"], 1, "lets one run at once"),
            (["--retry-on", "not a name"], 1, "retry_on"),
            (["--backoff", "linear"], 2, "exponential"),
            (["--max-attempts", "0"], 2, "--max-attempts"),
        ],
    )
    def test_a_wrong_policy_is_told(self, trainer: Call, options: list[str], exit_code: int, told: str) -> None:
        """A value that no policy can have is refused with what is wrong, and changes nothing."""
        refused = trainer("action", "update", "retrain", *options)
        assert refused.exit_code == exit_code
        assert told in refused.stderr
        assert trainer("action", "show", "retrain", "--json").json["body"]["version"] == 1

    def test_the_values_are_those_of_core(self) -> None:
        """The command line repeats the names of modes and kinds, so as not to import them; they are the same."""
        from actium.models.run_policy import Backoff, ConcurrencyMode

        assert [mode.value for mode in run_policies.Mode] == [mode.value for mode in ConcurrencyMode]
        kinds = Backoff.model_json_schema()["properties"]["kind"]["enum"]
        assert [kind.value for kind in run_policies.BackoffKind] == kinds


class TestAttempts:
    def test_a_run_by_hand_is_tried_again(self, trainer: Call) -> None:
        """A run by hand makes all the attempts of its policy, and each is shown with worker, status and reason."""
        trainer("action", "update", "retrain", "--set", "fail=true", "--max-attempts", "3", "--backoff-cap", "0.01")
        ran = trainer("action", "run", "retrain")
        assert ran.exit_code == 1
        assert ran.stdout.count(" running\n") == 3
        assert ran.stdout.count(" pending: RuntimeError: it was asked to fail (attempt ") == 2
        execution = ran.stdout.split()[1]
        shown = trainer("execution", "show", execution)
        rows = [line.split() for line in shown.stdout.split("Attempts\n")[1].split("\n\n")[0].splitlines()]
        assert [(row[0], row[1]) for row in rows[1:]] == [("1", "failed"), ("2", "failed"), ("3", "failed")]
        assert all(":" in row[5] and row[6] == "RuntimeError:" for row in rows[1:])
        assert "Traceback of attempt 2" in trainer("execution", "show", execution, "--debug").stdout

    def test_what_waits_tells_for_what(self, trainer: Call) -> None:
        """A listing tells when the next attempt is due; what is shown waits for that, for its turn, or for a worker."""
        trainer("action", "update", "retrain", "--concurrency-mode", "queued", "--max-attempts", "2")
        trainer("action", "update", "retrain", "--set", "fail=true", "--backoff-base", "3600", "--no-jitter")
        first, second = (trainer("action", "run", "retrain", "--no-wait", "--json").json["id"] for _ in range(2))
        assert "for a worker" in trainer("execution", "show", first).stdout
        worked = trainer("worker", "--until-idle", "--json").json
        assert worked == {"ran": 1, "by_status": {}, "waiting": 1}
        due = trainer("execution", "show", first, "--json").json["body"]["available"]
        assert f"for its next attempt, at {due}" in trainer("execution", "show", first).stdout
        assert "for its turn" in trainer("execution", "show", second).stdout
        heads, *rows = [line.split() for line in trainer("execution", "list").stdout.splitlines()]
        assert heads[:4] == ["ACTION", "STATUS", "ATTEMPTS", "NEXT"]
        assert {row[2] for row in rows} == {"0", "1"}
        assert due in {row[3] for row in rows}

    def test_watching_an_execution_that_has_ended(self, trainer: Call) -> None:
        """The exit code of `watch` tells the status."""
        succeeded = trainer("action", "run", "retrain", "--json").json["id"]
        (unlucky,) = failed(trainer)
        cancelled = trainer("action", "run", "retrain", "--no-wait", "--json").json["id"]
        trainer("execution", "cancel", cancelled)
        trainer("action", "update", "retrain", "--disable")
        skipped = trainer("action", "run", "retrain", "--no-wait", "--json").json["id"]
        trainer("worker", "--until-idle")
        codes = [trainer("execution", "watch", one).exit_code for one in (succeeded, unlucky, cancelled, skipped)]
        assert codes == [0, 1, 3, 4]

    def test_watching_does_not_wait_for_ever(self, trainer: Call) -> None:
        """With a time limit, `watch` ends with 124 and says what the execution does."""
        pending = trainer("action", "run", "retrain", "--no-wait", "--json").json["id"]
        watched = trainer("execution", "watch", pending, "--timeout", "0.05")
        assert watched.exit_code == 124
        assert "is still pending after 0.05 s" in watched.stderr


class TestRetries:
    def test_one_is_retried(self, trainer: Call) -> None:
        """A failed execution is pending again with its attempts, and runs what it was stored with, or the latest."""
        (execution,) = failed(trainer)
        trainer("action", "update", "retrain", "--set", "fail=false")
        again = trainer("execution", "retry", execution, "--json").json
        assert (again["id"], again["body"]["status"], again["body"]["attempt"]) == (execution, "pending", 1)
        trainer("worker", "--until-idle")
        assert status(trainer, execution) == "failed"
        assert trainer("execution", "retry", execution[:8], "--latest").exit_code == 0
        trainer("worker", "--until-idle")
        assert status(trainer, execution) == "succeeded"
        assert len(trainer("execution", "show", execution, "--json").json["metadata"]["attempts"]) == 3

    def test_what_has_succeeded_is_not_retried(self, trainer: Call) -> None:
        """Retrying what needs no retry is refused with the way to run it once more."""
        execution = trainer("action", "run", "retrain", "--json").json["id"]
        refused = trainer("execution", "retry", execution)
        assert refused.exit_code == 1
        assert "succeeded" in refused.stderr

    def test_many_are_retried(self, trainer: Call) -> None:
        """--all retries the failed ones that the options choose, after telling how many and asking."""
        first, second = failed(trainer, 2)
        trainer("action", "create", "other", "--flavor", "test.steps", "--account", "trainer", "--set", "fail=true")
        third = trainer("action", "run", "other", "--json").json["id"]
        refused = trainer("execution", "retry", "--all", stdin="n\n")
        assert refused.exit_code == 1
        assert "Retry 3 executions?" in refused.stderr
        assert [status(trainer, one) for one in (first, second, third)] == ["failed"] * 3
        agreed = trainer("execution", "retry", "--all", "--action", "retrain", "--newer-than", "1h", stdin="y\n")
        assert "2 executions are pending again." in agreed.stdout
        assert [status(trainer, one) for one in (first, second, third)] == ["pending", "pending", "failed"]
        none = trainer("execution", "retry", "--all", "--older-than", "1h", "--yes", "--json").json
        assert none == {"found": 0, "retried": []}
        rest = trainer("execution", "retry", "--all", "--status", "failed", "--yes", "--json").json
        assert rest == {"found": 1, "retried": [third]}

    def test_conditions_on_the_status_stand_alone(self, trainer: Call) -> None:
        """A condition on the status chooses instead of what has failed, not besides."""
        failed(trainer)
        pending = trainer("action", "run", "retrain", "--no-wait", "--json").json["id"]
        trainer("execution", "cancel", pending)
        retried = trainer("execution", "retry", "--all", "--where", "status=cancelled", "--yes", "--json").json
        assert retried == {"found": 1, "retried": [pending]}

    def test_what_cannot_be_retried_is_told(self, trainer: Call) -> None:
        """Executions whose action is gone stay as they are, and are told beside the others."""
        failed(trainer)
        trainer("action", "delete", "retrain")
        retried = trainer("execution", "retry", "--all", "--yes")
        assert retried.exit_code == 0
        assert "0 executions are pending again. Of 1, the others" in retried.stdout

    @pytest.mark.parametrize("arguments", [[], ["0f3a", "--all"], ["0f3a", "--action", "x"]])
    def test_either_one_or_all(self, actium: Call, arguments: list[str]) -> None:
        """A command line that names neither or both is wrong."""
        assert actium("execution", "retry", *arguments).exit_code == 2

    def test_listings_choose_by_age(self, trainer: Call) -> None:
        """A listing of executions takes ages, too."""
        trainer("action", "run", "retrain")
        assert trainer("execution", "list", "--newer-than", "15m", "--json").json["total"] == 1
        assert trainer("execution", "list", "--older-than", "90s", "--json").json["total"] == 0
        assert trainer("execution", "list", "--older-than", "99999999w").exit_code == 2


class TestEvents:
    @pytest.fixture
    def triggered(self, trainer: Call) -> Call:
        """An action that every event of type ``a`` runs."""
        trainer("trigger", "create", "t", "--action", "retrain", "--filter", "exact:type=a")
        return trainer

    def test_an_event_is_replayed(self, triggered: Call) -> None:
        """Replaying matches the triggers of now, stores new executions, and with --run runs them."""
        triggered("event", "publish", "--type", "a", "--source", "/s", "--id", "7")
        triggered("worker", "--until-idle")
        replayed = triggered("event", "replay", "7", "--json").json
        assert len(replayed["executions"]) == 1
        assert "Replayed event" in triggered("event", "replay", "7").stdout
        ran = triggered("event", "replay", "7", "--run", "--json").json
        assert [execution["body"]["status"] for execution in ran["executions"]] == ["succeeded"]
        assert triggered("execution", "list", "--event", "7", "--json").json["total"] == 4
        triggered("trigger", "disable", "t")
        assert triggered("event", "replay", "7", "--run", "--json").json["executions"] == []

    def test_a_replay_that_fails_ends_with_1(self, triggered: Call) -> None:
        """With --run, the exit code tells whether all has succeeded."""
        triggered("action", "update", "retrain", "--set", "fail=true")
        triggered("event", "publish", "--type", "a", "--source", "/s", "--id", "7")
        assert triggered("event", "replay", "7", "--run").exit_code == 1

    def test_many_events_are_published(self, triggered: Call, work: Path) -> None:
        """Lines of JSON are published in any number; those that were known are counted apart."""
        lines = [json.dumps({"type": "ab"[number % 2], "source": "/s", "id": str(number)}) for number in range(600)]
        (work / "events.jsonl").write_text("\n".join(lines) + "\n\n")
        published = triggered("event", "publish", "--many", "events.jsonl", "--json")
        assert published.json == {"published": 600, "duplicates": 0, "executions": 300}
        again = triggered("event", "publish", "--many", "-", stdin="\n".join([*lines, '{"type": "a", "source": "/n"}']))
        assert again.stdout == "1 event published, 600 known already, 1 execution.\n"

    @pytest.mark.parametrize(
        ("line", "told"),
        [
            ("{", "no JSON"),
            ("[1]", "no object"),
            ('{"type": "a"}', "source"),
            ('{"type": "a", "source": "/s", "data": NaN}', "NaN"),
        ],
    )
    def test_a_wrong_line_is_told(self, triggered: Call, line: str, told: str) -> None:
        """The line that is no event is told with its number, and what was published before it."""
        lines = [f'{{"type": "b", "source": "/s", "id": "{number}"}}' for number in range(300)]
        failed = triggered("event", "publish", "--many", "-", stdin="\n".join([*lines, line]))
        assert failed.exit_code == 1
        assert told in failed.stderr
        assert "standard input, line 301" in failed.stderr
        assert "Until then: 256 events published" in failed.stderr
        assert triggered("event", "list", "--json").json["total"] == 256

    def test_lines_and_options_do_not_mix(self, actium: Call) -> None:
        """--many with an option about one event is a wrong command line."""
        assert actium("event", "publish", "--many", "-", "--type", "a").exit_code == 2


class TestPruning:
    def test_what_is_over_and_old_is_deleted(self, trainer: Call) -> None:
        """Pruning asks, deletes what has ended so long ago, and tells the numbers; failed ones are kept if asked."""
        trainer("action", "run", "retrain", "--data", "1")
        failed(trainer)
        trainer("action", "run", "retrain", "--no-wait")
        refused = trainer("prune", "--older-than", "0s", stdin="n\n")
        assert refused.exit_code == 1
        assert "in every project?" in refused.stderr
        assert trainer("prune", "--older-than", "30d", "--yes").stdout == "Nothing is that old.\n"
        assert trainer("prune", "--older-than", "0s", "--keep-failed", "--yes", "--json").json == {
            "executions": 1,
            "events": 1,
            "tokens": 0,
        }
        assert "Deleted 1 execution, 0 events," in trainer("prune", "--older-than", "0s", "--yes").stdout
        assert trainer("execution", "list", "--json").json["total"] == 1

    @pytest.mark.parametrize(
        ("text", "seconds"), [("90s", 90), ("15m", 900), ("12h", 43_200), ("30d", 2_592_000), ("4w", 2_419_200)]
    )
    def test_lengths_of_time_are_read(self, text: str, seconds: int) -> None:
        """A length of time is a whole number and its unit."""
        assert parse_duration(text) == timedelta(seconds=seconds)

    @pytest.mark.parametrize("text", ["", "30", "d", "1.5d", "-1d", "1 d", "1M", "1mo", "1d12h", "٣d", "9999999999d"])
    def test_what_could_mean_something_else_is_refused(self, actium: Call, text: str) -> None:
        """Anything else is a wrong command line, told with what to write."""
        with pytest.raises(typer.BadParameter):
            parse_duration(text)
        assert actium("prune", f"--older-than={text}", "--yes").exit_code == 2
