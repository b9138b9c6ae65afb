"""The flavor in an open application: from a snapshot over an action to recorded runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from actium import Actium, Event
from actium.errors import InUseError, InvalidConfigurationError
from actium.models import (
    ActionRequest,
    ActionResponse,
    ActionUpdate,
    ServiceAccountRequest,
    TriggerExecutionResponse,
    TriggerRequest,
)
from actium_pipeline_run.pipeline_run_action import PipelineRunActionFlavor
from actium_pipeline_run.snapshot import PipelineRun, PipelineSnapshot
from actium_pipeline_run.stored_pipelines import Stored, find, take_snapshot

if TYPE_CHECKING:
    from conftest import Bench

FLOW = """
    from datetime import date
    from pathlib import Path
    from typing import Annotated, Literal
    from pydantic import BaseModel, Field

    class Shape(BaseModel):
        depth: int
        kind: Literal["wide", "deep"] = "wide"

    @step
    def load(path: Path, since: date = date(2026, 1, 1)) -> list[int]:
        print("loading", path)
        return [1, 2, 3]

    @step(retries=1)
    def fit(rows: list[int], rate: Annotated[float, Field(gt=0)] = 0.1, shape: Shape | None = None) -> float:
        return rate * sum(rows)

    @step
    def report(score: float) -> dict:
        return {
            "score": score,
            "execution": os.environ["ACTIUM_EXECUTION_ID"],
            "length": len(os.environ["ACTIUM_TOKEN"]),
        }

    @pipeline
    def flow(path: Path, rate: float = 0.5):
        \"\"\"Fit and report.\"\"\"
        return report(fit(load(path), rate))
