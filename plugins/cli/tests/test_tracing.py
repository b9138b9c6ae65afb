"""Traces and logs on the command line: switched on, shown, written, and without a secret anywhere."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console, Group

from actium.tracing.spans import Failure, Span, SpanKind, Trace
from actium_cli.tracing import _lines

Call = Callable[..., Any]
GOLDEN = Path(__file__).parent / "golden"
UPLOADING = '''
"""A flavor that tells what it does, and leaves its secret wherever it can."""
import logging

from pydantic import SecretStr
from actium import ActionConfig, action_flavor, trace


class UploadConfig(ActionConfig):
    key: SecretStr
    fail: bool = True


@action_flavor("test.upload", config=UploadConfig)
def upload(config):
    key = config.key.get_secret_value()
    logging.getLogger("test.library").warning("It logs in with %s.", key)
    with trace.span("put", bytes=123, url=f"https://x:{key}@host/", headers={"X-Way-In": key}):
        if config.fail:
            raise ConnectionError(f"refused {key}")
    return {"way in": key}
'''
SECRET = "Zq7-nobody-sees-this"


@pytest.fixture
def uploader(actium: Call, install: Call, monkeypatch: pytest.MonkeyPatch) -> Call:
    """``actium`` with an action ``upload`` that fails."""
    install("test-upload", UPLOADING, version="3.1", action_flavors={"test.upload": "test_upload:upload"})
    monkeypatch.setenv("UPLOAD_KEY", SECRET)
    assert actium("account", "create", "robot").exit_code == 0
    made = actium(
        "action", "create", "upload", "--flavor", "test.upload", "--account", "robot", "--set", "key=env:UPLOAD_KEY"
    )
    assert made.exit_code == 0, made.stderr
    return actium


def latest(actium: Call) -> str:
    """The id of the latest execution."""
    return str(actium("--json", "execution", "list").json["items"][0]["id"])


class TestTraceOfAnExecution:
    def test_as_a_tree(self, uploader: Call) -> None:
        """The trace of an attempt that failed is kept: who did what, for how long, and what went wrong where."""
        assert uploader("action", "run", "upload").exit_code == 1
        shown = uploader("execution", "trace", latest(uploader))
        assert shown.exit_code == 0
        lines = [re.sub(r"[│├└─ ]+", " ", line).strip() for line in shown.stdout.splitlines()]
        [handler] = [line for line in lines if " handler " in line]
        assert handler.startswith("run_action test.upload (test-upload 3.1) handler")
        assert handler.endswith("failed")
        assert any(line.startswith("put ") and line.endswith("failed") for line in lines)
        assert any(line.startswith("ConnectionError: refused **********") and "upload)" in line for line in lines)

    def test_as_json_lines(self, uploader: Call) -> None:
        """``--format json`` is a line a span."""
        uploader("action", "run", "upload")
        execution = latest(uploader)
        lines = [
            json.loads(line)
            for line in uploader("execution", "trace", execution, "--format", "json").stdout.splitlines()
        ]
        assert {line["execution"] for line in lines} == {execution}
        [put] = [line for line in lines if line["name"] == "put"]
        assert put["distribution"] == "test-upload"
        assert put["failure"]["type"] == "ConnectionError"

    def test_for_perfetto(self, uploader: Call) -> None:
        """``--format chrome`` is one JSON object of trace events."""
        uploader("action", "run", "upload")
        events = uploader("execution", "trace", latest(uploader), "--format", "chrome").json["traceEvents"]
        assert "put" in {event["name"] for event in events if event["ph"] == "X"}

    def test_as_one_json_document(self, uploader: Call) -> None:
        """``--json`` answers with one document, as everywhere."""
        uploader("action", "run", "upload")
        answer = uploader("--json", "execution", "trace", latest(uploader)).json
        assert {span["name"] for span in answer["spans"]} >= {"attempt 1", "run_action", "put"}
        assert answer["left_out"] == 0

    @pytest.mark.parametrize(
        ("name", "options", "begin"),
        [
            ("a.txt", [], "execution upload"),
            ("a.jsonl", [], '{"execution"'),
            ("a.json", [], '{"traceEvents"'),
            ("a.json", ["--format", "tree"], "execution upload"),
        ],
    )
    def test_into_a_file(self, uploader: Call, work: Path, name: str, options: list[str], begin: str) -> None:
        """The file's name says the form unless ``--format`` does; the answer says where it is."""
        uploader("action", "run", "upload")
        done = uploader("execution", "trace", latest(uploader), "--output", name, *options)
        assert done.stdout.startswith(f"Written to {name}.")
        assert ("perfetto" in done.stdout) == (begin == '{"traceEvents"')
        assert (work / name).read_text().startswith(begin)

    def test_into_no_file(self, uploader: Call) -> None:
        """A file that cannot be written is an error in words."""
        uploader("action", "run", "upload")
        done = uploader("execution", "trace", latest(uploader), "--output", "no/such/folder.txt")
        assert done.exit_code == 1
        assert "The trace cannot be written to 'no/such/folder.txt': No such file or directory." in done.stderr

    def test_that_was_not_kept(self, trainer: Call) -> None:
        """Of an attempt that succeeded nothing is kept by default; the attempt is told, and how to have more kept."""
        trainer("action", "run", "retrain")
        shown = trainer("execution", "trace", latest(trainer)).stdout
        assert "attempt 1" in shown
        assert "trace=none was kept" in shown
        assert "`actium action update retrain --keep-trace on`" in shown

    def test_of_no_execution(self, trainer: Call) -> None:
        """An id that there is not is an error in words."""
        done = trainer("execution", "trace", "0f3a9c52-6d1b-4a4e-9a53-2f6d7c1b8e90")
        assert done.exit_code == 1
        assert "There is no execution" in done.stderr


