"""Calls through a whole application, in real processes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actium import Actium, Event, ExecutionStatus, TriggerExecutionResponse
from actium.models import ActionResponse, ActionUpdate

Run = Callable[..., TriggerExecutionResponse]
Write = Callable[[str, str], Path]
SECONDS = 30.0


def test_a_function_of_the_standard_library_is_called(run: Run) -> None:
    """Any function that can be imported is called with the configured arguments, and its result is kept."""
    execution = run(callable="textwrap:shorten", args=["hello beautiful world"], kwargs={"width": 12})
    assert (execution.status, execution.result) == (ExecutionStatus.SUCCEEDED, "hello [...]"), execution.reason


def test_a_function_written_in_c_is_called(run: Run) -> None:
    """A function whose source nobody can read is called all the same."""
    assert run(callable="math:gcd", args=[12, 18]).result == 6


def test_a_method_of_a_class_is_called(run: Run) -> None:
    """An attribute may be dotted, as a class method's is."""
    assert run(callable="datetime:date.fromordinal", args=[1]).result == "0001-01-01"


def test_a_coroutine_function_is_awaited(run: Run, write: Write) -> None:
    """An ``async def`` is awaited, and what it returns is the result."""
    write("shop.py", "import asyncio\nasync def count():\n    await asyncio.sleep(0)\n    return {'rows': 3}\n")
    assert run(callable="shop:count").result == {"rows": 3}


def test_it_runs_in_a_process_of_its_own(run: Run) -> None:
    """The function runs in another process than the worker."""
    execution = run(callable="os:getpid")
    assert isinstance(execution.result, int)
    assert execution.result != os.getpid()


def test_the_execution_gives_what_is_asked_for(app: Actium, run: Run, write: Write) -> None:
    """Event, data, execution id, attempt and token arrive in the parameters that are named; the token is masked."""
    write("shop.py", "def take(**given):\n    return given\n")
    inject = {"whole": "event", "rows": "data", "key": "execution_id", "nth": "attempt", "token": "access_token"}
    event = Event(type="com.example.arrived", source="/a", data=[1, 2], priority=7)
    execution = run(callable="shop:take", kwargs={"plain": None}, inject=inject, event=event)
    assert execution.status is ExecutionStatus.SUCCEEDED, execution.reason
    result = execution.result
    assert Event.model_validate(result["whole"]) == event
    assert (result["rows"], result["key"], result["nth"], result["plain"]) == ([1, 2], str(execution.id), 1, None)
    assert result["token"] == "**********"


def test_without_an_event_there_is_none(run: Run, write: Write) -> None:
    """A run by hand without an event gives None in its place."""
    write("shop.py", "def take(whole, rows):\n    return [whole, rows]\n")
    assert run(callable="shop:take", inject={"whole": "event", "rows": "data"}).result == [None, None]


def test_a_token_is_valid(app: Actium, run: Run, write: Write, tmp_path: Path) -> None:
    """The token that a function is given is its execution's."""
    write("shop.py", "def keep(path, token):\n    open(path, 'w').write(token)\n")
    kept = tmp_path / "token"
    execution = run(callable="shop:keep", kwargs={"path": str(kept)}, inject={"token": "access_token"})
    assert app.auth.verify(kept.read_text()).execution_id == execution.id


