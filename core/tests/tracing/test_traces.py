"""What is recorded of executions, what of it is kept, and that nothing ever mixes."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracing_helpers import Audit, Run, Watch, named, path_of

from actium import ActionConfig, Actium, Event, TriggerExecutionResponse, action_flavor, hookimpl, trace
from actium.errors import InvalidInputError
from actium.models import ActionRequest, ActionUpdate, Backoff, RunPolicy, ServiceAccountRequest
from actium.models.tracing import TraceMode
from actium.tracing.limits import MAX_BYTES, MAX_SPANS
from actium.tracing.recorder import Entered, Recording, active, current
from actium.tracing.spans import Span, SpanKind, Trace
from actium.tracing.taking import taken, written


class Publishing:
    """Wraps what is published, and is told of it and of executions."""

    @hookimpl(wrapper=True)
    def publish_event(self, event: Event, extensions: dict[str, Any]) -> Any:
        with trace.span("stamp"):
            if event.type == "is.refused":
                raise PermissionError("not this one")
        published = yield
        with trace.span("count"):
            return published

    @hookimpl
    def event_published(self, event: Event) -> None:
        with trace.span("tell"):
            pass

    @hookimpl
    def execution_changed(self, trigger_execution: Any) -> None:
        with trace.span(f"saw {trigger_execution.status}"):
            pass


class TestPublishing:
    def test_hooks_around_an_event_are_traced_below_it(self, url: str) -> None:
        """One trace has both sides of the wrapper and the observer, below the event's span."""
        before, traces = dict(active), list[Trace]()
        with Actium(url, hooks=[Publishing()], trace=traces.append) as app:
            app.events.publish(Event(type="a.b", source="/s", id="7"))
        [told] = traces
        assert [(span.kind.value, span.name, span.plugin) for span in told.spans] == [
            ("event", "a.b", None),
            ("hook", "publish_event", None),
            ("before", "publish_event", "Publishing"),
            ("span", "stamp", "Publishing"),
            ("after", "publish_event", "Publishing"),
            ("span", "count", "Publishing"),
            ("implementation", "event_published", "Publishing"),
            ("span", "tell", "Publishing"),
        ]
        assert told.spans[0].arguments == {"id": "7", "source": "/s"}
        assert path_of(told, named(told, "count")) == ["a.b", "publish_event", "publish_event", "count"]
        assert path_of(told, named(told, "tell")) == ["a.b", "event_published", "tell"]
        assert all(span.nanoseconds is not None for span in told.spans)
        assert dict(active) == before

    def test_several_events_have_a_trace_each(self, url: str) -> None:
        """Events of one transaction are told apart, also where coroutines publish them and threads store them."""
        traces: list[Trace] = []

        async def publish(app: Actium) -> None:
            events = (Event(type="a.b", source="/s", id=str(number)) for number in range(20))
            await asyncio.gather(*(app.events.apublish(event) for event in events))

        with Actium(url, hooks=[Publishing()], trace=traces.append) as app:
            asyncio.run(publish(app))
            app.events.publish_many([Event(type="a.b", source="/m", id=str(number)) for number in range(5)])
        assert len({(one.spans[0].arguments["source"], one.spans[0].arguments["id"]) for one in traces}) == 25
        assert {tuple(span.name for span in one.spans) for one in traces} == {
            ("a.b", "publish_event", "publish_event", "stamp", "publish_event", "count", "event_published", "tell")
        }

    def test_an_event_that_is_refused_tells_who_refused_it(self, url: str) -> None:
        """The exception is in the trace, and nothing is recorded any more afterwards."""
        before, traces = dict(active), list[Trace]()
        with Actium(url, hooks=[Publishing()], trace=traces.append) as app:
            with pytest.raises(PermissionError):
                app.events.publish_many([Event(type="a.b", source="/s"), Event(type="is.refused", source="/s")])
            assert len(active) == len(before) + 1
        refused, given_up = sorted(traces, key=lambda one: one.spans[0].name, reverse=True)
        assert str(named(refused, "stamp").failure) == "PermissionError: not this one"
        assert str(named(refused, "publish_event", SpanKind.HOOK).failure) == "PermissionError: not this one"
        assert given_up.spans[0].name == "a.b"

    def test_what_a_handler_publishes_is_traced_where_it_does(self, url: str, run_function: Run) -> None:
        """The hooks around it stand in the attempt's trace, below the span that published."""

        def publishes(handler: Any) -> None:
            with trace.span("go on"):
                handler.event_hub.publish_event(Event(type="c.d", source="/s"))

        with Actium(url, hooks=[Publishing()]) as app:
            execution = run_function(app, publishes, trace="on")
            told = app.executions.trace(execution.id)
        assert path_of(told, named(told, "stamp"))[-4:] == ["go on", "publish_event", "publish_event", "stamp"]
        assert path_of(told, named(told, "tell"))[-3:] == ["go on", "event_published", "tell"]

    def test_the_end_that_observers_are_told_is_traced_below_the_execution(self, url: str, run_function: Run) -> None:
        """It comes after the attempt is stored, so that it is a trace of its own, masked as the attempt's is."""

        def hides() -> str:
            trace.secret("hunter2-hunter2")
            return "done"

        before, traces = dict(active), list[Trace]()
        with Actium(url, hooks=[Publishing()], trace=traces.append) as app:
            event = Event(type="a.b", source="/s", data={"key": "hunter2-hunter2"})
            execution = run_function(app, hides, event=event)
        last = traces[-1]
        assert path_of(last, named(last, "saw succeeded")) == [
            "a.b",
            f"on-{execution.name}",
            execution.name,
            "execution_changed",
            "execution_changed",
            "saw succeeded",
        ]
        hook = named(last, "execution_changed", SpanKind.HOOK)
        assert hook.arguments == {"attempt": 1, "status": "succeeded"}
        assert "hunter2" not in str(last)
        assert dict(active) == before

    def test_nothing_is_recorded_where_nobody_looks(self, url: str) -> None:
        """Without a trace that is asked for, or for flavors only, publishing records nothing."""
        traces: list[Trace] = []
        with Actium(url, hooks=[Publishing()]) as app:
            app.events.publish(Event(type="a.b", source="/s"))
        with Actium(url, trace=traces.append) as app:
            app.events.publish(Event(type="a.b", source="/s"))
        assert traces == []


