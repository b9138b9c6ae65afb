"""What switches tracing on: an argument, the environment, filters; and who gets the traces."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tracing_helpers import Audit, Run

from actium import Actium, Event, hookimpl, trace
from actium.errors import InvalidInputError, StoreError
from actium.tracing.recorder import active
from actium.tracing.spans import SpanKind, Trace


class Other:
    """Another hook plugin."""

    @hookimpl(wrapper=True)
    def run_action(self) -> Any:
        return (yield)


def works() -> None:
    """Does one thing."""
    with trace.span("one thing"):
        pass


def names(traces: list[Trace], *kinds: SpanKind) -> list[str]:
    """The names of all spans of some kinds."""
    return [span.name for trace in traces for span in trace.spans if span.kind in kinds]


@pytest.mark.parametrize("asked", [None, False, "", "0", "off"])
def test_nothing_is_written_unless_it_is_switched_on(
    url: str,
    run_function: Run,
    capfd: pytest.CaptureFixture[str],
    asked: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An application that says nothing, or no, prints nothing and leaves no file."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    with Actium(url, trace=asked) as app:
        run_function(app, works)
    assert capfd.readouterr().err == ""
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("asked", [True, "1", "on"])
def test_trees_go_to_standard_error(url: str, run_function: Run, capfd: pytest.CaptureFixture[str], asked: Any) -> None:
    """Switched on without a file, every execution is a tree on standard error."""
    with Actium(url, trace=asked) as app:
        run_function(app, works)
    shown = capfd.readouterr()
    assert "one thing" in shown.err
    assert shown.out == ""


def test_the_environment_switches_programs_that_do_not_say(
    url: str, run_function: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``ACTIUM_TRACE=FILE`` is heeded where the program leaves it open, and ``trace=False`` is not overruled."""
    file = tmp_path / "traces.jsonl"
    monkeypatch.setenv("ACTIUM_TRACE", str(file))
    with Actium(url, trace=False) as app:
        run_function(app, works)
    assert not file.exists()
    with Actium(url) as app:
        run_function(app, works)
    assert "one thing" in {json.loads(line)["name"] for line in file.read_text().splitlines()}


def test_a_path_is_a_file_whatever_its_name(url: str, run_function: Run, tmp_path: Path) -> None:
    """A path may hold commas and equals signs, which a text cannot."""
    file = tmp_path / "a,b=c.jsonl"
    with Actium(url, trace=file) as app:
        run_function(app, works)
    assert "one thing" in file.read_text()


def test_a_function_gets_each_trace(url: str, run_function: Run) -> None:
    """Whatever can be called gets a `Trace` for every execution, as soon as it is complete."""
    traces: list[Trace] = []
    with Actium(url, trace=traces.append) as app:
        execution = run_function(app, works)
    [of_run] = [one for one in traces if any(span.kind is SpanKind.ATTEMPT for span in one.spans)]
    assert str(execution.id) in {span.arguments.get("id") for span in of_run.spans}


def test_a_function_that_fails_harms_nothing(url: str, run_function: Run, caplog: pytest.LogCaptureFixture) -> None:
    """An execution succeeds although its trace could not be written, and the log says so."""

    def fail(trace: Trace) -> None:
        raise OSError("the disk is full")

    with Actium(url, trace=fail) as app:
        assert run_function(app, works).status == "succeeded"
    assert "A trace could not be written." in caplog.text


@pytest.mark.parametrize(
    ("text", "kept", "dropped"),
    [
        ("hook=run_action", {"run_action"}, {"create_action"}),
        ("hook=one*", {"one thing", "run_action"}, {"create_action"}),
        ("plugin=Audit*", {"look at it", "run_action"}, {"one thing", "create_action"}),
        ("flavor=made.works*", {"create_action", "one thing"}, {"another thing"}),
        ("flavor=elsewhere.*", set(), {"create_action", "run_action"}),
        ("flavor=made.works*,hook=create_action", {"create_action"}, {"run_action", "another thing"}),
        ("plugin=nobody", set(), {"create_action", "run_action"}),
    ],
)
def test_filters(url: str, run_function: Run, tmp_path: Path, text: str, kept: set[str], dropped: set[str]) -> None:
    """By hook, plugin and flavor, with wildcards; what is kept has what it is inside of around it."""

    def another() -> None:
        with trace.span("another thing"):
            pass

    file = tmp_path / "traces.jsonl"
    with Actium(url, trace=f"{file},{text}", hooks=[Audit(), Other()]) as app:
        run_function(app, works)
        run_function(app, another)
    lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    found = {line["name"] for line in lines}
    assert kept <= found
    assert not dropped & found
    known = {(line.get("execution"), line["id"]) for line in lines}
    assert all("parent" not in line or (line.get("execution"), line["parent"]) in known for line in lines)


