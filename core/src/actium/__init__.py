"""Actium configures actions now and runs them later. These are its public names; modules behind them load at first use.

>>> from actium import Actium, Event
"""

from __future__ import annotations

from actium._lazy import lazy_names

TYPE_CHECKING = False  # importing typing for it would take as long as everything else that happens here
if TYPE_CHECKING:
    from actium.actions.base_action import ActionConfig as ActionConfig
    from actium.actions.base_action import BaseActionFlavor as BaseActionFlavor
    from actium.actions.base_action import BaseActionHandler as BaseActionHandler
    from actium.actions.function_flavor import action_flavor as action_flavor
    from actium.app import Actium as Actium
    from actium.auth.context import AuthContext as AuthContext
    from actium.errors import ActiumError as ActiumError
    from actium.models.event import Event as Event
    from actium.models.execution import ExecutionStatus as ExecutionStatus
    from actium.models.execution import TriggerExecutionResponse as TriggerExecutionResponse
    from actium.models.kinds import PluginType as PluginType
    from actium.models.kinds import ResourceType as ResourceType
    from actium.plugins.hookspecs import hookimpl as hookimpl
    from actium.tracing import trace as trace

__version__ = "0.1.0"

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "actium.actions.base_action": ("ActionConfig", "BaseActionFlavor", "BaseActionHandler"),
        "actium.actions.function_flavor": ("action_flavor",),
        "actium.app": ("Actium",),
        "actium.auth.context": ("AuthContext",),
        "actium.errors": ("ActiumError",),
        "actium.models.event": ("Event",),
        "actium.models.execution": ("ExecutionStatus", "TriggerExecutionResponse"),
        "actium.models.kinds": ("PluginType", "ResourceType"),
        "actium.plugins.hookspecs": ("hookimpl",),
        "actium.tracing": ("trace",),
    },
)