class TestWhatIsRecorded:
    def test_spans_nest_from_the_event_to_what_a_plugin_adds(self, url: str, run_function: Run) -> None:
        """Event, trigger, execution, attempt, hook, each implementation, each side of a wrapper, and own spans."""

        def upload(config: ActionConfig) -> str:
            with trace.span("upload", rows=3) as span:
                span.note(bytes=512)
            return "done"

        with Actium(url, hooks=[Audit(), Watch()]) as app:
            execution = run_function(app, upload, event=Event(type="a.b", source="/s", id="7"), trace="on")
            told = app.executions.trace(execution.id)
        upload_span = named(told, "upload")
        assert path_of(told, upload_span) == [
            "a.b",
            "on-upload0",
            "upload0",
            "attempt 1",
            "run_action",
            "run_action",
            "upload",
        ]
        assert path_of(told, named(told, "look at it"))[-3:] == ["run_action", "run_action", "look at it"]
        assert [span.kind for span in told.spans if span.name == "run_action"] == [
            SpanKind.HOOK,
            SpanKind.BEFORE,
            SpanKind.IMPLEMENTATION,
            SpanKind.AFTER,
        ]
        assert upload_span.arguments == {"rows": 3, "bytes": 512}
        assert named(told, "run_action", SpanKind.HOOK).result == "done"
        observed = named(told, "execution_changed")
        assert (observed.plugin, observed.position) == ("Watch", "observer")

    def test_spans_tell_who_acted_where_and_when(self, url: str, run_function: Run) -> None:
        """Plugin, position, thread, process, and times that lie within those above."""

        def work() -> None:
            """Does nothing."""

        with Actium(url, hooks=[Audit()]) as app:
            told = app.executions.trace(run_function(app, work, trace="on").id)
        before = named(told, "run_action", SpanKind.BEFORE)
        handler = named(told, "run_action", SpanKind.IMPLEMENTATION)
        assert (before.plugin, before.position) == ("Audit", "wrapper tryfirst")
        assert (handler.plugin, handler.position) == ("made.work0", "handler")
        assert handler.thread == threading.current_thread().name
        known = {span.id: span for span in told.spans}
        inner = [span for span in told.spans if span.kind not in {SpanKind.EXECUTION, SpanKind.ATTEMPT}]
        for span in inner:
            above = known[span.parent or 0]
            assert above.start_ns <= span.start_ns
            assert span.nanoseconds is not None
            assert span.end_ns <= above.end_ns

    def test_failures_are_told_where_they_came_from(self, url: str, run_function: Run) -> None:
        """A span that an exception left tells its class, its text, the innermost line and its notes."""

        def fail() -> None:
            with trace.span("connect"):
                error = ConnectionError("refused")
                error.add_note("the port was 5432")
                raise error

        with Actium(url) as app:
            told = app.executions.trace(run_function(app, fail).id)
        failure = named(told, "connect").failure
        assert failure is not None
        assert (failure.type, failure.message) == ("ConnectionError", "refused")
        assert failure.notes == ("the port was 5432",)
        assert failure.where is not None
        assert failure.where.startswith("tracing/test_traces.py:")
        assert failure.where.endswith("fail")
        assert named(told, "attempt 1").failure is not None

    def test_a_wrapper_that_deals_with_an_exception_is_told(self, url: str, run_function: Run) -> None:
        """What a wrapper got and what it made of it stand in its second side; letting through is no failure of its."""

        class Rescue:
            @hookimpl(wrapper=True)
            def run_action(self) -> Any:
                try:
                    return (yield)
                except ValueError:
                    return "rescued"

        class Pass:
            @hookimpl(wrapper=True, trylast=True)
            def run_action(self) -> Any:
                return (yield)

        def fail() -> None:
            raise ValueError("no rows")

        with Actium(url, hooks=[Rescue(), Pass()]) as app:
            told = app.executions.trace(run_function(app, fail, trace="on").id)
        after = {span.plugin: span for span in told.spans if span.kind is SpanKind.AFTER}
        assert after["Rescue"].result == "rescued"
        assert after["Rescue"].arguments == {"exception": "ValueError('no rows')"}
        assert after["Pass"].failure is None
        assert named(told, "run_action", SpanKind.HOOK).failure is None

    def test_arguments_are_told_as_they_were_when_they_were_passed(self, url: str, run_function: Run) -> None:
        """A field that a wrapper changes has the old value in the spans before, and the new one in those after."""

        class Config(ActionConfig):
            text: str = "old"

        class Change:
            @hookimpl(wrapper=True)
            def run_action(self, config: Config) -> Any:
                config.text = "new"
                return (yield)

        def work(config: Config) -> str:
            return config.text

        with Actium(url, hooks=[Change()]) as app:
            told = app.executions.trace(run_function(app, work, config=Config, trace="on").id)
        assert named(told, "run_action", SpanKind.HOOK).arguments["config"] == "Config(text='old')"
        assert named(told, "run_action", SpanKind.BEFORE).arguments["config"] == "Config(text='old')"
        assert named(told, "run_action", SpanKind.IMPLEMENTATION).arguments["config"] == "Config(text='new')"

    @pytest.mark.parametrize("tells", [False, True], ids=["tells nothing", "tells of itself"])
    @pytest.mark.parametrize("kind", ["sync", "async"])
    @pytest.mark.parametrize("how", ["raise", "return what no JSON is", "be cut off"])
    def test_what_was_noted_makes_the_trace_that_recording_makes(
        self, url: str, run_function: Run, how: str, kind: str, tells: bool
    ) -> None:
        """An attempt that is kept since it fails has the spans of one that is kept anyway, as they were then."""

        class Config(ActionConfig):
            text: str = "old"

        def fail(config: Config) -> Any:
            if tells:
                with trace.span("upload", rows=3):
                    pass
            config.text = "new"
            if how == "return what no JSON is":
                return object()
            raise ConnectionError("refused") if how == "raise" else KeyboardInterrupt

        async def fail_later(config: Config) -> Any:
            await asyncio.sleep(0)
            return fail(config)

        def shape(told: Trace) -> list[Any]:
            names = {span.id: (span.kind, span.name) for span in told.spans}
            return [
                (
                    *(span.kind, span.name, names.get(span.parent or 0), span.result, span.thread),
                    {name: value for name, value in span.arguments.items() if name not in {"id", "worker"}}
                    | ({"trigger_execution": "told"} if "trigger_execution" in span.arguments else {}),
                    *(span.plugin, span.position, span.failure and (span.failure.type, span.failure.where)),
                    span.nanoseconds is None,
                )
                for span in told.spans
                if span.kind is not SpanKind.EXECUTION
            ]

        def told_by(mode: str) -> Trace:
            with Actium(f"{url}-{mode}") as app:
                if how == "be cut off" and kind == "sync":
                    with contextlib.suppress(KeyboardInterrupt):
                        run_function(app, fail, config=Config, trace=mode)
                    [execution] = app.executions.list().items
                else:
                    execution = run_function(app, fail if kind == "sync" else fail_later, config=Config, trace=mode)
                assert execution.status == "failed"
                return app.executions.trace(execution.id)

        noted, recorded = told_by("on_failure"), told_by("on")
        assert shape(noted) == shape(recorded)
        assert named(noted, "run_action", SpanKind.HOOK).arguments["config"] == "Config(text='old')"

    def test_async_handlers_are_timed_to_their_end(self, url: str, run_function: Run) -> None:
        """The span of an ``async def`` handler lasts until it has been awaited, with what it does in between inside."""

        async def wait() -> str:
            with trace.span("first"):
                await asyncio.sleep(0.01)
            return "done"

        with Actium(url, hooks=[Audit()]) as app:
            told = app.executions.trace(run_function(app, wait, trace="on").id)
        handler, first = named(told, "run_action", SpanKind.IMPLEMENTATION), named(told, "first")
        assert handler.result == "done"
        assert (handler.nanoseconds or 0) >= (first.nanoseconds or 0) >= 10_000_000
        assert first.parent == handler.id
        assert named(told, "run_action", SpanKind.AFTER).start_ns >= handler.end_ns

    def test_every_attempt_is_told(self, url: str, run_function: Run) -> None:
        """An execution that was tried twice has two attempts, each with what happened in it."""
        attempts: list[int] = []

        def flaky(trigger_execution: TriggerExecutionResponse) -> None:
            attempts.append(1)
            with trace.span(f"try {len(attempts)}"):
                if len(attempts) == 1:
                    raise ConnectionError("refused")

        policy = RunPolicy(max_attempts=2, backoff=Backoff(base=0.001, jitter=False))
        with Actium(url) as app:
            execution = run_function(app, flaky, run_policy=policy)
            worker = threading.Thread(target=(made := app.worker(poll_interval=0.01)).run)
            worker.start()
            app.executions.wait(execution.id, timeout=30)
            made.stop()
            worker.join()
            told = app.executions.trace(execution.id)
        assert path_of(told, named(told, "try 1"))[1] == "attempt 1"
        second = named(told, "attempt 2")
        assert second.arguments["trace"] == "none was kept"
        assert [span.name for span in told.spans if span.parent == second.id] == []

    def test_calls_outside_of_executions_have_traces_of_their_own(self, url: str) -> None:
        """With the whole application traced, creating an action is a trace as well."""
        seen: list[Trace] = []
        with Actium(url, trace=seen.append) as app:
            app.flavors.register(action_flavor("made.noop")(lambda: None))
            account = app.accounts.create(ServiceAccountRequest(name="robot"))
            app.actions.create(
                ActionRequest(name="a", plugin_subtype="made", flavor="noop", service_account_id=account.id)
            )
        created = next(one for one in seen if one.spans[0].name == "create_action")
        assert path_of(created, named(created, "extract_resources", SpanKind.IMPLEMENTATION)) == [
            "create_action",
            "create_action",
            "extract_resources",
            "extract_resources",
        ]


