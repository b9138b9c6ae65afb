"""What the tests of the contract share: a flavor that tells its steps, and can be made to act or fail at each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

import pytest

from actium import ActionConfig, Actium, BaseActionFlavor, BaseActionHandler, ResourceType
from actium.models import ActionResponse, ResourceResponse
from actium.models.resource import ResourceBody

CreateAction = Callable[..., ActionResponse]


class VaultConfig(ActionConfig):
    """What a vault is made of."""

    size: int = 10
    door: str = "steel"


@dataclass
class Vault:
    """A flavor with all override points.

    Attributes:
        calls: The points that were called, in their order.
        at: What to do at a point, with its arguments; a result that is not None is the point's.
        made: Its handlers.
        closed: Those that were closed.
        flavor: The flavor itself, to register it elsewhere.
    """

    calls: list[str] = field(default_factory=list)
    at: dict[str, Callable[..., Any]] = field(default_factory=dict)
    made: list[BaseActionHandler] = field(default_factory=list)
    closed: list[BaseActionHandler] = field(default_factory=list)
    flavor: type[BaseActionFlavor] = BaseActionFlavor

    def reach(self, point: str, *arguments: Any) -> Any:
        self.calls.append(point)
        return self.at[point](*arguments) if point in self.at else None


def vault_flavor(vault: Vault, **attributes: Any) -> type[BaseActionFlavor]:
    """A flavor whose handler tells a vault of all that it is called for."""

    class VaultHandler(BaseActionHandler):
        def __init__(self) -> None:
            super().__init__()
            vault.made.append(self)

        @property
        def config_class(self) -> type[ActionConfig]:
            return VaultFlavor.ACTION_CONFIG_CLASS

        @property
        def flavor_class(self) -> type[BaseActionFlavor]:
            return VaultFlavor

        def run(self, config: Any, trigger_execution: Any, auth_context: Any) -> Any:
            told = vault.reach("run", self, config, trigger_execution, auth_context)
            return config.size if told is None else told

        def validate_action_request(self, action: Any, config: Any) -> None:
            vault.reach("validate_request", action, config)

        def process_action_request(self, action: Any, config: Any) -> None:
            vault.reach("process_request", action, config)

        def validate_action_update(self, action: Any, config: Any, action_update: Any, config_update: Any) -> None:
            vault.reach("validate_update", action, config, action_update, config_update)

        def process_action_update(self, action: Any, config: Any, previous_action: Any, previous_config: Any) -> None:
            vault.reach("process_update", action, config, previous_action, previous_config)

        def process_action_delete(self, action: Any, config: Any, force: bool) -> None:
            vault.reach("process_delete", action, config, force)

        def process_action_response(self, action: Any, config: Any) -> None:
            vault.reach("process_response", action, config)

        def extract_resources(self, action_config: Any, hydrate: bool = False) -> Any:
            told = vault.reach("extract", action_config)
            return {ResourceType("door"): door(action_config.door)} if told is None else told

        def close(self) -> None:
            vault.closed.append(self)

    class VaultFlavor(BaseActionFlavor):
        """Keeps things."""

        SUBTYPE, FLAVOR = "test", "vault"
        PLUGIN_CLASS, ACTION_CONFIG_CLASS = VaultHandler, VaultConfig

    for name, value in attributes.items():
        setattr(VaultFlavor, name, value)
    return VaultFlavor


def door(name: str) -> ResourceResponse:
    now = datetime.now(UTC)
    body = ResourceBody(type=ResourceType("door"), project="default", created=now, updated=now)
    return ResourceResponse(id=uuid5(NAMESPACE_DNS, name), name=name, body=body)


@pytest.fixture
def vault(app: Actium) -> Vault:
    """The flavor ``test.vault``, registered."""
    vault = Vault()
    vault.flavor = vault_flavor(vault)
    app.flavors.register(vault.flavor)
    return vault


@pytest.fixture
def make_flavor() -> Callable[..., type[BaseActionFlavor]]:
    """Make further flavors of a vault's kind, with attributes of their own."""
    return vault_flavor


@pytest.fixture
def create_vault(create: CreateAction, vault: Vault) -> CreateAction:
    """Create an action of the vault's flavor."""

    def create_vault(name: str = "keep", **fields: Any) -> ActionResponse:
        return create(name, flavor="test.vault", **fields)

    return create_vault
