"""What is being recorded: the span that the running code is in, and the recording that it belongs to.

The present span is a context variable, so that coroutines, and threads that a program carries it to, are never mixed.
Nothing is put into words here: what spans were called with is told when the recording is taken, once all secrets are
known. Where nothing is recorded at all, looking at `is_recording` is all that tracing costs.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from actium.tracing.limits import MAX_SPANS
from actium.tracing.spans import SpanKind

if TYPE_CHECKING:
    from actium.tracing.failures import RawFailure
    from actium.tracing.masking import TraceMask
    from actium.tracing.spans import Span

active: dict[object, None] = {}
"""What has something recorded in this process; empty where nothing does. Kept from many threads, hence a dict."""

clock = time.perf_counter_ns
"""What all recordings measure by, in nanoseconds."""


class Actor:
    """Who acts in a span.

    Attributes:
        plugin: The plugin's name.
        distribution: What to ``pip install`` for it.
        version: The distribution's version.
        position: Where it stands in the hook.
    """

    __slots__ = ("distribution", "plugin", "position", "version")

    def __init__(self, plugin: str, distribution: str | None, version: str | None, position: str | None) -> None:
        self.plugin = plugin
        self.distribution = distribution
        self.version = version
        self.position = position


class OpenSpan:
    """A span while it is recorded; see `Span` for most attributes.

    Attributes:
        recording: What it belongs to.
        above: The span that it is a part of.
        began: When it began, by the clock of its recording.
        ended: When it ended; None until then.
    """

    __slots__ = (
        "above",
        "actor",
        "arguments",
        "began",
        "ended",
        "failure",
        "id",
        "kind",
        "name",
        "recording",
        "result",
        "thread",
    )

    def __init__(
        self,
        recording: Recording,
        number: int,
        above: OpenSpan | None,
        kind: SpanKind,
        name: str,
        actor: Actor | None,
        arguments: dict[str, Any] | None,
    ) -> None:
        self.recording = recording
        self.id = number
        self.above = above
        self.kind = kind
        self.name = name
        self.actor = actor
        self.arguments = arguments
        self.result: Any = None
        self.failure: RawFailure | None = None
        self.thread = threading.current_thread().name
        self.ended: int | None = None
        self.began = clock()

    def end(self, result: Any = None, error: BaseException | None = None) -> None:
        """It is over."""
        self.ended = clock()
        if error is not None:
            from actium.tracing.failures import failure_of

            self.failure = failure_of(error)
        elif result is not None:
            self.result = result

    def release(self) -> None:
        """Let go of what it was called with: contexts that outlive the recording may still know this span."""
        self.arguments = self.result = self.failure = self.above = None


class Recording:
    """The spans of one attempt, or of one call outside of any.

    Attributes:
        spans: What was recorded, in the order of beginning.
        adopted: What another process has recorded, below which span.
        is_over: Whether nothing more is recorded.
        flavor: The flavor that it concerns; None for none in particular.
    """

    __slots__ = (
        "_mask",
        "_numbers",
        "adopted",
        "flavor",
        "is_over",
        "left_out_elsewhere",
        "process",
        "secrets",
        "spans",
        "zero",
    )

    def __init__(self, *, secrets: Callable[[], Sequence[str]] = tuple, flavor: str | None = None) -> None:
        """Begin a recording.

        Args:
            secrets: Gives what is to be masked.
            flavor: The flavor that it concerns.
        """
        self.spans: list[OpenSpan] = []
        self.adopted: list[tuple[int, Sequence[Span]]] = []
        self.left_out_elsewhere = 0
        self.is_over = False
        self.flavor = flavor
        self.secrets = secrets
        self.process = os.getpid()
        self.zero = time.time_ns() - clock()
        self._numbers = itertools.count(1)
        self._mask: tuple[int, TraceMask] | None = None
        active[self] = None

    def begin(
        self,
        above: OpenSpan | None,
        kind: SpanKind,
        name: str,
        actor: Actor | None = None,
        arguments: dict[str, Any] | None = None,
    ) -> OpenSpan | None:
        """Begin a span.

        Args:
            above: What it is a part of; where that has ended, what is above that.
            kind: What it is of.
            name: What it is called.
            actor: Who acts; None for who acts above.
            arguments: What it is called with. It is kept, so it must not be changed any more.

        Returns:
            None where there are too many already, or nothing is recorded any more.
        """
        number = next(self._numbers)
        if number > MAX_SPANS or self.is_over:
            return None
        while above is not None and above.ended is not None and above.above is not None:
            above = above.above
        if actor is None and above is not None:
            actor = above.actor
        span = OpenSpan(self, number, above, kind, name, actor, arguments)
        self.spans.append(span)
        return span

    def mask(self) -> TraceMask:
        """Masks what is known to be secret by now."""
        secrets = self.secrets()
        if self._mask is None or self._mask[0] != len(secrets):
            from actium.tracing.masking import TraceMask

            self._mask = len(secrets), TraceMask(secrets)
        return self._mask[1]

    def adopt(self, below: OpenSpan, spans: Sequence[Span], left_out: int) -> None:
        """Take in what another process has recorded for this one."""
        self.adopted.append((below.id, spans))
        self.left_out_elsewhere += left_out

    def close(self) -> tuple[Sequence[OpenSpan], int]:
        """Record nothing more.

        Returns:
            What was recorded, and how many spans were left out.
        """
        self.is_over = True
        active.pop(self, None)
        spans, self.spans = self.spans, []
        return spans, max(0, next(self._numbers) - 1 - MAX_SPANS) + self.left_out_elsewhere

    def drop(self) -> None:
        """Record nothing more, and forget what was recorded: nobody wants to see it."""
        spans, _ = self.close()
        for span in spans:
            span.release()


class LoneHook(NamedTuple):
    """A hook that one plugin answers, and around which no other stands.

    Attributes:
        name: The hook.
        flavor: Whose hook it is.
        plugin: What answers it.
    """

    name: str
    flavor: Actor
    plugin: Actor


class Unrecorded(Protocol):
    """Something that is recorded as soon as anything is told of it; see `actium.tracing.noted_attempt`."""

    @property
    def is_over(self) -> bool: ...
    @property
    def acting(self) -> Actor | None: ...
    def open(self) -> OpenSpan | None: ...
    def notes(self, hook: LoneHook, arguments: dict[str, Any]) -> bool: ...
    def returned(self, result: object) -> None: ...
    def raised(self, error: BaseException) -> None: ...


current: ContextVar[OpenSpan | Unrecorded | None] = ContextVar("actium_current_span", default=None)
"""The span that the running code is in, or what has none yet."""


def is_recording() -> bool:
    """Whether anything that is done now might be recorded."""
    return bool(active) or current.get() is not None


def unrecorded() -> Unrecorded | None:
    """What the running code belongs to, where that is not recorded yet."""
    span = current.get()
    return None if span is None or isinstance(span, OpenSpan) else span


def present() -> OpenSpan | None:
    """The span that the running code is in, if it is being recorded, or is to be as soon as anything is told of it."""
    found = current.get()
    span = found if found is None or isinstance(found, OpenSpan) else found.open()
    return None if span is None or span.recording.is_over else span


def acting() -> Actor | None:
    """Who acts in the running code, as far as that is recorded, or would be."""
    found = current.get()
    if found is None or isinstance(found, OpenSpan):
        return None if found is None or found.recording.is_over else found.actor
    return found.acting


class Entered:
    """A span as a context: what runs inside is a part of it. Where it is None, that has no effect."""

    __slots__ = ("_before", "span")

    def __init__(self, span: OpenSpan | None) -> None:
        self.span = span

    def __enter__(self) -> OpenSpan | None:
        if self.span is not None:
            self._before = current.get()
            current.set(self.span)
        return self.span

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        span = self.span
        if span is None:
            return
        if current.get() is span:  # not so where a generator is finished in another context than it began in
            current.set(self._before)
        if span.ended is None:
            span.end(error=error)


def inside(
    kind: SpanKind, name: str, actor: Actor | None = None, arguments: Mapping[str, Any] | None = None
) -> Entered:
    """A span below the present one, as a context."""
    above = present()
    if above is None:
        return Entered(None)
    return Entered(above.recording.begin(above, kind, name, actor, None if arguments is None else dict(arguments)))
