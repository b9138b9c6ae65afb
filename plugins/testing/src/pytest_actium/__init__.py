"""Fixtures and conformance suites for authors of Actium plugins. Its modules load at first use.

>>> from pytest_actium import FlavorConformance
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_actium.flavors.suite import FlavorConformance as FlavorConformance

_PLACES = {"FlavorConformance": "pytest_actium.flavors.suite"}

__all__ = ["FlavorConformance"]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
