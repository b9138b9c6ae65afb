"""Spans of publications and attempts, as the SDK records them from a real application and worker."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from actium import Actium, ExecutionStatus, action_flavor, hookimpl
from actium.errors import StoreClosedError
from actium.models import ActionUpdate, Backoff, EventFilter
from actium_otel import semantics

SECRET = "correct-horse-battery-staple"


def identity(span: ReadableSpan) -> dict[str, str]:
    """The ids of a span, as `otel_flavors.current` tells them."""
    context = span.get_span_context()
    assert context is not None
    return {"trace": f"{context.trace_id:032x}", "span": f"{context.span_id:016x}"}


def linked(span: ReadableSpan) -> list[dict[str, str]]:
    return [{"trace": f"{link.context.trace_id:032x}", "span": f"{link.context.span_id:016x}"} for link in span.links]


def told(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


class TestPublishing:
    def test_stands_inside_the_publishers_span(self, bench: Any, telemetry: Any) -> None:
        """A publication belongs to the trace of who publishes, and is told with the event but not its data."""
        with telemetry.tracer.start_as_current_span("upload") as upload:
            bench.publish("42", subject="a.csv", data={"rows": SECRET}, correlationid="c-1")
        span = telemetry.span("publish com.example.arrived")
        assert span.kind is SpanKind.PRODUCER
        assert span.parent.span_id == upload.get_span_context().span_id
        assert span.status.status_code is StatusCode.UNSET
        assert told(span) == {
            "messaging.system": "actium",
            "messaging.operation.name": "publish",
            "messaging.operation.type": "send",
            "messaging.destination.name": "com.example.arrived",
            "messaging.message.id": "42",
            "messaging.message.conversation_id": "c-1",
            "cloudevents.event_id": "42",
            "cloudevents.event_source": "/bucket/raw",
            "cloudevents.event_spec_version": "1.0",
            "cloudevents.event_type": "com.example.arrived",
            "cloudevents.event_subject": "a.csv",
            "actium.event.duplicate": False,
            "actium.event.executions": 0,
        }
        scope = span.instrumentation_scope
        assert (scope.name, scope.schema_url) == ("actium_otel", semantics.SCHEMA_URL)

    def test_lets_the_event_carry_its_context(self, bench: Any, telemetry: Any) -> None:
        """The stored event has the context of the span in ``traceparent``."""
        bench.publish("42")
        made = identity(telemetry.span("publish com.example.arrived"))
        carried = bench.app.events.get("42").event.extensions()
        assert set(carried) == {"traceparent"}
        assert carried["traceparent"].startswith(f"00-{made['trace']}-{made['span']}-")

    def test_keeps_a_context_that_the_event_has(self, bench: Any, telemetry: Any, flavors: ModuleType) -> None:
        """Where an event comes from further away, its own context stays, and both spans are linked to that."""
        bench.act(flavors.tell)
        created = {"trace": "4bf92f3577b34da6a3ce929d0e0e4736", "span": "00f067aa0ba902b7"}
        carried = {"traceparent": f"00-{created['trace']}-{created['span']}-01", "tracestate": "vendor=1"}
        bench.publish("42", **carried)
        bench.work()
        assert bench.app.events.get("42").event.extensions() == carried
        publication = telemetry.span("publish com.example.arrived")
        assert publication.kind is SpanKind.CLIENT
        run = telemetry.span("run retrain")
        assert linked(publication) == linked(run) == [created]
        assert run.links[0].context.trace_state == {"vendor": "1"}

    @pytest.mark.parametrize("traceparent", ["", "rubbish", 7, "00-" + "0" * 32 + "-" + "0" * 16 + "-01"])
    def test_heeds_no_context_that_is_none(
        self, bench: Any, telemetry: Any, flavors: ModuleType, traceparent: Any
    ) -> None:
        """A ``traceparent`` that cannot be read stays in the event and is linked to by nobody."""
        bench.act(flavors.tell)
        bench.publish("42", traceparent=traceparent)
        bench.work()
        assert [span.links for span in telemetry.spans()] == [(), ()]

    def test_tells_of_events_that_are_known(self, bench: Any, telemetry: Any, flavors: ModuleType) -> None:
        """Publishing the same event again is a span of its own, told as a duplicate."""
        bench.act(flavors.tell)
        bench.publish("42")
        bench.publish("42")
        spans = telemetry.spans("publish com.example.arrived")
        assert [told(span)["actium.event.duplicate"] for span in spans] == [False, True]
        assert [told(span)["actium.event.executions"] for span in spans] == [1, 1]

    def test_of_many_are_many_spans(self, bench: Any, telemetry: Any, event: Any) -> None:
        """Each event of a transaction has a span and carries the context of that."""
        bench.app.events.publish_many([event("1"), event("2")])
        made = [identity(span)["span"] for span in telemetry.spans()]
        carried = [bench.app.events.get(name).event.extensions()["traceparent"].split("-")[2] for name in "12"]
        assert carried == made
        assert len({*made}) == 2

    def test_from_coroutines_stands_inside_the_span_of_each(self, bench: Any, telemetry: Any, event: Any) -> None:
        """Coroutines that publish at one time each find their publication in their own trace."""

        async def publish(name: str) -> None:
            with telemetry.tracer.start_as_current_span(f"request {name}"):
                await bench.app.events.apublish(event(name))

        async def all_of_them() -> None:
            await asyncio.gather(*map(publish, "abc"))

        asyncio.run(all_of_them())
        for span in telemetry.spans("publish com.example.arrived"):
            request = telemetry.span(f"request {told(span)[semantics.MESSAGING_MESSAGE_ID]}")
            assert span.parent.span_id == request.context.span_id

    def test_that_fails_tells_the_type_of_the_error(self, bench: Any, telemetry: Any, event: Any) -> None:
        """What keeps an event from being stored makes its span an error, without what the error says."""
        bench.app.store.close()
        with pytest.raises(StoreClosedError):
            bench.app.events.publish(event())
        span = telemetry.span("publish com.example.arrived")
        assert span.status.status_code is StatusCode.ERROR
        assert span.status.description is None
        assert told(span)["error.type"] == "StoreClosedError"
        assert span.events == ()

    def test_that_is_refused_is_told(self, url: str, telemetry: Any, event: Any) -> None:
        """What another hook plugin refuses is a failed publication, also where that was enabled later."""

        class Refusing:
            @hookimpl(wrapper=True)
            def publish_event(self) -> Any:
                raise PermissionError("not at night")
                yield

        with Actium(url, hooks=[telemetry.plugin(), Refusing()]) as app:
            with pytest.raises(PermissionError):
                app.events.publish(event())
            assert app.events.list(EventFilter()).total == 0
        assert told(telemetry.span("publish com.example.arrived"))["error.type"] == "PermissionError"


class TestRunning:
    def test_is_a_consumer_span_linked_to_the_publication(
        self, bench: Any, telemetry: Any, flavors: ModuleType
    ) -> None:
        """An attempt is a trace of its own, linked to the span of the publication, and told with its execution."""
        action = bench.act(flavors.tell)
        with telemetry.tracer.start_as_current_span("upload"):
            execution_id = bench.publish("42")
        with telemetry.tracer.start_as_current_span("the worker's own"):
            bench.work()
        span = telemetry.span("run retrain")
        assert span.kind is SpanKind.CONSUMER
        assert span.parent is None
        assert linked(span) == [identity(telemetry.span("publish com.example.arrived"))]
        assert span.status.status_code is StatusCode.UNSET
        execution = bench.app.executions.get(execution_id)
        assert told(span) == {
            "messaging.system": "actium",
            "messaging.operation.name": "run",
            "messaging.operation.type": "process",
            "messaging.destination.name": "com.example.arrived",
            "messaging.consumer.group.name": "retrain",
            "messaging.message.id": "42",
            "cloudevents.event_id": "42",
            "cloudevents.event_source": "/bucket/raw",
            "cloudevents.event_spec_version": "1.0",
            "cloudevents.event_type": "com.example.arrived",
            "faas.invocation_id": str(execution_id),
            "faas.trigger": "pubsub",
            "actium.project": "default",
            "actium.action.id": str(action.id),
            "actium.action.name": "retrain",
            "actium.action.revision": 1,
            "actium.trigger.id": str(execution.trigger_id),
            "actium.attempt.number": 1,
            "actium.attempt.status": "succeeded",
            "actium.execution.status": "succeeded",
        }

    @pytest.mark.parametrize("flavor", ["tell", "tell_later"])
    @pytest.mark.parametrize("concurrency", [1, 2])
    def test_stands_around_the_handler(
        self, bench: Any, telemetry: Any, flavors: ModuleType, flavor: str, concurrency: int
    ) -> None:
        """What the handler does, sync or async, in whichever thread, belongs to the span of its attempt."""
        bench.act(getattr(flavors, flavor))
        published = [bench.publish(str(number)) for number in range(6)]
        bench.work(concurrency=concurrency)
        spans = {told(span)["faas.invocation_id"]: identity(span) for span in telemetry.spans("run retrain")}
        assert len(spans) == 6
        assert spans == {str(each): bench.app.executions.get(each).result for each in published}

    def test_has_a_span_for_every_attempt(self, bench: Any, telemetry: Any, flavors: ModuleType) -> None:
        """A retry is a span of its own of the same execution; the first tells that another follows."""
        bench.act(flavors.second_time, max_attempts=2, backoff=Backoff(base=0.001))
        execution_id = bench.publish()
        while not bench.app.executions.get(execution_id).status.is_final:  # the time of the retry has to come
            bench.work()
        first, second = telemetry.spans("run retrain")
        assert told(first)["faas.invocation_id"] == told(second)["faas.invocation_id"] == str(execution_id)
        assert [told(each)["actium.attempt.number"] for each in (first, second)] == [1, 2]
        assert [told(each)["actium.attempt.status"] for each in (first, second)] == ["failed", "succeeded"]
        assert [told(each)["actium.execution.status"] for each in (first, second)] == ["pending", "succeeded"]
        assert told(first)["error.type"] == "ConnectionError"
        assert "error.type" not in told(second)
        assert linked(first) == linked(second)
        assert identity(first)["trace"] != identity(second)["trace"]

    def test_that_fails_tells_the_exception(self, bench: Any, telemetry: Any, flavors: ModuleType) -> None:
        """A failed attempt is an error with its reason, and the exception is an event of the span."""
        bench.act(flavors.fail)
        bench.publish()
        bench.work()
        span = telemetry.span("run retrain")
        assert span.status.status_code is StatusCode.ERROR
        assert span.status.description == "ConnectionError: no route"
        (exception,) = span.events
        assert exception.name == "exception"
        assert exception.attributes["exception.type"] == "ConnectionError"
        assert exception.attributes["exception.message"] == "no route"
        assert "otel_flavors.py" in exception.attributes["exception.stacktrace"]

    def test_that_never_reaches_its_handler_is_told(
        self, bench: Any, telemetry: Any, flavors: ModuleType, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What fails before the handler is called, here a secret that is not there, is a failed attempt, too."""
        monkeypatch.delenv("ACTIUM_OTEL_TEST_KEY", raising=False)
        bench.act(flavors.leak)
        bench.publish()
        bench.work()
        span = telemetry.span("run retrain")
        assert span.status.status_code is StatusCode.ERROR
        assert told(span)["actium.attempt.status"] == "failed"

    def test_by_hand_has_no_event(self, bench: Any, telemetry: Any, flavors: ModuleType) -> None:
        """An execution by hand is told without message and event; with an event it is linked to who gave it."""
        action = bench.act(flavors.tell)
        bench.app.actions.run(action.id)
        bench.work()
        span = telemetry.span("run retrain")
        assert told(span)["faas.trigger"] == "other"
        assert linked(span) == []
        assert not [name for name in told(span) if name.startswith(("cloudevents.", "messaging.message."))]

    def test_by_hand_with_an_event_is_linked(self, bench: Any, telemetry: Any, flavors: ModuleType, event: Any) -> None:
        """Giving an event to an action by hand is a publication that the attempt is linked to."""
        action = bench.act(flavors.tell)
        bench.app.actions.run(action.id, event())
        bench.work()
        assert linked(telemetry.span("run retrain")) == [identity(telemetry.span("publish com.example.arrived"))]

    def test_goes_on_in_what_the_handler_publishes(self, bench: Any, telemetry: Any, event: Any) -> None:
        """What a handler publishes stands inside the span of its attempt, so that a chain of events is one path."""

        @action_flavor("otel.follow")
        def follow(trigger_execution: Any) -> None:
            """Publishes once more."""
            if trigger_execution.event.id == "1":
                bench.app.events.publish(event("2"))

        bench.act(follow)
        bench.publish("1")
        bench.work()
        first, second = telemetry.spans("run retrain")
        (caused,) = [
            span for span in telemetry.spans("publish com.example.arrived") if told(span)["cloudevents.event_id"] == "2"
        ]
        assert caused.parent.span_id == first.context.span_id
        assert linked(second) == [identity(caused)]

    def test_takes_as_long_as_the_handler(self, bench: Any, telemetry: Any, flavors: ModuleType) -> None:
        """A span ends when its handler returns, however much later the worker records a whole batch."""
        bench.act(flavors.tell)
        for number in range(20):
            bench.publish(str(number))
        before = datetime.now(UTC).timestamp()
        bench.work()
        after = datetime.now(UTC).timestamp()
        spans = telemetry.spans("run retrain")
        ends = [span.end_time for span in spans[:-1]]
        assert all(end <= begin for end, begin in zip(ends, [span.start_time for span in spans[1:]], strict=True))
        assert before * 1e9 <= spans[0].start_time <= spans[-1].end_time <= after * 1e9

    def test_that_is_skipped_has_no_span(self, bench: Any, telemetry: Any, flavors: ModuleType) -> None:
        """What is not run on purpose is counted, and was no attempt."""
        action = bench.act(flavors.tell)
        execution_id = bench.publish()
        bench.app.actions.update(action.id, ActionUpdate(enabled=False))
        bench.work()
        assert bench.app.executions.get(execution_id).status is ExecutionStatus.SKIPPED
        assert telemetry.spans("run retrain") == []


def test_no_secret_is_told(bench: Any, telemetry: Any, flavors: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that an exception spells out, and the data of an event, appear nowhere in what is exported."""
    monkeypatch.setenv("ACTIUM_OTEL_TEST_KEY", SECRET)
    bench.act(flavors.leak)
    execution_id = bench.publish(data={"password": SECRET})
    bench.work()
    execution = bench.app.executions.get(execution_id)
    assert execution.status is ExecutionStatus.FAILED
    assert "refused the key" in (execution.reason or "")
    exported = [json.loads(span.to_json()) for span in telemetry.spans()]
    assert "refused the key" in json.dumps(exported)
    assert SECRET not in json.dumps(exported)
