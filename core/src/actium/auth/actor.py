"""Who makes changes, as revisions record it."""

from __future__ import annotations

import getpass
import reprlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

from actium.errors import InvalidInputError

_actor: ContextVar[str | None] = ContextVar("actium_actor", default=None)


@contextmanager
def acting_as(name: str) -> Iterator[None]:
    """Record changes made inside as made by ``name``; a service wraps each request of its users in this.

    Raises:
        InvalidInputError: The name is no text that a store can keep.
    """
    if not _is_storable(name):
        raise InvalidInputError(
            f"Nobody can be recorded as {reprlib.repr(name)}.",
            hint="Give a name or an address as text, without unpaired surrogates.",
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
        return _storable(getpass.getuser())
    except (KeyError, OSError):  # a container may run under a number that has no name
        return "unknown"


def _storable(name: str) -> str:
    """A name with what UTF-8 cannot write escaped: the environment may hold any bytes."""
    return name.encode(errors="backslashreplace").decode()


def _is_storable(name: object) -> bool:
    return isinstance(name, str) and name == _storable(name)
