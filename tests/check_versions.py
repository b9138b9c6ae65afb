"""All distributions have one version, and depend on each other at exactly that."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> int:
    """Print what differs; 1 where something does."""
    projects = {
        path.parent.name: tomllib.loads(path.read_text())["project"]
        for path in [ROOT / "core/pyproject.toml", *sorted(ROOT.glob("plugins/*/pyproject.toml"))]
    }
    version = projects["core"]["version"]
    problems = [
        f"{project['name']} is {project['version']}, actium is {version}"
        for project in projects.values()
        if project["version"] != version
    ]
    problems += [
        f"{project['name']} needs {dependency!r}, not actium=={version}"
        for project in projects.values()
        for dependency in project.get("dependencies", [])
        if dependency.startswith("actium") and not dependency.endswith(f"=={version}")
    ]
    print("\n".join(problems) or f"All distributions are {version}.")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
