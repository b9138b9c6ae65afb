"""Files for Perfetto: what the format asks of them, and what becomes of one that several want to write."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_traces import BEGIN as BEGIN_NS
from made_traces import failed_and_tried_again, odd
from trace_event_format import problems, read
from tracing_helpers import Run

from actium import Actium, action_flavor, trace
from actium.models import ActionRequest, ServiceAccountRequest
from actium.tracing.chrome import ChromeEvents, chrome_trace
from actium.tracing.spans import Span, SpanKind, Trace
from actium.tracing.writing import TraceFile

WRITE = """
    import sys, time
    from pathlib import Path
    sys.path.insert(0, sys.argv[1])
    from made_traces import odd
    from actium.tracing.writing import TraceFile
    file = TraceFile(Path(sys.argv[2]))
"""
WRITE_AND_WAIT = (
    WRITE
    + """
    file(odd())
    print("written", flush=True)
    sys.stdin.read()
    file.close()
"""
)
WRITE_MANY = (
    WRITE
    + """
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(200):
        file(odd())
"""
)
FORK = (
    WRITE
    + """
    import os
    file(odd())
    child = os.fork()
    file(odd())
    file.close()
    if child:
        os.waitpid(child, 0)
        print(child)
"""
)
FORK_WITH_ITS_NUMBER = """
    import os
    number = os.getpid()
    os.getpid = lambda: number
""" + FORK.replace("print(child)", "print(number)")


def started(code: str, file: Path) -> subprocess.Popen[str]:
    """A process that runs code, up to the line that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(Path(__file__).parent), str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    return process


def names(file: Path) -> list[str]:
    """The names of the spans in a file that is as the format says."""
    text = file.read_text()
    assert problems(text) == []
    return [event["name"] for event in read(text) if event["ph"] == "X"]


COUNT = len(odd().spans)


# The format


def works() -> None:
    """Opens a span, and fails in another."""
    with trace.span("outer", rows=3), trace.span("inner"):
        raise OSError("refused")


@action_flavor("chrome.works")
def flavor() -> None:
    """Opens a span."""
    with trace.span("done"):
        pass


def test_what_executions_write_is_what_the_format_says(url: str, run_function: Run, tmp_path: Path) -> None:
    """A file of executions and calls, while it is open and at its end, and a stored trace in the same form."""
    file = tmp_path / "traces.json"
    with Actium(url, trace=file) as app:
        execution = run_function(app, works)
        assert {"outer", "inner"} <= set(names(file))
        stored = json.dumps(chrome_trace(app.executions.trace(execution.id)))
    assert {"outer", "inner"} <= set(names(file))
    assert problems(stored) == []
    named = {(event["pid"], event["tid"]) for event in read(stored) if event["name"] == "thread_name"}
    assert named == {(event["pid"], event["tid"]) for event in read(stored) if event["ph"] == "X"}


TIMES = st.integers(0, 50).map(lambda number: number * 125)


@given(st.lists(st.lists(st.tuples(TIMES, TIMES), min_size=1, max_size=5), max_size=8))
def test_traces_that_overlap_lie_in_rows_of_their_own(traces: list[list[tuple[int, int]]]) -> None:
    """Executions may begin and end in any order; those of one file never cross in a row, and none is lost."""
    events, written = ChromeEvents(), []
    for times in traces:
        spans = [
            Span(id=number, parent=None, kind=SpanKind.EXECUTION, name="a", start_ns=BEGIN_NS + at, nanoseconds=took)
            for number, (at, took) in enumerate(times, start=1)
        ]
        written += events.of(Trace(spans=tuple(spans)))
    assert problems(json.dumps(written)) == []
    assert sum(event["ph"] == "X" for event in written) == sum(map(len, traces))


def test_executions_that_waited_at_once_are_all_drawn(url: str, run_function: Run, tmp_path: Path) -> None:
    """Those of one event lie beside each other, for each begins when it is stored and ends when it was run."""
    file = tmp_path / "traces.json"
    with Actium(url, trace=file) as app:
        account = app.accounts.create(ServiceAccountRequest(name="robot"))
        app.flavors.register(flavor)
        for number in range(3):
            action = app.actions.create(
                ActionRequest(name=f"a{number}", plugin_subtype="chrome", flavor="works", service_account_id=account.id)
            )
            app.actions.run(action.id)
        app.worker().run_until_idle()
    assert [name for name in names(file) if name in {"a0", "a1", "a2"}] == ["a0", "a1", "a2"]


SPAN = {"name": "a", "ph": "X", "ts": 1.5, "dur": 2, "pid": 1, "tid": 1}
BEGIN, END = {"name": "a", "ph": "B", "ts": 1, "pid": 1, "tid": 1}, {"ph": "E", "ts": 2, "pid": 1, "tid": 1}


