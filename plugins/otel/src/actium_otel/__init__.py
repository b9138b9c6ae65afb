"""OpenTelemetry for Actium: a hook plugin that makes spans of publications and attempts, and counts them.

Enable it by the name ``otel``, or give ``Actium(url, hooks=[OpenTelemetryHooks(...)])`` providers of your own.
Importing this package alone imports nothing of OpenTelemetry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actium_otel.plugin import OpenTelemetryHooks

__all__ = ["OpenTelemetryHooks"]


def __getattr__(name: str) -> object:
    if name in __all__:
        from actium_otel.plugin import OpenTelemetryHooks

        return OpenTelemetryHooks
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
