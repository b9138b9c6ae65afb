"""Resources: things that actions refer to, kept by plugins under a type and a name."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from actium.models.base import BaseResponse, NoResources, ResponsePart
from actium.models.kinds import ResourceType
from actium.models.page import BaseFilter, Columns


class ResourceBody(ResponsePart):
    """The body of a resource.

    Attributes:
        type: What kind of thing it is.
        project: The project it belongs to.
        created: When it was made.
        updated: When it was last changed.
    """

    type: ResourceType
    project: str
    created: datetime
    updated: datetime


class ResourceMetadata(ResponsePart):
    """The metadata of a resource.

    Attributes:
        content: What the plugin keeps, as JSON.
    """

    content: dict[str, Any]


class ResourceResponse(BaseResponse[ResourceBody, ResourceMetadata, NoResources]):
    """A stored resource of a plugin."""


class ResourceReference(ResponsePart):
    """Which resource an action refers to.

    Attributes:
        type: What kind of thing it is.
        id: Its id.
        name: Its name when the action was stored.
    """

    type: ResourceType
    id: UUID
    name: str


class ResourceFilter(BaseFilter):
    """Which resources to list."""

    COLUMNS: ClassVar[Columns] = {
        "id": UUID,
        "type": str,
        "name": str,
        "created": datetime,
        "updated": datetime,
    }

    id: UUID | str | list[UUID | str] | None = None
    type: str | list[str] | None = None
    name: str | list[str] | None = None
    created: datetime | str | list[datetime | str] | None = None
    updated: datetime | str | list[datetime | str] | None = None
