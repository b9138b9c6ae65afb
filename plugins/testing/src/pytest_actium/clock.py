"""A clock that a test moves: what Actium takes for the time, wherever it looks."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import pytest


class Clock:
    """The time as Actium sees it in this process: it goes on as ever, and can be moved forward.

    What is measured rather than read, such as the time that an attempt takes, is not moved. Neither are other
    processes.
    """

    def __init__(self) -> None:
        self._ahead = timedelta(0)

    def now(self) -> datetime:
        """What Actium takes for the time."""
        return datetime.now(UTC) + self._ahead

    def advance(self, by: timedelta | float) -> datetime:
        """Move the clock forward.

        Args:
            by: How far; a number means seconds.

        Raises:
            ValueError: It would be moved back, which no clock that Actium relies on does.
        """
        step = by if isinstance(by, timedelta) else timedelta(seconds=by)
        if step < timedelta(0):
            raise ValueError(f"A clock is moved forward, not by {step}.")
        self._ahead += step
        return self.now()

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let every module of Actium that reads the time read it here, until the test is over."""
        import actium.app  # noqa: F401 - what reads the time has to be there

        moved = _moved(self)
        for name, module in list(sys.modules.items()):
            if name.partition(".")[0] == "actium" and vars(module).get("datetime") is datetime:
                monkeypatch.setattr(module, "datetime", moved)


def _moved(clock: Clock) -> type[Any]:
    """What stands in for ``datetime``: its ``now`` reads the clock, everything else is the real one's."""

    class Kind(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, datetime)

        def __getattr__(cls, name: str) -> Any:
            return getattr(datetime, name)

        def __call__(cls, *arguments: Any, **named: Any) -> datetime:
            return datetime(*arguments, **named)  # noqa: DTZ001 - it is the caller who says in which zone

    class Moved(metaclass=Kind):
        @staticmethod
        def now(zone: tzinfo | None = None) -> datetime:
            return clock.now().astimezone(zone)

    return Moved
