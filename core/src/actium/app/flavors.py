"""Flavors, as callers look at them."""

from __future__ import annotations

from actium.errors import InvalidInputError
from actium.models.flavor import ActionFlavorResponse
from actium.models.kinds import PluginType
from actium.models.page import Page
from actium.plugins.base_plugin_flavor import BasePluginFlavor
from actium.plugins.registry import FlavorKey, PluginFlavorRegistry


class Flavors:
    """The flavors that an application sees."""

    def __init__(self, registry: PluginFlavorRegistry) -> None:
        self._registry = registry

    def list(
        self,
        *,
        type: PluginType = PluginType.ACTION,
        subtype: str | None = None,
        index: int = 1,
        max_size: int = 20,
        hydrate: bool = False,
    ) -> Page[ActionFlavorResponse]:
        """List flavors. Only hydrating imports plugins; a broken one is listed with its problem.

        Raises:
            InvalidQueryError: There is no such page.
        """
        return self._registry.list_flavors(type, subtype, index=index, max_size=max_size, hydrate=hydrate)

    def get(self, key: str, *, type: PluginType = PluginType.ACTION, hydrate: bool = True) -> ActionFlavorResponse:
        """Read a flavor by its key, ``subtype.flavor``, with its schema when hydrated.

        Raises:
            InvalidInputError: The key is not of that form.
            FlavorNotFoundError: There is no such flavor.
        """
        subtype, dot, flavor = key.partition(".")
        if not dot:
            raise InvalidInputError(
                f"{key!r} is no flavor key.", hint="Write subtype.flavor, e.g. pipeline_run.builtin."
            )
        return self._registry.flavor_response(FlavorKey(str(type), subtype, flavor), hydrate=hydrate)

    def register(self, flavor: type[BasePluginFlavor]) -> None:
        """Register a flavor that was made in code, for this application only.

        Raises:
            PluginError: It is not complete, or another has its key.
        """
        self._registry.register_plugin_flavor(flavor)
