"""Who makes changes, as revisions record it."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

from actium.errors import InvalidInputError

MAX_NAME_CHARACTERS = 255

_actor: ContextVar[str | None] = ContextVar("actium_actor", default=None)


@contextmanager
def acting_as(name: str) -> Iterator[None]:
    """Record changes made inside as made by ``name``; a service wraps each request of its users in this.

    Raises:
        InvalidInputError: The name is empty, too long, or has characters that cannot be printed.
    """
    if not 0 < len(name) <= MAX_NAME_CHARACTERS or not name.isprintable():
        raise InvalidInputError(
            f"Nobody can be called {name!r:.100}.", hint=f"Give up to {MAX_NAME_CHARACTERS} printable characters."
        )
    token = _actor.set(name)
    try:
        yield
    finally:
        _actor.reset(token)


def current_actor() -> str:
    """Who makes changes now: see `acting_as`; otherwise the operating system's user."""
    return _actor.get() or _system_user()


@cache
def _system_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that has no name
        return "unknown"
