"""Undoing what a change has stored when it fails, also where a hook around it fails after the flavor was done.

A hook plugin's wrapper sees a change from outside: it may raise when the flavor has stored all of it already. Whoever
sends a change through the hooks therefore opens it here with `through_hooks`, and the flavor's part says with
`undone_if_hooks_fail` how to undo it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar, cast

from actium.models.base import BaseRequest
from actium.plugins.installed import in_words

logger = logging.getLogger("actium.actions")

RequestT = TypeVar("RequestT", bound=BaseRequest)


@dataclass(slots=True)
class _Change:
    """A change on its way through the hooks.

    Attributes:
        given: The object that the hooks get, and may change; tells this change from others within it.
        asked: What was asked for, before they did.
        undo: How to undo what was stored of it; None while nothing was.
        doing: What undoing it does, in words.
    """

    given: BaseRequest
    asked: BaseRequest
    undo: Callable[[], object] | None = None
    doing: str = ""


_current: ContextVar[_Change | None] = ContextVar("actium_change", default=None)


@contextmanager
def through_hooks(given: BaseRequest) -> Iterator[None]:
    """Send a change through the hooks; when it fails there, what was stored of it is undone.

    Args:
        given: What the hooks get; an object of this change's own.
    """
    change = _Change(given=given, asked=given.model_copy())
    token = _current.set(change)
    try:
        yield
    except BaseException as error:
        if change.undo is not None:
            with noting_failure(error, change.doing):
                change.undo()
        raise
    finally:
        _current.reset(token)


def as_asked(given: RequestT) -> RequestT:
    """What was asked for, before any hook changed what it got."""
    change = _current.get()
    return cast("RequestT", change.asked) if change is not None and change.given is given else given


def undone_if_hooks_fail(given: BaseRequest, undo: Callable[[], object], doing: str) -> None:
    """Say how to undo a change that is stored now, if a hook around it still fails."""
    change = _current.get()
    if change is not None and change.given is given:
        change.undo, change.doing = undo, doing


@contextmanager
def undone_by(undo: Callable[[], object], doing: str) -> Iterator[None]:
    """Undo a step when what follows it fails."""
    try:
        yield
    except BaseException as error:
        with noting_failure(error, doing):
            undo()
        raise


@contextmanager
def noting_failure(original: BaseException, doing: str) -> Iterator[None]:
    """Add the failure of a clean-up to the exception that made it necessary, never in its place."""
    try:
        yield
    except (Exception, SystemExit) as error:
        logger.exception("After a failure, Actium could not %s.", doing)
        original.add_note(f"After this, Actium could not {doing} either: {in_words(error)}")
