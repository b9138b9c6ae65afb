"""Real processes: standard output is the answer's alone, signals end what runs, and starting imports little."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]

NOISY = """
    import atexit, os, subprocess, sys, threading
    import logging
    from actium import ActionConfig, action_flavor

    print("import: print")
    os.write(1, b"import: descriptor\\n")
    subprocess.run([sys.executable, "-c", "print('import: child')"])
    logger = logging.getLogger("noisy")
    logger.addHandler(logging.StreamHandler(sys.stdout))
    atexit.register(print, "exit: print")
    atexit.register(os.write, 1, b"exit: descriptor\\n")
    atexit.register(lambda: sys.__stdout__.write("exit: the first stdout\\n"))

    @action_flavor("test.noisy")
    def noisy(config):
        print("run: print")
        sys.__stdout__.write("run: the first stdout\\n")
        os.write(1, b"run: descriptor\\n")
        subprocess.run([sys.executable, "-c", "print('run: child')"])
        logger.warning("run: log")
        return "answer"
"""


@pytest.fixture
def noisy(install: Callable[..., None], process: Call) -> Call:
    """``actium`` with an action of a flavor that prints wherever it can."""
    install("noisy", NOISY, action_flavors={"test.noisy": "noisy:noisy"})
    process("account", "create", "trainer")
    created = process("action", "create", "loud", "--flavor", "test.noisy", "--account", "trainer", "--json")
    assert created.json["name"] == "loud"
    process("trigger", "create", "t", "--action", "loud", "--match-all")
    process("event", "publish", "--type", "a", "--source", "/s", "--id", "7")
    return process


@pytest.fixture
def gate(work: Path) -> Path:
    path = work / "gate"
    os.mkfifo(path)
    return path


@pytest.fixture
def start(environment: dict[str, str], work: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start ``actium`` and leave it running."""
    started: list[subprocess.Popen[str]] = []

    def start_process(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "actium_cli", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=work, env=environment,
        )  # fmt: skip
        started.append(process)
        return process

    yield start_process
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def gated(process: Call, flavors: None, gate: Path) -> Call:
    """An action that waits until something is written to the gate."""
    process("account", "create", "trainer")
    process("action", "create", "slow", "--flavor", "test.steps", "--account", "trainer", "--set", f"gate={gate}")
    return process