class TestWhatIsKept:
    def test_by_option(self, trainer: Call) -> None:
        """``--keep-trace`` decides when an action is created or changed, and ``action show`` tells it."""
        assert "on failure" in trainer("action", "show", "retrain").stdout
        trainer("action", "update", "retrain", "--keep-trace", "on")
        assert trainer("--json", "action", "show", "retrain").json["metadata"]["trace"] == "on"
        trainer("action", "run", "retrain")
        assert "hook run_action" in trainer("execution", "trace", latest(trainer)).stdout
        trainer("action", "create", "quiet", "--flavor", "test.steps", "--account", "trainer", "--keep-trace", "off")
        assert trainer("--json", "action", "show", "quiet").json["metadata"]["trace"] == "off"

    def test_by_file(self, trainer: Call, work: Path) -> None:
        """``trace: off`` in a YAML file is the mode, and not a truth value."""
        (work / "quiet.yaml").write_text("name: quiet\nflavor: test.steps\nservice_account: trainer\ntrace: off\n")
        assert trainer("action", "create", "-f", "quiet.yaml").exit_code == 0
        assert trainer("--json", "action", "show", "quiet").json["metadata"]["trace"] == "off"

    def test_by_a_word_that_there_is_not(self, trainer: Call) -> None:
        """A wrong mode is a wrong command line."""
        done = trainer("action", "update", "retrain", "--keep-trace", "sometimes")
        assert done.exit_code == 2
        assert "on_failure" in done.stderr