"""


class Office:
    """An open application with a service account, and a bench for pipelines."""

    def __init__(self, app: Actium, bench: Bench) -> None:
        self.app = app
        self.bench = bench
        self.account = app.accounts.create(ServiceAccountRequest(name="trainer"))

    def snapshot(self, text: str = FLOW) -> Stored[PipelineSnapshot]:
        """Write a pipeline and take a snapshot of it."""
        self.bench.write(text)
        return take_snapshot(self.app.store, "default", "flow.py:flow", directory=self.bench.directory).snapshot

    def action(self, snapshot: Stored[PipelineSnapshot], name: str = "train", **run_config: Any) -> ActionResponse:
        """Create an action of a snapshot."""
        return self.app.actions.create(
            ActionRequest(
                name=name,
                plugin_subtype="pipeline_run",
                flavor="builtin",
                service_account_id=self.account.id,
                configuration={"snapshot_id": str(snapshot.id), "run_config": run_config},
            )
        )

    def run(self, action: ActionResponse) -> TriggerExecutionResponse:
        """Run an action by hand, to its end."""
        execution = self.app.actions.run(action.id)
        self.app.worker().run_until_idle()
        return self.app.executions.get(execution.id)

    def last_run(self, run_name: str = "flow") -> PipelineRun:
        """The only run of that name."""
        return find(self.app.store, PipelineRun, "default", run_name).body


@pytest.fixture
def office(bench: Bench) -> Iterator[Office]:
    """An open application on a real file."""
    with Actium(f"sqlite:///{bench.directory / 'actium.db'}") as app:
        if not any(flavor.name == PipelineRunActionFlavor.key() for flavor in app.flavors.list().items):
            app.registry.register_plugin_flavor(PipelineRunActionFlavor)
        yield Office(app, bench)


def problems(caught: pytest.ExceptionInfo[InvalidConfigurationError]) -> dict[str, str]:
    return {problem.path: problem.problem for problem in caught.value.problems}


def test_an_event_runs_the_pipeline_and_leaves_its_run(office: Office) -> None:
    """Event, trigger, action, snapshot, child process: the result and the steps are with the execution and the run."""
    snapshot = office.snapshot()
    action = office.action(snapshot, parameters={"path": "a.csv"}, run_name="nightly", tags=["night", "night"])
    office.app.triggers.create(
        TriggerRequest(name="data", action_id=action.id, filters=[{"exact": {"type": "com.example.data.arrived"}}])
    )
    published = office.app.events.publish(Event(type="com.example.data.arrived", source="/raw", id="1"))
    office.app.worker().run_until_idle()
    execution = office.app.executions.get(published.executions[0])
    assert (execution.status.value, execution.reason) == ("succeeded", None)
    run = office.last_run("nightly")
    assert execution.result["result"] == run.result
    assert run.result["score"] == 3.0
    assert run.result["execution"] == str(execution.id)
    assert run.result["length"] > 20
    assert [(step.name, step.status, step.error) for step in execution.progress] == [
        (name, "succeeded", None) for name in ("load", "fit", "report")
    ]
    assert all(step.seconds is not None for step in execution.progress)
    assert (run.status.value, run.tags, run.log, run.error) == ("succeeded", ("night",), "loading a.csv\n", None)
    assert run.seconds is not None
    assert run.finished is not None
    assert (run.snapshot_id, run.execution_id, run.attempt, run.action) == (snapshot.id, execution.id, 1, "train")


def test_an_action_refers_to_its_snapshot_and_pipeline(office: Office) -> None:
    """Both are told with the action, and a snapshot in use cannot be deleted."""
    snapshot = office.snapshot()
    action = office.action(snapshot, parameters={"path": "a"})
    resources = office.app.actions.get(action.id).get_resources().referenced
    assert resources["pipeline_snapshot"].name == "flow-1"
    assert resources["pipeline"].name == "flow"
    with pytest.raises(InUseError, match="train"):
        office.app.store.delete_resource(snapshot.id)


def test_a_failed_step_fails_the_execution_with_its_error(office: Office) -> None:
    """The reason names step and error, the run keeps the traceback and the log."""
    failing = FLOW.replace("return rate * sum(rows)", "raise ValueError(f'no rows at {rate}')")
    execution = office.run(office.action(office.snapshot(failing), parameters={"path": "a"}))
    assert execution.status.value == "failed"
    assert "The step 'fit' failed 2 times: ValueError: no rows at 0.5" in str(execution.reason)
    assert [(step.name, step.status) for step in execution.progress] == [
        ("load", "succeeded"),
        ("fit", "failed"),
        ("report", "skipped"),
    ]
    run = office.last_run()
    assert run.status.value == "failed"
    assert run.steps[1].error is not None
    assert "raise ValueError" in str(run.steps[1].error.traceback)
    assert run.log == "loading a\n"


def test_a_running_execution_can_be_cancelled(office: Office) -> None:
    """The cancellation ends the run's process; execution and run are cancelled."""
    marker = office.bench.directory / "marker"
    hanging = FLOW.replace(
        "return rate * sum(rows)",
        f"Path({str(marker)!r}).write_text('x'); __import__('signal').pause()",
    )
    os.mkfifo(marker)
    execution = office.app.actions.run(office.action(office.snapshot(hanging), parameters={"path": "a"}).id)
    worker = threading.Thread(target=office.app.worker().run_until_idle)
    worker.start()
    marker.read_text()
    office.app.executions.cancel(execution.id)
    worker.join()
    ended = office.app.executions.get(execution.id)
    assert ended.status.value == "cancelled"
    assert [step.status for step in ended.progress] == ["succeeded", "skipped", "skipped"]
    assert office.last_run().status.value == "cancelled"


def test_a_changed_file_fails_the_execution_with_both_hashes(office: Office) -> None:
    """The snapshot is what runs, or nothing."""
    snapshot = office.snapshot()
    action = office.action(snapshot, parameters={"path": "a"})
    office.bench.write(FLOW + "\n")
    execution = office.run(action)
    assert execution.status.value == "failed"
    assert "SourceChangedError" in str(execution.reason)
    assert snapshot.body.source.file.sha256 in str(execution.reason)
    assert office.last_run().status.value == "failed"


