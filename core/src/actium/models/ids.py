"""The ids of what comes in great numbers: events and executions."""

from __future__ import annotations

import os
import random
import time
from typing import Final
from uuid import UUID, SafeUUID

_PERIODS_A_SECOND: Final = 64
_PERIODS: Final = 1 << 16
_VERSION: Final = 8 << 76
_VARIANT: Final = 0b10 << 62
_FREE: Final = ~((0xF << 76) | (0b11 << 62))
_UNKNOWN: Final = SafeUUID.unknown
_set_int, _set_is_safe = (UUID.__dict__[name].__set__ for name in ("int", "is_safe"))

_random = random.Random()  # noqa: S311 - ids are no secrets
"""One of our own, since a program that seeds the shared one would get its ids again. Asking the system for each id
would give the interpreter to other threads each time, and a busy one keeps it for milliseconds."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_random.seed)


def new_id() -> UUID:
    """A random UUID whose first four digits tell the sixty-fourth of a second.

    What is stored together so lies together in an index, which otherwise would touch another page for each row; the
    period is about as long as a transaction of many events. Beginnings still differ, so that people can tell ids by
    their first characters. After seventeen minutes the periods begin anew.

    The form is version 8 of RFC 9562 (https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-8), the idea that of
    Tomas Vondra's sequential UUIDs (https://github.com/tvondra/sequential-uuids).
    """
    return new_ids(1)[0]


def new_ids(number: int) -> list[UUID]:
    """Several ids as `new_id` makes them, all of one moment."""
    common, random_bits = _common_bits(), _random.getrandbits
    return [id_of(common | (random_bits(112) & _FREE)) for _ in range(number)]


def id_of(bits: int) -> UUID:
    """The id that is a number, as ``UUID(int=...)`` gives it, which first looks for mistakes in six arguments."""
    made = UUID.__new__(UUID)
    _set_int(made, bits)
    _set_is_safe(made, _UNKNOWN)
    return made


def new_id_text() -> str:
    """The text of an id as `new_id` makes it, for what is never needed as an id."""
    return _text(_common_bits() | (_random.getrandbits(112) & _FREE))


def id_text(value: UUID) -> str:
    """The text of an id, as ``str`` gives it, in two thirds of the time."""
    return _text(value.int)


def _text(bits: int) -> str:
    pairs = bits.to_bytes(16, "big").hex("-", 2)
    return f"{pairs[:4]}{pairs[5:29]}{pairs[30:34]}{pairs[35:]}"


def _common_bits() -> int:
    """What the ids of one moment have in common."""
    period = int(time.time() * _PERIODS_A_SECOND) % _PERIODS
    return (period << 112) | _VERSION | _VARIANT
