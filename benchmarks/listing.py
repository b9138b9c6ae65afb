"""What it costs to list the installed flavors, as a whole process, among a thousand installed distributions."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from measuring import Effort, Row, by_turns, median_of, process, ratio_of

SUBJECT = "listing"
GROUP = "actium.action_flavors"
DISTRIBUTIONS = 1000
EVERY_NTH_HAS_FLAVORS = 5
FOUND = DISTRIBUTIONS // EVERY_NTH_HAS_FLAVORS
THEIRS = "importlib_metadata.entry_points(group=...)"
DESCRIPTION = "A distribution as long-winded about itself as they usually are.\n" * 60


def measure(effort: Effort) -> Iterator[Row]:
    """Compare with importlib_metadata's way to list a group."""
    with tempfile.TemporaryDirectory() as folder:
        write_distributions(Path(folder))
        path = os.pathsep.join(filter(None, [folder, os.environ.get("PYTHONPATH")]))
        sides = {
            THEIRS: f"import importlib_metadata as m; assert len(m.entry_points(group={GROUP!r})) >= {FOUND}",
            "find_entry_points([...])": "from actium.plugins.discovery import find_entry_points as find;"
            f"assert len(find([{GROUP!r}]).entry_points) >= {FOUND}",
            "PluginFlavorRegistry().statuses()": "from actium.plugins.registry import PluginFlavorRegistry as Registry;"
            f"assert len(Registry().statuses('action')) >= {FOUND}",
            "PluginFlavorRegistry().list_flavors()": "from actium.plugins.registry import PluginFlavorRegistry as R;"
            f"assert R().list_flavors().total >= {FOUND}",
            "python -c pass": "pass",
            "define one pydantic model": "import pydantic; type('M', (pydantic.BaseModel,), {})",
        }
        results = by_turns([process(code, {"PYTHONPATH": path}) for code in sides.values()], effort.processes)
    for side, name in enumerate(sides):
        if name != THEIRS:
            yield Row(
                subject=SUBJECT,
                name=name,
                value=median_of(results, side),
                unit="ms",
                beside=THEIRS,
                beside_value=median_of(results, 0),
                ratio=ratio_of(results, side, 0),
                at_most=0.8 if name.endswith(("statuses()", "([...])")) else None,
            )


def write_distributions(folder: Path) -> None:
    """Write what pip leaves of many distributions: one in five has a flavor, two in five commands, the rest nothing."""
    for number in range(DISTRIBUTIONS):
        name = f"distribution_{number}"
        info = folder / f"{name}-1.{number}.dist-info"
        info.mkdir()
        (folder / name).mkdir()
        (folder / name / "__init__.py").touch()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.{number}\n\n{DESCRIPTION}")
        (info / "RECORD").write_text(f"{name}/__init__.py,,\n" * 20)
        place = number % EVERY_NTH_HAS_FLAVORS
        if place == 0:
            (info / "entry_points.txt").write_text(f"[{GROUP}]\nkind_{number}.builtin = {name}:Flavor\n")
        elif place < 3:
            (info / "entry_points.txt").write_text(f"[console_scripts]\n{name} = {name}:main\n")
