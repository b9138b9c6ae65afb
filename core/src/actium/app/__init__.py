"""The application: one store, one registry and one hub, opened and closed together."""

from __future__ import annotations

from actium.app.application import Actium

__all__ = ["Actium"]
