"""How far the steps of an execution are, as a store keeps it: bounded, since handlers report what they like.

It is shortened rather than refused, so that no run fails for what it says of itself. That is done in the store, behind
all that masks secrets: half a secret would not be found any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

MAX_STEPS: Final = 1_000
"""How many steps are kept: the first and the last of more, and between them one that says how many are left out."""

MAX_STEP_CHARACTERS: Final = 2_000
"""How long each text of a step may be, its name, its status and its error; of a longer one beginning and end are
kept."""


def bounded(progress: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The steps that are kept, with their texts shortened."""
    return [
        {name: _shortened(value) if isinstance(value, str) else value for name, value in step.items()}
        for step in _kept(progress)
    ]


def _kept(progress: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    if len(progress) <= MAX_STEPS:
        yield from progress
        return
    before = MAX_STEPS // 2
    after = MAX_STEPS - before - 1
    yield from progress[:before]
    yield {"name": f"… {len(progress) - before - after:,} steps left out …", "status": "unknown"}
    yield from progress[-after:]


def _shortened(text: str) -> str:
    if len(text) <= MAX_STEP_CHARACTERS:
        return text
    half = MAX_STEP_CHARACTERS // 2
    return f"{text[:half]} … {len(text) - 2 * half:,} characters left out … {text[-half:]}"
