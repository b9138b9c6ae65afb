"""Fixtures and conformance suites for authors of Actium plugins. Its modules load at first use.

>>> from pytest_actium import FlavorConformance
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_actium.clock import Clock as Clock
    from pytest_actium.crash import Crash as Crash
    from pytest_actium.crash import Moment as Moment
    from pytest_actium.crash import NotKilledError as NotKilledError
    from pytest_actium.flavors.suite import FlavorConformance as FlavorConformance
    from pytest_actium.hook_plugins import HookPluginConformance as HookPluginConformance
    from pytest_actium.stores.suite import StoreConformance as StoreConformance

_PLACES = {
    "Clock": "pytest_actium.clock",
    "Crash": "pytest_actium.crash",
    "FlavorConformance": "pytest_actium.flavors.suite",
    "HookPluginConformance": "pytest_actium.hook_plugins",
    "Moment": "pytest_actium.crash",
    "NotKilledError": "pytest_actium.crash",
    "StoreConformance": "pytest_actium.stores.suite",
}

__all__ = [
    "Clock",
    "Crash",
    "FlavorConformance",
    "HookPluginConformance",
    "Moment",
    "NotKilledError",
    "StoreConformance",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
