"""What the upkeep of a store tells: what was deleted, and what is wrong."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """How many rows were deleted."""

    executions: int = 0
    events: int = 0
    tokens: int = 0

    def __add__(self, other: Pruned) -> Pruned:
        return Pruned(
            executions=self.executions + other.executions,
            events=self.events + other.events,
            tokens=self.tokens + other.tokens,
        )

    def __bool__(self) -> bool:
        return bool(self.executions or self.events or self.tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreProblem:
    """Something that a store's self-check found.

    Attributes:
        where: A table, or the file.
        problem: What is wrong.
        remedy: What `BaseStore.mend` does about it, as in ``count them again``; None where only a backup helps.
    """

    where: str
    problem: str
    remedy: str | None = None
