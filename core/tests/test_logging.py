"""What log records tell of executions, as text and as JSON, and that Actium itself configures nothing."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from actium import ActionConfig, Actium, TriggerExecutionResponse, action_flavor, hookimpl, trace
from actium.logging import ExecutionContextFilter, JSONFormatter
from actium.models import ActionRequest, RunPolicy, ServiceAccountRequest

library = logging.getLogger("a.library.that.knows.nothing.of.actium")


class Lines:
    """What a handler on the root logger wrote."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.handler = logging.StreamHandler(self.stream)
        self.handler.addFilter(ExecutionContextFilter())
        self.handler.setFormatter(JSONFormatter())

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    def told(self, message: str) -> dict[str, Any]:
        """The only line with a message."""
        [line] = [line for line in map(json.loads, self.text.splitlines()) if line["message"] == message]
        return dict(line)


@pytest.fixture
def lines() -> Iterator[Lines]:
    """The records of all loggers, down to the debug ones."""
    lines, root = Lines(), logging.getLogger()
    level = root.level
    root.addHandler(lines.handler)
    root.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.setLevel(level)
        root.removeHandler(lines.handler)


def run(
    app: Actium, function: Callable[..., Any], *, config: type[ActionConfig] = ActionConfig, **fields: Any
) -> TriggerExecutionResponse:
    name = function.__name__
    app.flavors.register(action_flavor(f"logs.{name}", config=config)(function))
    robot = app.accounts.create(ServiceAccountRequest(name=f"robot-{name}"))
    action = app.actions.create(
        ActionRequest(name=f"do-{name}", plugin_subtype="logs", flavor=name, service_account_id=robot.id, **fields)
    )
    execution = app.actions.run(action.id)
    app.worker().run_until_idle()
    return app.executions.get(execution.id)


class Audit:
    """A hook plugin that logs."""

    @hookimpl(wrapper=True)
    def run_action(self) -> Any:
        library.info("The audit looks.")
        return (yield)


def test_records_of_an_execution_tell_which(url: str, lines: Lines) -> None:
    """Also those of libraries, of threads that the trace was carried to, and of Actium itself."""

    def works() -> None:
        library.info("in the handler")
        thread = threading.Thread(target=trace.carried(lambda: library.info("in a thread")))
        thread.start()
        thread.join()
        raise ValueError("on purpose")

    with Actium(url) as app:
        execution = run(app, works)
    expected = {"execution_id": str(execution.id), "attempt": 1, "action": "do-works", "plugin": "logs.works"}
    failed = f"Execution {execution.id} of 'do-works' failed: ValueError: on purpose"
    for message in ("in the handler", "in a thread", failed):
        assert lines.told(message).items() >= expected.items()


def test_records_of_a_coroutine_tell_which(url: str, lines: Lines) -> None:
    """An ``async def`` handler, the tasks that it starts, and what is told of its end on the shared loop."""

    async def awaits() -> None:
        import asyncio

        async def inner() -> None:
            library.info("in a task")

        await asyncio.create_task(inner())
        raise ValueError("on purpose")

    with Actium(url) as app:
        execution = run(app, awaits)
    for message in ("in a task", f"Execution {execution.id} of 'do-awaits' failed: ValueError: on purpose"):
        assert lines.told(message)["execution_id"] == str(execution.id)


def test_the_plugin_is_the_one_that_acts(url: str, lines: Lines) -> None:
    """Of a hook plugin's records it is that plugin; without any trace it is the action's flavor."""

    def works() -> None:
        library.info("the handler")

    with Actium(url, hooks=[Audit()]) as app:
        run(app, works)
        assert "Audit" in lines.told("The audit looks.")["plugin"]
        assert lines.told("the handler")["plugin"] == "logs.works"

        def is_not_traced() -> None:
            library.info("another handler")

        run(app, is_not_traced, trace="off")
    assert lines.told("another handler")["plugin"] == "logs.is_not_traced"


def test_attempts_are_told_apart(url: str, lines: Lines) -> None:
    """A record says in which attempt it was made."""

    def tries(trigger_execution: TriggerExecutionResponse) -> None:
        library.info(f"try {trigger_execution.attempt}")
        if trigger_execution.attempt < 2:
            raise ConnectionError("not yet")

    policy = RunPolicy.model_validate({"max_attempts": 2, "backoff": {"base": 0.001, "jitter": False}})
    with Actium(url) as app:
        assert run(app, tries, run_policy=policy).status == "succeeded"
    assert [lines.told(f"try {number}")["attempt"] for number in (1, 2)] == [1, 2]


def test_a_run_that_does_not_end_is_told_in_its_context(url: str, lines: Lines) -> None:
    """What another thread logs of an execution, because its time is over, belongs to the execution as well."""
    goes_on = threading.Event()

    def waits() -> None:
        goes_on.wait(30)

    with Actium(url) as app:
        execution = run(app, waits, run_policy=RunPolicy(timeout=0.05))
        goes_on.set()
    [line] = [line for line in map(json.loads, lines.text.splitlines()) if "failed" in line["message"]]
    assert line["execution_id"] == str(execution.id)


