"""How much a trace may hold: of a value, of spans, and of bytes where it is kept."""

from __future__ import annotations

from dataclasses import dataclass

MAX_SPANS = 2_000
"""How many spans one attempt records; further ones are counted."""

MAX_BYTES = 524_288
"""How large the trace of one attempt may be where it is kept, written as JSON."""

MAX_RAW_TEXT = 65_536
"""How much of a text is held until it is known what in it is secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much is told of one value.

    Attributes:
        characters: Of the whole value.
        text: Characters of one text in it.
        items: Items of one list, dict or model in it.
        depth: How deep it is looked into.
        values: How many values in it are told at all.
    """

    characters: int = 4_000
    text: int = 1_000
    items: int = 50
    depth: int = 6
    values: int = 500


FULL = Limits()
SHORT = Limits(characters=300, text=100, items=10, depth=3, values=50)
LEAST = Limits(characters=60, text=40, items=3, depth=1, values=8)
