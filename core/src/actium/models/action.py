"""Actions: stored, named configurations of one flavor."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import Field

from actium.models.account import ServiceAccountResponse
from actium.models.base import BaseRequest, BaseResponse, Name, ResponsePart, Text
from actium.models.page import BaseFilter, Columns
from actium.models.resource import ResourceReference
from actium.models.run_policy import RunPolicy
from actium.models.tracing import TraceChoice, TraceMode
from actium.models.updates import BaseUpdate

MAX_AUTH_WINDOW = 525_600
"""The longest auth window in minutes: a year."""

AuthWindow = Annotated[int, Field(ge=0, le=MAX_AUTH_WINDOW)]
"""Minutes that an execution's token is valid, up to a year; 0 means no limit."""

Labels = Annotated[dict[Name, Text], Field(max_length=64)]
"""Up to 64 names with a text each, for people and for filters."""


class ActionStatus(StrEnum):
    """Where an action is in its life. All but ``ready`` last only while a change is being made."""

    CREATING = "creating"
    """Stored; the flavor is still provisioning what it needs."""
    READY = "ready"
    """Usable."""
    UPDATING = "updating"
    """The new configuration is stored; the flavor is still adapting to it. Executions run the old revision."""
    DELETING = "deleting"
    """The flavor is giving back what it provisioned. Nothing new starts."""


class ActionRequest(BaseRequest):
    """An action to create.

    Attributes:
        name: Unique in its project.
        description: What it is for.
        plugin_subtype: The first half of the flavor's key, e.g. ``pipeline_run``.
        flavor: The second half of the flavor's key, e.g. ``builtin``.
        configuration: What the flavor's config model takes.
        service_account_id: On whose behalf its executions act.
        auth_window: Minutes that an execution's token is valid; 0 is no limit, None the flavor's default.
        labels: For people and for filters.
        enabled: Whether it runs; executions of a disabled action are skipped with that reason.
        run_policy: How often, how long and how many at once its executions are run.
        trace: When traces of its attempts are kept.
        project: The project it belongs to; None for the application's.
    """

    name: Name
    description: Text = ""
    plugin_subtype: Name
    flavor: Name
    configuration: dict[str, Any] = Field(default_factory=dict)
    service_account_id: UUID
    auth_window: AuthWindow | None = None
    labels: Labels = Field(default_factory=dict)
    enabled: bool = True
    run_policy: RunPolicy = Field(default_factory=RunPolicy)
    trace: TraceChoice = TraceMode.ON_FAILURE
    project: Name | None = None


class ActionUpdate(BaseUpdate):
    """What to change; what is absent stays. A configuration replaces the old one whole.

    Flavor, subtype and project never change. See `ActionRequest` for the fields.
    """

    CLEARABLE: ClassVar[dict[str, object]] = {
        "description": "",
        "auth_window": None,
        "labels": {},
        "run_policy": RunPolicy(),
        "trace": TraceMode.ON_FAILURE,
    }

    name: Name | None = None
    description: Text | None = None
    configuration: dict[str, Any] | None = None
    service_account_id: UUID | None = None
    auth_window: AuthWindow | None = None
    labels: Labels | None = None
    enabled: bool | None = None
    run_policy: RunPolicy | None = None
    trace: TraceChoice | None = None


class ActionBody(ResponsePart):
    """The body of an action.

    Attributes:
        project: The project it belongs to.
        plugin_subtype: The first half of the flavor's key.
        flavor: The second half of the flavor's key.
        enabled: Whether it runs.
        status: Where it is in its life.
        version: Counts the changes; give it to an update to guard against a lost one.
        revision: The number of its latest usable revision, which new executions run; 0 while it is being created.
        service_account_id: On whose behalf its executions act.
        created: When it was made.
        updated: When it was last changed.
        problem: Why it could not run now, e.g. that its flavor is not installed; None when nothing is known.
        warnings: What was odd about the request, e.g. configuration keys that were ignored.
    """

    project: str
    plugin_subtype: str
    flavor: str
    enabled: bool
    status: ActionStatus
    version: int
    revision: int
    service_account_id: UUID
    created: datetime
    updated: datetime
    problem: str | None = None
    warnings: tuple[str, ...] = ()