def test_outside_of_executions_there_is_nothing_to_tell(lines: Lines) -> None:
    """The attributes are there for every format, and empty; JSON leaves them out."""
    handler = logging.StreamHandler(stream := io.StringIO())
    handler.addFilter(ExecutionContextFilter())
    handler.setFormatter(logging.Formatter("%(message)s[%(execution_id)s%(attempt)s%(action)s%(plugin)s]"))
    library.addHandler(handler)
    try:
        library.warning("somewhere else")
    finally:
        library.removeHandler(handler)
    assert stream.getvalue() == "somewhere else[]\n"
    assert lines.told("somewhere else").keys() == {"time", "level", "logger", "message"}


class Config(ActionConfig):
    key: SecretStr


class Shouting:
    """Shows a secret wherever it is asked for its text."""

    def __init__(self, secret: str) -> None:
        self.secret = secret

    def __repr__(self) -> str:
        return f"<{self.secret}>"


def test_secrets_are_masked_in_records(url: str, lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the message, its arguments, what is given as extra, exceptions, stacks, and arguments that do not fit."""
    monkeypatch.setenv("THE_KEY", "Zq7-a-secret")
    plain = logging.StreamHandler(stream := io.StringIO())
    plain.addFilter(ExecutionContextFilter())
    plain.setFormatter(logging.Formatter("%(message)s %(client)s", defaults={"client": ""}))
    library.addHandler(plain)

    def leaks(config: Config) -> None:
        key = config.key.get_secret_value()
        library.info(f"with {key}")
        library.info("with %s and %r", key, Shouting(key))
        library.info("extra", extra={"client": {"headers": {"x": key}}, key: 1, "count": 3, "shown": Shouting(key)})
        library.info("too few arguments: %s %s", key)
        try:
            raise ConnectionError(f"refused {key}")
        except ConnectionError:
            library.exception("refused", stack_info=True)
        library.info("untouched %d", 7)

    try:
        with Actium(url) as app:
            execution = run(app, leaks, config=Config, configuration={"key": "env:THE_KEY"})
    finally:
        library.removeHandler(plain)
    assert execution.status == "succeeded"
    assert "Zq7" not in lines.text
    assert "Zq7" not in stream.getvalue()
    assert "with **********" in stream.getvalue()
    extra = lines.told("extra")
    assert extra["count"] == 3
    assert extra["client"] == "{'headers': {'x': '**********'}}"
    refused = lines.told("refused")
    assert "ConnectionError: refused **********" in refused["exception"]
    assert "in leaks" in refused["stack"]
    assert lines.told("untouched 7")


def test_json_holds_whatever_is_logged() -> None:
    """Values that JSON cannot hold, texts that UTF-8 cannot, and names that are taken: each record is one line."""
    extra = {"number": float("nan"), "path": Path("x"), "level": "no", "none": None}
    record = logging.makeLogRecord({"msg": "two\nlines \ud800", "levelname": "INFO", **extra})
    text = JSONFormatter().format(record)
    assert text.isascii()
    assert len(text.splitlines()) == 1
    line = json.loads(text)
    assert line["message"] == "two\nlines \ud800"
    assert line["level"] == "INFO"
    assert line["number"] == "nan"
    assert line["path"] == "x"
    assert line["none"] is None
    assert line["time"].endswith("+00:00")


def test_actium_configures_no_logging(tmp_path: Path) -> None:
    """Importing and using Actium adds no handler, filter or level, sets no record factory, and prints nothing."""
    script = tmp_path / "quiet.py"
    script.write_text(
        "import logging\n"
        "factory = logging.getLogRecordFactory()\n"
        "import actium.logging\n"
        "from actium import Actium, action_flavor\n"
        "from actium.models import ActionRequest, ServiceAccountRequest\n"
        "@action_flavor('logs.quiet')\n"
        "def quiet(): pass\n"
        "with Actium('sqlite://', trace=False) as app:\n"
        "    app.flavors.register(quiet)\n"
        "    robot = app.accounts.create(ServiceAccountRequest(name='robot'))\n"
        "    action = app.actions.create(ActionRequest(name='q', plugin_subtype='logs', flavor='quiet',\n"
        "        service_account_id=robot.id))\n"
        "    app.actions.run(action.id)\n"
        "    app.worker().run_until_idle()\n"
        "assert logging.getLogRecordFactory() is factory\n"
        "loggers = [logging.getLogger(), *map(logging.getLogger, logging.root.manager.loggerDict)]\n"
        "ours = [one for one in loggers if one.name == 'root' or one.name.startswith('actium')]\n"
        "assert len(ours) > 2\n"
        "assert not any(one.handlers or one.filters for one in ours)\n"
        "assert all(one.level == logging.NOTSET for one in ours if one.name != 'root')\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
