"""The repository speaks of Actium alone."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FORBIDDEN = re.compile(r"(?<![\w.])/(?:work|root|home/\w+|Users/\w+)/")


def tracked() -> list[Path]:
    """The files that git tracks; none outside a checkout."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    return [ROOT / name for name in listed.stdout.split("\0") if name]


def test_no_file_names_a_machine() -> None:
    """No tracked text file has a path of somebody's machine in it."""
    files = tracked()
    if not files:
        pytest.skip("not a git checkout")
    found = []
    for file in files:
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{file.relative_to(ROOT)}: {match}" for match in FORBIDDEN.findall(text) if file != Path(__file__)]
    assert found == []


def test_licences_are_one() -> None:
    """Every distribution has the repository's licence."""
    licence = (ROOT / "LICENSE").read_text()
    for project in ROOT.glob("*/*/pyproject.toml"):
        assert (project.parent / "LICENSE").read_text() == licence, project
    assert (ROOT / "core/LICENSE").read_text() == licence
