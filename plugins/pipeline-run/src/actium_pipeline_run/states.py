"""How the steps of a run come along: the messages that tell of it, and what they add up to. Pure data, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any


class StepStatus(StrEnum):
    """Where a step is."""

    PENDING = "pending"
    """Waits for other steps, or for a place to run."""
    RUNNING = "running"
    """Is being called."""
    SUCCEEDED = "succeeded"
    """Has returned."""
    FAILED = "failed"
    """Has raised once more than it may, or did not end in time."""
    SKIPPED = "skipped"
    """Was not called, or was stopped, because the run ended before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepError:
    """Why a step failed.

    Attributes:
        type: The exception's class.
        message: What it said.
        traceback: Where it came from, within the pipeline's own code; None where there is none.
    """

    type: str
    message: str
    traceback: str | None = None

    def __str__(self) -> str:
        return f"{self.type}: {self.message}" if self.message else self.type


@dataclass(frozen=True, slots=True, kw_only=True)
class StepState:
    """How far one step is.

    Attributes:
        name: The step.
        status: Where it is.
        attempts: How often it was called.
        seconds: How long its calls took, all together; None while it has not ended.
        error: Why its latest call failed, or why it was stopped.
    """

    name: str
    status: StepStatus = StepStatus.PENDING
    attempts: int = 0
    seconds: float | None = None
    error: StepError | None = None


class RunStates:
    """The states of all steps of a run, in the order of its graph, as messages come in."""

    def __init__(self, names: Iterable[str]) -> None:
        self._states = {name: StepState(name=name) for name in names}
        self._spent: dict[str, float] = dict.fromkeys(self._states, 0.0)

    @property
    def steps(self) -> tuple[StepState, ...]:
        """How far each step is."""
        return tuple(self._states.values())

    def take(self, message: Mapping[str, Any]) -> bool:
        """Take in one message of a step; says whether it was one that changed something."""
        state = self._states.get(str(message.get("step")))
        if state is None:
            return False
        match message.get("state"):
            case "started":
                changed = replace(state, status=StepStatus.RUNNING, attempts=int(message["attempt"]))
            case "succeeded":
                changed = replace(state, status=StepStatus.SUCCEEDED, seconds=self._spend(message), error=None)
            case "raised":
                changed = self._raised(state, message)
            case _:
                return False
        self._states[state.name] = changed
        return changed != state

    def succeed(self) -> None:
        """Close the states of a run that has its result: all steps have succeeded, whatever was told of them."""
        for name, state in self._states.items():
            self._states[name] = replace(state, status=StepStatus.SUCCEEDED, error=None)

    def stop(self, *, reason: StepError, running_status: StepStatus = StepStatus.SKIPPED) -> None:
        """Close the states of a run without a result: no step stays pending or running.

        Args:
            reason: Why running steps did not end.
            running_status: What those are now.
        """
        for name, state in self._states.items():
            if state.status is StepStatus.PENDING:
                self._states[name] = replace(state, status=StepStatus.SKIPPED)
            elif state.status is StepStatus.RUNNING:
                self._states[name] = replace(state, status=running_status, error=reason)

    def running(self) -> tuple[str, ...]:
        """The steps that are being called."""
        return tuple(state.name for state in self.steps if state.status is StepStatus.RUNNING)

    def _raised(self, state: StepState, message: Mapping[str, Any]) -> StepState:
        error = StepError(**message["error"])
        if not message["final"]:
            self._spend(message)
            return replace(state, error=error)
        return replace(state, status=StepStatus.FAILED, seconds=self._spend(message), error=error)

    def _spend(self, message: Mapping[str, Any]) -> float:
        self._spent[str(message["step"])] += float(message["seconds"])
        return round(self._spent[str(message["step"])], 6)