class TestSwitch:
    @pytest.mark.parametrize("place", ["before", "behind"])
    def test_alone(self, trainer: Call, place: str) -> None:
        """``--trace`` shows trees on standard error, and takes no word that follows it as its value."""
        words = (
            ["--trace", "action", "run", "retrain"] if place == "before" else ["action", "run", "--trace", "retrain"]
        )
        done = trainer("--json", *words)
        assert done.json["body"]["status"] == "succeeded"
        assert "hook run_action  test.steps (test-flavors 2.5)" in done.stderr

    def test_with_a_file(self, trainer: Call, work: Path) -> None:
        """``--trace=FILE`` writes there, and the trace of an execution that succeeded is kept as well."""
        done = trainer("action", "run", "retrain", "--trace=t.json")
        assert "hook run_action" not in done.stderr
        assert "run_action" in {event["name"] for event in json.loads((work / "t.json").read_text())}
        assert "hook run_action" in trainer("execution", "trace", latest(trainer)).stdout

    def test_with_a_filter(self, trainer: Call) -> None:
        """``--trace=hook=NAME`` shows that hook alone."""
        done = trainer("--trace=hook=create_*", "action", "run", "retrain")
        assert "run_action" not in done.stderr

    def test_from_the_environment(self, trainer: Call, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """``ACTIUM_TRACE`` does the same, and the option comes first."""
        monkeypatch.setenv("ACTIUM_TRACE", "a.jsonl")
        trainer("action", "run", "retrain")
        assert (work / "a.jsonl").exists()
        trainer("action", "run", "retrain", "--trace=b.jsonl")
        assert (work / "b.jsonl").exists()

    def test_with_nonsense(self, trainer: Call) -> None:
        """What cannot be understood is an error in words."""
        done = trainer("--trace=colour=red", "action", "list")
        assert done.exit_code == 1
        assert "A trace cannot be filtered by 'colour=red'." in done.stderr


class TestLogs:
    @pytest.mark.parametrize("how", ["option", "environment"])
    def test_in_json(self, uploader: Call, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
        """Every line of the log is JSON and says of which execution it is, libraries' lines included."""
        if how == "environment":
            monkeypatch.setenv("ACTIUM_LOG", "json")
        done = uploader("action", "run", "upload", "--no-wait")
        done = uploader("worker", "--until-idle", *(["--log-json"] if how == "option" else []))
        lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
        assert {line["logger"] for line in lines} >= {"test.library", "actium.executions"}
        for line in lines:
            assert line["execution_id"] == latest(uploader)
            assert (line["action"], line["plugin"]) == ("upload", "test.upload")

    def test_in_text(self, uploader: Call) -> None:
        """Without it a line is a warning and its text; when debugging it says of which execution it is."""
        uploader("action", "run", "upload", "--no-wait")
        assert "WARNING: It logs in with **********." in uploader("worker", "--until-idle").stderr
        uploader("action", "run", "upload", "--no-wait")
        debugged = uploader("worker", "--until-idle", "--debug").stderr
        assert f"test.library [upload {latest(uploader)[:8]} test.upload]: It logs in" in debugged

    def test_in_another_form(self, actium: Call, monkeypatch: pytest.MonkeyPatch) -> None:
        """A form that there is not is a wrong command line."""
        monkeypatch.setenv("ACTIUM_LOG", "xml")
        done = actium("action", "list")
        assert done.exit_code == 2
        assert "'xml' is neither 'text' nor 'json'" in done.stderr


def test_no_output_holds_a_secret(uploader: Call, work: Path) -> None:
    """Whatever is asked for in whichever form, with logs and tracebacks, and every file that is left."""
    every = ["--debug", "--trace", "--log-json"]
    outcomes = [uploader("action", "run", "upload", *every), uploader("action", "run", "upload", "--trace=t.json")]
    uploader("action", "update", "upload", "--set", "fail=false")
    outcomes.append(uploader("action", "run", "upload", *every))
    for item in uploader("--json", "execution", "list").json["items"]:
        outcomes += [uploader("execution", "show", item["id"], *form) for form in ([], ["--debug"], ["--json"])]
        for form in ("tree", "json", "chrome"):
            outcomes.append(uploader("execution", "trace", item["id"], "--format", form))
            uploader("execution", "trace", item["id"], "--format", form, "--output", f"{item['id']}.{form}")
    told = "".join(outcome.stdout + outcome.stderr for outcome in outcomes).encode()
    files = b"".join(file.read_bytes() for file in work.rglob("*") if file.is_file())
    assert told.count(b"*" * 10) > 10
    assert files.count(b"*" * 10) > 10
    assert SECRET.encode() not in told + files


def made() -> Trace:
    """A trace with a failed and a slow span, the same at every run."""
    begin, ms = 1_767_225_600_000_000_000, 1_000_000
    failure = Failure(
        type="ConnectionError", message="the bucket is gone, and nobody knows why", where="up.py:9 in put"
    )
    who: dict[str, Any] = {"plugin": "test.upload", "distribution": "test-upload", "version": "3.1"}
    attempt = {"parent": 1, "kind": SpanKind.ATTEMPT, "name": "attempt 1", "arguments": {"status": "failed"}}
    hook = {
        "parent": 2,
        "kind": SpanKind.HOOK,
        "name": "run_action",
        "arguments": {"config": "UploadConfig(" + "x" * 90},
    }
    spans: list[dict[str, Any]] = [
        {
            "parent": None,
            "kind": SpanKind.EXECUTION,
            "name": "upload",
            "nanoseconds": 105 * ms,
            "arguments": {"id": "e"},
        },
        {"nanoseconds": 100 * ms, "failure": Failure(type="ConnectionError", message=failure.message), **attempt},
        {"nanoseconds": 90 * ms, "failure": failure, **hook, **who},
        {"parent": 3, "kind": SpanKind.OWN, "name": "fetch", "nanoseconds": 60 * ms, "arguments": {"rows": 3}, **who},
        {"parent": 3, "kind": SpanKind.OWN, "name": "put", "nanoseconds": 5 * ms, "failure": failure, **who},
    ]
    return Trace(spans=tuple(Span(id=n, start_ns=begin + n * ms, **told) for n, told in enumerate(spans, start=1)))


@pytest.mark.parametrize("name", ["terminal.ansi", "plain.txt"])
def test_the_colours_are_those_of_the_golden_file(name: str) -> None:
    """On a terminal what failed is red and whole, what was slow yellow, and the rest cut at its width."""
    is_terminal = name == "terminal.ansi"
    console = Console(
        width=60 if is_terminal else 10_000,
        force_terminal=is_terminal,
        color_system="standard" if is_terminal else None,
        highlight=False,
        _environ={},
    )
    with console.capture() as captured:
        console.print(Group(*_lines(made())))
    text = captured.get()
    if os.environ.get("ACTIUM_WRITE_GOLDEN"):
        (GOLDEN / name).write_text(text, encoding="utf-8")
    assert text == (GOLDEN / name).read_text(encoding="utf-8")
