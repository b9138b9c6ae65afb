"""The event hub: takes events in, matches triggers, and hands executions to the handlers of their actions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actium._lazy import lazy_names

if TYPE_CHECKING:
    from actium.event_hub.base_event_hub import BaseEventHub as BaseEventHub
    from actium.event_hub.event_hub import EventHub as EventHub
    from actium.event_hub.worker import Worker as Worker

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "actium.event_hub.base_event_hub": ("BaseEventHub",),
        "actium.event_hub.event_hub": ("EventHub",),
        "actium.event_hub.worker": ("Worker",),
    },
)
