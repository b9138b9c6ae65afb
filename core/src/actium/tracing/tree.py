"""A trace as a tree for people: one line a span, and more where something is to be told.

The lines are made of pieces that say what they are, so that a program with colours may give them some. A span that
failed or was slow by itself is marked, in words, for whoever has no colours.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from actium.tracing.durations import in_words
from actium.tracing.spans import Failure, Plain, Span, SpanKind, Trace

SLOW_SHARE = 0.25
"""What share of an attempt a span must take by itself to be called slow ..."""

SLOW_NANOSECONDS = 10_000_000
"""... and how long it must take at least."""

WIDTH = 120
"""How much of an argument is shown."""

DEEPEST = 50
"""How many levels are drawn. What lies deeper stands at the last of them, with its level in brackets."""

_INLINE = 100


class Part(StrEnum):
    """What a piece of a line is."""

    GUIDE = "guide"
    KIND = "kind"
    NAME = "name"
    ORIGIN = "origin"
    TIME = "time"
    SLOW = "slow"
    FAILED = "failed"
    DETAIL = "detail"


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a line."""

    part: Part
    text: str


Line = tuple[Piece, ...]


def tree_text(trace: Trace) -> str:
    """A trace as plain text."""
    return "".join("".join(piece.text for piece in line).rstrip() + "\n" for line in tree_lines(trace))


def tree_lines(trace: Trace) -> Iterator[Line]:
    """A trace line by line."""
    yield from _Tree(trace).lines()
    if trace.left_out:
        yield (Piece(Part.DETAIL, f"… {trace.left_out:,} more spans were left out"),)


class _Tree:
    def __init__(self, trace: Trace) -> None:
        known = {span.id for span in trace.spans}
        self.spans = {span.id: span for span in trace.spans}
        self.children: dict[int | None, list[Span]] = {}
        for span in sorted(trace.spans, key=lambda span: (span.start_ns, span.id)):
            parent = span.parent if span.parent in known else None
            self.children.setdefault(parent, []).append(span)
        self._wholes: dict[int, int | None] = {}
        self._told = _ToldFailures(trace.spans, self.children)

    def lines(self) -> Iterator[Line]:
        """All spans, each followed by what is below it. Spans may lie deeper than Python lets functions call."""
        waiting = [_Placed(root, "", "", 0) for root in reversed(self.children.get(None, ()))]
        while waiting:
            placed = waiting.pop()
            span = placed.span
            children = self.children.get(span.id, [])
            yield (Piece(Part.GUIDE, placed.first), *self._headline(span))
            guide = placed.further + ("│  " if children and placed.level < DEEPEST else "   ")
            for detail in self._details(span):
                yield Piece(Part.GUIDE, guide), detail
            waiting += [placed.below(child, is_last=child is children[-1]) for child in reversed(children)]

    # A span's own line

    def _headline(self, span: Span) -> Iterator[Piece]:
        label = _LABELS.get(span.kind)
        if label is not None:
            yield Piece(Part.KIND, f"{label} ")
        yield Piece(Part.NAME, _one_line(span.name))
        who = self._who(span)
        if who:
            yield Piece(Part.ORIGIN, f"  {who}")
        if span.kind in _TOLD_INLINE and span.arguments and not self._is_long(span):
            yield Piece(Part.DETAIL, f"  {_listed(span.arguments)}")
        if span.kind in _TIMED:
            took = "not ended" if span.nanoseconds is None else in_words(span.nanoseconds)
            yield Piece(Part.TIME, f"  {took}")
        if self._is_slow(span):
            yield Piece(Part.SLOW, "  slow")
        if span.failure is not None:
            yield Piece(Part.FAILED, "  failed")

    def _who(self, span: Span) -> str:
        """The plugin, where it is another one than above."""
        if span.kind is SpanKind.OWN:
            above = self.spans.get(span.parent or 0)
            return "" if above is not None and above.plugin == span.plugin else span.origin or ""
        return " ".join(filter(None, (span.origin, span.position)))

    def _is_slow(self, span: Span) -> bool:
        whole = self._whole(span)
        if whole is None or span.kind not in _BY_PLUGINS or span.nanoseconds is None:
            return False
        own = span.nanoseconds - sum(child.nanoseconds or 0 for child in self.children.get(span.id, ()))
        return own >= max(SLOW_NANOSECONDS, SLOW_SHARE * whole)

    def _whole(self, span: Span) -> int | None:
        """How long the attempt took that a span is a part of, or what is outermost where there is none."""
        if span.id not in self._wholes:  # those above are asked before those inside
            is_outermost = span.kind is SpanKind.ATTEMPT or span.parent not in self._wholes
            self._wholes[span.id] = span.nanoseconds if is_outermost else self._wholes[span.parent or 0]
        return self._wholes[span.id]

    # What is told below it

    def _details(self, span: Span) -> Iterator[Piece]:
        if span.kind is SpanKind.EXECUTION:
            yield from self._waiting(span)
        for name, value in self._told_arguments(span).items():
            yield Piece(Part.DETAIL, f"{_one_line(name)} = {_shown(value)}")
        if span.result is not None and self._is_news(span):
            yield Piece(Part.DETAIL, f"→ {_shown(span.result)}")
        if span.failure is not None and not self._told.has_below(span, span.failure):
            where = "" if span.failure.where is None else f"  ({span.failure.where})"
            yield Piece(Part.FAILED, f"{_one_line(str(span.failure))}{where}")
            for note in span.failure.notes:
                yield Piece(Part.FAILED, f"note: {_one_line(note)}")

    def _waiting(self, span: Span) -> Iterator[Piece]:
        attempts = self.children.get(span.id)
        if attempts and attempts[0].name == "attempt 1" and attempts[0].start_ns - span.start_ns >= 1_000_000:
            yield Piece(Part.DETAIL, f"waited {in_words(attempts[0].start_ns - span.start_ns)} for a worker")

    def _told_arguments(self, span: Span) -> Mapping[str, Plain]:
        if span.kind is SpanKind.AFTER:
            swallowed = "exception" in span.arguments and span.failure is None and span.result is not None
            return span.arguments if swallowed else {}
        if span.kind in _TOLD_INLINE:
            return span.arguments if self._is_long(span) else {}
        above = self.spans.get(span.parent or 0)
        known = above.arguments if above is not None and above.kind is SpanKind.HOOK else {}
        return {name: value for name, value in span.arguments.items() if name not in known or known[name] != value}

    def _is_news(self, span: Span) -> bool:
        """Whether a result is another one than the line above, or before, has told."""
        if span.kind is SpanKind.AFTER:
            return span.result != span.arguments.get("result")
        above = self.spans.get(span.parent or 0)
        return above is None or above.kind is not SpanKind.HOOK or above.result != span.result

    @staticmethod
    def _is_long(span: Span) -> bool:
        return len(_listed(span.arguments)) > _INLINE