class TestStandardOutput:
    def test_every_answer_is_json_whatever_plugins_print(self, noisy: Call) -> None:
        """With --json, standard output is one JSON document for every command that answers."""
        answers = [
            ("flavor", "list"),
            ("flavor", "show", "test.noisy"),
            ("plugin", "list"),
            ("plugin", "check"),
            ("account", "list"),
            ("account", "show", "trainer"),
            ("account", "update", "trainer", "--description", "x"),
            ("action", "list"),
            ("action", "show", "loud"),
            ("action", "update", "loud", "--description", "x"),
            ("action", "history", "loud"),
            ("action", "run", "loud"),
            ("action", "run", "loud", "--no-wait"),
            ("trigger", "list"),
            ("trigger", "show", "t"),
            ("trigger", "disable", "t"),
            ("trigger", "enable", "t"),
            ("trigger", "explain", "t", "7"),
            ("event", "publish", "--type", "a", "--source", "/s"),
            ("event", "list"),
            ("event", "show", "7"),
            ("worker", "--until-idle"),
            ("execution", "list"),
            ("execution", "retry", "--all", "--yes"),
            ("event", "replay", "7", "--run"),
            ("doctor",),
            ("prune", "--older-than", "0s", "--yes"),
            ("trigger", "delete", "t"),
            ("action", "delete", "loud"),
            ("account", "create", "other"),
            ("account", "delete", "other"),
        ]
        for arguments in answers:
            answered = noisy(*arguments, "--json")
            assert answered.exit_code == 0, (arguments, answered.stderr)
            assert answered.json is not None, arguments

    def test_what_plugins_print_is_not_lost(self, noisy: Call) -> None:
        """What plugins and their child processes print appears on standard error."""
        ran = noisy("action", "run", "loud", "--json")
        assert ran.json["metadata"]["result"] == "answer"
        for part in ("print", "descriptor", "child", "log", "the first stdout"):
            assert f"run: {part}" in ran.stderr
        for part in ("print", "descriptor", "the first stdout"):
            assert f"exit: {part}" in ran.stderr

    def test_a_reader_that_goes_away_ends_it_quietly(self, environment: dict[str, str], work: Path) -> None:
        """Writing to a pipe that nobody reads any more shows no traceback."""
        reading, writing = os.pipe()
        os.close(reading)
        with os.fdopen(writing, "w") as pipe:
            done = subprocess.run(
                [sys.executable, "-m", "actium_cli", "account", "list", "--json"],
                stdout=pipe, stderr=subprocess.PIPE, text=True, cwd=work, env=environment, check=False,
            )  # fmt: skip
        assert done.returncode == 1
        assert done.stderr == ""

    def test_a_worker_without_a_reader_finishes_what_runs(
        self, noisy: Call, environment: dict[str, str], work: Path
    ) -> None:
        """A worker that cannot show anything any more ends, but not before what it runs is recorded."""
        reading, writing = os.pipe()
        os.close(reading)
        with os.fdopen(writing, "w") as pipe:
            done = subprocess.run(
                [sys.executable, "-m", "actium_cli", "worker"],
                stdout=pipe, stderr=subprocess.DEVNULL, cwd=work, env=environment, check=False, timeout=30,
            )  # fmt: skip
        assert done.returncode == 1
        assert noisy("execution", "list", "--status", "running", "--json").json["total"] == 0

    def test_text_that_the_terminal_cannot_show(self, process: Call) -> None:
        """Where standard output is ASCII, names are written so that they can be, and JSON stays JSON."""
        ascii_only = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
        assert process("account", "create", "Zoë", **ascii_only).exit_code == 0
        assert process("account", "list", "--json", **ascii_only).json["items"][0]["name"] == "Zoë"
        assert process("account", "list", **ascii_only).exit_code == 0


class TestSignals:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_worker_finishes_what_runs(self, gated: Call, start: Call, gate: Path, number: int) -> None:
        """After a signal, what runs is not asked to end, but finished and recorded; what is pending stays."""
        gated("action", "update", "slow", "--set", "looks=30")
        first = gated("action", "run", "slow", "--no-wait", "--json").json["id"]
        second = gated("action", "run", "slow", "--no-wait", "--json").json["id"]
        worker = start("worker")
        _read_until(worker.stdout, f"{first} running")
        worker.send_signal(number)
        _read_until(worker.stderr, "Stopping after what runs now")
        gate.write_text("go")
        stdout, stderr = worker.communicate(timeout=30)
        assert worker.returncode == 0, stderr
        assert f"{first} succeeded" in stdout
        assert gated("execution", "show", second, "--json").json["body"]["status"] == "pending"

    def test_an_idle_worker_ends_at_a_signal(self, process: Call, start: Call) -> None:
        """A worker that waits for work ends as soon as it is asked to."""
        worker = start("worker", "--poll", "3600")
        _read_until(worker.stdout, "runs executions of")
        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=30)
        assert worker.returncode == 0

    def test_a_second_signal_ends_at_once(self, gated: Call, start: Call) -> None:
        """A second signal ends the process as that signal would; the doctor has its execution tried again."""
        execution = gated("action", "run", "slow", "--no-wait", "--json").json["id"]
        worker = start("worker", "--concurrency", "2")
        _read_until(worker.stdout, f"{execution} running")
        worker.send_signal(signal.SIGTERM)
        _read_until(worker.stderr, "once more ends at once")
        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=30)
        assert worker.returncode == -signal.SIGTERM
        found = gated("doctor")
        assert found.exit_code == 1
        assert "1 execution(s) of 'slow' still say that it runs them" in found.stdout
        assert "will have them tried again" in found.stdout
        assert gated("doctor", "--mend").exit_code == 0
        shown = gated("execution", "show", execution, "--json").json
        assert shown["body"]["status"] == "pending"
        assert [(attempt["status"], "ended without a word" in attempt["reason"]) for attempt in _attempts(shown)] == [
            ("failed", True)
        ]

    @pytest.mark.parametrize("concurrency", ["1", "2"])
    def test_what_does_not_end_within_the_grace_time_is_given_back(
        self, gated: Call, start: Call, concurrency: str
    ) -> None:
        """A handler that heeds nothing does not keep a worker from ending; its execution is pending again."""
        execution = gated("action", "run", "slow", "--no-wait", "--json").json["id"]
        worker = start("worker", "--concurrency", concurrency, "--grace", "0.1", "--json")
        _read_until(worker.stderr, f"{execution} running")
        worker.send_signal(signal.SIGTERM)
        stdout, stderr = worker.communicate(timeout=30)
        assert worker.returncode == 0, stderr
        assert json.loads(stdout)["by_status"] == {}
        shown = gated("execution", "show", execution, "--json").json
        assert shown["body"]["status"] == "pending"
        assert "its worker was stopped" in _attempts(shown)[0]["reason"]

    def test_an_interrupted_run_is_cancelled(self, gated: Call, start: Call) -> None:
        """Ctrl-C asks the handler of a run by hand to end; the run is cancelled, and the exit code is 1."""
        gated("action", "update", "slow", "--set", "gate=null", "--set", "until_cancelled=true")
        run = start("action", "run", "slow", "--json")
        _read_until(run.stderr, "running")
        run.send_signal(signal.SIGINT)
        stdout, _ = run.communicate(timeout=30)
        assert run.returncode == 1
        assert json.loads(stdout)["body"]["status"] == "cancelled"