class TestNothingMixes:
    def test_concurrent_executions(self, url: str, run_function: Run) -> None:
        """Of many executions in threads and coroutines at once, each has exactly its own spans."""
        many, together = 8, threading.Barrier(8)

        def sync(trigger_execution: TriggerExecutionResponse) -> None:
            with trace.span("outer", execution=str(trigger_execution.id)):
                together.wait(30)
                with trace.span("inner", execution=str(trigger_execution.id)):
                    together.wait(30)

        async def coroutine(trigger_execution: TriggerExecutionResponse) -> None:
            with trace.span("outer", execution=str(trigger_execution.id)):
                await asyncio.sleep(0.01)
                await asyncio.gather(*(part(trigger_execution) for _ in range(3)))

        async def part(trigger_execution: TriggerExecutionResponse) -> None:
            with trace.span("inner", execution=str(trigger_execution.id)):
                await asyncio.sleep(0.01)

        with Actium(url) as app:
            account = app.accounts.create(ServiceAccountRequest(name="robot"))
            executions = []
            for name, function in (("sync", sync), ("coroutine", coroutine)):
                app.flavors.register(action_flavor(f"made.{name}")(function))
                action = app.actions.create(
                    ActionRequest(
                        name=name, plugin_subtype="made", flavor=name, service_account_id=account.id, trace="on"
                    )
                )
                executions += [app.actions.run(action.id) for _ in range(many)]
            app.worker(concurrency=many).run_until_idle()
            for execution in executions:
                told = app.executions.trace(execution.id)
                own = [span for span in told.spans if span.kind is SpanKind.OWN]
                assert {span.arguments["execution"] for span in own} == {str(execution.id)}
                outer = named(told, "outer")
                assert {span.parent for span in own if span.name == "inner"} == {outer.id}

    def test_threads_of_a_handler_join_when_carried(self, url: str, run_function: Run) -> None:
        """What threads do with `trace.carried` stands below the span that started them, at once or one by one."""

        def fan_out() -> int:
            with trace.span("parts"), ThreadPoolExecutor(4) as threads:
                return sum(threads.map(trace.carried(part), range(8)))

        def part(number: int) -> int:
            with trace.span("part", number=number):
                return number

        with Actium(url) as app:
            told = app.executions.trace(run_function(app, fan_out, trace="on").id)
        parts = [span for span in told.spans if span.name == "part"]
        assert sorted(str(span.arguments["number"]) for span in parts) == list("01234567")
        assert {span.parent for span in parts} == {named(told, "parts").id}
        assert all("ThreadPoolExecutor" in span.thread for span in parts)

    def test_threads_that_are_not_carried_record_nothing(self, url: str, run_function: Run) -> None:
        """A thread that nobody carried the trace to belongs to no execution."""

        def start() -> None:
            thread = threading.Thread(target=lambda: trace.span("stray").__enter__())
            thread.start()
            thread.join()

        with Actium(url) as app:
            told = app.executions.trace(run_function(app, start, trace="on").id)
        assert "stray" not in {span.name for span in told.spans}

    def test_what_goes_on_after_the_end_is_not_recorded(self, url: str, run_function: Run) -> None:
        """A thread that outlives its attempt can open spans, and they come to nothing."""
        is_over = threading.Event()
        left: list[threading.Thread] = []

        def leave() -> None:
            with trace.span("started"):
                left.append(threading.Thread(target=trace.carried(later)))
                left[0].start()

        def later() -> None:
            is_over.wait(30)
            with trace.span("later") as span:
                span.note(more=1)

        with Actium(url) as app:
            execution = run_function(app, leave, trace="on")
            is_over.set()
            left[0].join()
            told = app.executions.trace(execution.id)
        assert "later" not in {span.name for span in told.spans}
        assert not active

    def test_a_span_left_in_another_context_does_no_harm(self) -> None:
        """A generator that is finished elsewhere than it began leaves the contexts of both as they were."""

        def lines() -> Any:
            with trace.span("lines"):
                yield 1
                yield 2

        recording = Recording()
        with Entered(recording.begin(None, SpanKind.ATTEMPT, "attempt 1")) as root:
            generator = lines()
            contextvars.copy_context().run(next, generator)
            assert current.get() is root
            contextvars.copy_context().run(list, generator)
            assert current.get() is root
        assert [span.name for span in taken(recording).spans] == ["attempt 1", "lines"]


