"""A trace in the Chrome trace event format, which Perfetto (https://ui.perfetto.dev) and chrome://tracing open.

Spans of one row must lie within each other. Those of coroutines that take turns in one thread do not, and those of
several traces may not, so that a thread has as many rows as it needs.

Perfetto drops what sticks out of its parent by a nanosecond, and reads times as binary fractions of microseconds. So
times are told in eighths of a microsecond, and not since 1970 but since a month before the first span: both keep them
exact. When a trace really began is told in its first span.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from typing import Any

from actium.tracing.spans import Span, SpanKind, Trace

Event = dict[str, Any]

_STEP = 125
"""In nanoseconds."""

_MONTH = 30 * 86_400_000_000_000

DEEPEST = 250
"""How many spans lie within each other in one row; Perfetto drops what is deeper, some versions of it from 256 on."""

_REMEMBERED = 10_000

_AROUND = frozenset({SpanKind.EVENT, SpanKind.TRIGGER, SpanKind.EXECUTION})


def chrome_trace(trace: Trace) -> dict[str, Any]:
    """A whole file, as JSON values."""
    return {"traceEvents": [*ChromeEvents().of(trace)], "displayTimeUnit": "ms"}


class ChromeEvents:
    """Makes trace events of one trace after the other, for one file."""

    def __init__(self) -> None:
        self._zero: int | None = None
        self._rows: dict[tuple[int, str], list[_Row]] = {}
        self._count = 0
        self._processes: set[int] = set()

    def of(self, trace: Trace) -> Iterator[Event]:
        """The events of a trace, and the names of the rows that are new in it."""
        if self._zero is None:
            self._zero = min((span.start_ns for span in trace.spans), default=0) - _MONTH
        for (process, thread), spans in _by_thread(trace).items():
            if process not in self._processes:
                self._processes.add(process)
                yield _named("process_name", process, 0, f"process {process}" if process else "executions")
            rows = self._rows.setdefault((process, thread), [])
            for nested in _nested(spans):
                begin, end = nested[0].start_ns, max(span.end_ns for span in nested)
                row = next((row for row in rows if row.has_room(begin, end)), None)
                if row is None:
                    self._count += 1
                    row = _Row(self._count)
                    rows.append(row)
                    name = thread if len(rows) == 1 else f"{thread} ({len(rows)})"
                    yield _named("thread_name", process, row.number, name)
                row.take(begin, end)
                for span in nested:
                    yield _event(span, row.number, self._zero)


class _Row:
    """A row of a file, and when it is taken by traces: they come as they end, and may have begun in any order.

    Attributes:
        number: The number by which events name it.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self._taken: list[tuple[int, int]] = []
        self._forgotten = 0

    def has_room(self, begin: int, end: int) -> bool:
        """Whether nothing is in it between two times."""
        after = bisect_left(self._taken, (begin, end))
        is_free_before = after == 0 or self._taken[after - 1][1] <= begin
        is_free_behind = after == len(self._taken) or end <= self._taken[after][0]
        return begin >= self._forgotten and is_free_before and is_free_behind

    def take(self, begin: int, end: int) -> None:
        """Let something be in it between two times. What was long ago is forgotten, and nothing put there any more."""
        insort(self._taken, (begin, end))
        if len(self._taken) > _REMEMBERED:
            self._forgotten = self._taken.pop(0)[1]


def _by_thread(trace: Trace) -> dict[tuple[int, str], list[Span]]:
    threads: dict[tuple[int, str], list[Span]] = {}
    for span in trace.spans:
        key = (0, "executions") if span.kind in _AROUND else (span.process, span.thread or "thread")
        threads.setdefault(key, []).append(span)
    return threads


def _nested(spans: Sequence[Span]) -> list[list[Span]]:
    """Spans in as few rows as it takes for those of each to lie within, or behind, each other."""
    rows: list[tuple[list[Span], list[int]]] = []
    for span in sorted(spans, key=lambda span: (span.start_ns, -span.end_ns, span.id)):
        for row, ends in rows:
            while ends and ends[-1] <= span.start_ns:
                ends.pop()
            if len(ends) < DEEPEST and (not ends or span.end_ns <= ends[-1]):
                row.append(span)
                ends.append(span.end_ns)
                break
        else:
            rows.append(([span], [span.end_ns]))
    return [row for row, _ in rows]


def _event(span: Span, row: int, zero: int) -> Event:
    begin, end = (span.start_ns - zero) // _STEP, (span.end_ns - zero) // _STEP
    arguments: dict[str, Any] = {**span.arguments}
    for name in ("origin", "position", "result"):
        value = getattr(span, name)
        if value is not None:
            arguments[name] = value
    if span.failure is not None:
        arguments["failure"] = str(span.failure)
    if span.parent is None:
        arguments["start"] = span.start.isoformat()
    if span.nanoseconds is None:
        arguments["ended"] = False
    event: Event = {
        "name": f"{_PREFIXES.get(span.kind, '')}{span.name}",
        "cat": span.kind.value + (",failed" if span.failure is not None else ""),
        "ph": "X",
        "ts": begin * _STEP / 1_000,
        "dur": (end - begin) * _STEP / 1_000,
        "pid": 0 if span.kind in _AROUND else span.process,
        "tid": row,
        "args": arguments,
    }
    if span.failure is not None:
        event["cname"] = "terrible"
    return event


def _named(what: str, process: int, row: int, name: str) -> Event:
    return {"name": what, "ph": "M", "pid": process, "tid": row, "args": {"name": name}}


_PREFIXES = {SpanKind.BEFORE: "before ", SpanKind.AFTER: "after "}
