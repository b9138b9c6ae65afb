"""The benchmarks measure what they say; how fast is for ``nox -s bench`` to tell."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parents[1] / "benchmarks" / "run.py"
MACHINE = {"processor", "cores", "architecture", "system", "disk", "sync_us", "load", "python", "sqlite"}


@pytest.mark.slow
def test_every_subject_is_measured(tmp_path: Path) -> None:
    """A run of least effort gives figures for each subject, with limits where some are set, and tells its machine."""
    written = tmp_path / "results.json"
    done = subprocess.run(
        [sys.executable, str(RUN), "--smoke", "--json", str(written)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(written.read_text())
    assert {row["subject"] for row in results["rows"]} == {
        "start-up",
        "listing",
        "relay",
        "tracing",
        "actions",
        "executions",
        "workers",
        "endurance",
    }
    assert all(row["value"] > 0 for row in results["rows"])
    assert {row["subject"] for row in results["rows"] if row["holds"] is not None} == {
        "start-up",
        "listing",
        "relay",
        "tracing",
        "actions",
        "workers",
        "endurance",
    }
    assert results["machine"].keys() == MACHINE
