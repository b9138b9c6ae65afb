"""What an action says about the runs of its pipeline."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from actium.models.base import Name
from actium_pipeline_run.graph import MAX_RETRIES

LOCAL_SCHEDULERS = ("synchronous", "threads", "processes")
MAX_TIMEOUT = 366 * 86_400

_ADDRESS = re.compile(r"(?:tcp|tls)://(?:[^\s/:\[\]]+|\[[0-9A-Fa-f:.]+\]):(?P<port>\d{1,5})")


def _known_scheduler(scheduler: str) -> str:
    if scheduler in LOCAL_SCHEDULERS:
        return scheduler
    address = _ADDRESS.fullmatch(scheduler)
    if address is None or not 0 < int(address["port"]) < 65_536:
        raise ValueError(f"must be {', '.join(LOCAL_SCHEDULERS)}, or the address of a Dask cluster: tcp://HOST:PORT")
    return scheduler


def _without_repetition(tags: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(tags))


Scheduler = Annotated[str, AfterValidator(_known_scheduler)]
"""``synchronous``, ``threads``, ``processes``, or the address of a running Dask cluster."""


class StepRunConfiguration(BaseModel):
    """What differs for one step.

    Attributes:
        parameters: Values for its parameters, instead of those that the pipeline gives it.
        retries: How often a failed call is repeated; None for what the pipeline says.
    """

    model_config = ConfigDict(extra="forbid")

    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    retries: int | None = Field(default=None, ge=0, le=MAX_RETRIES)


class PipelineRunConfiguration(BaseModel):
    """What differs in the runs of an action from what its snapshot says.

    Attributes:
        run_name: What its runs are called; None for the pipeline's name.
        parameters: Values for the pipeline's parameters.
        steps: What differs for single steps, by their names.
        tags: Kept with each run, for people and for filters.
        scheduler: Where steps run: one after the other, in threads, in processes, or on a cluster.
        timeout: Seconds after which a run is killed; None for no limit.
    """

    model_config = ConfigDict(extra="forbid")

    run_name: Name | None = None
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    steps: dict[str, StepRunConfiguration] = Field(default_factory=dict)
    tags: Annotated[tuple[Name, ...], Field(max_length=64), AfterValidator(_without_repetition)] = ()
    scheduler: Scheduler = "threads"
    timeout: float | None = Field(default=None, gt=0, le=MAX_TIMEOUT, allow_inf_nan=False)

    def step_parameters(self) -> dict[str, dict[str, Any]]:
        """The parameters that are set for single steps."""
        return {name: dict(step.parameters) for name, step in self.steps.items() if step.parameters}

    def step_retries(self) -> dict[str, int]:
        """The retries that are set for single steps."""
        return {name: step.retries for name, step in self.steps.items() if step.retries is not None}
