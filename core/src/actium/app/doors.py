"""What callers hand in, checked where it can still be named: of the right type, and text that a store can know."""

from __future__ import annotations

import reprlib
from typing import TypeVar
from uuid import UUID

from actium.errors import InvalidInputError

GivenT = TypeVar("GivenT")


def expect(given: GivenT, kind: type[GivenT]) -> GivenT:
    """Give back what was handed in if it is what is taken here. What it holds may be secret, so only its type is told.

    Raises:
        InvalidInputError: It is something else.
    """
    if not isinstance(given, kind):
        raise InvalidInputError(
            f"This takes {kind.__name__}, got {type(given).__name__}.",
            hint=f"Make one: actium.models.{kind.__name__}(...).",
        )
    return given


def reference_text(given: UUID | str, word: str) -> str:
    """An id or a name as text.

    Raises:
        InvalidInputError: It is neither, or has what no text in a store has.
    """
    if isinstance(given, UUID):
        return str(given)
    if not isinstance(given, str):
        raise InvalidInputError(
            f"{reprlib.repr(given)} names no {word}: its type is {type(given).__name__}.",
            hint="Give an id, a name, or the beginning of either.",
        )
    if not is_unicode(given):
        raise InvalidInputError(
            f"{reprlib.repr(given)} names no {word}: it has unpaired surrogates, which no id and no name has.",
            hint="Such text comes of bytes that are not UTF-8; look where they come from.",
        )
    return given


def is_unicode(text: str) -> bool:
    """Whether text has no unpaired surrogates, which UTF-8 cannot write."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
