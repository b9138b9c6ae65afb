"""What a run in another process gives back: results, and errors as they were raised."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actium.errors import ExecutionCancelled, InvalidInputError, NotConfiguredError, SecretResolutionError
from actium.isolation import (
    NotIsolableError,
    ProcessDiedError,
    ProcessPool,
    ProcessProtocolError,
    RunOrder,
    UnstorableResultError,
    child_traceback,
)
from actium.isolation.messages import MAX_RESULT_BYTES

Run = Callable[..., Any]
Start = Callable[..., Any]
IsRunning = Callable[[int], bool]
MakeOrder = Callable[..., RunOrder]


# Results


def test_a_handler_gets_everything_and_its_result_comes_back(pool: ProcessPool, order: MakeOrder, start: Start) -> None:
    """Configuration, execution, event, account and token arrive, and the result is the run's."""
    ordered = order("echo", text="häuser")
    assert start(pool, ordered) == {
        "text": "häuser",
        "event": {"größe": [1, None]},
        "execution": str(ordered.trigger_execution.id),
        "account": "robot",
        "secret": None,
        "token length": len(ordered.auth_context.access_token),
    }


def test_an_async_handler_is_awaited(run: Run) -> None:
    """An ``async def`` handler runs to its end, and its result is the run's."""
    assert run("later", text="awaited") == "awaited"


def test_a_result_in_another_form_arrives_as_json_holds_it(run: Run) -> None:
    """Dates are written as the application writes them."""
    assert run("returns", text="date") == "2024-02-29"


def test_a_result_of_the_largest_size_arrives(run: Run) -> None:
    """A result of ten megabytes arrives whole; its quotes count."""
    assert len(run("returns", text="large", number=MAX_RESULT_BYTES - 2)) == MAX_RESULT_BYTES - 2


def test_a_result_that_is_too_large_is_an_error_and_no_broken_pipe(run: Run) -> None:
    """One byte more is refused, with sizes; the process goes on."""
    before = run("pid")
    with pytest.raises(UnstorableResultError, match=r"is 10,485,761 bytes of JSON; at most 10,485,760"):
        run("returns", text="large", number=MAX_RESULT_BYTES - 1)
    assert run("pid") == before


@pytest.mark.parametrize("kind", ["object", "nan", "deep"])
def test_a_result_that_json_cannot_hold_is_an_error(run: Run, kind: str) -> None:
    """Objects, numbers that are none and endless nesting are refused; the process goes on."""
    before = run("pid")
    with pytest.raises(UnstorableResultError, match="is nothing that JSON can hold"):
        run("returns", text=kind)
    assert run("pid") == before


