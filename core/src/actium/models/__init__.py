"""What travels: requests, updates, responses, filters and pages. Pure data, no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actium._lazy import lazy_names

if TYPE_CHECKING:
    from actium.models.account import ServiceAccountFilter as ServiceAccountFilter
    from actium.models.account import ServiceAccountRequest as ServiceAccountRequest
    from actium.models.account import ServiceAccountResponse as ServiceAccountResponse
    from actium.models.account import ServiceAccountUpdate as ServiceAccountUpdate
    from actium.models.action import ActionFilter as ActionFilter
    from actium.models.action import ActionRequest as ActionRequest
    from actium.models.action import ActionResponse as ActionResponse
    from actium.models.action import ActionRevisionResponse as ActionRevisionResponse
    from actium.models.action import ActionStatus as ActionStatus
    from actium.models.action import ActionUpdate as ActionUpdate
    from actium.models.base import BaseRequest as BaseRequest
    from actium.models.base import BaseResponse as BaseResponse
    from actium.models.event import Event as Event
    from actium.models.event import EventFilter as EventFilter
    from actium.models.event import EventResponse as EventResponse
    from actium.models.execution import Attempt as Attempt
    from actium.models.execution import ExecutionError as ExecutionError
    from actium.models.execution import ExecutionStatus as ExecutionStatus
    from actium.models.execution import StepProgress as StepProgress
    from actium.models.execution import TriggerExecutionFilter as TriggerExecutionFilter
    from actium.models.execution import TriggerExecutionResponse as TriggerExecutionResponse
    from actium.models.flavor import ActionFlavorResponse as ActionFlavorResponse
    from actium.models.kinds import PluginType as PluginType
    from actium.models.kinds import ResourceType as ResourceType
    from actium.models.page import BaseFilter as BaseFilter
    from actium.models.page import Page as Page
    from actium.models.published import PublishedEvent as PublishedEvent
    from actium.models.published import PublishedEvents as PublishedEvents
    from actium.models.resource import ResourceFilter as ResourceFilter
    from actium.models.resource import ResourceReference as ResourceReference
    from actium.models.resource import ResourceResponse as ResourceResponse
    from actium.models.run_policy import Backoff as Backoff
    from actium.models.run_policy import Concurrency as Concurrency
    from actium.models.run_policy import ConcurrencyMode as ConcurrencyMode
    from actium.models.run_policy import RunPolicy as RunPolicy
    from actium.models.tracing import TraceMode as TraceMode
    from actium.models.trigger import TriggerFilter as TriggerFilter
    from actium.models.trigger import TriggerRequest as TriggerRequest
    from actium.models.trigger import TriggerResponse as TriggerResponse
    from actium.models.trigger import TriggerUpdate as TriggerUpdate

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "actium.models.account": (
            "ServiceAccountFilter",
            "ServiceAccountRequest",
            "ServiceAccountResponse",
            "ServiceAccountUpdate",
        ),
        "actium.models.action": (
            "ActionFilter",
            "ActionRequest",
            "ActionResponse",
            "ActionRevisionResponse",
            "ActionStatus",
            "ActionUpdate",
        ),
        "actium.models.base": ("BaseRequest", "BaseResponse"),
        "actium.models.event": ("Event", "EventFilter", "EventResponse"),
        "actium.models.execution": (
            "Attempt",
            "ExecutionError",
            "ExecutionStatus",
            "StepProgress",
            "TriggerExecutionFilter",
            "TriggerExecutionResponse",
        ),
        "actium.models.flavor": ("ActionFlavorResponse",),
        "actium.models.kinds": ("PluginType", "ResourceType"),
        "actium.models.page": ("BaseFilter", "Page"),
        "actium.models.published": ("PublishedEvent", "PublishedEvents"),
        "actium.models.resource": ("ResourceFilter", "ResourceReference", "ResourceResponse"),
        "actium.models.run_policy": ("Backoff", "Concurrency", "ConcurrencyMode", "RunPolicy"),
        "actium.models.tracing": ("TraceMode",),
        "actium.models.trigger": ("TriggerFilter", "TriggerRequest", "TriggerResponse", "TriggerUpdate"),
    },
)
