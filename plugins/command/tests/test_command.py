"""Commands through a whole application: real processes, and what is kept of them."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actium import Actium, Event, ExecutionStatus, TriggerExecutionResponse
from actium.errors import InvalidConfigurationError

Run = Callable[..., TriggerExecutionResponse]


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", code, *arguments]


AT_ONCE = {"base": 0.000_001, "jitter": False}
ODD_ARGUMENTS = ["two words", "*", "$HOME", "`id`", "'", "ü", "", "a\nb"]


def test_arguments_are_handed_on_as_they_are(run: Run) -> None:
    """No shell reads the arguments: whatever it would change arrives unchanged."""
    execution = run(argv=python("import json, sys; print(json.dumps(sys.argv[1:]))", *ODD_ARGUMENTS))
    assert execution.status is ExecutionStatus.SUCCEEDED, execution.reason
    assert json.loads(execution.result["stdout"]["text"]) == ODD_ARGUMENTS


def test_the_result_tells_what_happened(run: Run) -> None:
    """The result has the exit code, both outputs, and what was used."""
    execution = run(argv=python("import sys; print('out'); print('err', file=sys.stderr)"))
    result = execution.result
    assert result["exit_code"] == 0
    assert result["stdout"] == {"text": "out\n", "bytes": 4, "truncated": False}
    assert result["stderr"] == {"text": "err\n", "bytes": 4, "truncated": False}
    assert result["cpu_seconds"] > 0
    assert result["seconds"] > 0
    assert result["memory_bytes"] > 1_000_000


def test_only_the_documented_environment_is_inherited(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command gets the few variables of the worker that are documented, those asked for, and its own."""
    monkeypatch.setenv("WORKER_SECRET", "not for commands")
    monkeypatch.setenv("ASKED_FOR", "yes")
    monkeypatch.setenv("TZ", "UTC")
    execution = run(argv=["env", "-0"], environment={"MODE": "dry run"}, inherit=["ASKED_FOR", "NOT_SET"])
    variables = dict(line.split("=", 1) for line in execution.result["stdout"]["text"].split("\ufffd") if line)
    documented = {"HOME", "LANG", "LC_ALL", "LC_CTYPE", "PATH", "TMPDIR", "TZ"}
    own = {"MODE", "ASKED_FOR", "ACTIUM_EXECUTION_ID", "ACTIUM_TOKEN"}
    assert variables.keys() - documented == own
    assert (variables["MODE"], variables["ASKED_FOR"], variables["TZ"]) == ("dry run", "yes", "UTC")
    assert variables["ACTIUM_EXECUTION_ID"] == str(execution.id)


def test_the_token_is_valid_and_nowhere_recorded(app: Actium, run: Run, tmp_path: Path) -> None:
    """The token that a command gets by environment is its execution's, and is masked where the command prints it."""
    kept = tmp_path / "token"
    code = "import os, sys; token = os.environ['ACTIUM_TOKEN']; open(sys.argv[1], 'w').write(token); print(token)"
    execution = run(argv=python(code, str(kept)))
    token = kept.read_text()
    assert app.auth.verify(token).execution_id == execution.id
    assert token not in execution.model_dump_json()
    assert execution.result["stdout"]["text"] == "**********\n"


