"""How traces are written: as a tree, which golden files hold, as JSON lines, and for Perfetto."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_traces import BEGIN, MS, failed_and_tried_again, odd
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from actium.tracing.chrome import ChromeEvents, chrome_trace
from actium.tracing.json_lines import json_lines
from actium.tracing.spans import Failure, Span, SpanKind, Trace, span_of
from actium.tracing.tree import Part, tree_lines, tree_text
from actium.tracing.writing import TraceFile

GOLDEN = Path(__file__).parent / "golden"
MADE = [failed_and_tried_again, odd]


# The tree


@pytest.mark.parametrize("make", MADE)
def test_the_tree_is_that_of_the_golden_file(make: Callable[[], Trace]) -> None:
    """The tree reads as its golden file; ``ACTIUM_WRITE_GOLDEN=1`` writes it anew, for someone to look at."""
    file, text = GOLDEN / f"{make.__name__}.txt", tree_text(make())
    if os.environ.get("ACTIUM_WRITE_GOLDEN"):
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


def test_what_stands_out_is_marked_in_the_tree() -> None:
    """Failed and slow spans have pieces of their own in their lines, for whoever has colours."""
    marked = {
        (piece.part, next(other.text for other in line if other.part is Part.NAME))
        for line in tree_lines(failed_and_tried_again())
        for piece in line
        if piece.part in {Part.SLOW, Part.FAILED} and any(other.part is Part.NAME for other in line)
    }
    assert marked == {
        (Part.FAILED, "attempt 1"),
        (Part.FAILED, "run_action"),
        (Part.FAILED, "post"),
        (Part.SLOW, "post"),
    }


def test_a_tree_cannot_tell_a_terminal_what_to_do() -> None:
    """Every line holds printable characters only."""
    assert all(line.isprintable() for line in tree_text(odd()).splitlines())


def failed(number: int, parent: int | None, kind: SpanKind, *failure: str) -> Span:
    """A span that an exception has left: its type, text and place."""
    where = failure[2] if len(failure) > 2 else None
    return Span(
        id=number,
        parent=parent,
        kind=kind,
        name=f"span {number}",
        start_ns=BEGIN + number,
        nanoseconds=1,
        failure=Failure(type=failure[0], message=failure[1], where=where),
    )


def test_one_failure_is_told_once_and_others_that_read_alike_are_told_too() -> None:
    """It is told where it comes from; another one of that text, type or place is another one."""
    text = tree_text(
        Trace(
            spans=(
                failed(1, None, SpanKind.ATTEMPT, "ConnectError", "refused"),
                failed(2, 1, SpanKind.HOOK, "httpx.ConnectError", "refused", "a.py:1 in f"),
                failed(3, 2, SpanKind.OWN, "httpx.ConnectError", "refused", "a.py:1 in f"),
                failed(4, 1, SpanKind.OWN, "RuntimeError", "refused", "a.py:9 in g"),
                failed(5, 4, SpanKind.OWN, "OSError", "refused", "a.py:9 in g"),
                failed(6, 1, SpanKind.OWN, "OSError", "refused", "a.py:7 in g"),
                failed(7, 6, SpanKind.OWN, "OSError", "refused", "a.py:8 in h"),
            )
        )
    )
    told = [line.strip("│├└─ ") for line in text.splitlines() if "refused" in line]
    assert told == [
        "httpx.ConnectError: refused  (a.py:1 in f)",
        "RuntimeError: refused  (a.py:9 in g)",
        "OSError: refused  (a.py:9 in g)",
        "OSError: refused  (a.py:7 in g)",
        "OSError: refused  (a.py:8 in h)",
    ]


def test_spans_of_any_depth_are_written() -> None:
    """However deep spans lie, each form tells all of them: a tree with their levels, one for Perfetto in more rows."""
    depth = 3_000
    spans = tuple(
        Span(
            id=number,
            parent=number - 1 or None,
            kind=SpanKind.OWN,
            name=f"span {number}",
            start_ns=BEGIN + number * 1_000,
            nanoseconds=2_000 * (depth - number) + 1_000,
            failure=Failure(type="OSError", message="refused", where="a.py:1 in f"),
        )
        for number in range(1, depth + 1)
    )
    lines = tree_text(Trace(spans=spans)).splitlines()
    assert sum("span " in line for line in lines) == depth
    assert max(map(len, lines)) < 300
    assert f"[{depth - 1}] span {depth}" in lines[-2]
    assert [line for line in lines if "refused" in line] == [lines[-1]]
    assert len(list(json_lines(Trace(spans=spans)))) == depth
    events = ChromeFile.model_validate(chrome_trace(Trace(spans=spans))).events
    complete = [event for event in events if isinstance(event, Complete)]
    assert len(complete) == depth
    assert_nested(complete)
    assert max(sum(one.tid == row for one in complete) for row in {one.tid for one in complete}) < 256


# JSON lines


@pytest.mark.parametrize("make", MADE)
def test_json_lines_hold_every_span(make: Callable[[], Trace]) -> None:
    """A line a span, which reads back as the span, with the execution it belongs to; at last what was left out."""
    trace = make()
    lines = [json.loads(line) for line in json_lines(trace)]
    if trace.left_out:
        assert lines.pop() == {"left_out": trace.left_out}
    assert tuple(span_of(line) for line in lines) == trace.spans
    assert {line["execution"] for line in lines} == {
        span.arguments["id"] for span in trace.spans if span.kind is SpanKind.EXECUTION
    }


# The Chrome trace event format, https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Complete(Strict):
    """A complete event ("X"): it has a duration."""

    ph: Literal["X"]
    name: str
    cat: str
    ts: float
    dur: float = Field(ge=0)
    pid: int = Field(ge=0)
    tid: int = Field(ge=0)
    args: dict[str, str | int | float | bool | None]
    cname: Literal["terrible"] | None = None


class Name(Strict):
    name: str


class Metadata(Strict):
    """A metadata event ("M") that names a process or a thread."""

    ph: Literal["M"]
    name: Literal["process_name", "thread_name"]
    pid: int = Field(ge=0)
    tid: int = Field(ge=0)
    args: Name


class ChromeFile(Strict):
    """The object form of a trace file."""

    events: list[Complete | Metadata] = Field(alias="traceEvents")
    unit: Literal["ms", "ns"] = Field(alias="displayTimeUnit")


def nanoseconds(microseconds: float) -> int:
    """A time as Perfetto reads it: what is left of a nanosecond is cut off."""
    return int(microseconds * 1_000)


def assert_nested(events: list[Complete]) -> None:
    """Events of one row lie within, or behind, each other to the nanosecond: Perfetto drops those that do not."""
    rows: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for event in events:
        begin = nanoseconds(event.ts)
        rows.setdefault((event.pid, event.tid), []).append((begin, begin + nanoseconds(event.dur)))
    for row in rows.values():
        ends: list[int] = []
        for begin, end in sorted(row, key=lambda event: (event[0], -event[1])):
            while ends and ends[-1] <= begin:
                ends.pop()
            assert not ends or end <= ends[-1]
            ends.append(end)


@pytest.mark.parametrize("make", MADE)
def test_a_chrome_trace_is_what_the_format_says(make: Callable[[], Trace]) -> None:
    """The file fits the schema of the format, names every row that it uses, and has every span in a row that nests."""
    trace = make()
    file = ChromeFile.model_validate_json(json.dumps(chrome_trace(trace), allow_nan=False))
    complete = [event for event in file.events if isinstance(event, Complete)]
    names = [event for event in file.events if isinstance(event, Metadata)]
    assert len(complete) == len(trace.spans)
    assert_nested(complete)
    rows = {(event.pid, event.tid) for event in complete}
    assert {(event.pid, event.tid) for event in names if event.name == "thread_name"} == rows
    assert {event.pid for event in names if event.name == "process_name"} == {pid for pid, _ in rows}
    assert sum("failed" in event.cat for event in complete) == sum(span.failure is not None for span in trace.spans)


LENGTHS = st.integers(0, 3_000)


@given(
    st.lists(
        st.tuples(LENGTHS, st.none() | LENGTHS, st.sampled_from([1, 2]), st.sampled_from("ab")),
        max_size=20,
    ),
    st.integers(0, 10**9),
)
def test_any_spans_lie_in_rows_that_nest(spans: list[tuple[int, int | None, int, str]], moment: int) -> None:
    """However spans of coroutines overlap in one thread, each row is one that viewers can draw, and none is lost."""
    made = tuple(
        Span(
            id=number,
            parent=None,
            kind=SpanKind.OWN,
            name=str(number),
            start_ns=BEGIN + moment + start,
            nanoseconds=took,
            process=process,
            thread=thread,
        )
        for number, (start, took, process, thread) in enumerate(spans, start=1)
    )
    events = TypeAdapter(list[Complete | Metadata]).validate_python(list(ChromeEvents().of(Trace(spans=made))))
    complete = [event for event in events if isinstance(event, Complete)]
    assert sorted(event.name for event in complete) == sorted(span.name for span in made)
    assert_nested(complete)


def test_a_file_of_many_days_stays_exact() -> None:
    """What began before or long after the first trace of a file is told as exactly."""
    events = ChromeEvents()
    for days in (0, -29, 60):
        start = BEGIN + days * 86_400_000 * MS + 375
        spans = [
            Span(id=1, parent=None, kind=SpanKind.OWN, name="a", start_ns=start, nanoseconds=1_000, process=1),
            Span(id=2, parent=1, kind=SpanKind.OWN, name="b", start_ns=start + 875, nanoseconds=125, process=1),
        ]
        made = [Complete.model_validate(one) for one in events.of(Trace(spans=tuple(spans))) if one["ph"] == "X"]
        assert nanoseconds(made[1].ts) - nanoseconds(made[0].ts) == 875
        assert_nested(made)


# Files


@pytest.mark.parametrize(("name", "check"), [("a.txt", "tree"), ("a.jsonl", "lines"), ("a.json", "chrome")])
def test_a_files_name_says_how_traces_are_written(tmp_path: Path, name: str, check: str) -> None:
    """Several traces in one file are one file of that form, also while it is still open."""
    file, traces = TraceFile(tmp_path / name), [failed_and_tried_again(), odd()]
    for trace in traces:
        file(trace)
    before = (tmp_path / name).read_text()
    file.close()
    file.close()
    text = (tmp_path / name).read_text()
    if check == "tree":
        assert text == before == "".join(map(tree_text, traces))
    elif check == "lines":
        assert text == before == "".join(f"{line}\n" for trace in traces for line in json_lines(trace))
    else:
        assert json.loads(text) == json.loads(before + "\n]")
        assert len([one for one in json.loads(text) if one["ph"] == "X"]) == sum(len(one.spans) for one in traces)


def test_a_file_is_added_to_or_begun_anew(tmp_path: Path) -> None:
    """Trees and lines are added to what another process has left, a file for Perfetto is begun anew."""
    for name in ("a.txt", "a.jsonl", "a.json"):
        (tmp_path / name).write_text("before\n")
        file = TraceFile(tmp_path / name)
        file(odd())
        file.close()
    kept = {name: (tmp_path / name).read_text().startswith("before\n") for name in ("a.txt", "a.jsonl", "a.json")}
    assert kept == {"a.txt": True, "a.jsonl": True, "a.json": False}


def told(value: Any) -> Any:
    """A value as JSON has it."""
    return json.loads(json.dumps(value))


def test_a_whole_file_and_a_written_one_tell_the_same(tmp_path: Path) -> None:
    """`chrome_trace` and a file that was written trace by trace have the same events."""
    file = TraceFile(tmp_path / "a.json")
    file(odd())
    file.close()
    assert json.loads((tmp_path / "a.json").read_text()) == told(chrome_trace(odd()))["traceEvents"]
