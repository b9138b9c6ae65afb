"""What a process has besides its memory and should have in common with its parent: path, environment and more."""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import dataclass, replace
from typing import Any, Self

from actium.isolation.child_logs import adopt_levels, default_levels, levels


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The surroundings of this process at one moment.

    Attributes:
        path: Where modules are imported from.
        environment: The environment variables, where secrets and settings are.
        folder: The working directory; None where it was removed.
        levels: Of the loggers, see `actium.isolation.child_logs.levels`.
    """

    path: list[str]
    environment: dict[str, str]
    folder: str | None
    levels: dict[str, int]

    @classmethod
    def current(cls) -> Self:
        """The surroundings now."""
        try:
            folder = os.getcwd()  # noqa: PTH109  # asked at every run; a path object costs more than the call
        except OSError:
            folder = None
        return cls(sys.path[:], dict(os.environ), folder, levels())

    def of_new_child(self) -> Self:
        """The surroundings of a child that is started now: it inherits all but the levels."""
        return replace(self, levels=default_levels())

    def since(self, before: Surroundings) -> dict[str, Any] | None:
        """What changed, as JSON values; None where nothing did."""
        if self == before:
            return None
        return {
            "path": None if self.path == before.path else self.path,
            "set": {name: value for name, value in self.environment.items() if before.environment.get(name) != value},
            "unset": [name for name in before.environment if name not in self.environment],
            "folder": None if self.folder == before.folder else self.folder,
            "levels": {
                name: self.levels.get(name, logging.NOTSET)
                for name in self.levels | before.levels
                if self.levels.get(name) != before.levels.get(name)
            },
        }


def adopt(changes: dict[str, Any] | None) -> None:
    """Follow what changed in the parent since the last run. What a plugin changed here stays, as it does there."""
    if changes is None:
        return
    for name in changes["unset"]:
        os.environ.pop(name, None)
    os.environ.update(changes["set"])
    if changes["path"] is not None:
        sys.path[:] = dict.fromkeys([*changes["path"], *sys.path])
    adopt_levels(changes["levels"])
    if changes["folder"] is not None:
        os.chdir(changes["folder"])
