"""The example does what its page says."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parents[1]


def test_the_data_are_the_344_penguins_with_their_gaps() -> None:
    """The pipeline meets real missing values."""
    with (HERE / "penguins.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 344
    assert sum(row["sex"] == "NA" for row in rows) == 11
    assert sum(row["body_mass_g"] == "NA" for row in rows) == 2


def test_the_pipeline_is_plain_python_as_well(tmp_path: Path) -> None:
    """Called by hand it runs step by step, writes the report and recognizes nearly all penguins."""
    code = f"import pipeline, pathlib; print(pipeline.penguins(report=pathlib.Path({str(tmp_path / 'r.html')!r})))"
    done = subprocess.run([sys.executable, "-c", code], cwd=HERE, capture_output=True, text=True, check=True)
    found = re.search(r"'accuracy': ([0-9.]+)", done.stdout)
    assert found is not None
    assert float(found[1]) > 0.95
    assert "Dropped 2 without any measurement; 9 of 342 have no known sex." in done.stdout
    assert (tmp_path / "r.html").read_text().count("<td") == 10


@pytest.mark.slow
def test_the_demonstration_works_and_leaves_its_report(tmp_path: Path) -> None:
    """From a snapshot to an execution with its steps and its accuracy, with the real commands."""
    done = subprocess.run(
        [sys.executable, "demo.py", "--keep", str(tmp_path)],
        cwd=HERE,
        env={**os.environ, "ACTIUM_STORE": "sqlite:////nowhere/else.db"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report.html").exists()
    assert (tmp_path / "actium.db").exists()
    commands = re.findall(r"^\$ actium (\w+ ?\w*)", done.stdout, flags=re.MULTILINE)
    assert commands == [
        "pipeline snapshot",
        "pipeline graph",
        "account create",
        "action create",
        "trigger create",
        "event publish",
        "worker ",
        "execution show",
        "pipeline runs",
    ]
    for step in ("load", "clean", "split", "fit", "evaluate", "write_report", "summarize"):
        assert re.search(rf"^  {step} +succeeded", done.stdout, flags=re.MULTILINE)
    assert re.search(r"accuracy: 0\.9\d+", done.stdout)