@dataclass(frozen=True, slots=True)
class _Placed:
    """A span with what is drawn to its left.

    Attributes:
        span: The span.
        first: What stands before its own line.
        further: What stands before the lines below it.
        level: How deep it lies.
    """

    span: Span
    first: str
    further: str
    level: int

    def below(self, child: Span, *, is_last: bool) -> _Placed:
        """A span inside this one."""
        level = self.level + 1
        if level > DEEPEST:
            return _Placed(child, f"{self.further}[{level}] ", self.further, level)
        return _Placed(
            child, self.further + ("└─ " if is_last else "├─ "), self.further + ("   " if is_last else "│  "), level
        )


class _ToldFailures:
    """Where each failure is told, so that one that leaves span after span is told once, where it comes from.

    Spans are numbered as the tree tells them, so that those below a span have the numbers that follow its own.
    """

    def __init__(self, spans: Sequence[Span], children: Mapping[int | None, Sequence[Span]]) -> None:
        self._first: dict[int, int] = {}
        self._last: dict[int, int] = {}
        self._numbers: dict[tuple[str, str, str | None], list[int]] = {}
        waiting = [*reversed(children.get(None, ()))]
        while waiting:
            span = waiting.pop()
            number = self._first[span.id] = self._last[span.id] = len(self._first)
            if span.failure is not None:
                for key in {_as_known(span.failure), _as_known(replace(span.failure, where=None))}:
                    self._numbers.setdefault(key, []).append(number)
            waiting += reversed(children.get(span.id, ()))
        for span in sorted(spans, key=lambda span: self._first.get(span.id, 0), reverse=True):
            if span.parent in self._last and span.id in self._last:
                self._last[span.parent] = max(self._last[span.parent], self._last[span.id])

    def has_below(self, span: Span, failure: Failure) -> bool:
        """Whether a span's failure is that of one inside it; it is where all is alike that is known of both."""
        numbers = self._numbers[_as_known(failure)]
        next_one = bisect_right(numbers, self._first[span.id])
        return next_one < len(numbers) and numbers[next_one] <= self._last[span.id]


def _as_known(failure: Failure) -> tuple[str, str, str | None]:
    """What tells a failure from others. That of an attempt has no place, and its type no module."""
    kind = failure.type.rpartition(".")[2] if failure.where is None else failure.type
    return kind, failure.message, failure.where


def _listed(arguments: Mapping[str, Plain]) -> str:
    return " ".join(f"{_one_line(name)}={_shown(value)}" for name, value in arguments.items())


def _shown(value: Plain) -> str:
    text = _one_line(str(value))
    return text if len(text) <= WIDTH else f"{text[:WIDTH]}…"


def _one_line(text: str) -> str:
    """A text that stays on its line, and cannot tell a terminal what to do."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


_TOLD_INLINE = frozenset({SpanKind.EVENT, SpanKind.TRIGGER, SpanKind.EXECUTION, SpanKind.ATTEMPT, SpanKind.OWN})
_LABELS: Mapping[SpanKind, str] = {
    SpanKind.EVENT: "event",
    SpanKind.TRIGGER: "trigger",
    SpanKind.EXECUTION: "execution",
    SpanKind.HOOK: "hook",
    SpanKind.BEFORE: "before",
    SpanKind.AFTER: "after",
}
_TIMED = frozenset({*SpanKind} - {SpanKind.EVENT, SpanKind.TRIGGER})
_BY_PLUGINS: Sequence[SpanKind] = (SpanKind.IMPLEMENTATION, SpanKind.BEFORE, SpanKind.AFTER, SpanKind.OWN)