class TestWatching:
    def test_a_run_of_another_process_is_watched(self, gated: Call, start: Call, gate: Path) -> None:
        """Watching shows what a worker elsewhere does, step by step, and ends with it."""
        execution = gated("action", "run", "slow", "--no-wait", "--json").json["id"]
        watching = start("execution", "watch", execution)
        _read_until(watching.stdout, f"Execution {execution} of 'slow' waits for a worker.")
        start("worker", "--concurrency", "2")
        _read_until(watching.stdout, f"slow {execution} running")
        gate.write_text("go")
        stdout, stderr = watching.communicate(timeout=30)
        assert watching.returncode == 0, stderr
        assert f"slow {execution} step fit succeeded after 0.5 s\nslow {execution} succeeded\n" in stdout

    def test_no_longer_watching_leaves_it_running(self, gated: Call, start: Call, gate: Path) -> None:
        """Ctrl-C ends the watching with 130, and nothing else."""
        execution = gated("action", "run", "slow", "--no-wait", "--json").json["id"]
        worker = start("worker")
        watching = start("execution", "watch", execution)
        _read_until(watching.stdout, f"slow {execution} running")
        watching.send_signal(signal.SIGINT)
        watching.communicate(timeout=30)
        assert watching.returncode == 130
        gate.write_text("go")
        _read_until(worker.stdout, f"slow {execution} succeeded")

    def test_a_worker_runs_several_at_once(self, gated: Call, start: Call, gate: Path) -> None:
        """With a concurrency of 2, a second execution runs and ends while the first one waits."""
        waiting = gated("action", "run", "slow", "--no-wait", "--json").json["id"]
        gated("action", "create", "quick", "--flavor", "test.steps", "--account", "trainer")
        quick = gated("action", "run", "quick", "--no-wait", "--json").json["id"]
        worker = start("worker", "--concurrency", "2", "--until-idle")
        _read_until(worker.stdout, f"quick {quick} succeeded")
        gate.write_text("go")
        stdout, stderr = worker.communicate(timeout=30)
        assert worker.returncode == 0, stderr
        assert f"slow {waiting} succeeded" in stdout
        assert stdout.endswith("Ran 2: 2 succeeded.\n")


