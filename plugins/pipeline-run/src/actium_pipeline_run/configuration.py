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
    """What differs for one step."""

    model_config = ConfigDict(extra="forbid")

    parameters: dict[str, JsonValue] = Field(
        default_factory=dict, description="Values for its parameters, instead of those that the pipeline gives it."
    )
    retries: int | None = Field(
        default=None,
        ge=0,
        le=MAX_RETRIES,
        description="How often a failed call is repeated; by default as often as the pipeline says.",
    )


class PipelineRunConfiguration(BaseModel):
    """What differs in the runs of an action from what its snapshot says."""

    model_config = ConfigDict(extra="forbid")

    run_name: Name | None = Field(default=None, description="What its runs are called; by default like the pipeline.")
    parameters: dict[str, JsonValue] = Field(default_factory=dict, description="Values for the pipeline's parameters.")
    steps: dict[str, StepRunConfiguration] = Field(
        default_factory=dict, description="What differs for single steps, by their names."
    )
    tags: Annotated[tuple[Name, ...], Field(max_length=64), AfterValidator(_without_repetition)] = Field(
        default=(), description="Kept with each run, for people and for filters."
    )
    scheduler: Scheduler = Field(
        default="threads",
        description="Where steps run: `synchronous` (one after the other), in `threads`, in `processes`, or on the "
        "Dask cluster at an address such as tcp://HOST:PORT.",
    )
    timeout: float | None = Field(
        default=None,
        gt=0,
        le=MAX_TIMEOUT,
        allow_inf_nan=False,
        description="Seconds after which a run is killed; by default there is no limit.",
    )

    def step_parameters(self) -> dict[str, dict[str, Any]]:
        """The parameters that are set for single steps."""
        return {name: dict(step.parameters) for name, step in self.steps.items() if step.parameters}

    def step_retries(self) -> dict[str, int]:
        """The retries that are set for single steps."""
        return {name: step.retries for name, step in self.steps.items() if step.retries is not None}
