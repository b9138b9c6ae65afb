"""Has a child process carry out an order, follows it, and ends it with its whole group: on time, on request, always."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actium.auth.secret_references import masked
from actium.errors import ActiumError, ExecutionCancelled
from actium_pipeline_run.errors import PipelineRunError, PipelineTimeoutError
from actium_pipeline_run.orders import (
    DescribeOrder,
    Order,
    PipelineDescription,
    RunOrder,
    read_description,
    read_error,
    write_order,
)
from actium_pipeline_run.process_group import GRACE_SECONDS, ProcessGroup
from actium_pipeline_run.states import RunStates, StepError, StepState, StepStatus

DESCRIBE_SECONDS = 300.0
LEAVE_SECONDS = 2.0
POLL_SECONDS = 0.2

_WORKER_DIED = "BrokenProcessPool"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """How a run ended.

    Attributes:
        steps: How far each step came; none is pending or running.
        result: What the pipeline returned, as JSON.
        error: Why it has no result, None when it has.
        log: The end of what it printed.
        seconds: How long it took, with the start of its process.
    """

    steps: tuple[StepState, ...]
    result: Any
    error: ActiumError | None
    log: str
    seconds: float


def describe_pipeline(reference: str, *, directory: Path) -> PipelineDescription:
    """Find out what a pipeline is, in a child process.

    Args:
        reference: ``path/file.py:attribute`` or ``module:attribute``.
        directory: Where relative paths begin, and modules are looked for that are not installed.

    Raises:
        InvalidInputError: It is no reference, or (`PipelineDefinitionError`) no graph can be drawn.
        SourceNotFoundError: It is not there, or cannot be imported.
        PipelineRunError: Its import ended the process, or took longer than five minutes.
    """
    follower = _Follower(DescribeOrder(reference=reference, directory=str(directory)), steps=())
    outcome = follower.follow(environment={}, timeout=DESCRIBE_SECONDS)
    if outcome.error is not None:
        raise outcome.error
    return read_description(outcome.result)


def run_pipeline(
    order: RunOrder,
    *,
    environment: Mapping[str, str],
    timeout: float | None,
    on_change: Callable[[tuple[StepState, ...]], None],
    is_cancelled: Callable[[], bool],
    secrets: tuple[str, ...] = (),
    grace: float = GRACE_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> RunOutcome:
    """Run a pipeline in a child process, and leave no process of it behind.

    Args:
        order: What to run.
        environment: Variables for the child on top of this process's own.
        timeout: Seconds after which it is killed; None for no limit.
        on_change: Called with all steps whenever some have changed; changes in quick succession are told as one.
        is_cancelled: Asked several times a second; when it says so, the run is killed.
        secrets: Values that must not appear in anything that comes back.
        grace: Seconds between asking the run's processes to end and killing them.
        clock: What measures the timeout, in seconds.

    Returns:
        The outcome, also of a failed run. Only what the two callbacks raise is raised.
    """
    follower = _Follower(
        order,
        steps=order.steps,
        on_change=on_change,
        is_cancelled=is_cancelled,
        secrets=secrets,
        grace=grace,
        clock=clock,
    )
    return follower.follow(environment=environment, timeout=timeout)


class _Follower:
    """Follows one child process from its start to its end."""

    def __init__(
        self,
        order: Order,
        *,
        steps: tuple[str, ...],
        on_change: Callable[[tuple[StepState, ...]], None] | None = None,
        is_cancelled: Callable[[], bool] | None = None,
        secrets: tuple[str, ...] = (),
        grace: float = GRACE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._order = order
        self._states = RunStates(steps)
        self._on_change = on_change
        self._is_cancelled = is_cancelled
        self._secrets = secrets
        self._grace = grace
        self._clock = clock
        self._answer: dict[str, Any] | None = None
        self._unanswered: ActiumError | None = None

    def follow(self, *, environment: Mapping[str, str], timeout: float | None) -> RunOutcome:
        """Start, follow and end the child."""
        start = self._clock()
        with ProcessGroup(write_order(self._order), environment=environment, grace=self._grace) as group:
            self._unanswered = self._until_answered(group, start=start, timeout=timeout)
            if self._answer is not None:
                group.wait(timeout=LEAVE_SECONDS)
        error = self._error(group)
        self._close(error)
        return RunOutcome(
            steps=self._states.steps,
            result=None if error is not None or self._answer is None else self._content(self._answer),
            error=error,
            log=masked(group.log.text(), self._secrets),
            seconds=round(self._clock() - start, 6),
        )

    def _until_answered(self, group: ProcessGroup, *, start: float, timeout: float | None) -> ActiumError | None:
        """Take messages until the answer; says why there is none, unless the child has just died."""
        asked = time.monotonic()
        while True:
            has_ended = group.has_ended()
            was_quiet = not self._take_all(group)
            if self._answer is not None or (has_ended and was_quiet):
                return None
            if timeout is not None and self._clock() >= start + timeout:
                return PipelineTimeoutError(
                    f"The run was killed because it took longer than {timeout:g} seconds.",
                    hint="Set run_config.timeout to more, or to null for no limit.",
                )
            if self._is_cancelled is not None and time.monotonic() >= asked + POLL_SECONDS:
                asked = time.monotonic()
                if self._is_cancelled():
                    return ExecutionCancelled("The run was killed because its execution was cancelled.")

    def _take_all(self, group: ProcessGroup) -> bool:
        """Wait a moment for messages and take in all there are; says whether there were any."""
        line = group.next_line(timeout=POLL_SECONDS)
        if line is None:
            return False
        changed = False
        while line is not None:
            changed |= self._take(group, line)
            line = group.next_line(timeout=0)
        if changed and self._on_change is not None:
            self._on_change(self._states.steps)
        return True

    def _take(self, group: ProcessGroup, line: bytes) -> bool:
        message = _message(line)
        if message is not None and "secrets" in message:
            self._secrets += tuple(message["secrets"])
            return False
        message = masked(message, self._secrets)
        if message is None:
            group.log.add(line)  # printed before the child had taken over its standard output
            return False
        if "answer" in message:
            self._answer = message
            return False
        return self._states.take(message)

    def _content(self, answer: Mapping[str, Any]) -> Any:
        return answer["description"] if answer["answer"] == "described" else answer["result"]

    def _error(self, group: ProcessGroup) -> ActiumError | None:
        if self._unanswered is not None:
            return self._unanswered
        if self._answer is None:
            where = self._where()
            return PipelineRunError(
                f"The pipeline's process {group.exit_described()}{where} before it was done.",
                hint="The end of its log may say why.",
            )
        match self._answer["answer"]:
            case "refused":
                return read_error(self._answer["error"])
            case "failed":
                return PipelineRunError(self._failure(self._answer))
        return None

    def _failure(self, answer: Mapping[str, Any]) -> str:
        failed = next((state for state in self._states.steps if state.status is StepStatus.FAILED), None)
        if failed is not None:
            times = "" if failed.attempts < 2 else f" {failed.attempts} times"
            return f"The step {failed.name!r} failed{times}: {failed.error}"
        if answer["type"] == _WORKER_DIED:
            return f"A process died{self._where()}: {answer['type']}: {answer['message']}"
        if answer["type"] == "RuntimeError":  # raised by what is called for the steps, as a whole sentence
            return str(answer["message"])
        return f"The pipeline failed{self._where()}: {answer['type']}: {answer['message']}"

    def _where(self) -> str:
        running = self._states.running()
        return f" in the step {', '.join(map(repr, running))}" if running else ""

    def _close(self, error: ActiumError | None) -> None:
        """Give the steps that did not end the reason for that."""
        if error is None:
            self._states.succeed()
        else:
            self._states.stop(
                reason=StepError(type=type(error).__name__, message=error.message),
                running_status=StepStatus.FAILED if self._is_to_blame_on_running(error) else StepStatus.SKIPPED,
            )
        if self._on_change is not None:
            self._on_change(self._states.steps)

    def _is_to_blame_on_running(self, error: ActiumError) -> bool:
        """Whether the steps that were running are why the run failed: they took too long, or their process died."""
        if self._answer is None:
            return not isinstance(error, ExecutionCancelled)
        return bool(self._answer.get("type") == _WORKER_DIED)


def _message(line: bytes) -> dict[str, Any] | None:
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) and message.keys() & {"answer", "step", "secrets"} else None