class ActionMetadata(ResponsePart):
    """The metadata of an action.

    Attributes:
        description: What it is for.
        configuration: As the flavor's config model wrote it, defaults made explicit, secrets as references.
        auth_window: Minutes that an execution's token is valid, settled when the action was stored; 0 is no limit.
        labels: For people and for filters.
        run_policy: How often, how long and how many at once its executions are run.
        trace: When traces of its attempts are kept.
        distribution: Which distribution provided the flavor when the action was stored last.
        distribution_version: That distribution's version.
    """

    description: str
    configuration: dict[str, Any]
    auth_window: int | None
    labels: dict[str, str]
    run_policy: RunPolicy
    trace: TraceMode
    distribution: str | None
    distribution_version: str | None


class ActionResources(ResponsePart):
    """What an action refers to.

    Attributes:
        service_account: On whose behalf its executions act.
        referenced: What its flavor's ``extract_resources`` reported, by type.
    """

    service_account: ServiceAccountResponse
    referenced: dict[str, ResourceReference] = Field(default_factory=dict)


class ActionResponse(BaseResponse[ActionBody, ActionMetadata, ActionResources]):
    """An action."""

    @property
    def project(self) -> str:
        """The project it belongs to."""
        return self.body.project

    @property
    def plugin_subtype(self) -> str:
        """The first half of the flavor's key."""
        return self.body.plugin_subtype

    @property
    def flavor(self) -> str:
        """The second half of the flavor's key."""
        return self.body.flavor

    @property
    def enabled(self) -> bool:
        """Whether it runs."""
        return self.body.enabled

    @property
    def status(self) -> ActionStatus:
        """Where it is in its life."""
        return self.body.status

    @property
    def version(self) -> int:
        """Counts the changes."""
        return self.body.version

    @property
    def revision(self) -> int:
        """The number of its latest usable revision."""
        return self.body.revision

    @property
    def problem(self) -> str | None:
        """Why it could not run now."""
        return self.body.problem

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was odd about the request."""
        return self.body.warnings

    @property
    def service_account_id(self) -> UUID:
        """On whose behalf its executions act."""
        return self.body.service_account_id

    @property
    def description(self) -> str:
        """What it is for (hydrated)."""
        return self.get_metadata().description

    @property
    def configuration(self) -> dict[str, Any]:
        """The configuration (hydrated)."""
        return self.get_metadata().configuration

    @property
    def auth_window(self) -> int | None:
        """Minutes that an execution's token is valid (hydrated)."""
        return self.get_metadata().auth_window

    @property
    def labels(self) -> dict[str, str]:
        """For people and for filters (hydrated)."""
        return self.get_metadata().labels

    @property
    def run_policy(self) -> RunPolicy:
        """How its executions are run (hydrated)."""
        return self.get_metadata().run_policy

    @property
    def trace(self) -> TraceMode:
        """When traces of its attempts are kept (hydrated)."""
        return self.get_metadata().trace

    def set_configuration(self, configuration: dict[str, Any]) -> None:
        """Replace the configuration in this response.

        What a handler sets while it processes an action is validated and stored, in place of the config object.
        """
        self.get_metadata().configuration = configuration


class ActionRevisionResponse(ResponsePart):
    """One usable state that an action was in.

    Attributes:
        number: Counts from 1.
        change: What led to it: ``created``, ``updated`` or ``deleted``.
        changed: When.
        changed_by: Who.
        fields: Every field of the action after the change.
        before: The fields that the change replaced, with their old values.
        problem: What was overruled by force, None as a rule.
    """

    number: int
    change: str
    changed: datetime
    changed_by: str
    fields: dict[str, Any]
    before: dict[str, Any]
    problem: str | None = None


class ActionFilter(BaseFilter):
    """Which actions to list.

    Attributes:
        labels: Labels that they must have, by name, each as other columns are given: ``{"team": "startswith:data"}``.
    """

    COLUMNS: ClassVar[Columns] = {
        "id": UUID,
        "name": str,
        "plugin_subtype": str,
        "flavor": str,
        "service_account_id": UUID,
        "enabled": bool,
        "status": str,
        "labels": dict,
        "created": datetime,
        "updated": datetime,
    }

    id: UUID | str | list[UUID | str] | None = None
    name: str | list[str] | None = None
    plugin_subtype: str | list[str] | None = None
    flavor: str | list[str] | None = None
    service_account_id: UUID | str | list[UUID | str] | None = None
    enabled: bool | str | None = None
    labels: dict[str, str | list[str]] | str | list[str] | None = None
    status: ActionStatus | str | list[str] | None = None
    created: datetime | str | list[datetime | str] | None = None
    updated: datetime | str | list[datetime | str] | None = None