def test_secrets_arrive_and_are_masked(run: Run, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret arrives as a text, and is masked in the reason and the traceback."""
    monkeypatch.setenv("VAULT", "0pen sesame")
    write("shop.py", "def tell(password):\n    raise ValueError('it is ' + password)\n")
    execution = run(callable="shop:tell", secrets={"password": "env:VAULT"})
    assert execution.reason == "ValueError: it is **********"
    assert "sesame" not in execution.model_dump_json()


def test_what_the_function_raises_is_the_reason(run: Run, write: Write) -> None:
    """An exception keeps its name, so that run policies can tell it, and its traceback."""
    write("shop.py", "class SoldOut(Exception): pass\ndef sell():\n    raise SoldOut('no tea')\n")
    policy = {"max_attempts": 2, "retry_on": ["SoldOut"], "backoff": {"base": 0.000_001, "jitter": False}}
    execution = run(callable="shop:sell", run_policy=policy)
    assert (execution.status, execution.attempt) == (ExecutionStatus.FAILED, 2)
    assert "SoldOut: no tea" in str(execution.reason)
    assert execution.error is not None
    assert "shop.py" in str(execution.error.traceback)


@pytest.mark.parametrize(
    "text, told",
    [
        ("def end(): import os; os._exit(3)", "exit code 3"),
        ("def end(): import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
        ("def end(): raise SystemExit(2)", "SystemExit"),
        ("def end(): return {1, 2}.__class__", "nothing that JSON can hold"),
    ],
    ids=["exit", "kill", "SystemExit", "no JSON"],
)
def test_nothing_that_a_function_does_ends_the_worker(run: Run, write: Write, text: str, told: str) -> None:
    """A function that ends its process, or returns what cannot be kept, fails its execution and nothing else."""
    write("shop.py", text)
    execution = run(callable="shop:end")
    assert execution.status is ExecutionStatus.FAILED
    assert told in str(execution.reason)


@pytest.mark.parametrize(
    "changed, kind, told",
    [
        (None, "CallableNotFoundError", "no module 'shop'"),
        ("", "CallableNotFoundError", "shop:sell is not there"),
        ("sell = 3", "CallableNotFoundError", "of the type int"),
        ("def sell(price): pass", "ArgumentsError", "kwargs: must hold the parameter 'price'"),
        ("import shop_that_is_not_there", "ModuleNotFoundError", "shop_that_is_not_there"),
    ],
)
def test_what_has_changed_since_is_told(
    app: Actium, create: Callable[..., ActionResponse], write: Write, changed: str | None, kind: str, told: str
) -> None:
    """A function that is not there any more, or takes other arguments, fails with a reason that says so."""
    path = write("shop.py", "def sell(): pass")
    create(callable="shop:sell", run_policy={"max_attempts": 3, "backoff": {"base": 3_600}})
    path.unlink()
    if changed is not None:
        path.write_text(changed)
    execution = app.actions.run("call")
    app.worker().run_until_idle()
    ended = app.executions.get(execution.id)
    assert f"{kind}: " in str(ended.reason)
    assert told in str(ended.reason)
    is_tried_again = kind == "ModuleNotFoundError"
    assert ended.status is (ExecutionStatus.PENDING if is_tried_again else ExecutionStatus.FAILED)


@pytest.mark.parametrize("why", ["cancelled", "timeout"])
def test_a_function_that_does_not_listen_is_ended(
    app: Actium, create: Callable[..., ActionResponse], write: Write, tmp_path: Path, why: str
) -> None:
    """Cancellation and timeout end a function that never looks, with what it has started."""
    begun = tmp_path / "begun"
    os.mkfifo(begun)
    write(
        "shop.py",
        """
        import subprocess
        def hang(begun):
            with open(begun, 'w') as held:
                print('begun', file=held, flush=True)
                subprocess.run(['sleep', '1000'], pass_fds=[held.fileno()])
        """,
    )
    policy = {"timeout": 1.0} if why == "timeout" else {}
    create(callable="shop:hang", args=[str(begun)], run_policy=policy)
    worker = app.worker(concurrency=2, poll_interval=0.05)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        execution = app.actions.run("call")
        with begun.open() as reading:
            assert reading.readline() == "begun\n"
            if why == "cancelled":
                app.executions.cancel(execution.id)
            assert reading.read() == ""  # all that held it have ended
        ended = app.executions.wait(execution.id, SECONDS)
    finally:
        worker.stop(grace=0)
        thread.join()
    assert ended.status is (ExecutionStatus.CANCELLED if why == "cancelled" else ExecutionStatus.FAILED)


def test_an_action_can_be_renamed_when_its_function_is_gone(
    app: Actium, create: Callable[..., ActionResponse], write: Write
) -> None:
    """Only a configuration that is new is checked: whatever became of the old one, the action can be changed."""
    path = write("shop.py", "def sell(): pass")
    create(callable="shop:sell")
    path.unlink()
    assert app.actions.update("call", ActionUpdate(name="sell")).name == "sell"


def test_a_new_configuration_is_checked(app: Actium, create: Callable[..., ActionResponse]) -> None:
    """An update to a function that is not there is refused, and the action stays as it was."""
    create(callable="os:getpid")
    with pytest.raises(ValueError, match="no module 'nowhere'"):
        app.actions.update("call", ActionUpdate(configuration={"callable": "nowhere:at_all"}))
    assert app.actions.get("call").configuration["callable"] == "os:getpid"


def configurations_that_cannot_work() -> list[Any]:
    return [
        ({}, "callable"),
        ({"callable": "os.getpid"}, "callable"),
        ({"callable": "os:"}, "callable"),
        ({"callable": "os:a b"}, "callable"),
        ({"callable": ".os:getpid"}, "callable"),
        ({"callable": "os:__import__('x')"}, "callable"),
        ({"callable": "no_such_module:function"}, "callable"),
        ({"callable": "os.no_such_module:function"}, "callable"),
        ({"callable": "textwrap:shroten"}, "callable"),
        ({"callable": "textwrap:shorten", "args": ["a", 3, 4]}, "args"),
        ({"callable": "textwrap:shorten", "args": ["a"]}, "kwargs"),
        ({"callable": "textwrap:shorten", "args": ["a", 3], "kwargs": {"width": 3}}, "kwargs.width"),
        ({"callable": "textwrap:dedent", "args": ["a"], "kwargs": {"txt": 1}}, "kwargs.txt"),
        ({"callable": "textwrap:dedent", "args": ["a"], "inject": {"event": "event"}}, "inject.event"),
        ({"callable": "textwrap:dedent", "args": ["a"], "secrets": {"key": "env:KEY"}}, "secrets.key"),
        ({"callable": "textwrap:dedent", "secrets": {"text": "literal"}}, "secrets.text"),
        ({"callable": "textwrap:dedent", "kwargs": {"text": ""}, "inject": {"text": "data"}}, "inject"),
        ({"callable": "textwrap:dedent", "kwargs": {"text": ""}, "secrets": {"text": "env:A"}}, "secrets"),
        ({"callable": "textwrap:dedent", "inject": {"text": "weather"}}, "inject.text"),
        ({"callable": "os:getpid", "arguments": []}, "arguments"),
    ]


@pytest.mark.parametrize("configuration, path", configurations_that_cannot_work())
def test_what_cannot_work_is_refused(
    create: Callable[..., ActionResponse], configuration: dict[str, Any], path: str
) -> None:
    """Wrong configurations are refused with the field's path when the action is created."""
    from actium.errors import InvalidConfigurationError

    with pytest.raises(InvalidConfigurationError) as caught:
        create(**configuration)
    assert [problem.path for problem in caught.value.problems] == [path]
