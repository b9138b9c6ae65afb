"""The spans of runs in processes of their own join the traces of their executions, and no other."""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from actium import ActionConfig, Actium, action_flavor, trace
from actium.models import ActionRequest, ServiceAccountRequest
from actium.tracing.spans import Span, SpanKind, Trace
from actium.tracing.tree import tree_text

Add = Callable[..., str]


class Text(ActionConfig):
    """Takes a text to tell."""

    text: str


@action_flavor("tracing.coroutine", config=Text)
async def in_coroutine(config: Text) -> None:
    """Takes turns with others."""
    for part in ("outer", "inner"):
        with trace.span(f"{part} {config.text}"):
            await asyncio.sleep(0)


@action_flavor("tracing.thread", config=Text)
def in_thread(config: Text) -> None:
    """Runs in a thread of the worker."""
    with trace.span(f"outer {config.text}"), trace.span(f"inner {config.text}"):
        pass


@pytest.fixture
def app(tmp_path: Path, flavors: ModuleType) -> Iterator[Actium]:
    with Actium(f"sqlite:///{tmp_path / 'actium.db'}") as app:
        for flavor in (importlib.import_module("tracing_flavor").tells, in_coroutine, in_thread):
            app.flavors.register(flavor)
        app.accounts.create(ServiceAccountRequest(name="robot"))
        yield app


@pytest.fixture
def add(app: Actium) -> Add:
    """Store an execution of a flavor, traced."""

    def add(flavor: str, run_policy: dict[str, float] | None = None, **configuration: str) -> str:
        action = app.actions.create(
            ActionRequest(
                name=f"action-{app.actions.list().total}",
                plugin_subtype="tracing",
                flavor=flavor,
                service_account_id=app.accounts.get("robot").id,
                configuration=configuration,
                run_policy=run_policy or {},
                trace="on",
            )
        )
        return str(app.actions.run(action.id).id)

    return add


def named(trace: Trace, name: str) -> Span:
    [span] = [span for span in trace.spans if span.name == name]
    return span


def test_spans_join_below_the_attempt(app: Actium, add: Add) -> None:
    """The process is a span below the attempt's, and inside it are the hook and all that was done there."""
    execution = add("process", text="a")
    app.worker().run_until_idle()
    told, pid = app.executions.trace(execution), app.executions.get(execution).result
    known = {span.id: span for span in told.spans}
    process = named(told, f"process {pid}")
    assert known[process.parent or 0].kind is SpanKind.ATTEMPT
    assert known[process.parent or 0].process == os.getpid()
    assert process.start_ns >= known[process.parent or 0].start_ns
    assert process.end_ns <= known[process.parent or 0].end_ns
    [handler] = [span for span in told.spans if span.kind is SpanKind.IMPLEMENTATION]
    assert known[known[handler.parent or 0].parent or 0] == process
    inner = named(told, "inner a")
    assert known[inner.parent or 0].name == "outer a"
    assert named(told, "thread a").parent == inner.id
    assert {span.process for span in told.spans if span.name.endswith(" a")} == {pid}
    assert dict(inner.arguments) == {"rows": 3}
    assert inner.plugin == "tracing.process"


def test_a_failure_is_told_where_it_happened(app: Actium, add: Add) -> None:
    """The span in the process has the exception and its place there."""
    execution = add("process", text="a", end="raise")
    app.worker().run_until_idle()
    failure = named(app.executions.trace(execution), "inner a").failure
    assert failure is not None
    assert (failure.type, failure.message) == ("ConnectionError", "refused a")
    assert "tracing_flavor.py" in str(failure.where)


def test_a_process_that_dies_leaves_the_trace_of_this_side(app: Actium, add: Add) -> None:
    """What it recorded is gone with it, and a span in its place tells that, and how it ended."""
    execution = add("process", text="a", end="die")
    app.worker().run_until_idle()
    told = app.executions.trace(execution)
    assert "SIGKILL" in str(named(told, "attempt 1").failure)
    [process] = [span for span in told.spans if span.name.startswith("process ")]
    assert process.parent == named(told, "attempt 1").id
    assert process.arguments == {"cut_off": True, "spans": "lost with the process"}
    assert "SIGKILL" in str(process.failure)
    assert not [span for span in told.spans if span.name.endswith(" a")]


def test_a_run_that_takes_too_long_is_told_as_cut_off(app: Actium, add: Add) -> None:
    """Its process was killed, and the trace tells which, after how long and why, in a line that says so."""
    execution = add("process", text="a", end="stay", run_policy={"timeout": 1.0})
    app.worker().run_until_idle()
    told = app.executions.trace(execution)
    [process] = [span for span in told.spans if span.name.startswith("process ")]
    assert "ExecutionTimeoutError" in str(process.failure)
    assert process.seconds is not None
    assert process.seconds >= 0.9
    assert "cut_off=True" in tree_text(told)


def test_nothing_mixes(app: Actium, add: Add) -> None:
    """Of many executions at once, in processes, coroutines and threads, each has its own spans and no other's."""
    executions = {
        add(flavor, text=f"{flavor}-{number}"): f"{flavor}-{number}"
        for number in range(6)
        for flavor in ("process", "coroutine", "thread")
    }
    app.worker(concurrency=4).run_until_idle()
    for execution, text in executions.items():
        told = app.executions.trace(execution)
        spans = [span.name for span in told.spans if span.kind is SpanKind.OWN and not span.name.startswith("process")]
        parts = {"outer", "inner", "thread"} if text.startswith("process") else {"outer", "inner"}
        assert sorted(spans) == sorted(f"{part} {text}" for part in parts)
        known = {span.id: span for span in told.spans}
        assert all(span.parent is None or span.parent in known for span in told.spans)
        assert sum(span.parent is None for span in told.spans) == 1