class TestTerminals:
    def test_a_terminal_gets_bars_short_ids_and_ages(
        self, flavors: None, process: Call, environment: dict[str, str], work: Path
    ) -> None:
        """On a terminal, ids are short, listings tell ages, and a run is shown by a bar and then by its steps."""
        process("account", "create", "trainer")
        created = process(
            "action", "create", "retrain", "--flavor", "test.steps", "--account", "trainer", "--json"
        ).json
        listed = _on_a_terminal(["action", "list"], environment, work)
        assert created["id"][:8] in listed
        assert created["id"] not in listed
        assert re.search(r"just now|\d+ s ago", listed)
        process("action", "run", "retrain", "--no-wait")
        worked = _on_a_terminal(["worker", "--until-idle", "--concurrency", "4"], environment, work)
        assert "✓ retrain  succeeded" in worked
        ran = _on_a_terminal(["action", "run", "retrain"], environment, work)
        assert "━" in ran
        assert "✓ retrain  succeeded" in ran
        assert re.search(r"load +succeeded +0\.5 s", ran)

    @pytest.mark.parametrize("columns", [80, 120])
    def test_no_line_is_wider_than_the_terminal(
        self, flavors: None, process: Call, environment: dict[str, str], work: Path, columns: int
    ) -> None:
        """Tables and details fit 80 and 120 columns, also with the longest names."""
        process("account", "create", "trainer")
        process("action", "create", "n" * 60, "--flavor", "test.steps", "--account", "trainer")
        process("action", "update", "n" * 60, "--set", f"text={'words ' * 60}")
        execution = process("action", "run", "n" * 60, "--json").json["id"]
        process("trigger", "create", "t", "--action", "n" * 60, "--filter", f"exact:type={'com.example.' * 20}")
        for arguments in (
            ["action", "list"],
            ["action", "show", "nnn"],
            ["trigger", "list"],
            ["action", "history", "n"],
            ["execution", "list"],
            ["execution", "show", execution],
        ):
            shown = _on_a_terminal(arguments, environment, work, columns=columns)
            assert max(map(len, shown.splitlines())) <= columns, shown


class TestStartUp:
    @pytest.mark.parametrize(
        ("arguments", "not_imported"),
        [
            (
                ["flavor", "list", "--json"],
                ["actium.models", "actium.stores", "yaml", "sqlite3", "pluggy"],
            ),
            (["flavor", "list"], ["actium.models", "actium.stores", "yaml", "sqlite3", "pluggy", "test_flavors"]),
            (["--version"], ["actium.models", "actium.plugins", "actium_cli.commands.action", "sqlite3"]),
            (["--help"], ["actium.models", "actium.app", "sqlite3", "test_flavors", "pluggy"]),
        ],
    )
    def test_what_is_not_needed_is_not_imported(
        self, flavors: None, environment: dict[str, str], work: Path, arguments: list[str], not_imported: list[str]
    ) -> None:
        """Listing flavors and showing help import neither the models, nor the store, nor any flavor."""
        code = (
            "import sys, json\nfrom actium_cli.main import main\nsys.argv = json.loads(sys.argv[1])\n"
            "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
            "sys.stderr.write(json.dumps(sorted(sys.modules)))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, json.dumps(["actium", *arguments])],
            capture_output=True, text=True, cwd=work, env=environment, check=True,
        )  # fmt: skip
        assert set(json.loads(done.stderr)).isdisjoint(not_imported)


def _attempts(execution: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = execution["metadata"]["attempts"]
    return found


def _read_until(stream: Any, text: str) -> None:
    for line in stream:
        if text in line:
            return
    raise AssertionError(f"{text!r} was never said")


def _on_a_terminal(arguments: list[str], environment: dict[str, str], work: Path, *, columns: int = 100) -> str:
    """What ``actium`` shows on a terminal, without colours and movements."""
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "actium_cli", *arguments],
        stdin=terminal, stdout=terminal, stderr=subprocess.DEVNULL, cwd=work,
        env={**environment, "TERM": "xterm-256color", "COLUMNS": str(columns)},
    )  # fmt: skip
    os.close(terminal)
    shown = b""
    while True:
        try:
            read = os.read(controller, 65536)
        except OSError:
            break
        if not read:
            break
        shown += read
    os.close(controller)
    assert process.wait(30) == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    return text.replace("\r\n", "\n").replace("\r", "\n")
