"""One run of an action: executed in a child process, and recorded step by step as a resource in the store."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from actium.errors import ActiumError, ExecutionCancelled, StoreBusyError
from actium.models.execution import ExecutionStatus, StepProgress, TriggerExecutionResponse
from actium.stores.base_store import BaseStore
from actium_pipeline_run.configuration import PipelineRunConfiguration
from actium_pipeline_run.orders import RunOrder
from actium_pipeline_run.runner import RunOutcome, run_pipeline
from actium_pipeline_run.snapshot import PipelineRun, PipelineSnapshot
from actium_pipeline_run.states import StepState
from actium_pipeline_run.stored_pipelines import Stored, insert_run, unfinished_runs, update_run

EXECUTION_ID = "ACTIUM_EXECUTION_ID"
TOKEN = "ACTIUM_TOKEN"  # noqa: S105 - the name of a variable
WORKER_DIED = "Its worker ended before it did; another attempt has begun."

logger = logging.getLogger(__name__)

Report = Callable[[Sequence[StepProgress]], None]


def execute(
    store: BaseStore,
    snapshot: Stored[PipelineSnapshot],
    run_config: PipelineRunConfiguration,
    execution: TriggerExecutionResponse,
    *,
    token: str,
    report: Report,
    is_cancelled: Callable[[], bool],
) -> dict[str, Any]:
    """Run a snapshot for an execution, and keep what happens as a `PipelineRun`.

    Args:
        store: Where the run is kept.
        snapshot: What to run.
        run_config: With which values, and where.
        execution: The execution; its id is handed to the steps by environment.
        token: What the steps authenticate with; handed to them by environment as well.
        report: Takes the progress of the steps.
        is_cancelled: Whether the execution is to end.

    Returns:
        The ids of the run and of the snapshot, and what the pipeline returned.

    Raises:
        ExecutionCancelled: It was cancelled.
        PipelineTimeoutError: It took too long.
        SourceChangedError: The pipeline's files are not what they were.
        PipelineRunError, InvalidInputError: A step failed, or the run could not begin.
    """
    recorder = _Recorder(store, _new_run(snapshot, run_config, execution), execution, report, is_cancelled)
    with recorder.told_of_interruption():
        outcome = _run(snapshot, run_config, execution, token=token, recorder=recorder)
    run = recorder.finish(outcome)
    if outcome.error is not None:
        outcome.error.add_note(f"The pipeline run {run.name} ({run.id}) keeps its steps and the end of its log.")
        raise outcome.error
    return {
        "pipeline_run_id": str(run.id),
        "pipeline_run": run.name,
        "snapshot": snapshot.name,
        "result": outcome.result,
    }


def _run(
    snapshot: Stored[PipelineSnapshot],
    run_config: PipelineRunConfiguration,
    execution: TriggerExecutionResponse,
    *,
    token: str,
    recorder: _Recorder,
) -> RunOutcome:
    return run_pipeline(
        RunOrder(
            run=secrets.token_hex(16),
            source=snapshot.body.source,
            steps=snapshot.body.graph.names,
            parameters=run_config.parameters,
            step_parameters=run_config.step_parameters(),
            step_retries=run_config.step_retries(),
            scheduler=run_config.scheduler,
        ),
        environment={EXECUTION_ID: str(execution.id), TOKEN: token},
        timeout=run_config.timeout,
        on_change=recorder.change,
        is_cancelled=recorder.is_cancelled,
        secrets=(token,),
    )


def _new_run(
    snapshot: Stored[PipelineSnapshot], run_config: PipelineRunConfiguration, execution: TriggerExecutionResponse
) -> PipelineRun:
    return PipelineRun(
        run_name=run_config.run_name or snapshot.body.pipeline,
        pipeline=snapshot.body.pipeline,
        snapshot=snapshot.name,
        snapshot_id=snapshot.id,
        action=execution.name,
        execution_id=execution.id,
        attempt=execution.attempt,
        tags=run_config.tags,
        scheduler=run_config.scheduler,
        parameters=run_config.parameters,
        step_parameters=run_config.step_parameters(),
        started=datetime.now(UTC),
        steps=tuple(StepState(name=name) for name in snapshot.body.graph.names),
    )


class _Recorder:
    """Writes what happens in a run into the store. A store that is busy for a while does not end the run."""

    def __init__(
        self,
        store: BaseStore,
        run: PipelineRun,
        execution: TriggerExecutionResponse,
        report: Report,
        is_cancelled: Callable[[], bool],
    ) -> None:
        self._store = store
        self._report = report
        self._is_cancelled = is_cancelled
        for earlier in unfinished_runs(store, execution.project, run):
            ended = earlier.body.model_copy(update={"status": ExecutionStatus.FAILED, "error": WORKER_DIED})
            update_run(store, earlier, ended)
        self._stored = insert_run(store, execution.project, run)
        self.change(run.steps)

    def change(self, steps: tuple[StepState, ...]) -> None:
        """Record how far the steps are."""
        try:
            self._stored = update_run(self._store, self._stored, self._stored.body.model_copy(update={"steps": steps}))
            self._report([_progress(step) for step in steps])
        except StoreBusyError as error:
            logger.warning("The progress of the run %s could not be recorded yet: %s", self._stored.name, error)

    def is_cancelled(self) -> bool:
        """Whether the execution is to end; not yet, where that cannot be asked at the moment."""
        try:
            return self._is_cancelled()
        except StoreBusyError as error:
            logger.warning("Whether the run %s is cancelled cannot be told yet: %s", self._stored.name, error)
            return False

    @contextmanager
    def told_of_interruption(self) -> Iterator[None]:
        """Record that whoever follows the run was interrupted, where that happens inside; the run is ended then."""
        try:
            yield
        except BaseException as error:
            interrupted = {
                "status": ExecutionStatus.FAILED,
                "finished": datetime.now(UTC),
                "error": f"It was ended because its worker was interrupted: {type(error).__name__}: {error}",
            }
            try:
                update_run(self._store, self._stored, self._stored.body.model_copy(update=interrupted))
            except ActiumError as further:
                error.add_note(f"That could not be recorded with the run {self._stored.name}: {further}")
            raise

    def finish(self, outcome: RunOutcome) -> Stored[PipelineRun]:
        """Record how the run ended."""
        ended = self._stored.body.model_copy(
            update={
                "status": _status(outcome.error),
                "finished": datetime.now(UTC),
                "seconds": outcome.seconds,
                "steps": outcome.steps,
                "result": outcome.result,
                "error": None if outcome.error is None else str(outcome.error),
                "log": outcome.log,
            }
        )
        self._stored = update_run(self._store, self._stored, ended)
        return self._stored


def _status(error: ActiumError | None) -> ExecutionStatus:
    if error is None:
        return ExecutionStatus.SUCCEEDED
    return ExecutionStatus.CANCELLED if isinstance(error, ExecutionCancelled) else ExecutionStatus.FAILED


def _progress(step: StepState) -> StepProgress:
    return StepProgress(
        name=step.name,
        status=step.status.value,
        seconds=step.seconds,
        error=None if step.error is None else str(step.error),
    )
