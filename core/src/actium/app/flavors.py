"""Flavors, as callers look at them."""

from __future__ import annotations

import reprlib
import sys

from actium.app.doors import reference_text
from actium.errors import InvalidInputError, InvalidQueryError
from actium.models.flavor import ActionFlavorResponse
from actium.models.kinds import PluginType
from actium.models.page import MAX_PAGE_SIZE, Page
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
            InvalidInputError: The type is no lower-case word.
            InvalidQueryError: There is no such page, or there can be none of this size.
        """
        _check_page(index, max_size)
        return self._registry.list_flavors(_plugin_type(type), subtype, index=index, max_size=max_size, hydrate=hydrate)

    def get(self, key: str, *, type: PluginType = PluginType.ACTION, hydrate: bool = True) -> ActionFlavorResponse:
        """Read a flavor by its key, ``subtype.flavor``, with its schema when hydrated.

        Raises:
            InvalidInputError: The key is not of that form, or the type is no lower-case word.
            FlavorNotFoundError: There is no such flavor.
        """
        subtype, dot, flavor = reference_text(key, "flavor").partition(".")
        if not dot:
            raise InvalidInputError(
                f"{key!r} is no flavor key.", hint="Write subtype.flavor, e.g. pipeline_run.builtin."
            )
        return self._registry.flavor_response(FlavorKey(_plugin_type(type), subtype, flavor), hydrate=hydrate)

    def register(self, flavor: type[BasePluginFlavor]) -> None:
        """Register a flavor that was made in code, for this application only.

        Raises:
            PluginError: It is not complete, or another has its key.
        """
        self._registry.register_plugin_flavor(flavor)


def _check_page(index: int, max_size: int) -> None:
    _check_number("index", index, sys.maxsize)
    _check_number("max_size", max_size, MAX_PAGE_SIZE)


def _check_number(name: str, given: object, largest: int) -> None:
    if not isinstance(given, int) or not 1 <= given <= largest:
        raise InvalidQueryError(
            f"There is no page with the {name} {reprlib.repr(given)}.",
            hint=f"Pages are counted from 1, and have 1 to {MAX_PAGE_SIZE:,} items.",
        )


def _plugin_type(given: str) -> PluginType:
    return PluginType(reference_text(given, "plugin type"))
