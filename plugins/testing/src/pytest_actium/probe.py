"""A look at a flavor from a fresh interpreter: how it is found, and what its import does."""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path
from typing import Any

from actium import Actium as Actium  # noqa: PLC0414 - all of Actium is imported before time is taken
from actium import action_flavor, errors, hookimpl, models
from actium.errors import PluginError
from actium.plugins.registry import PluginFlavorRegistry
from pytest_actium.remains import children, open_files

_OF_ACTIUM = (action_flavor, errors, hookimpl, *(getattr(models, name) for name in dir(models)))


def probe(key: str, kind: str) -> dict[str, Any]:
    """Find a plugin, then import it, and say what that did."""
    subtype, _, flavor = key.partition(".")
    registry = PluginFlavorRegistry(hooks=[key] if kind == "hooks" else [])
    statuses = registry.statuses(kind)
    registry.list_flavors(max_size=10_000)
    status = next((each for each in statuses if each.name == key and each.origin.distribution is not None), None)
    if status is None:
        return {"found": False, "names": [each.name for each in statuses]}
    found = {
        "found": True,
        "distribution": status.origin.distribution,
        "version": status.origin.version,
        "value": status.value,
        "imported_by_listing": status.value.partition(":")[0] in sys.modules,
    }
    before, started, cpu = surroundings(), time.perf_counter(), time.process_time()
    try:
        if kind == "hooks":
            registry.hook_plugins()
            schema = None
        else:
            imported: Any = registry.get_flavor_class(kind, subtype, flavor)
            schema = imported.get_action_config_schema()
    except PluginError as error:
        return {**found, "problem": str(error)}
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
    after = surroundings()
    return {
        **found,
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "changed": {name: [before[name], after[name]] for name in before if before[name] != after[name]},
        "schema": schema,
    }


def surroundings() -> dict[str, Any]:
    """What an import has no business to change."""
    root = logging.getLogger()
    return {
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "processes": sorted(children()),
        "open files and sockets": sorted(open_files()),
        "environment variables": dict(os.environ),
        "working folder": str(Path.cwd()),
        "files in the working folder": sorted(map(str, Path.cwd().rglob("*"))),
        "temporary files": sorted(map(str, Path(tempfile.gettempdir()).glob("*"))),
        "signal handlers": {each.name: repr(signal.getsignal(each)) for each in signal.Signals},
        "root logger": [root.level, list(map(repr, root.handlers)), logging.root.manager.disable],
        "warning filters": len(warnings.filters),
        "exception hook": repr(sys.excepthook),
    }