def test_the_environment_filters_what_a_program_takes(
    url: str, run_function: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that takes the traces itself gets those that ``ACTIUM_TRACE`` filters."""
    monkeypatch.setenv("ACTIUM_TRACE", "hook=run_action")
    traces: list[Trace] = []
    with Actium(url, trace=traces.append) as app:
        run_function(app, works)
    assert set(names(traces, SpanKind.HOOK)) == {"run_action"}


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("colour=red", "cannot be filtered by 'colour=red'"),
        ("hook=", "cannot be filtered by 'hook='"),
        ("a.json,b.json", "to 'a.json' and 'b.json' at once"),
        ("no-such-folder/a.json", "there is no folder 'no-such-folder'"),
        (".", "'.' says neither where traces go nor what of them"),
        ("./", "it is a folder"),
        ("run_action", "'run_action' says neither where traces go nor what of them"),
        ("traces.json,notify.slack", "'notify.slack' says neither"),
        (Path("/"), "it is a folder"),
    ],
)
def test_what_cannot_be_understood_is_refused(url: str, asked: str | Path, told: str) -> None:
    """At once, when the application is opened, with a hint."""
    with pytest.raises(InvalidInputError, match=told) as caught:
        Actium(url, trace=asked)
    assert caught.value.hint


def test_an_application_that_cannot_be_opened_traces_nothing(tmp_path: Path) -> None:
    """What fails to open leaves no tracing switched on in the process."""
    before = dict(active)
    with pytest.raises(StoreError):
        Actium(f"sqlite:///{tmp_path / 'no' / 'such' / 'folder.db'}", trace=True)
    assert dict(active) == before


@pytest.mark.parametrize("name", ["traces.txt", "traces.jsonl", "traces.json"])
def test_deep_spans_are_written(url: str, run_function: Run, tmp_path: Path, name: str) -> None:
    """A handler may open more spans inside each other than Python lets functions call."""

    def digs() -> None:
        with ExitStack() as spans:
            for number in range(1_500):
                spans.enter_context(trace.span(f"level {number}"))

    with Actium(url, trace=tmp_path / name) as app:
        run_function(app, digs)
    assert "level 1499" in (tmp_path / name).read_text()


@pytest.mark.parametrize("name", ["a.json", "a.JSONL", "a.txt", "a.log", "./a", "folder/a"])
def test_a_text_is_a_file_by_its_folder_or_its_end(
    url: str, run_function: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A file whose name ends in no known way is named with its folder."""
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    with Actium(url, trace=name) as app:
        run_function(app, works)
    assert "one thing" in Path(name).read_text()


def test_what_a_filter_leaves_out_is_not_kept_either(url: str, run_function: Run, tmp_path: Path) -> None:
    """A filter that nothing of an execution passes stores no trace of it; one that something passes stores it whole."""
    for text, is_kept in (("plugin=nobody", False), ("hook=one*", True)):
        with Actium(url, trace=f"{tmp_path / 'traces.txt'},{text}") as app:
            execution = run_function(app, works)
            kept = [span.name for span in app.executions.trace(execution.id).spans]
        assert ("one thing" in kept) == is_kept


def test_live_traces_name_the_trigger(url: str, run_function: Run) -> None:
    """As the stored ones do; its id is told beside it."""
    traces: list[Trace] = []
    with Actium(url, trace=traces.append) as app:
        execution = run_function(app, works, event=Event(type="a.b", source="/s"))
        [trigger] = app.triggers.list().items
    [span] = [span for one in traces for span in one.spans if span.kind is SpanKind.TRIGGER]
    assert (span.name, span.arguments) == (f"on-{execution.name}", {"id": str(trigger.id)})


def test_closing_ends_it(url: str, run_function: Run) -> None:
    """Nothing is recorded any more in the process once the last application that traces is closed."""
    before = dict(active)
    traces: list[Trace] = []
    with Actium(url, trace=traces.append) as app:
        assert len(active) > len(before)
        run_function(app, works)
    assert dict(active) == before
