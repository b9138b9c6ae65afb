"""Spans as they are kept, sent and shown: plain values only, with everything secret masked."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

Plain = str | int | float | bool | None
"""A value as a trace tells it: numbers as they are, everything else as text."""


class SpanKind(StrEnum):
    """What a span is of. Each kind stands inside those before it."""

    EVENT = "event"
    """An event, from its reception to the end of what it led to."""
    TRIGGER = "trigger"
    """A trigger that matched it."""
    EXECUTION = "execution"
    """An execution, from when it was stored to its end; the time before its first attempt is time in the queue."""
    ATTEMPT = "attempt"
    """One attempt at it."""
    HOOK = "hook"
    """The call of a hook, with everyone who takes part in it."""
    IMPLEMENTATION = "implementation"
    """The part of one plugin in the call of a hook: a handler's, or an observer's."""
    BEFORE = "before"
    """What a wrapper does before it yields."""
    AFTER = "after"
    """What a wrapper does with the outcome."""
    OWN = "span"
    """What a plugin tells of by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An exception that left a span.

    Attributes:
        type: Its class.
        message: What it said.
        where: The innermost function that it came from, with file and line; None where that is not known.
        notes: What was added to it on its way.
    """

    type: str
    message: str
    where: str | None = None
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.type}: {self.message}" if self.message else self.type


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Something that took place.

    Attributes:
        id: Counts from 1 within a trace, in the order of beginning.
        parent: The span that it is a part of; None for the first.
        kind: What it is of.
        name: The hook's name, or what a plugin calls it.
        start_ns: When it began, in nanoseconds since 1970.
        nanoseconds: How long it took; None where it had not ended when the trace was taken.
        arguments: What it was called with.
        result: What it returned.
        failure: The exception that left it.
        plugin: The plugin that acted.
        distribution: What to ``pip install`` for it; None for a plugin made in code.
        version: The distribution's version.
        position: Where the plugin stands in the hook: ``handler``, ``wrapper``, ``observer``, with ``tryfirst`` and
            the like.
        thread: The thread's name.
        process: The process's number.
    """

    id: int
    parent: int | None
    kind: SpanKind
    name: str
    start_ns: int
    nanoseconds: int | None = None
    arguments: Mapping[str, Plain] = field(default_factory=dict)
    result: Plain = None
    failure: Failure | None = None
    plugin: str | None = None
    distribution: str | None = None
    version: str | None = None
    position: str | None = None
    thread: str = ""
    process: int = 0

    @property
    def start(self) -> datetime:
        """When it began."""
        return datetime.fromtimestamp(self.start_ns / 1e9, UTC)

    @property
    def seconds(self) -> float | None:
        """How long it took; None where it had not ended."""
        return None if self.nanoseconds is None else self.nanoseconds / 1e9

    @property
    def end_ns(self) -> int:
        """When it ended, in nanoseconds since 1970; when it began where it had not ended."""
        return self.start_ns + (self.nanoseconds or 0)

    @property
    def origin(self) -> str | None:
        """The plugin with its distribution and version."""
        if self.plugin is None or self.distribution is None:
            return self.plugin
        return f"{self.plugin} ({self.distribution} {self.version})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What was recorded of an attempt, or of a call outside of one.

    Attributes:
        spans: In the order of beginning; every parent stands before its parts.
        left_out: How many spans there were besides.
        attempt: The number of the attempt; None outside of one.
    """

    spans: tuple[Span, ...]
    left_out: int = 0
    attempt: int | None = None

    @property
    def has_failed(self) -> bool:
        """Whether an exception left any of its spans."""
        return any(span.failure is not None for span in self.spans)


_EMPTY: tuple[object, ...] = (None, {}, (), "")


def span_json(span: Span) -> dict[str, Any]:
    """A span as JSON values; what is empty is left out."""
    written = {
        name: value for name in _FIELDS if (value := getattr(span, name)) not in _EMPTY or isinstance(value, bool)
    }
    written["kind"] = span.kind.value
    if span.failure is not None:
        failure = dataclasses.asdict(span.failure)
        written["failure"] = {name: value for name, value in failure.items() if value not in _EMPTY}
    return written


def span_of(written: Mapping[str, Any]) -> Span:
    """The span that `span_json` wrote. Keys of newer versions are left out."""
    known = {name: written[name] for name in _FIELDS if name in written}
    failure = known.pop("failure", None)
    if failure is not None:
        known["failure"] = Failure(
            type=failure["type"],
            message=failure.get("message", ""),
            where=failure.get("where"),
            notes=tuple(failure.get("notes", ())),
        )
    return Span(**{**known, "kind": SpanKind(known["kind"]), "parent": known.get("parent")})


_FIELDS = tuple(each.name for each in dataclasses.fields(Span))


def trace_json(trace: Trace) -> dict[str, Any]:
    """A trace as JSON values."""
    return {"attempt": trace.attempt, "left_out": trace.left_out, "spans": [span_json(span) for span in trace.spans]}


def trace_of(written: Mapping[str, Any]) -> Trace:
    """The trace that `trace_json` wrote."""
    return Trace(
        spans=tuple(span_of(one) for one in written["spans"]),
        left_out=written.get("left_out", 0),
        attempt=written.get("attempt"),
    )


def joined(traces: Sequence[Sequence[Span]], above: Sequence[Span]) -> tuple[Span, ...]:
    """Several traces below common spans, with ids that are unique again.

    Args:
        traces: Each with a first span, which becomes a part of the last span of ``above``.
        above: From the outermost in, with ids from 1.
    """
    spans = [*above]
    parent = above[-1].id if above else None
    for trace in traces:
        offset = len(spans)
        numbers = {span.id: number for number, span in enumerate(trace, start=offset + 1)}
        spans += [
            dataclasses.replace(
                span,
                id=numbers[span.id],
                parent=parent if span.parent is None else numbers.get(span.parent, parent),
            )
            for span in trace
        ]
    return tuple(spans)
