"""What the README and the documentation show exists: entry points, commands, links."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("*/*/README.md"))]
FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"^    (actium (?:[a-z]+ ?)+)", re.MULTILINE)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[\w-]+)?\)")


def blocks(page: Path, language: str) -> list[tuple[int, str]]:
    """The fenced blocks of a language, each with the line it begins at."""
    text = page.read_text(encoding="utf-8")
    return [
        (text.count("\n", 0, match.start(2)) + 1, match[2]) for match in FENCED.finditer(text) if match[1] == language
    ]


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "toml")], ids=named)
def test_settings_are_read(page: Path) -> None:
    """The TOML blocks of a page are TOML, with entry points that name an object."""
    for _, text in blocks(page, "toml"):
        for group in tomllib.loads(text)["project"]["entry-points"].values():
            assert all(re.fullmatch(r"[\w.]+:\w+", value) for value in group.values())


def commands() -> list[str]:
    found = {command.strip() for page in PAGES for command in COMMAND.findall(page.read_text(encoding="utf-8"))}
    return sorted(" ".join(command.split()[:3]) for command in found)


@pytest.mark.parametrize("command", commands())
def test_commands_exist(command: str) -> None:
    """Every command that is shown exists."""
    words = command.split()[1:]
    for length in (len(words), 1):  # the last word may be an argument
        done = subprocess.run(
            [sys.executable, "-m", "actium_cli", *words[:length], "--help"],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "NO_COLOR": "1"},
        )
        if done.returncode == 0:
            return
    pytest.fail(f"{command}: {done.stderr}")


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of a page leads to a file of the repository."""
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), target
