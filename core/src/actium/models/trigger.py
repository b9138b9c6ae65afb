"""Triggers: which events run which action."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from pydantic import Field

from actium.models.action import ActionResponse
from actium.models.base import BaseRequest, BaseResponse, Name, ResponsePart, Text
from actium.models.page import BaseFilter, Columns
from actium.models.updates import BaseUpdate


class TriggerRequest(BaseRequest):
    """A trigger to create.

    Attributes:
        name: Unique in its project.
        description: What it is for.
        action_id: The action to run.
        filters: CloudEvents filters, all of which must hold, e.g. ``[{"exact": {"type": "com.example.arrived"}}]``.
        match_all: Says that every event is meant; needed where ``filters`` is empty, refused where it is not.
        is_active: Whether events are matched.
        project: The project it belongs to; None for the application's; the action must belong to it too.
    """

    name: Name
    description: Text = ""
    action_id: UUID
    filters: list[dict[str, Any]] = Field(default_factory=list)
    match_all: bool = False
    is_active: bool = True
    project: Name | None = None


class TriggerUpdate(BaseUpdate):
    """What to change; what is absent stays. See `TriggerRequest` for the fields."""

    CLEARABLE: ClassVar[dict[str, object]] = {"description": ""}

    name: Name | None = None
    description: Text | None = None
    filters: list[dict[str, Any]] | None = None
    match_all: bool | None = None
    is_active: bool | None = None


class TriggerBody(ResponsePart):
    """The body of a trigger.

    Attributes:
        project: The project it belongs to.
        action_id: The action it runs.
        is_active: Whether events are matched.
        version: Counts the changes; give it to an update to guard against a lost one.
        created: When it was made.
        updated: When it was last changed.
    """

    project: str
    action_id: UUID
    is_active: bool
    version: int
    created: datetime
    updated: datetime


class TriggerMetadata(ResponsePart):
    """The metadata of a trigger.

    Attributes:
        description: What it is for.
        filters: CloudEvents filters, all of which must hold.
        match_all: Whether every event is meant.
    """

    description: str
    filters: list[dict[str, Any]]
    match_all: bool


class TriggerResources(ResponsePart):
    """What a trigger refers to.

    Attributes:
        action: The action it runs.
    """

    action: ActionResponse


class TriggerResponse(BaseResponse[TriggerBody, TriggerMetadata, TriggerResources]):
    """A trigger."""

    @property
    def project(self) -> str:
        """The project it belongs to."""
        return self.body.project

    @property
    def action_id(self) -> UUID:
        """The action it runs."""
        return self.body.action_id

    @property
    def is_active(self) -> bool:
        """Whether events are matched."""
        return self.body.is_active

    @property
    def version(self) -> int:
        """Counts the changes."""
        return self.body.version

    @property
    def description(self) -> str:
        """What it is for (hydrated)."""
        return self.get_metadata().description

    @property
    def filters(self) -> list[dict[str, Any]]:
        """CloudEvents filters, all of which must hold (hydrated)."""
        return self.get_metadata().filters

    @property
    def match_all(self) -> bool:
        """Whether every event is meant (hydrated)."""
        return self.get_metadata().match_all


class TriggerFilter(BaseFilter):
    """Which triggers to list."""

    COLUMNS: ClassVar[Columns] = {
        "id": UUID,
        "name": str,
        "action_id": UUID,
        "is_active": bool,
        "created": datetime,
        "updated": datetime,
    }

    id: UUID | str | list[UUID | str] | None = None
    name: str | list[str] | None = None
    action_id: UUID | str | list[UUID | str] | None = None
    is_active: bool | str | None = None
    created: datetime | str | list[datetime | str] | None = None
    updated: datetime | str | list[datetime | str] | None = None
