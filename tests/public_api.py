"""What of the public API has changed since a release so that it breaks somebody: ``python tests/public_api.py v0.1.0``.

Public is what the pages below ``docs/reference/api`` name: modules there are documented whole, classes one by one.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import griffe

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs/reference/api"
MODULE = re.compile(r"^\.\. automodule:: (actium[\w.]*)$", re.MULTILINE)
DIRECTIVE = re.compile(r"^\.\. (?:py:currentmodule|autoclass|autofunction|autodata|autoexception):: ([\w.]+)$")


def public_paths() -> frozenset[str]:
    """The modules, classes, functions and data that the reference promises."""
    found = {"actium"}
    for page in PAGES.glob("*.md"):
        text = page.read_text()
        found.update(MODULE.findall(text))
        module = "actium"
        for line in text.splitlines():
            match = DIRECTIVE.match(line)
            if match is None:
                continue
            if "currentmodule" in line:
                module = match[1]
            elif match[1].startswith("actium."):
                found.add(match[1])
            else:
                found.add(f"{module}.{match[1]}")
    return frozenset(found)


def is_public(path: str, public: frozenset[str]) -> bool:
    """Whether a path, or something around it, is promised, and no part of it is private."""
    parts = path.removesuffix(")").split("(")[0].split(".")
    if any(part.startswith("_") and not part.startswith("__") for part in parts):
        return False
    return any(".".join(parts[:length]) in public for length in range(2, len(parts) + 1))


def breaking_changes(repository: Path, release: str, public: frozenset[str], *, sources: str = "core/src") -> list[str]:
    """What has changed between a release and the files that are there now, a line each.

    Args:
        repository: Where the git repository is.
        release: The release's tag, or any other name of a commit.
        public: What is promised, see `public_paths`.
        sources: Where in the repository the package lies.
    """
    before = griffe.load_git("actium", ref=release, repo=repository, search_paths=[sources], resolve_aliases=True)
    now = griffe.load("actium", search_paths=[repository / sources], resolve_aliases=True)
    return [
        f"{change.obj.canonical_path}: {change.kind.value}"
        for change in griffe.find_breaking_changes(before, now)
        if is_public(change.obj.canonical_path, public)
    ]


if __name__ == "__main__":
    told = breaking_changes(ROOT, sys.argv[1], public_paths())
    print(*told, sep="\n")
    sys.exit(bool(told))
