"""The names that Actium promises, pinned: adding one is a decision, losing one breaks somebody."""

from __future__ import annotations

import actium
import actium.errors
import actium.models


def test_the_names_of_actium() -> None:
    """What ``from actium import ...`` gives."""
    assert dir(actium) == [
        "ActionConfig",
        "Actium",
        "ActiumError",
        "AuthContext",
        "BaseActionFlavor",
        "BaseActionHandler",
        "Event",
        "ExecutionStatus",
        "PluginType",
        "ResourceType",
        "TriggerExecutionResponse",
        "action_flavor",
        "hookimpl",
    ]


def test_the_names_of_models() -> None:
    """What ``from actium.models import ...`` gives."""
    assert dir(actium.models) == [
        "ActionFilter",
        "ActionFlavorResponse",
        "ActionRequest",
        "ActionResponse",
        "ActionRevisionResponse",
        "ActionStatus",
        "ActionUpdate",
        "Attempt",
        "BaseFilter",
        "BaseRequest",
        "BaseResponse",
        "Event",
        "EventFilter",
        "EventResponse",
        "ExecutionError",
        "ExecutionStatus",
        "Page",
        "PluginType",
        "PublishedEvent",
        "ResourceFilter",
        "ResourceReference",
        "ResourceResponse",
        "ResourceType",
        "ServiceAccountFilter",
        "ServiceAccountRequest",
        "ServiceAccountResponse",
        "ServiceAccountUpdate",
        "StepProgress",
        "TriggerExecutionFilter",
        "TriggerExecutionResponse",
        "TriggerFilter",
        "TriggerRequest",
        "TriggerResponse",
        "TriggerUpdate",
    ]


def test_the_tree_of_errors() -> None:
    """Every error derives from ActiumError, and has a docstring and a place in the drawn tree."""
    drawn = actium.errors.__doc__ or ""
    for name, value in vars(actium.errors).items():
        if isinstance(value, type) and issubclass(value, Exception):
            assert issubclass(value, actium.errors.ActiumError)
            assert value.__doc__
            assert name in drawn
