"""What the tests that cross distributions share: built wheels and clean environments."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

ROOT = Path(__file__).parents[1]
NAMES = {
    "core": "actium",
    "plugins/pipeline-run": "actium_pipeline_run",
    "plugins/cli": "actium_cli",
    "plugins/command": "actium_command",
    "plugins/python": "actium_python",
    "plugins/http": "actium_http",
    "plugins/otel": "actium_otel",
    "plugins/testing": "pytest_actium",
    "examples/actium-http-call": "actium_http_call",
}
"""What the wheel of each distribution is called, by its folder."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment of its own."""

    folder: Path

    @property
    def python(self) -> Path:
        scripts = "Scripts" if os.name == "nt" else "bin"
        return self.folder / scripts / "python"

    def run(self, *arguments: str, fails: bool = False) -> str:
        """Run its Python; gives what it printed."""
        done = subprocess.run(
            [str(self.python), *arguments], capture_output=True, text=True, cwd=self.folder, check=False
        )
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        return done.stdout

    def pip(self, *arguments: str) -> str:
        return self.run("-m", "pip", "--disable-pip-version-check", *arguments)


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheel of every distribution, by its folder; built once a run, also when several processes test."""
    run = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # each process has a folder of its own in that of the run
        run = run.parent
    folder = run / "wheels"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            unfinished = tmp_path_factory.mktemp("wheels")
            for distribution in NAMES:
                build(unfinished, ROOT / distribution)
            unfinished.rename(folder)
    built = {wheel.name.partition("-")[0]: wheel for wheel in folder.glob("*.whl")}
    return {distribution: built[name] for distribution, name in NAMES.items()}


def build(folder: Path, distribution: Path) -> None:
    """Build a distribution's wheel from its source distribution, so that nothing of an earlier build gets into it."""
    done = subprocess.run(
        [sys.executable, "-m", "build", "--outdir", str(folder), str(distribution)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """A fresh environment with nothing but pip."""
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "environment")], check=True)
    return Environment(tmp_path / "environment")


@pytest.fixture
def run_page() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs what a page shows, in a folder, in a process of its own; keywords are environment variables."""

    def run(page: Path, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
        outside = {name: value for name, value in os.environ.items() if not name.startswith("ACTIUM_")}
        tested = os.pathsep.join(map(os.path.abspath, sys.path))  # the very Actium that is tested here
        return subprocess.run(
            [sys.executable, "-W", "error", str(ROOT / "tests" / "code_blocks.py"), str(page)],
            cwd=folder,
            env={**outside, "PYTHONPATH": tested, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    return run
