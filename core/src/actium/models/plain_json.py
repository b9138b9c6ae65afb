"""What pydantic writes as JSON although JSON does not know it: numbers that are none."""

from __future__ import annotations


def may_hold_no_number(text: bytes) -> bool:
    """Whether JSON has ``NaN`` or ``Infinity`` in it, be it as a number or within a text.

    One letter is found many times as quickly as a word, and most texts do not have it.
    """
    return (b"N" in text and b"NaN" in text) or (b"I" in text and b"Infinity" in text)