@pytest.mark.parametrize(
    ("run_config", "path", "problem"),
    [
        ({}, "parameters.path", "is required by the pipeline 'flow'"),
        ({"parameters": {"path": 3}}, "parameters.path", "should be path"),
        ({"parameters": {"path": "a", "rate": "fast"}}, "parameters.rate", "should be number"),
        ({"parameters": {"path": "a", "rat": 1}}, "parameters.rat", "perhaps 'rate' is meant"),
        ({"parameters": {"path": "a"}, "steps": {"fti": {}}}, "steps.fti", "perhaps 'fit' is meant"),
        (
            {"parameters": {"path": "a"}, "steps": {"fit": {"parameters": {"rate": 0}}}},
            "steps.fit.parameters.rate",
            "0 is less than or equal to the minimum of 0",
        ),
        (
            {"parameters": {"path": "a"}, "steps": {"fit": {"parameters": {"rows": [1]}}}},
            "steps.fit.parameters.rows",
            "is the output of the step 'load' and cannot be set",
        ),
        (
            {"parameters": {"path": "a"}, "steps": {"fit": {"parameters": {"shape": {"depth": "x"}}}}},
            "steps.fit.parameters.shape.depth",
            "should be integer",
        ),
        (
            {"parameters": {"path": "a"}, "steps": {"fit": {"parameters": {"shape": {"depth": 1, "kind": "tall"}}}}},
            "steps.fit.parameters.shape.kind",
            "'tall' is not one of ['wide', 'deep']",
        ),
        (
            {"parameters": {"path": "a"}, "steps": {"load": {"parameters": {"since": "yesterday"}}}},
            "steps.load.parameters.since",
            "should be date",
        ),
        (
            {"parameters": {"path": "a"}, "steps": {"report": {"parameters": {"x": 1}}}},
            "steps.report.parameters.x",
            "is not known: there are none",
        ),
        (
            {"parameters": {"path": "a"}, "steps": {"fit": {"retries": -1}}},
            "steps.fit.retries",
            "greater than or equal",
        ),
        ({"parameters": {"path": "a"}, "scheduler": "slurm"}, "scheduler", "tcp://HOST:PORT"),
        ({"parameters": {"path": "a"}, "timeout": 0}, "timeout", "greater than 0"),
        ({"parameters": {"path": "a"}, "sheduler": "threads"}, "sheduler", "Extra inputs are not permitted"),
    ],
)
def test_what_does_not_fit_the_snapshot_is_refused_at_create_and_update(
    office: Office, run_config: dict[str, Any], path: str, problem: str
) -> None:
    """The path leads to the field, the problem says what is wrong; nothing is stored or changed."""
    snapshot = office.snapshot()
    with pytest.raises(InvalidConfigurationError) as caught:
        office.action(snapshot, **run_config)
    assert list(problems(caught)) == [f"run_config.{path}"]
    assert problem in problems(caught)[f"run_config.{path}"]
    assert office.app.actions.list().total == 0
    action = office.action(snapshot, parameters={"path": "a"})
    with pytest.raises(InvalidConfigurationError) as caught:
        office.app.actions.update(
            action.id, ActionUpdate(configuration={"snapshot_id": str(snapshot.id), "run_config": run_config})
        )
    assert list(problems(caught)) == [f"run_config.{path}"]
    assert office.app.actions.get(action.id).configuration == action.configuration


def test_an_unknown_snapshot_is_refused(office: Office) -> None:
    """One that does not exist, one of another project, and something else that has the id."""
    snapshot = office.snapshot()
    other = office.app.accounts.create(ServiceAccountRequest(name="trainer", project="other"))
    for snapshot_id, project, account in (
        (uuid4(), "default", office.account),
        (snapshot.body.pipeline_id, "default", office.account),
        (snapshot.id, "other", other),
    ):
        with pytest.raises(InvalidConfigurationError) as caught:
            office.app.actions.create(
                ActionRequest(
                    name="train",
                    plugin_subtype="pipeline_run",
                    flavor="builtin",
                    service_account_id=account.id,
                    project=project,
                    configuration={"snapshot_id": str(snapshot_id)},
                )
            )
        assert list(problems(caught)) == ["snapshot_id"]


