"""What importing costs: nothing is imported before it is needed, and core imports little at all."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CORE = Path(__file__).parents[1] / "core" / "src" / "actium"
MODULES = sorted(CORE.rglob("*.py"))
HEAVY = ("pydantic", "pluggy", "importlib_metadata", "sqlite3", "asyncio")


def imported_by(code: str) -> set[str]:
    """The modules that a fresh process has imported after some code."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "import actium",
        "import actium.models, actium.stores, actium.auth, actium.actions, actium.event_hub",
        "import actium.errors",
        "import actium.plugins.discovery",
        "from actium.plugins.registry import PluginFlavorRegistry; PluginFlavorRegistry().statuses()",
    ],
)
def test_names_and_listings_import_nothing_heavy(code: str) -> None:
    """Importing the packages, and listing what is installed, imports neither pydantic nor pluggy nor a database."""
    before = imported_by("")  # an editable install may bring modules of its own
    assert not (imported_by(code) - before) & set(HEAVY)


def test_listing_imports_no_plugin() -> None:
    """Listing flavors imports none of them; the pipeline flavor's import brings no Dask."""
    listed = imported_by("from actium.plugins.registry import PluginFlavorRegistry; PluginFlavorRegistry().statuses()")
    assert not {"actium_pipeline_run", "actium_http_call", "actium_cli", "actium_otel", "opentelemetry"} & listed
    loaded = imported_by("import actium_pipeline_run.pipeline_run_action, actium_http_call.flavor")
    assert not {"dask", "distributed", "numpy", "httpx", "typer"} & loaded


def packages_named_in(module: Path) -> Iterator[str]:
    """The packages that a module's import statements name, wherever they stand."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.relative_to(CORE).as_posix())
def test_core_imports_nothing_but_what_it_requires(module: Path) -> None:
    """Core imports the standard library and its three requirements, also inside functions and for types."""
    allowed = {*sys.stdlib_module_names, "actium", "pluggy", "pydantic", "pydantic_core", "importlib_metadata"}
    assert set(packages_named_in(module)) <= allowed
