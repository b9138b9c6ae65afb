"""What all plugins are made of, whatever their type: a flavor that names them, a configuration, and the working object.

Action flavors build on this in `actium.actions.base_action`; other types of plugin can be added in the same way.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from actium.errors import NotConfiguredError
from actium.models.base import BaseResponse
from actium.models.kinds import PluginType
from actium.plugins.origin import Origin
from actium.stores.base_store import BaseStore


class BasePluginConfig(BaseModel):
    """Base of the configurations of plugins.

    Keys that no field has are ignored, so that a configuration outlives a field that a newer version drops; what was
    ignored is reported where the configuration was given.
    """

    model_config = ConfigDict(extra="ignore", frozen=False, hide_input_in_errors=True)  # tracebacks show no secrets


class BasePlugin(ABC):
    """Base of the objects that do a plugin's work. One is made for each flavor and application, at its first use."""

    _store: BaseStore | None = None
    _origin: Origin | None = None

    @property
    @abstractmethod
    def config_class(self) -> type[BasePluginConfig]:
        """The model of this plugin's configurations."""

    @property
    @abstractmethod
    def flavor_class(self) -> type[BasePluginFlavor]:
        """The flavor that names this plugin."""

    @property
    def store(self) -> BaseStore:
        """The application's store.

        Raises:
            NotConfiguredError: This plugin was made by hand and never given one.
        """
        if self._store is None:
            raise NotConfiguredError(
                f"{type(self).__name__} has no store.",
                hint="Get the plugin from an open Actium application, or call attach(store) first.",
            )
        return self._store

    @property
    def origin(self) -> Origin:
        """Which distribution this plugin comes from, as far as is known."""
        return self._origin or Origin(self.flavor_class.key())

    def attach(self, store: BaseStore, origin: Origin | None = None) -> None:
        """Give this plugin the application's store, and tell it where it comes from."""
        self._store = store
        self._origin = origin

    def close(self) -> None:
        """Give back what this plugin holds; called when its application closes. Does nothing by default."""
        return


class BasePluginFlavor(ABC):
    """Base of flavors: classes that name a plugin and its parts. They are never instantiated.

    Attributes:
        TYPE: What kind of plugin it is.
        SUBTYPE: The first half of its key; lower-case letters, digits and underscores.
        FLAVOR: The second half of its key, of the same form.
        PLUGIN_CLASS: The class of the working object; called without arguments.
    """

    TYPE: ClassVar[PluginType]
    SUBTYPE: ClassVar[str]
    FLAVOR: ClassVar[str]
    PLUGIN_CLASS: ClassVar[type[BasePlugin]]

    @classmethod
    def key(cls) -> str:
        """``subtype.flavor``, the name of its entry point."""
        return f"{cls.SUBTYPE}.{cls.FLAVOR}"

    @classmethod
    @abstractmethod
    def get_flavor_response_model(cls, hydrate: bool) -> BaseResponse[Any, Any, Any]:
        """Describe this flavor, with its schemas when hydrated."""
