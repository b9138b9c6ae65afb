"""What the store keeps of pipelines: the pipeline, its immutable snapshots, and its runs."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from actium.models.execution import ExecutionStatus
from actium.models.kinds import ResourceType
from actium_pipeline_run.graph import ParameterRecord, StepGraph
from actium_pipeline_run.orders import PipelineDescription
from actium_pipeline_run.source import Source
from actium_pipeline_run.states import StepState

PIPELINE = ResourceType("pipeline")
PIPELINE_SNAPSHOT = ResourceType("pipeline_snapshot")
PIPELINE_RUN = ResourceType("pipeline_run")


class Pipeline(BaseModel):
    """A pipeline: what its snapshots have in common.

    Attributes:
        description: The first paragraph of its docstring, as of the latest snapshot.
        snapshots: The number of the latest snapshot.
        latest_snapshot_id: The latest snapshot.
    """

    model_config = ConfigDict(frozen=True)

    description: str = ""
    snapshots: int = 0
    latest_snapshot_id: UUID | None = None


class PipelineSnapshot(BaseModel):
    """What a pipeline was at one moment. It never changes.

    Attributes:
        pipeline: The pipeline's name.
        pipeline_id: The pipeline.
        number: Counts the pipeline's snapshots from 1.
        description: The first paragraph of the pipeline's docstring.
        source: Its Python: where it is, and the hashes of its files.
        parameters: What it takes: types as JSON schema, and defaults.
        graph: Its steps.
    """

    model_config = ConfigDict(frozen=True)

    pipeline: str
    pipeline_id: UUID
    number: int
    description: str
    source: Source
    parameters: tuple[ParameterRecord, ...]
    graph: StepGraph

    def parameter(self, name: str) -> ParameterRecord | None:
        """A parameter of the pipeline by its name."""
        return next((parameter for parameter in self.parameters if parameter.name == name), None)

    def shows(self, described: PipelineDescription) -> bool:
        """Whether a pipeline is still what it was in this snapshot."""
        return (
            self.pipeline == described.name
            and self.description == described.description
            and self.source == described.source
            and self.parameters == described.parameters
            and self.graph == described.graph
        )


class PipelineRun(BaseModel):
    """One run of a snapshot.

    Attributes:
        run_name: What the action calls its runs.
        pipeline: The pipeline's name.
        snapshot: The snapshot's name.
        snapshot_id: The snapshot.
        action: The action's name.
        execution_id: The execution.
        attempt: Which attempt of the execution it is.
        status: Where it is.
        tags: As the action says.
        scheduler: Where its steps were called.
        parameters: The values that were set for the pipeline; secrets as references.
        step_parameters: The values that were set for single steps.
        started: When it began.
        finished: When it ended, None while it runs.
        seconds: How long it took.
        steps: How far each step came.
        result: What the pipeline returned.
        error: Why there is no result.
        log: The end of what it printed.
    """

    model_config = ConfigDict(frozen=True)

    run_name: str
    pipeline: str
    snapshot: str
    snapshot_id: UUID
    action: str
    execution_id: UUID
    attempt: int
    status: ExecutionStatus = ExecutionStatus.RUNNING
    tags: tuple[str, ...] = ()
    scheduler: str
    parameters: dict[str, Any]
    step_parameters: dict[str, dict[str, Any]]
    started: datetime
    finished: datetime | None = None
    seconds: float | None = None
    steps: tuple[StepState, ...]
    result: Any = None
    error: str | None = None
    log: str = ""
