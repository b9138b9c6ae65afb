"""What a worker offers to whoever stores executions in the same process: room for some, to begin with at once.

What goes this way is claimed in the transaction that stores it, and needs no second one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from actium.stores.records import Claim


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Room that is kept until it is taken.

    Attributes:
        worker: Under which name the executions are claimed.
        room: How many at most.
        take: To be called once, with what was claimed, perhaps nothing, after that is durable.
    """

    worker: str
    room: int
    take: Callable[[Sequence[Claim]], object]
