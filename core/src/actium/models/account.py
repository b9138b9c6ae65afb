"""Service accounts: on whose behalf executions act."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from actium.models.base import BaseRequest, BaseResponse, Name, NoResources, ResponsePart, Text
from actium.models.page import BaseFilter, Columns
from actium.models.updates import BaseUpdate


class ServiceAccountRequest(BaseRequest):
    """A service account to create.

    Attributes:
        name: Unique in its project.
        description: What it is for.
        active: Whether executions may act as it.
        project: The project it belongs to; None for the application's.
    """

    name: Name
    description: Text = ""
    active: bool = True
    project: Name | None = None


class ServiceAccountUpdate(BaseUpdate):
    """What to change; what is absent stays. See `ServiceAccountRequest` for the fields."""

    CLEARABLE: ClassVar[dict[str, object]] = {"description": ""}

    name: Name | None = None
    description: Text | None = None
    active: bool | None = None


class ServiceAccountBody(ResponsePart):
    """The body of a service account.

    Attributes:
        project: The project it belongs to.
        active: Whether executions may act as it.
        version: Counts the changes; give it to an update to guard against a lost one.
        created: When it was made.
        updated: When it was last changed.
    """

    project: str
    active: bool
    version: int
    created: datetime
    updated: datetime


class ServiceAccountMetadata(ResponsePart):
    """The metadata of a service account.

    Attributes:
        description: What it is for.
    """

    description: str


class ServiceAccountResponse(BaseResponse[ServiceAccountBody, ServiceAccountMetadata, NoResources]):
    """A service account."""

    @property
    def active(self) -> bool:
        """Whether executions may act as it."""
        return self.body.active

    @property
    def version(self) -> int:
        """Counts the changes."""
        return self.body.version

    @property
    def description(self) -> str:
        """What it is for (hydrated)."""
        return self.get_metadata().description


class ServiceAccountFilter(BaseFilter):
    """Which service accounts to list."""

    COLUMNS: ClassVar[Columns] = {
        "id": UUID,
        "name": str,
        "active": bool,
        "created": datetime,
        "updated": datetime,
    }

    id: UUID | str | list[UUID | str] | None = None
    name: str | list[str] | None = None
    active: bool | str | None = None
    created: datetime | str | list[datetime | str] | None = None
    updated: datetime | str | list[datetime | str] | None = None
