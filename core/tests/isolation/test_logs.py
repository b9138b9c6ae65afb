"""What is logged in processes of their own arrives where the application logs, and nowhere else."""

from __future__ import annotations

import importlib
import io
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from actium import Actium, TriggerExecutionResponse
from actium.logging import ExecutionContextFilter, JSONFormatter
from actium.models import ActionRequest, ServiceAccountRequest

Run = Callable[..., TriggerExecutionResponse]
library = logging.getLogger("isolated.library")


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What a handler on the root logger writes, as JSON."""
    handler = logging.StreamHandler(stream := io.StringIO())
    handler.addFilter(ExecutionContextFilter())
    handler.setFormatter(JSONFormatter())
    logging.getLogger().addHandler(handler)
    yield stream
    logging.getLogger().removeHandler(handler)
    library.setLevel(logging.NOTSET)


@pytest.fixture
def run(tmp_path: Path, flavors: ModuleType) -> Iterator[Run]:
    """Run the flavor that logs, with a configuration."""
    flavor = importlib.import_module("logging_flavor").logs
    with Actium(f"sqlite:///{tmp_path / 'actium.db'}") as app:
        app.flavors.register(flavor)
        robot = app.accounts.create(ServiceAccountRequest(name="robot"))

        def run(**configuration: Any) -> TriggerExecutionResponse:
            action = app.actions.create(
                ActionRequest(
                    name=f"log-{app.actions.list().total}",
                    plugin_subtype="logging",
                    flavor="process",
                    service_account_id=robot.id,
                    configuration=configuration,
                )
            )
            execution = app.actions.run(action.id)
            app.worker().run_until_idle()
            ended = app.executions.get(execution.id)
            assert ended.status == "succeeded", ended.reason
            return ended

        yield run


def told(log: io.StringIO) -> dict[str, dict[str, Any]]:
    """The records of the handler, by their message."""
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    return {line["message"]: line for line in lines if line["logger"] == library.name}


def test_records_arrive_with_their_execution(log: io.StringIO, run: Run) -> None:
    """They have the level, the exception and what was given as extra, and say which execution they are of."""
    library.setLevel(logging.INFO)
    execution = run()
    records = told(log)
    assert records["at info"]["rows"] == 3
    assert "ConnectionError: refused" in records["It was refused."]["exception"]
    assert records["It was refused."]["level"] == "ERROR"
    for record in records.values():
        assert record["execution_id"] == str(execution.id)
        assert record["action"] == "log-0"
        assert record["plugin"] == "logging.process"
    assert "in a thread " in records


def test_levels_are_those_of_the_application(log: io.StringIO, run: Run) -> None:
    """A level that changes between two runs of one process holds there too, so that nothing is sent for nothing."""
    first = run()
    library.setLevel(logging.DEBUG)
    second = run()
    library.setLevel(logging.NOTSET)
    logging.disable(logging.INFO)
    try:
        third = run()
    finally:
        logging.disable(logging.NOTSET)
    results = [execution.result for execution in (first, second, third)]
    assert [result["enabled"] for result in results] == [[], ["DEBUG", "INFO"], []]
    assert len({result["process"] for result in results}) == 1
    assert log.getvalue().count('"at debug"') == 1


def test_secrets_do_not_leave_the_process(
    log: io.StringIO, run: Run, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither in messages, exceptions, threads nor extras, although the application's handlers mask nothing."""
    monkeypatch.setenv("LOGGED_SECRET", "Zq7-not-to-be-seen")
    library.setLevel(logging.DEBUG)
    plain = logging.StreamHandler(stream := io.StringIO())
    library.addHandler(plain)
    try:
        run(secret="env:LOGGED_SECRET")
    finally:
        library.removeHandler(plain)
    printed = capfd.readouterr()
    assert "Zq7" not in log.getvalue() + stream.getvalue() + printed.out + printed.err
    assert stream.getvalue().count("**********") == 2
    assert told(log)["at info"]["client"] == "{'headers': '**********'}"
