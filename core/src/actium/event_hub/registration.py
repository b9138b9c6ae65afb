"""Under which name a worker takes executions."""

from __future__ import annotations

from collections.abc import Callable

from actium.event_hub.leases import Leases


class Registration:
    """The name of one worker, from when it first needs one; another follows where that was lost.

    Attributes:
        name: ``host:process:number``; empty while there is none.
    """

    def __init__(self, leases: Leases, lease: float, *, on_lost: Callable[[], object]) -> None:
        """Register nothing yet.

        Args:
            leases: Registers names, and keeps them alive in the store.
            lease: Seconds after which others take over what was taken under the name, without a sign of life.
            on_lost: Called when the name is lost: others have taken over what was taken under it, or will.
        """
        self.name = ""
        self._leases = leases
        self._lease = lease
        self._on_lost = on_lost

    def renew(self) -> str:
        """The name, or another where that is not kept alive any more."""
        name = self._leases.name(self._lease)
        if self.name and name != self.name:
            self.lose()
        self.name = name
        return name

    def lose(self) -> None:
        """Keep the name alive no more, and let go of what was taken under it."""
        self._leases.forget(self.name)
        self.name = ""
        self._on_lost()
