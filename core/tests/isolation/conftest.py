"""What the tests of isolation share: flavors that child processes can import, orders of them, and a pool."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from actium.isolation import ProcessPool, RunOrder


@pytest.fixture
def flavors(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module of flavors, importable here and, because the path is handed over, in child processes."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "importable"))
    return importlib.import_module("isolated_flavors")


@pytest.fixture
def order(flavors: ModuleType) -> Callable[..., RunOrder]:
    """Make an order of a flavor, by its name in the module."""
    made: Callable[..., RunOrder] = importlib.import_module("isolated_orders").order
    return made


@pytest.fixture
def pool() -> Iterator[ProcessPool]:
    with ProcessPool(size=1, grace=0.5, poll_interval=0.02) as pool:
        yield pool


@pytest.fixture
def start() -> Callable[..., Any]:
    """Run an order in a pool, without the parts that a test does not care about."""

    def start(pool: ProcessPool, order: RunOrder, **options: Any) -> Any:
        given = {"timeout": 60, "is_cancelled": lambda: False, "on_progress": lambda steps: None, **options}
        return pool.run(order, **given)

    return start


@pytest.fixture
def run(pool: ProcessPool, order: Callable[..., RunOrder], start: Callable[..., Any]) -> Callable[..., Any]:
    """Run a flavor in the pool, by its name in the module."""

    def run(name: str, **configuration: Any) -> Any:
        return start(pool, order(name, **configuration))

    return run


@pytest.fixture
def is_running() -> Callable[[int], bool]:
    """Whether a process still does something; one that has ended and was not waited for does not."""

    def is_running(pid: int) -> bool:
        try:
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (ProcessLookupError, FileNotFoundError):
            return False
        return state != "Z"

    return is_running
