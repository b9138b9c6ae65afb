"""Where a plugin comes from, as errors, listings and traces tell it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a plugin comes from.

    Attributes:
        name: The flavor's key or the hook plugin's name.
        distribution: What to ``pip install``, None for a plugin made in code.
        version: The distribution's version.
    """

    name: str
    distribution: str | None = None
    version: str | None = None

    def __str__(self) -> str:
        return self.name if self.distribution is None else f"{self.name} ({self.distribution} {self.version})"
