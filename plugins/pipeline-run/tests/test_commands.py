"""``actium pipeline``, as real commands in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("actium_cli")

if TYPE_CHECKING:
    from conftest import Bench

FLOW = """
    @step
    def load(count: int) -> int:
        print("loading", count)
        return count

    @step(retries=1)
    def fit(rows: int, rate: float = 0.5) -> float:
        return rows * rate

    @pipeline
    def flow(count: int = 4):
        \"\"\"Load and fit.\"\"\"
        return {"fitted": fit(load(count))}
"""


def actium(bench: Bench, *arguments: str, fails: bool = False) -> str:
    """Run a command in the bench's directory, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "actium_cli", *arguments],
        cwd=bench.directory,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode != 0) == fails, done.stderr
    return done.stderr if fails else done.stdout


def as_json(bench: Bench, *arguments: str) -> Any:
    return json.loads(actium(bench, *arguments, "--json"))


def test_a_snapshot_is_taken_shown_and_drawn(bench: Bench) -> None:
    """Taking says whether something is new; showing tells source, parameters and steps; drawing has two forms."""
    bench.write(FLOW)
    assert actium(bench, "pipeline", "snapshot", "flow.py:flow").startswith("Took snapshot flow-1 ")
    assert actium(bench, "pipeline", "snapshot", "flow.py:flow").startswith("Nothing has changed since snapshot flow-1")
    listed = actium(bench, "pipeline", "list").splitlines()
    assert listed[1].split()[:2] == ["flow", "flow-1"]
    assert listed[1].endswith("Load and fit.")
    assert "flow.py:flow" in actium(bench, "pipeline", "list", "--snapshots")
    shown = [line.split() for line in actium(bench, "pipeline", "show", "flow").splitlines()]
    assert ["count", "integer", "4"] in shown
    assert ["fit", "rate", "number", "0.5"] in shown
    assert ["load", "count", "integer", "the", "pipeline's", "count"] in shown
    assert actium(bench, "pipeline", "graph", "flow").splitlines() == ["flow-1", "└── load", "    └── fit"]
    assert actium(bench, "pipeline", "graph", "flow", "--mermaid").startswith("flowchart TD\n")


def test_every_answer_can_be_json(bench: Bench) -> None:
    """Programs get ids, and all that people see."""
    bench.write(FLOW)
    taken = as_json(bench, "pipeline", "snapshot", "flow.py:flow")
    assert (taken["name"], taken["is_new"]) == ("flow-1", True)
    assert as_json(bench, "pipeline", "list")["items"][0]["latest_snapshot_id"] == taken["id"]
    assert as_json(bench, "pipeline", "list", "--snapshots")["items"][0]["id"] == taken["id"]
    shown = as_json(bench, "pipeline", "show", taken["id"][:12])
    assert [step["name"] for step in shown["graph"]["steps"]] == ["load", "fit"]
    assert shown["used_by"] == []
    assert "└── load" in as_json(bench, "pipeline", "graph", "flow")["drawing"]
    assert as_json(bench, "pipeline", "runs")["total"] == 0


def test_runs_are_listed_and_shown(bench: Bench) -> None:
    """From a snapshot to a run with its steps, its result and its log."""
    bench.write(FLOW)
    snapshot = as_json(bench, "pipeline", "snapshot", "flow.py:flow")["id"]
    actium(bench, "account", "create", "trainer")
    actium(
        bench,
        *("action", "create", "train", "--flavor", "pipeline_run.builtin", "--account", "trainer"),
        *("--set", f"snapshot_id={snapshot}", "--set", "run_config.steps.fit.parameters.rate=2"),
    )
    actium(bench, "action", "run", "train")
    listed = actium(bench, "pipeline", "runs").splitlines()
    assert len(listed) == 2
    assert "succeeded" in listed[1]
    assert "2/2" in listed[1]
    shown = actium(bench, "pipeline", "runs", "flow")
    assert "fitted: 8.0" in shown
    assert "loading 4" in shown
    assert as_json(bench, "pipeline", "show", "flow")["used_by"] == ["train"]


def test_errors_are_told_without_a_traceback(bench: Bench) -> None:
    """A wrong reference, a missing file and a missing snapshot each say what to do."""
    assert "path/to/file.py:pipeline" in actium(bench, "pipeline", "snapshot", "flow", fails=True)
    assert "flow.py cannot be read" in actium(bench, "pipeline", "snapshot", "flow.py:flow", fails=True)
    missing = actium(bench, "pipeline", "show", "flow", fails=True)
    assert "There is no pipeline snapshot 'flow'" in missing
    assert "Traceback" not in missing
