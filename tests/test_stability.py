"""What the reference promises stays as it is from one release to the next, or was deprecated before."""

from __future__ import annotations

import re
import runpy
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

import actium

ROOT = Path(__file__).parents[1]
public_api = SimpleNamespace(**runpy.run_path(str(ROOT / "tests/public_api.py")))
BEFORE = """
class Actium:
    def open(self, url, *, project="default"): ...
    def _inner(self, one): ...

def helper(one, two): ...
"""


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one release."""
    package = tmp_path / "core/src/actium"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(BEFORE)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "Release")
    git(tmp_path, "tag", "v1.0.0")
    return tmp_path


@pytest.mark.parametrize(
    "before, after, told",
    [
        ("url, *", "*", ["Parameter was removed"]),
        ('project="default"', "project", ["Parameter is now required"]),
        ("def open", "def open_it", ["Public object was removed"]),
        ('project="default"', 'project="default", trace=None', []),
        ("def _inner(self, one)", "def _inner(self)", []),
        ("def helper(one, two)", "def helper(one)", []),
    ],
)
def test_a_change_that_breaks_somebody_is_noticed(repository: Path, before: str, after: str, told: list[str]) -> None:
    """What a caller relies on may grow, and what is not promised may change; nothing else."""
    file = repository / "core/src/actium/__init__.py"
    file.write_text(BEFORE.replace(before, after))
    changes = public_api.breaking_changes(repository, "v1.0.0", frozenset({"actium", "actium.Actium"}))
    assert [change.partition(": ")[2] for change in changes] == told


def test_the_reference_promises_what_there_is() -> None:
    """The names that ``import actium`` gives are among what is compared, and private ones are not."""
    public = public_api.public_paths()
    assert {"actium.errors", "actium.app.application", "actium.models.Event"} <= public
    assert public_api.is_public("actium.app.application.Actium.worker", public)
    assert not public_api.is_public("actium.app.application.Actium._offer", public)
    assert not public_api.is_public("actium.stores.sqlite.work.exchange", public)


def test_nothing_was_broken_since_the_last_release() -> None:
    """Compared with the newest release's tag; before the first release there is nothing to compare with."""
    tags = git(ROOT, "tag", "--list", "v*", "--sort=-v:refname").split()
    releases = [tag for tag in tags if re.fullmatch(r"v\d+\.\d+\.\d+", tag)]
    if not releases:
        assert actium.__version__ == "0.1.0", "a release has no tag, so that nothing can be compared with it"
        return
    told = public_api.breaking_changes(ROOT, releases[0], public_api.public_paths())
    assert told == [], f"deprecate first, see docs/reference/stability.md: {told}"
