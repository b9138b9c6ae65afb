"""Actions: what a flavor's author writes, and the life of a stored action."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actium._lazy import lazy_names

if TYPE_CHECKING:
    from actium.actions.base_action import ActionConfig as ActionConfig
    from actium.actions.base_action import BaseActionFlavor as BaseActionFlavor
    from actium.actions.base_action import BaseActionHandler as BaseActionHandler
    from actium.actions.function_flavor import action_flavor as action_flavor

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "actium.actions.base_action": ("ActionConfig", "BaseActionFlavor", "BaseActionHandler"),
        "actium.actions.function_flavor": ("action_flavor",),
    },
)
