"""Process isolation: runs in warm processes of their own, which can be killed and may crash."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actium._lazy import lazy_names

if TYPE_CHECKING:
    from actium.isolation.errors import NotIsolableError as NotIsolableError
    from actium.isolation.errors import PoolClosedError as PoolClosedError
    from actium.isolation.errors import ProcessDiedError as ProcessDiedError
    from actium.isolation.errors import ProcessProtocolError as ProcessProtocolError
    from actium.isolation.errors import UnstorableResultError as UnstorableResultError
    from actium.isolation.messages import FlavorReference as FlavorReference
    from actium.isolation.messages import RunOrder as RunOrder
    from actium.isolation.pool import ProcessPool as ProcessPool
    from actium.isolation.transported_errors import child_traceback as child_traceback

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "actium.isolation.errors": (
            "NotIsolableError",
            "PoolClosedError",
            "ProcessDiedError",
            "ProcessProtocolError",
            "UnstorableResultError",
        ),
        "actium.isolation.messages": ("FlavorReference", "RunOrder"),
        "actium.isolation.pool": ("ProcessPool",),
        "actium.isolation.transported_errors": ("child_traceback",),
    },
)
