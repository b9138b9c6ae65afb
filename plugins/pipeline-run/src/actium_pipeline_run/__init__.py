"""Pipelines of Python steps, run by Actium on Dask. See `step` and `pipeline`.

Both are imported when they are first used: the flavor itself needs neither.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actium_pipeline_run.pipelines import PipelineFunction, pipeline
    from actium_pipeline_run.steps import StepFunction, step

__all__ = ["PipelineFunction", "StepFunction", "pipeline", "step"]

_HOME = {"PipelineFunction": "pipelines", "StepFunction": "steps", "pipeline": "pipelines", "step": "steps"}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
