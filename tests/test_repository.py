"""The repository speaks of Actium alone."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

import actium

ROOT = Path(__file__).parents[1]
FORBIDDEN = re.compile(r"(?<![\w.])/(?:work|root|tmp/dev|home/\w+|Users/\w+|opt/pypi[\w-]*)/")


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


def projects() -> dict[str, dict[str, Any]]:
    """The metadata of every distribution, by its folder."""
    files = [
        ROOT / "core/pyproject.toml",
        *ROOT.glob("plugins/*/pyproject.toml"),
        *ROOT.glob("examples/*/pyproject.toml"),
    ]
    return {file.parent.relative_to(ROOT).as_posix(): tomllib.loads(file.read_text())["project"] for file in files}


def test_versions_move_together() -> None:
    """Core and its plugins have one version, which the packages tell too; only a third party has its own."""
    found = projects()
    third_party = {folder for folder in found if folder.startswith("examples/")}
    versions = {project["version"] for folder, project in found.items() if folder not in third_party}
    assert versions == {actium.__version__}
    for folder in third_party:
        assert not any("actium==" in needed for needed in found[folder]["dependencies"]), "it knows Actium from outside"


def test_every_distribution_supports_the_same_pythons() -> None:
    """No distribution asks for another Python than core does."""
    assert {project["requires-python"] for project in projects().values()} == {">=3.11"}


def test_licences_are_one() -> None:
    """Every distribution has the repository's licence."""
    licence = (ROOT / "LICENSE").read_text()
    for project in ROOT.glob("*/*/pyproject.toml"):
        assert (project.parent / "LICENSE").read_text() == licence, project
    assert (ROOT / "core/LICENSE").read_text() == licence
