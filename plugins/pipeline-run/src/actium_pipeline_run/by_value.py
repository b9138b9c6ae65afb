"""Code that travels to other processes by value, so that they need not be able to import it."""

from __future__ import annotations

import io
import marshal
from collections import ChainMap
from collections.abc import Callable, Iterable
from types import CodeType, ModuleType
from typing import Any, ClassVar

import cloudpickle  # type: ignore[import-untyped]  # it has no types of its own, and no stubs

from actium_pipeline_run import step_task


def travel_by_value(modules: Iterable[ModuleType]) -> None:
    """Let the pipeline's own code, and what calls it, travel by value to other processes."""
    for module in (step_task, *modules):
        cloudpickle.register_pickle_by_value(module)


def written_by_value(value: object) -> bytes:
    """A value for `pickle.loads` in another process of the same Python.

    Raises:
        Exception: It cannot travel; whatever says so raises.
    """
    written = io.BytesIO()
    _Pickler(written).dump(value)
    return written.getvalue()


def _reduced(code: CodeType) -> tuple[Callable[[bytes], Any], tuple[bytes]]:
    return marshal.loads, (marshal.dumps(code),)


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # it has no types
    """Leaves to code the name of its file, which tracebacks show; cloudpickle 3.1.3 takes it away."""

    dispatch_table: ClassVar = ChainMap({CodeType: _reduced}, cloudpickle.Pickler.dispatch_table)
