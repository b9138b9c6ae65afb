"""The flavor keeps the rules that every flavor has to keep."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actium import Actium
from actium_pipeline_run.stored_pipelines import take_snapshot
from pytest_actium import FlavorConformance

FLOW = """
from __future__ import annotations

import time

from actium_pipeline_run import pipeline, step


@step
def rest(seconds: float, works: bool) -> float:
    time.sleep(seconds)
    if not works:
        raise ValueError("there was no rest")
    return seconds


@pipeline
def flow(seconds: float = 0.0, works: bool = True):
    return rest(seconds, works)
"""

Configure = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A store with a snapshot of the flow, and its id; taken once, as a process is started for that."""
    folder = tmp_path_factory.mktemp("prepared")
    (folder / "flow.py").write_text(FLOW)
    with Actium(f"sqlite:///{folder / 'actium.db'}") as app:
        snapshot = take_snapshot(app.store, "default", "flow.py:flow", directory=folder).snapshot
    return folder / "actium.db", str(snapshot.id)


class TestPipelineRun(FlavorConformance):
    FLAVOR = "pipeline_run.builtin"
    RUN_SECONDS = 30.0
    RECORD_TYPES = ("pipeline_run",)

    def essence(self, result: Any) -> Any:
        return {name: value for name, value in result.items() if not name.startswith("pipeline_run")}

    @pytest.fixture
    def actium_url(self, prepared: tuple[Path, str], tmp_path: Path) -> str:
        """A copy of the store with the snapshot."""
        return f"sqlite:///{shutil.copy(prepared[0], tmp_path)}?synchronous=normal"

    @pytest.fixture
    def configure(self, prepared: tuple[Path, str]) -> Configure:
        """A configuration that runs the snapshot of the flow with some parameters."""

        def configure(**parameters: Any) -> dict[str, Any]:
            return {"snapshot_id": prepared[1], "run_config": {"parameters": parameters}}

        return configure

    @pytest.fixture
    def configuration(self, configure: Configure) -> dict[str, Any]:
        return configure(seconds=0.0)

    @pytest.fixture
    def other_configuration(self, configure: Configure) -> dict[str, Any]:
        return configure(works=True)

    @pytest.fixture
    def lasting_configuration(self, configure: Configure) -> dict[str, Any]:
        return configure(seconds=60.0)

    @pytest.fixture
    def failing_configuration(self, configure: Configure) -> dict[str, Any]:
        return configure(works=False)

    @pytest.fixture
    def invalid_configurations(self, configure: Configure) -> dict[str, dict[str, Any]]:
        return {
            "snapshot_id": {"snapshot_id": "6f9c1d0e-5b3a-4c87-9d21-0d6c2f1a7b34"},
            "run_config.parameters.seconds": configure(seconds="long"),
            "run_config.scheduler": {**configure(), "run_config": {"scheduler": "by hand"}},
        }