@pytest.mark.parametrize(
    "event",
    [
        {**SPAN, "ph": "?"},
        {**SPAN, "ts": "1.5"},
        {**SPAN, "ts": float("nan")},
        {**SPAN, "dur": -1},
        {**SPAN, "dur": None},
        {**SPAN, "pid": "1"},
        {**SPAN, "tid": 1.0},
        {**SPAN, "name": 3},
        {**SPAN, "args": [1]},
        {**SPAN, "ts": 2, "dur": 2},
        {"name": "thread", "ph": "M", "pid": 1, "tid": 1, "args": {"name": "a"}},
        {"name": "thread_name", "ph": "M", "pid": 1, "tid": 1, "args": {}},
        BEGIN,
        END,
        [],
    ],
)
def test_what_the_format_does_not_allow_is_found(event: Any) -> None:
    """The check of the format refuses each of these beside an event that is right."""
    assert problems(json.dumps([SPAN, event]))


def test_what_the_format_allows_is_taken() -> None:
    """The check takes an array without its end, an object, and events that Actium never writes."""
    assert problems(json.dumps([SPAN, BEGIN, END])) == []
    assert problems(json.dumps([SPAN])[:-1]) == []
    assert problems(json.dumps({"traceEvents": [SPAN], "displayTimeUnit": "ns", "otherData": {}})) == []
    assert problems(json.dumps({"traceEvents": 3}))
    assert problems(json.dumps({"traceEvents": [SPAN], "displayTimeUnit": "s"}))


# Several who want to write


def test_applications_of_one_process_share_a_file(tmp_path: Path) -> None:
    """At once or one after the other, what they write is in one file that is whole when all are done."""
    file, first, second = tmp_path / "a.json", TraceFile(tmp_path / "a.json"), TraceFile(tmp_path / "a.json")
    first(odd())
    second(failed_and_tried_again())
    first.close()
    second(odd())
    second.close()
    third = TraceFile(tmp_path / "a.json")
    third(odd())
    third.close()
    assert len(names(file)) == 3 * COUNT + len(failed_and_tried_again().spans)
    assert json.loads(file.read_text())
    assert list(tmp_path.iterdir()) == [file]


def test_applications_that_follow_each_other_share_a_file(url: str, run_function: Run, tmp_path: Path) -> None:
    """A program that opens Actium twice has the traces of both in its file."""
    for _ in range(2):
        with Actium(url, trace=tmp_path / "a.json") as app:
            run_function(app, works)
    assert names(tmp_path / "a.json").count("inner") == 2


def test_a_file_that_was_changed_meanwhile_is_begun_anew(tmp_path: Path) -> None:
    """What someone else has left there is no beginning to add to."""
    for left in ("[]", "", None):
        file = TraceFile(tmp_path / "a.json")
        file(odd())
        file.close()
        assert len(names(tmp_path / "a.json")) == COUNT
        if left is None:
            (tmp_path / "a.json").unlink()
        else:
            (tmp_path / "a.json").write_text(left)


def test_another_process_writes_beside_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """While one has a file open, another writes to one of its own, and says so once; both files are whole."""
    file = tmp_path / "a.json"
    other = started(WRITE_AND_WAIT, file)
    mine = TraceFile(file)
    for _ in range(2):
        mine(odd())
        mine.close()
    other.communicate("")
    mine(odd())
    mine.close()
    [beside] = [path for path in tmp_path.iterdir() if path != file]
    assert len(names(file)) == COUNT
    assert len(names(beside)) == 3 * COUNT
    assert [record.getMessage() for record in caplog.records] == [
        f"Another process writes its traces to '{file}'; those of this one are in '{beside}'."
    ]


def test_a_process_that_was_killed_keeps_nobody_from_its_file(tmp_path: Path) -> None:
    """What it left is read without its end, and the next process begins the file anew."""
    file = tmp_path / "a.json"
    killed = started(WRITE_AND_WAIT, file)
    killed.kill()
    killed.communicate()
    assert len(names(file)) == COUNT
    started(WRITE_AND_WAIT, file).communicate("")
    assert len(names(file)) == COUNT
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.parametrize("code", [FORK, FORK_WITH_ITS_NUMBER], ids=["its own number", "its parent's number"])
def test_a_forked_process_writes_beside_its_parent(tmp_path: Path, code: str) -> None:
    """It has the file open as its parent has, and yet does not write between its parent's lines."""
    file = tmp_path / "a.json"
    child = started_and_ended(code, file)
    assert len(names(file)) == 2 * COUNT
    assert len(names(tmp_path / f"a.{child}.json")) == COUNT


def started_and_ended(code: str, file: Path) -> str:
    """What code in a process prints."""
    command = [sys.executable, "-c", textwrap.dedent(code), str(Path(__file__).parent), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip()


def test_lines_of_many_processes_stay_whole(tmp_path: Path) -> None:
    """Processes that add to one file of lines at the same time never write into each other's lines."""
    file = tmp_path / "a.jsonl"
    processes = [started(WRITE_MANY, file) for _ in range(4)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate()
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert len([line for line in lines if "id" in line]) == 4 * 200 * COUNT


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is always full")
def test_a_full_disk_is_told_and_harms_nothing(url: str, run_function: Run, caplog: pytest.LogCaptureFixture) -> None:
    """An execution goes on although its trace cannot be written, and the log says so."""
    with Actium(url, trace=Path("/dev/full")) as app:
        run_function(app, works)
    assert "A trace could not be written." in caplog.text
