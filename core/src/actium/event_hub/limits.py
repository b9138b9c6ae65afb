"""What a worker can be asked to work with."""

from __future__ import annotations

import threading

from actium.errors import InvalidInputError

MAX_CONCURRENCY = 1_024
"""How many threads of one worker may run handlers."""


def check_limits(*, concurrency: int, poll_interval: float, lease: float) -> None:
    """Refuse numbers that no worker can work with.

    Raises:
        InvalidInputError: A number is out of range.
    """
    if not 1 <= concurrency <= MAX_CONCURRENCY:
        raise InvalidInputError(
            f"A worker cannot run {concurrency!r} handlers at once.", hint=f"Give 1 to {MAX_CONCURRENCY:,}."
        )
    for name, seconds in (("look every", poll_interval), ("have a lease of", lease)):
        if not 0 < seconds <= threading.TIMEOUT_MAX:
            raise InvalidInputError(f"A worker cannot {name} {seconds!r} s.", hint="Give seconds above 0.")
