"""Run policies as they are stored, which another version of Actium may have written."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from actium.errors import InvalidInputError
from actium.models.run_policy import RunPolicy


class StoredPolicy(NamedTuple):
    """A run policy that was read.

    Attributes:
        policy: It; the default one where it cannot be read.
        problem: Why it cannot be read, None as a rule.
    """

    policy: RunPolicy
    problem: str | None = None


@lru_cache(maxsize=1_024)
def read_policy(text: str) -> StoredPolicy:
    """Read a run policy that is stored as JSON; ``{}`` is the default one."""
    try:
        return StoredPolicy(RunPolicy.model_validate_json(text))
    except InvalidInputError as error:
        reason = " ".join(str(error).split())
        return StoredPolicy(RunPolicy(), f"the run policy of the action cannot be read: {reason}")