def test_what_a_handler_prints_disturbs_nothing(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    """Prints of the handler, and of what it starts, go where ours go; standard input is empty."""
    assert run("prints", text="this") == ""
    printed = capfd.readouterr()
    assert printed.out == "printed this\nwritten\nprinted by another\n"
    assert printed.err == "complained this\n"


def test_a_copy_that_a_handler_forks_off_does_not_answer(run: Run) -> None:
    """Of a handler that forks and returns twice, the original's result counts, and the next run is undisturbed."""
    assert [run("forks") for _ in range(3)] == ["the original"] * 3


# Errors


def test_an_error_of_a_class_that_is_not_here_has_its_name_and_its_nearest_base(run: Run) -> None:
    """The exception has the class's name and message, is a ValueError, and tells where the child was."""
    with pytest.raises(ValueError, match="^told\n") as raised:
        run("raises", text="told")
    assert [kind.__name__ for kind in type(raised.value).__mro__][:3] == ["PrivateError", "ValueError", "Exception"]
    assert type(raised.value).__module__ == "isolated_flavors"
    told = child_traceback(raised.value)
    assert told is not None
    assert "isolated_flavors.py" in told
    assert "raise kinds[config.number]" in told
    assert told in "".join(traceback.format_exception(raised.value))


def test_an_error_of_actium_arrives_as_the_very_class(run: Run) -> None:
    """Its message, hint and other attributes arrive with it."""
    with pytest.raises(InvalidInputError) as raised:
        run("raises", text="wrong", number=1)
    assert type(raised.value) is InvalidInputError
    assert (raised.value.message, raised.value.hint, raised.value.problems) == ("wrong", "Look again.", ())
    assert str(raised.value) == "wrong Look again."


def test_a_handler_that_ends_because_it_was_asked_to_is_cancelled(run: Run) -> None:
    """ExecutionCancelled is ExecutionCancelled here too."""
    with pytest.raises(ExecutionCancelled, match="^asked$"):
        run("raises", text="asked", number=2)


@pytest.mark.parametrize(("number", "name"), [(3, "SystemExit"), (4, "KeyboardInterrupt")])
def test_an_interruption_in_a_handler_is_a_failed_run(run: Run, number: int, name: str) -> None:
    """It arrives as an ordinary exception of that name, which stops nobody here, and the process goes on."""
    before = run("pid")
    with pytest.raises(Exception, match="^stop\n") as raised:
        run("raises", text="stop", number=number)
    assert type(raised.value).__name__ == name
    assert run("pid") == before


def test_an_error_of_pythons_own_reads_as_it_did(run: Run) -> None:
    """A KeyError's text is the repr of its key, once."""
    with pytest.raises(KeyError) as raised:
        run("raises", text="key", number=5)
    assert str(raised.value) == "'key'"


# Deaths


def test_a_process_that_exits_is_told_with_its_code(run: Run) -> None:
    """``os._exit(3)`` is a failed run that names the code, and the next one gets another process."""
    before = run("pid")
    with pytest.raises(ProcessDiedError, match="ended with exit code 3") as raised:
        run("exits", number=3)
    assert (raised.value.exit_code, raised.value.signal) == (3, None)
    assert run("pid") != before


@pytest.mark.parametrize(
    ("number", "name", "hint"), [(11, "SIGSEGV", "native code crashed"), (9, "SIGKILL", "out of memory")]
)
def test_a_process_that_a_signal_kills_is_told_with_its_name(run: Run, number: int, name: str, hint: str) -> None:
    """A crash, and the kernel's kill when memory ran out, are failed runs that name the signal."""
    with pytest.raises(ProcessDiedError, match=f"killed by {name}") as raised:
        run("signals", number=number)
    assert (raised.value.exit_code, raised.value.signal) == (None, name)
    assert hint in str(raised.value)
    assert run("later", text="goes on") == "goes on"


def test_a_crash_tells_where_python_was(run: Run) -> None:
    """The fault handler's report is the error's traceback."""
    with pytest.raises(ProcessDiedError) as raised:
        run("signals", number=11)
    told = child_traceback(raised.value)
    assert told is not None
    assert "Segmentation fault" in told
    assert "in signals" in told


@pytest.mark.parametrize("rubbish", ["rubbish that is no message", "\x00\x00\x00\x02[]", "\x00\x00\x00\x03\xff"])
def test_a_process_that_writes_rubbish_is_killed(run: Run, is_running: IsRunning, rubbish: str) -> None:
    """What is no message is told, and the next run gets another process."""
    before = run("pid")
    with pytest.raises(ProcessProtocolError, match="wrote what is no message"):
        run("scribbles", text=rubbish)
    assert not is_running(before)
    assert run("pid") != before


def test_a_process_that_closes_its_connection_is_killed(run: Run, is_running: IsRunning) -> None:
    """A handler that ends the connection and runs on is killed, and told what it did."""
    before = run("pid")
    with pytest.raises(ProcessProtocolError, match="closed its connection"):
        run("shuts")
    assert not is_running(before)


def test_a_process_that_cannot_answer_is_a_failed_run(run: Run) -> None:
    """A handler that closes all descriptors, and returns, ends its process."""
    with pytest.raises(ProcessDiedError, match="ended with exit code 1 before it answered"):
        run("closes")
    assert run("later", text="goes on") == "goes on"


# Secrets


def test_secrets_are_resolved_there_and_masked_in_everything_that_leaves(
    pool: ProcessPool, order: MakeOrder, monkeypatch: pytest.MonkeyPatch, start: Start
) -> None:
    """A secret set after the process was started is found, and is in no result, error, traceback or progress."""
    start(pool, order("pid"))
    monkeypatch.setenv("ISOLATED_SECRET", "hunter2-hunter2")
    steps: list[Any] = []
    assert start(pool, order("echo", secret="env:ISOLATED_SECRET"))["secret"] == "**********"
    start(pool, order("Steps", secret="env:ISOLATED_SECRET"), on_progress=steps.extend)
    assert [step["name"] for step in steps] == ["**********"]
    with pytest.raises(ValueError, match=r"^found \*{10}\n") as raised:
        start(pool, order("raises", text="found", secret="env:ISOLATED_SECRET"))
    assert "hunter2" not in "".join(traceback.format_exception(raised.value))


def test_a_secret_that_leads_nowhere_is_told_as_ever(run: Run) -> None:
    """A reference to a variable that is not set is the same error as in process, with the field."""
    with pytest.raises(SecretResolutionError, match="'ISOLATED_NOTHING' is not set") as raised:
        run("echo", secret="env:ISOLATED_NOTHING")
    assert raised.value.__notes__ == ["in the field secret"]


def test_an_order_does_not_show_its_token(order: MakeOrder) -> None:
    """The token is in no representation of an order."""
    ordered = order("pid")
    assert ordered.auth_context.access_token.get_secret_value() not in repr(ordered)


# Surroundings


def test_the_child_follows_environment_and_folder(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What changes here between two runs is what the second one finds; a removed variable is gone."""
    monkeypatch.setenv("ISOLATED_SETTING", "first")
    assert run("environment", text="ISOLATED_SETTING") == ["first", str(Path.cwd())]
    monkeypatch.delenv("ISOLATED_SETTING")
    monkeypatch.chdir(tmp_path)
    assert run("environment", text="ISOLATED_SETTING") == [None, str(tmp_path)]


def test_handlers_use_the_applications_store(order: MakeOrder, url: str, start: Start) -> None:
    """``self.store`` is the store behind the URL, opened there, and ``attach`` is called with handler and store."""
    with ProcessPool(size=1, store_url=url, attach="isolated_flavors:attach") as pool:
        assert start(pool, order("Stores", text="kept")) == ["kept", "ChildStore"]
        assert start(pool, order("Stores", text="again")) == ["again", "ChildStore"]


@pytest.mark.parametrize("url", [None, "sqlite://", "sqlite:///:memory:"])
def test_a_store_in_memory_is_out_of_reach(order: MakeOrder, url: str | None, start: Start) -> None:
    """A handler that uses it is told so, instead of finding an empty one."""
    with ProcessPool(size=1, store_url=url) as pool, pytest.raises(NotConfiguredError, match="has no store here"):
        start(pool, order("Stores"))


def test_hook_plugins_wrap_runs_there_too(order: MakeOrder, flavors: Any, start: Start) -> None:
    """An enabled hook plugin sees and changes what a handler in another process gives."""
    with ProcessPool(size=1, hooks=[flavors.loud]) as pool:
        assert start(pool, order("later", text="said")) == {"wrapped": "said"}


def test_a_hook_plugin_that_cannot_be_imported_is_never_passed_over(
    order: MakeOrder, flavors: Any, start: Start
) -> None:
    """The run is refused, with the way out."""
    with ProcessPool(size=1, hooks=[flavors.Loud()]) as pool, pytest.raises(NotIsolableError, match="hook plugin"):
        start(pool, order("pid"))


def test_a_hook_plugin_that_is_not_installed_is_told_as_ever(order: MakeOrder, start: Start) -> None:
    """The child looks for hook plugins as the application does."""
    from actium.errors import PluginError

    with ProcessPool(size=1, hooks=["no_such"]) as pool, pytest.raises(PluginError, match="enabled but not installed"):
        start(pool, order("pid"))