def test_secrets_arrive_and_are_masked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret reaches the command by environment, and is masked in its output, also in a failure."""
    monkeypatch.setenv("VAULT", "0pen sesame")
    code = "import os, sys; sys.exit('I was told ' + os.environ['PASSWORD'])"
    execution = run(argv=python(code), secrets={"PASSWORD": "env:VAULT"})
    assert execution.status is ExecutionStatus.FAILED
    assert "I was told **********" in str(execution.reason)
    assert "sesame" not in execution.model_dump_json()


@pytest.mark.parametrize("where", ["beginning", "middle"])
def test_a_secret_is_not_cut_in_two(run: Run, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """Where the output is cut in the middle of a secret, no piece of the secret is left."""
    monkeypatch.setenv("VAULT", "QWERTZUIOPASDFGHJKL")
    rest = 100 - (10 if where == "middle" else 19)
    code = f"import os; print('x' * 500_000 + os.environ['PASSWORD'] + 'y' * {rest}, end='')"
    execution = run(argv=python(code), secrets={"PASSWORD": "env:VAULT"}, output_bytes=100)
    output = execution.result["stdout"]
    assert output["truncated"]
    assert set(output["text"]) <= {"x", "y", "*"}
    assert output["text"].endswith("y" * rest)


def test_the_end_of_a_long_output_is_kept(run: Run) -> None:
    """Of a long output the last whole lines are kept, and how long it was is told."""
    execution = run(argv=python("for n in range(100_000): print(n)"), output_bytes=20)
    assert execution.result["stdout"] == {"text": "99997\n99998\n99999\n", "bytes": 588_890, "truncated": True}


def test_output_that_is_no_text_is_kept_as_far_as_it_can(run: Run) -> None:
    """Bytes that are no UTF-8, and NUL, become replacement characters; the largest of these results can be stored."""
    code = "import sys; sys.stdout.buffer.write(bytes([0, 255]) * 50_000); sys.stderr.buffer.write(bytes(100_000))"
    execution = run(argv=python(code), output_bytes=65_536)
    assert execution.status is ExecutionStatus.SUCCEEDED, execution.reason
    assert set(execution.result["stdout"]["text"]) == {"\ufffd"}


@pytest.mark.parametrize(
    "stdin, expected",
    [(None, ""), ("data", {"rows": 3, "who": "Zoë"}), ("event", "com.example.arrived")],
    ids=["nothing", "data", "event"],
)
def test_the_event_can_be_read_from_standard_input(run: Run, stdin: str | None, expected: Any) -> None:
    """A command reads the event, its data or nothing, as configured; there is no terminal to wait for."""
    event = Event(type="com.example.arrived", source="/a", data={"rows": 3, "who": "Zoë"}, priority=7)
    execution = run(argv=["cat"], stdin=stdin, event=event)
    text = execution.result["stdout"]["text"]
    if stdin == "event":
        read = json.loads(text)
        assert (read["type"], read["priority"], read["data"]) == (expected, 7, {"rows": 3, "who": "Zoë"})
        assert Event.model_validate(read) == event
    else:
        assert (json.loads(text) if text else "") == expected


def test_a_command_need_not_read_its_input(run: Run) -> None:
    """A command that ends without reading a large event succeeds all the same."""
    execution = run(argv=["true"], stdin="data", event=Event(type="a", source="/a", data="x" * 500_000))
    assert execution.status is ExecutionStatus.SUCCEEDED, execution.reason


def test_a_large_input_and_a_large_output_do_not_block_each_other(run: Run) -> None:
    """A command that answers while it is still being told, and much of it, does not hang."""
    data = "x" * 700_000
    execution = run(argv=["tee", "/dev/stderr"], stdin="data", event=Event(type="a", source="/a", data=data))
    assert execution.result["stdout"]["bytes"] == execution.result["stderr"]["bytes"] == len(data) + 2


def test_a_run_has_a_folder_of_its_own_that_is_removed(run: Run) -> None:
    """Without a working directory a command runs in an empty folder of its own, also its TMPDIR, gone afterwards."""
    code = "import os; print(os.getcwd()); print(os.environ['TMPDIR']); print(os.listdir()); open('left', 'w').close()"
    folder, temporary, content = run(argv=python(code)).result["stdout"]["text"].splitlines()
    assert os.path.realpath(temporary) == os.path.realpath(folder)
    assert content == "[]"
    assert not Path(folder).exists()


def test_a_configured_folder_stays(run: Run, tmp_path: Path) -> None:
    """In a configured folder a command finds what is there, and leaves what it makes there."""
    execution = run(argv=["touch", "made"], working_directory=str(tmp_path))
    assert execution.status is ExecutionStatus.SUCCEEDED, execution.reason
    assert (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "code, kind", [(0, "CommandFailedError"), (2, "CommandFailedForGoodError"), (4, "CommandFailedError")]
)
def test_exit_codes_that_are_no_success_fail(run: Run, code: int, kind: str) -> None:
    """Which exit codes succeed is configured; the reason tells the code and what the command said."""
    execution = run(
        argv=["sh", "-c", f"echo no luck; exit {code}"], success_codes=[1, 3], permanent_codes=[2], event=None
    )
    assert execution.status is ExecutionStatus.FAILED
    assert execution.error is not None
    assert execution.error.type == kind
    assert f"ended with exit code {code}. It said:\nno luck" in str(execution.reason)


def test_a_configured_exit_code_succeeds(run: Run) -> None:
    """An exit code that is configured as success is one, and stands in the result."""
    assert run(argv=["sh", "-c", "exit 3"], success_codes=[1, 3]).result["exit_code"] == 3


@pytest.mark.parametrize("code, attempts", [(1, 3), (2, 1)])
def test_the_run_policy_decides_on_further_attempts(run: Run, code: int, attempts: int) -> None:
    """An ordinary exit code is tried again as the run policy says, a permanent one is not."""
    policy = {"max_attempts": 3, "backoff": AT_ONCE}
    execution = run(argv=["sh", "-c", f"exit {code}"], permanent_codes=[2], run_policy=policy)
    assert (execution.status, execution.attempt) == (ExecutionStatus.FAILED, attempts)


@pytest.mark.parametrize(
    "configuration, told",
    [
        ({"argv": ["no-such-program"]}, "could not be started 'no-such-program': No such file or directory"),
        ({"argv": ["/"]}, "could not be started '/': Permission denied"),
        ({"argv": ["true"], "working_directory": "/no/such/folder"}, "in the folder '/no/such/folder': No such file"),
        ({"argv": ["true"], "secrets": {"KEY": "env:WITH_NUL"}}, "embedded null byte"),
    ],
)
def test_what_cannot_be_started_is_not_tried_again(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, configuration: dict[str, Any], told: str
) -> None:
    """A program or folder that is not there fails at once, for good, and the reason says which."""
    secret = tmp_path / "secret"
    secret.write_text("a\x00b")
    if "secrets" in configuration:
        configuration = {**configuration, "secrets": {"KEY": f"file:{secret}"}}
    execution = run(**configuration, run_policy={"max_attempts": 3})
    assert (execution.status, execution.attempt) == (ExecutionStatus.FAILED, 1)
    assert told in str(execution.reason)


def test_limits_hold(run: Run) -> None:
    """The limits that are configured are those that the command has."""
    code = (
        "import resource as r, json; "
        "print(json.dumps([r.getrlimit(n)[0] for n in (r.RLIMIT_CPU, r.RLIMIT_AS, r.RLIMIT_NOFILE, r.RLIMIT_FSIZE)]))"
    )
    limits = {"cpu_seconds": 7, "memory_bytes": 2_000_000_000, "open_files": 50, "file_bytes": 1_000}
    execution = run(argv=python(code), limits=limits)
    assert json.loads(execution.result["stdout"]["text"]) == list(limits.values())


@pytest.mark.parametrize(
    "argv, limits, told",
    [
        (python("while True: pass"), {"cpu_seconds": 1}, "used more than 1 seconds of processor time"),
        (python("x = bytearray(500_000_000)"), {"memory_bytes": 200_000_000}, "MemoryError"),
        (["dd", "if=/dev/zero", "of=x", "bs=2000", "count=1"], {"file_bytes": 1_000}, "wrote a file of more than 1000"),
    ],
    ids=["processor", "memory", "file"],
)
def test_who_goes_beyond_a_limit_fails(run: Run, argv: list[str], limits: dict[str, int], told: str) -> None:
    """A command that wants more than its limits fails, and the reason names the limit or what the command said."""
    execution = run(argv=argv, limits=limits)
    assert execution.status is ExecutionStatus.FAILED
    assert told in str(execution.reason)


def test_a_killed_command_fails_with_the_signals_name(run: Run) -> None:
    """A command that someone kills fails, and the reason names the signal."""
    execution = run(argv=["sh", "-c", "kill -KILL $$"])
    assert "was killed by SIGKILL" in str(execution.reason)


def test_a_killed_supervisor_is_told(run: Run) -> None:
    """Where the supervisor is killed, the execution fails and the command is gone, with its folder."""
    execution = run(argv=["sh", "-c", f"pwd >&2; kill -{int(signal.SIGKILL)} $PPID; sleep 1000"])
    assert execution.error is not None
    assert execution.error.type == "CommandLostError"
    assert not Path(str(execution.reason).split("It said:\n")[1].split(" Someone")[0].strip()).exists()


@pytest.mark.parametrize(
    "configuration, path",
    [
        ({}, "argv"),
        ({"argv": []}, "argv"),
        ({"argv": "ls -l"}, "argv"),
        ({"argv": [""]}, "argv"),
        ({"argv": ["a\x00b"]}, "argv[0]"),
        ({"argv": ["a"], "shell": True}, "shell"),
        ({"argv": ["a"], "environment": {"A=B": "c"}}, "environment.A=B"),
        ({"argv": ["a"], "environment": {"A": "env:B"}}, "environment"),
        ({"argv": ["a"], "environment": {"ACTIUM_TOKEN": "b"}}, "environment"),
        ({"argv": ["a"], "environment": {"A": "b"}, "secrets": {"A": "env:B"}}, "secrets"),
        ({"argv": ["a"], "secrets": {"A": "literal"}}, "secrets.A"),
        ({"argv": ["a"], "working_directory": "relative"}, "working_directory"),
        ({"argv": ["a"], "limits": {"cpu_seconds": 0}}, "limits.cpu_seconds"),
        ({"argv": ["a"], "output_bytes": 65_537}, "output_bytes"),
        ({"argv": ["a"], "success_codes": []}, "success_codes"),
        ({"argv": ["a"], "success_codes": [256]}, "success_codes[0]"),
        ({"argv": ["a"], "success_codes": [0, 1], "permanent_codes": [1]}, "permanent_codes"),
    ],
)
def test_what_cannot_work_is_refused(create: Callable[..., Any], configuration: dict[str, Any], path: str) -> None:
    """Wrong configurations are refused with the field's path when the action is created."""
    with pytest.raises(InvalidConfigurationError) as caught:
        create(**configuration)
    assert [problem.path.removesuffix(".[key]") for problem in caught.value.problems] == [path]
