"""JSON values as Python holds them: copying them, and what pydantic writes as JSON although JSON does not know it."""

from __future__ import annotations

from typing import Any, Final

_N: Final = ord("N")
_I: Final = ord("I")


def copied(value: Any) -> Any:
    """A JSON value of its own; `copy.deepcopy` also looks for what no JSON value holds, in ten times the time."""
    kind = type(value)
    if kind is dict:
        return {key: copied(item) for key, item in value.items()}
    return [copied(item) for item in value] if kind is list else value


def may_hold_no_number(text: bytes) -> bool:
    """Whether JSON has ``NaN`` or ``Infinity`` in it, be it as a number or within a text.

    One byte is found many times as quickly as a word, and most texts do not have it.
    """
    return (_N in text and b"NaN" in text) or (_I in text and b"Infinity" in text)
