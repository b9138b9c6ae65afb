"""Pipelines in files of their own, described and run in real child processes."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from actium_pipeline_run.orders import PipelineDescription, RunOrder
from actium_pipeline_run.runner import RunOutcome, describe_pipeline, run_pipeline
from actium_pipeline_run.states import StepState

HEADER = "from __future__ import annotations\nimport os, sys\nfrom actium_pipeline_run import pipeline, step\n"


@dataclass
class Bench:
    """A directory with a pipeline in it.

    Attributes:
        directory: The directory.
        changes: What the latest run told of its steps, each time.
    """

    directory: Path
    changes: list[tuple[StepState, ...]] = field(default_factory=list)

    def write(self, text: str, name: str = "flow.py") -> Path:
        """Write a Python file; the names of Actium are imported at its top."""
        path = self.directory / name
        path.write_text(HEADER + textwrap.dedent(text))
        return path

    def describe(self, reference: str = "flow.py:flow") -> PipelineDescription:
        """Describe the pipeline, like a snapshot does."""
        return describe_pipeline(reference, directory=self.directory)

    def run(self, described: PipelineDescription, **options: Any) -> RunOutcome:
        """Run a pipeline that was described. Options are those of the order and of `run_pipeline`."""
        self.changes = []
        order = {
            name: options.pop(name)
            for name in ("parameters", "step_parameters", "step_retries", "scheduler")
            if name in options
        }
        following: dict[str, Any] = {
            "environment": {},
            "timeout": 120,
            "on_change": self.changes.append,
            "is_cancelled": lambda: False,
        }
        return run_pipeline(
            RunOrder(run="0123456789abcdef", source=described.source, steps=described.graph.names, **order),
            **(following | options),
        )

    def run_file(self, text: str, **options: Any) -> RunOutcome:
        """Write, describe and run the pipeline ``flow``."""
        self.write(text)
        return self.run(self.describe(), **options)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A directory of its own for pipelines."""
    return Bench(tmp_path)


@pytest.fixture
def statuses() -> Callable[[RunOutcome], dict[str, str]]:
    """The statuses of a run's steps, by name."""
    return lambda outcome: {state.name: state.status.value for state in outcome.steps}
