"""A trace as a tree for people: one line a span, and more where something is to be told.

The lines are made of pieces that say what they are, so that a program with colours may give them some. A span that
failed or was slow by itself is marked, in words, for whoever has no colours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from actium.tracing.durations import in_words
from actium.tracing.spans import Plain, Span, SpanKind, Trace

SLOW_SHARE = 0.25
"""What share of an attempt a span must take by itself to be called slow ..."""

SLOW_NANOSECONDS = 10_000_000
"""... and how long it must take at least."""

WIDTH = 120
"""How much of an argument is shown."""

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
    tree = _Tree(trace)
    for root in tree.children.get(None, ()):
        yield from tree.lines(root, "", "")
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

    def lines(self, span: Span, first: str, further: str) -> Iterator[Line]:
        """A span, and what is below it.

        Args:
            span: The span.
            first: What stands before its own line.
            further: What stands before the lines below it.
        """
        children = self.children.get(span.id, [])
        yield (Piece(Part.GUIDE, first), *self._headline(span))
        guide = further + ("│  " if children else "   ")
        for detail in self._details(span):
            yield Piece(Part.GUIDE, guide), detail
        for child in children:
            is_last = child is children[-1]
            yield from self.lines(
                child, further + ("└─ " if is_last else "├─ "), further + ("   " if is_last else "│  ")
            )

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
        while span.kind is not SpanKind.ATTEMPT and span.parent in self.spans:
            span = self.spans[span.parent]
        return span.nanoseconds

    # What is told below it

    def _details(self, span: Span) -> Iterator[Piece]:
        if span.kind is SpanKind.EXECUTION:
            yield from self._waiting(span)
        for name, value in self._told_arguments(span).items():
            yield Piece(Part.DETAIL, f"{_one_line(name)} = {_shown(value)}")
        if span.result is not None and self._is_news(span):
            yield Piece(Part.DETAIL, f"→ {_shown(span.result)}")
        if span.failure is not None and not self._is_told_below(span):
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

    def _is_told_below(self, span: Span) -> bool:
        told = (span.failure and span.failure.message) or None
        below = self._below(span)
        return any(child.failure is not None and (child.failure.message or None) == told for child in below)

    def _below(self, span: Span) -> Iterator[Span]:
        for child in self.children.get(span.id, ()):
            yield child
            yield from self._below(child)

    @staticmethod
    def _is_long(span: Span) -> bool:
        return len(_listed(span.arguments)) > _INLINE


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
