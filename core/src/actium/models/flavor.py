"""Flavors, as a listing shows them."""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from actium.models.base import BaseResponse, NoResources, ResponsePart
from actium.models.kinds import PluginType


class FlavorBody(ResponsePart):
    """The body of a flavor.

    Attributes:
        type: What kind of plugin it is.
        plugin_subtype: The first half of its key.
        flavor: The second half of its key.
        distribution: What to ``pip install``; None for a flavor made in code.
        version: The distribution's version.
        state: ``found``, ``loaded``, ``blocked`` or ``quarantined``.
        problem: Why it is blocked or quarantined.
    """

    type: PluginType
    plugin_subtype: str
    flavor: str
    distribution: str | None = None
    version: str | None = None
    state: str
    problem: str | None = None


class ActionFlavorMetadata(ResponsePart):
    """The metadata of an action flavor.

    Attributes:
        config_schema: The JSON schema of its configuration.
        description: The first paragraph of its class's docstring.
    """

    config_schema: dict[str, Any]
    description: str = ""


class ActionFlavorResponse(BaseResponse[FlavorBody, ActionFlavorMetadata, NoResources]):
    """An action flavor; its name is its key, ``subtype.flavor``."""

    @property
    def key(self) -> str:
        """``subtype.flavor``."""
        return self.name

    @property
    def state(self) -> str:
        """``found``, ``loaded``, ``blocked`` or ``quarantined``."""
        return self.body.state

    @property
    def config_schema(self) -> dict[str, Any]:
        """The JSON schema of its configuration (hydrated)."""
        return self.get_metadata().config_schema


def flavor_id(plugin_type: str, key: str) -> UUID:
    """The id of a flavor: the same for the same key, everywhere."""
    return uuid5(NAMESPACE_URL, f"actium:{plugin_type}:{key}")
