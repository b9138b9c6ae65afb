"""The ids of what comes in great numbers: events and executions."""

from __future__ import annotations

import os
import random
import time
from typing import Final
from uuid import UUID

_PERIODS_A_SECOND: Final = 4
_PERIODS: Final = 1 << 16
_VERSION: Final = 8 << 76
_VARIANT: Final = 0b10 << 62
_FIXED: Final = (0xF << 76) | (0b11 << 62)

_random = random.Random()  # noqa: S311 - ids are no secrets
"""One of our own, since a program that seeds the shared one would get its ids again. Asking the system for each id
would give the interpreter to other threads each time, and a busy one keeps it for milliseconds."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_random.seed)


def new_id() -> UUID:
    """A random UUID whose first four digits tell the quarter of a second.

    What is stored together so lies together in an index, which otherwise would touch another page for each row.
    Beginnings still differ, so that people can tell ids by their first characters. After four and a half hours the
    periods begin anew.

    The form is version 8 of RFC 9562 (https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-8), the idea that of
    Tomas Vondra's sequential UUIDs (https://github.com/tvondra/sequential-uuids).
    """
    period = int(time.time() * _PERIODS_A_SECOND) % _PERIODS
    bits = (period << 112) | _random.getrandbits(112)
    return UUID(int=(bits & ~_FIXED) | _VERSION | _VARIANT)