class TestWhatIsKept:
    @pytest.mark.parametrize(
        ("mode", "fails", "is_kept"),
        [("off", True, False), ("on_failure", True, True), ("on_failure", False, False), ("on", False, True)],
    )
    def test_by_the_mode_of_the_action(
        self, url: str, run_function: Run, mode: str, fails: bool, is_kept: bool
    ) -> None:
        """Never, when an attempt fails, or always."""

        def work() -> None:
            if fails:
                raise ValueError("no rows")

        with Actium(url) as app:
            told = app.executions.trace(run_function(app, work, trace=mode).id)
        assert ("run_action" in {span.name for span in told.spans}) is is_kept
        assert named(told, "attempt 1").arguments["status"] == ("failed" if fails else "succeeded")

    def test_failures_by_default(self, url: str, run_function: Run) -> None:
        """An action that says nothing has the traces of attempts that fail, and says so."""

        def work() -> None:
            """Does nothing."""

        with Actium(url) as app:
            action = app.actions.get(str(run_function(app, work).body.action_id))
            assert action.trace is TraceMode.ON_FAILURE
            app.actions.update(action.id, ActionUpdate(trace=TraceMode.ON))
            assert app.actions.get(action.id).trace is TraceMode.ON
            app.actions.update(action.id, ActionUpdate(trace=None))
            assert app.actions.get(action.id).trace is TraceMode.ON_FAILURE

    def test_yaml_reads_on_and_off_as_truth_values(self) -> None:
        """``trace: off`` in a YAML file is what it looks like."""
        assert ActionUpdate(trace=False).trace is TraceMode.OFF  # type: ignore[arg-type]
        assert ActionUpdate(trace=True).trace is TraceMode.ON  # type: ignore[arg-type]
        with pytest.raises(InvalidInputError, match="trace"):
            ActionUpdate(trace="sometimes")  # type: ignore[arg-type]

    def test_it_goes_with_its_execution(self, url: str, run_function: Run) -> None:
        """Pruning an execution prunes its traces."""

        def fail() -> None:
            raise ValueError("no rows")

        with Actium(url) as app:
            execution = run_function(app, fail)
            assert app.store.traces(execution.id)
            app.retention.prune(timedelta(0))
            assert app.store.traces(execution.id) == ()

    def test_no_more_spans_than_the_limit(self) -> None:
        """Further spans are counted, and what is inside them belongs to what is above."""
        recording = Recording()
        with Entered(recording.begin(None, SpanKind.ATTEMPT, "attempt 1")):
            for number in range(MAX_SPANS + 10):
                with trace.span("one", number=number):
                    pass
        told = taken(recording)
        assert len(told.spans) == MAX_SPANS
        assert told.left_out == 11

    def test_no_more_bytes_than_the_limit(self) -> None:
        """A large trace tells its values at less length, and one that is too large even so loses its last spans."""
        for spans in (100, MAX_SPANS):
            recording = Recording()
            with Entered(recording.begin(None, SpanKind.ATTEMPT, "attempt 1")):
                for number in range(spans - 1):
                    with trace.span(f"{number} " + "long name " * 50, text="x" * 50_000, **{"y" * 90: ["z" * 900] * 9}):
                        pass
            told = taken(recording)
            assert len(written(told).encode()) <= MAX_BYTES
            assert len(told.spans) + told.left_out == spans
            assert told.spans[0].name == "attempt 1"

    def test_nothing_is_held_when_it_is_over(self) -> None:
        """A recording that was dropped, or taken, holds nothing of what it was given."""
        for end in (taken, Recording.drop):
            recording = Recording()
            span = recording.begin(None, SpanKind.HOOK, "run_action", None, {"config": "x"})
            end(recording)
            assert span is not None
            assert span.arguments is None
            assert recording not in active

    def test_a_trace_that_cannot_be_told_is_logged(
        self, url: str, run_function: Run, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An execution ends as it would have without tracing, and the log says that a trace was lost."""

        def fail(*args: object) -> None:
            raise MemoryError("no room")

        def work() -> str:
            return "done"

        monkeypatch.setattr("actium.tracing.taking._within_limits", fail)
        with Actium(url) as app, caplog.at_level(logging.ERROR, "actium.tracing"):
            assert run_function(app, work, trace="on").result == "done"
        assert "A trace is lost." in caplog.text


def test_spans_are_free_to_open_where_nothing_is_recorded() -> None:
    """Outside of what is recorded a span is one and the same object that does nothing."""
    assert not trace.is_recorded()
    with trace.span("one", rows=1) as first, trace.span("two") as second:
        first.note(more=2)
    assert first is second


spans = st.recursive(st.just(()), lambda inner: st.lists(inner, max_size=4).map(tuple), max_leaves=30)


@given(spans)
def test_any_nesting_is_told_as_it_was(shape: Any) -> None:
    """However spans are nested, parents stand before their parts, and every part has the parent it was opened in."""
    recording = Recording()
    expected: list[tuple[str, str]] = []

    def open_all(parts: Any, above: str) -> None:
        for number, inner in enumerate(parts):
            name = f"{above}.{number}"
            expected.append((name, above))
            with trace.span(name):
                open_all(inner, name)

    with Entered(recording.begin(None, SpanKind.ATTEMPT, "root")):
        open_all(shape, "root")
    told: dict[int, Span] = {}
    found = []
    for span in taken(recording).spans:
        if span.parent is not None:
            found.append((span.name, told[span.parent].name))
        told[span.id] = span
    assert found == expected
