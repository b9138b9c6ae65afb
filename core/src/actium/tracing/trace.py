"""What plugins tell of by themselves: ``from actium import trace``.

::

    with trace.span("upload", rows=len(rows)) as span:
        span.note(bytes=client.put(rows))

The span stands in the trace below the hook, handler or span that it is opened in, with the time that it takes and the
exception that leaves it. Where nothing is recorded, all of this does nothing and costs next to nothing.
"""

from __future__ import annotations

import contextvars
import functools
from collections.abc import Callable
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from actium.tracing.recorder import Entered, OpenSpan, current, present
from actium.tracing.spans import SpanKind

P = ParamSpec("P")
T = TypeVar("T")

__all__ = ["OwnSpan", "carried", "is_recorded", "secret", "span"]


class OwnSpan:
    """A span that a plugin opens, as a context manager; in coroutines as well."""

    __slots__ = ("_entered",)

    def __init__(self, span: OpenSpan | None) -> None:
        self._entered = Entered(span)

    def note(self, **facts: object) -> None:
        """Add facts that were not known before."""
        span = self._entered.span
        if span is not None and span.arguments is not None:
            span.arguments.update(_noted(span, facts))

    def __enter__(self) -> Self:
        self._entered.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._entered.__exit__(kind, error, traceback)


_NOTHING = OwnSpan(None)


def span(name: str, /, **facts: object) -> OwnSpan:
    """A span around what is done inside ``with``.

    Args:
        name: What it is, in a few words.
        facts: What there is to know of it. Values are put into words at once, so that nothing large is held.
    """
    above = present()
    if above is None:
        return _NOTHING
    opened = above.recording.begin(above, SpanKind.OWN, str(name), None, {})
    if opened is None:
        return _NOTHING
    if facts and opened.arguments is not None:
        opened.arguments.update(_noted(opened, facts))
    return OwnSpan(opened)


def is_recorded() -> bool:
    """Whether anything that is told now would be recorded; where telling it is expensive, ask first."""
    found = current.get()
    if found is None:
        return False
    return not (found.recording.is_over if isinstance(found, OpenSpan) else found.is_over)


def carried(function: Callable[P, T]) -> Callable[P, T]:
    """Let a function that another thread runs belong to what runs now.

    Its spans join this trace, events that it publishes name this execution as their cause, and secrets that it resolves
    are masked. Everything else that is a context variable here is one there. It may be called by several threads::

        with ThreadPoolExecutor() as threads:
            sizes = list(threads.map(trace.carried(upload), parts))
    """
    here = contextvars.copy_context()

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        return here.copy().run(function, *args, **kwargs)

    return run


def secret(text: str) -> None:
    """Have a text masked in everything that is recorded of the present execution: trace, result, error, progress.

    What a ``SecretStr`` field refers to, and the execution's token, are masked anyway; this is for what a handler comes
    by while it runs.
    """
    from actium.auth.secret_references import note_secret

    note_secret(text)


def _noted(span: OpenSpan, facts: dict[str, object]) -> dict[str, object]:
    if all(type(value) in _SCALARS or _is_short(value) for value in facts.values()):
        return facts
    from actium.tracing.values import noted

    return {name: noted(value, span.recording) for name, value in facts.items()}


def _is_short(value: object) -> bool:
    return type(value) is str and len(value) <= _SHORT


_SCALARS = frozenset({int, float, bool, type(None)})
_SHORT = 1_024