def test_defaults_are_explicit_in_what_is_stored(office: Office) -> None:
    """Whoever reads the action sees where its steps will be called."""
    stored = office.action(office.snapshot(), parameters={"path": "a"}).configuration
    assert stored["run_config"]["scheduler"] == "threads"
    assert stored["run_config"]["timeout"] is None


def test_renaming_does_not_check_the_configuration_again(office: Office) -> None:
    """An update that leaves the configuration alone succeeds whatever has become of the file."""
    action = office.action(office.snapshot(), parameters={"path": "a"})
    (office.bench.directory / "flow.py").unlink()
    assert office.app.actions.update(action.id, ActionUpdate(name="renamed")).name == "renamed"


def test_a_timeout_fails_the_execution(office: Office) -> None:
    """A run that is given next to no time is killed, and says so."""
    execution = office.run(office.action(office.snapshot(), parameters={"path": "a"}, timeout=0.001))
    assert execution.status.value == "failed"
    assert "PipelineTimeoutError: The run was killed because it took longer than 0.001 seconds." in str(
        execution.reason
    )


def test_secrets_are_given_by_reference_and_kept_nowhere(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """A parameter of type SecretStr takes a reference; a literal is refused; the secret itself is in no file."""
    monkeypatch.setenv("WAREHOUSE_KEY", "swordfish-4711")
    snapshot = office.snapshot(
        """
        from pydantic import BaseModel, SecretStr

        class Login(BaseModel):
            user: str
            key: SecretStr

        @step
        def connect(login: Login, other: SecretStr) -> str:
            value = login.key.get_secret_value()
            print("connecting with", value)
            return f"{login.user}:{value}:{other.get_secret_value() == value}"

        @pipeline
        def flow(login: Login, other: SecretStr = SecretStr("env:WAREHOUSE_KEY")):
            return connect(login, other)
        """
    )
    with pytest.raises(InvalidConfigurationError) as caught:
        office.action(snapshot, parameters={"login": {"user": "ada", "key": "swordfish-4711"}, "other": "hunter2"})
    assert list(problems(caught)) == ["run_config.parameters.login.key", "run_config.parameters.other"]
    assert "swordfish" not in str(caught.value)
    assert "hunter2" not in str(caught.value)
    action = office.action(snapshot, parameters={"login": {"user": "ada", "key": "env:WAREHOUSE_KEY"}})
    execution = office.run(action)
    assert execution.status.value == "succeeded", execution.reason
    assert execution.result["result"] == "ada:**********:True"
    assert office.last_run().log == "connecting with **********\n"
    office.app.store.close()
    written = b"".join(path.read_bytes() for path in office.bench.directory.glob("actium.db*"))
    assert b"swordfish" not in written
    assert b"env:WAREHOUSE_KEY" in written


def test_importing_the_flavor_imports_nothing_heavy() -> None:
    """Whoever lists flavors or edits actions does not wait for Dask."""
    code = """
import sys
import actium_pipeline_run.pipeline_run_action
heavy = {"dask", "distributed", "numpy", "pandas", "jsonschema", "cloudpickle", "typer", "rich", "multiprocessing"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_flavor_names_its_parts() -> None:
    """What the registry and other tools read."""
    assert (PipelineRunActionFlavor.key(), str(PipelineRunActionFlavor.TYPE)) == ("pipeline_run.builtin", "action")
    schema = PipelineRunActionFlavor.get_action_config_schema()
    assert set(schema["properties"]) == {"snapshot_id", "run_config"}
    assert json.dumps(schema)


def test_runs_are_found_by_names_and_ids(office: Office) -> None:
    """By the whole or a unique beginning; the name of a run ends in execution and attempt."""
    execution = office.run(office.action(office.snapshot(), parameters={"path": "a"}))
    stored = find(office.app.store, PipelineRun, "default", "flow-")
    assert stored.name == f"flow-{execution.id.hex[:8]}-1"
    assert find(office.app.store, PipelineRun, "default", str(stored.id)) == stored
    assert find(office.app.store, PipelineRun, "default", str(stored.id)[:10]) == stored
    assert isinstance(stored.id, UUID)
