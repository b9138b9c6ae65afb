"""What it costs to import actium, as a whole process."""

from __future__ import annotations

from collections.abc import Iterator

from measuring import Effort, Row, by_turns, median_of, process, ratio_of

SUBJECT = "start-up"
LIBRARIES = "import pluggy, importlib_metadata"


def measure(effort: Effort) -> Iterator[Row]:
    """Compare with importing the libraries that any plugin host needs; tell what the parts cost."""
    codes = {
        "python -c pass": "pass",
        "import actium": "import actium",
        "from actium import hookimpl": "from actium import hookimpl",
        "from actium.plugins.registry import PluginFlavorRegistry": "import actium.plugins.registry",
        "from actium import BaseActionFlavor": "from actium import BaseActionFlavor",
        "from actium import Actium": "from actium import Actium",
        "from pydantic import BaseModel": "from pydantic import BaseModel",
    }
    results = by_turns([process(LIBRARIES), *map(process, codes.values())], effort.processes)
    for side, name in enumerate(codes, start=1):
        yield Row(
            subject=SUBJECT,
            name=name,
            value=median_of(results, side),
            unit="ms",
            beside=LIBRARIES,
            beside_value=median_of(results, 0),
            ratio=ratio_of(results, side, 0),
            at_most=1.3 if name == "import actium" else None,
        )
