"""The flavor ``pipeline_run.builtin``: runs a snapshot of a pipeline.

Importing this imports neither Dask nor what runs a pipeline; both happen when they are needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from pydantic import Field

from actium.actions.base_action import ActionConfig, BaseActionFlavor, BaseActionHandler
from actium.auth.context import AuthContext
from actium.errors import FieldProblem, InvalidConfigurationError, NotFoundError
from actium.models.action import ActionRequest, ActionResponse, ActionUpdate
from actium.models.base import DEFAULT_PROJECT, BaseResponse
from actium.models.execution import TriggerExecutionResponse
from actium.models.kinds import ResourceType
from actium_pipeline_run.configuration import PipelineRunConfiguration


class PipelineRunActionConfiguration(ActionConfig):
    """What an action of this flavor is: a snapshot, and what differs in its runs."""

    snapshot_id: UUID = Field(description="The snapshot to run; `actium pipeline snapshot` takes one.")
    run_config: PipelineRunConfiguration | None = Field(
        default=None, description="What differs in its runs; by default nothing."
    )


class PipelineRunActionHandler(BaseActionHandler):
    """Checks configurations against their snapshots, and runs them in child processes."""

    @property
    def config_class(self) -> type[PipelineRunActionConfiguration]:
        """The model of this flavor's configurations."""
        return PipelineRunActionConfiguration

    @property
    def flavor_class(self) -> type[PipelineRunActionFlavor]:
        """The flavor that names this handler."""
        return PipelineRunActionFlavor

    def validate_action_request(self, action: ActionRequest, config: PipelineRunActionConfiguration) -> None:
        """Refuse a snapshot, step or parameter that does not exist, and a value of a wrong type."""
        self._check(config, action.project or DEFAULT_PROJECT)

    def validate_action_update(
        self,
        action: ActionResponse,
        config: PipelineRunActionConfiguration | None,
        action_update: ActionUpdate,
        config_update: PipelineRunActionConfiguration,
    ) -> None:
        """Refuse the same in a configuration that is new; renaming never fails for an old one."""
        if "configuration" in action_update.model_fields_set:
            self._check(config_update, action.project)

    def extract_resources(
        self, action_config: PipelineRunActionConfiguration, hydrate: bool = False
    ) -> Mapping[ResourceType, BaseResponse[Any, Any, Any]]:
        """The snapshot and its pipeline."""
        from actium.stores.responses import resource_response
        from actium_pipeline_run.snapshot import PIPELINE, PIPELINE_SNAPSHOT, Pipeline, PipelineSnapshot
        from actium_pipeline_run.stored_pipelines import read

        snapshot = read(self.store, PipelineSnapshot, action_config.snapshot_id)
        pipeline = read(self.store, Pipeline, snapshot.body.pipeline_id)
        return {
            PIPELINE_SNAPSHOT: resource_response(snapshot.record, hydrate=hydrate),
            PIPELINE: resource_response(pipeline.record, hydrate=hydrate),
        }

    def run(
        self,
        config: PipelineRunActionConfiguration,
        trigger_execution: TriggerExecutionResponse,
        auth_context: AuthContext,
    ) -> dict[str, Any]:
        """Run the snapshot, and keep what happens as a pipeline run."""
        from actium_pipeline_run.recorded_run import execute

        snapshot = self._check(config, trigger_execution.project)
        return execute(
            self.store,
            snapshot,
            config.run_config or PipelineRunConfiguration(),
            trigger_execution,
            token=auth_context.access_token.get_secret_value(),
            report=lambda steps: self.report_progress(trigger_execution, steps),
            is_cancelled=lambda: self.cancel_requested(trigger_execution),
        )

    def _check(self, config: PipelineRunActionConfiguration, project: str) -> Any:
        from actium_pipeline_run.checking import run_problems
        from actium_pipeline_run.snapshot import PipelineSnapshot
        from actium_pipeline_run.stored_pipelines import read

        try:
            snapshot = read(self.store, PipelineSnapshot, config.snapshot_id)
        except NotFoundError as error:
            raise _no_snapshot(config.snapshot_id, project) from error
        if snapshot.record.project != project:
            raise _no_snapshot(config.snapshot_id, project)
        problems = [
            FieldProblem(f"run_config.{problem.path}", problem.problem, problem.value, problem.expected)
            for problem in run_problems(snapshot.body, config.run_config or PipelineRunConfiguration())
        ]
        if problems:
            raise InvalidConfigurationError(
                f"This configuration does not fit the snapshot {snapshot.name}.",
                problems=problems,
                hint=f"`actium pipeline show {snapshot.name}` shows its steps and parameters.",
            )
        return snapshot


class PipelineRunActionFlavor(BaseActionFlavor):
    """Runs a pipeline of Python steps, from a snapshot of it, on Dask."""

    SUBTYPE: ClassVar[str] = "pipeline_run"
    FLAVOR: ClassVar[str] = "builtin"
    PLUGIN_CLASS: ClassVar[type[BaseActionHandler]] = PipelineRunActionHandler
    ACTION_CONFIG_CLASS: ClassVar[type[ActionConfig]] = PipelineRunActionConfiguration


def _no_snapshot(snapshot_id: UUID, project: str) -> InvalidConfigurationError:
    problem = FieldProblem("snapshot_id", f"there is no such snapshot in the project {project!r}", str(snapshot_id))
    return InvalidConfigurationError(
        "This configuration names no snapshot.",
        problems=[problem],
        hint="`actium pipeline list` shows the pipelines and their latest snapshots.",
    )
