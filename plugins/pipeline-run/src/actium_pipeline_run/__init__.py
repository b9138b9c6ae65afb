"""Pipelines of Python steps, run by Actium on Dask. See `step` and `pipeline`."""

from __future__ import annotations

from actium_pipeline_run.pipelines import PipelineFunction, pipeline
from actium_pipeline_run.steps import StepFunction, step

__all__ = ["PipelineFunction", "StepFunction", "pipeline", "step"]
