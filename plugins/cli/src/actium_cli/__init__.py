"""The command line of Actium. Plugins' commands use `actium_cli.context`; the rest is Actium's own."""

from __future__ import annotations

__version__ = "0.1.0"
