"""Metrics: how many executions ended how, how long publishing, waiting and running took."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest

from actium import ExecutionStatus
from actium.errors import StoreClosedError
from actium.models import ActionUpdate


def by(points: list[Any], *names: str) -> dict[tuple[Any, ...], Any]:
    """What was counted, by attributes."""
    return {
        tuple(point.attributes.get(name) for name in names): getattr(point, "value", getattr(point, "count", None))
        for point in points
    }


def test_executions_are_counted_by_status(bench: Any, telemetry: Any, flavors: ModuleType) -> None:
    """Each execution that has reached its final status counts once, with that, its project and its action."""
    bench.act(flavors.tell, "works")
    bench.act(flavors.fail, "fails")
    skipped = bench.act(flavors.tell_later, "skipped")
    for number in range(3):
        bench.publish(str(number))
    bench.app.actions.update(skipped.id, ActionUpdate(enabled=False))
    bench.work()
    points = telemetry.points("actium.executions")
    assert by(points, "actium.project", "actium.action.name", "actium.execution.status") == {
        ("default", "works", "succeeded"): 3,
        ("default", "fails", "failed"): 3,
        ("default", "skipped", "skipped"): 3,
    }


def test_a_retry_counts_as_one_execution_and_two_attempts(bench: Any, telemetry: Any, flavors: ModuleType) -> None:
    """What is tried again has not ended; each attempt has its own duration, a failed one with the type of error."""
    bench.act(flavors.second_time, max_attempts=2, backoff={"base": 0.001})
    execution_id = bench.publish()
    while not bench.app.executions.get(execution_id).status.is_final:
        bench.work()
    assert by(telemetry.points("actium.executions"), "actium.execution.status") == {("succeeded",): 1}
    assert by(telemetry.points("messaging.process.duration"), "error.type") == {(None,): 1, ("ConnectionError",): 1}
    assert sum(point.count for point in telemetry.points("actium.execution.queue_age")) == 2


def test_attempts_take_as_long_as_their_spans(bench: Any, telemetry: Any, flavors: ModuleType) -> None:
    """The duration of an attempt is that of its span, told with the event's type and the action."""
    bench.act(flavors.tell)
    bench.publish()
    bench.work()
    (point,) = telemetry.points("messaging.process.duration")
    assert dict(point.attributes) == {
        "messaging.system": "actium",
        "messaging.operation.name": "run",
        "messaging.destination.name": "com.example.arrived",
        "messaging.consumer.group.name": "retrain",
    }
    span = telemetry.span("run retrain")
    assert point.sum == pytest.approx((span.end_time - span.start_time) / 1e9)


def test_queue_age_is_from_when_it_was_due(bench: Any, telemetry: Any, flavors: ModuleType) -> None:
    """How long an attempt waited counts from the time it might have begun at, and is never negative."""
    bench.act(flavors.tell)
    bench.publish()
    bench.work()
    (execution,) = bench.app.executions.list(hydrate=True).items
    plugin, now = telemetry.plugin(), datetime.now(UTC)
    for seconds in (90, -90):
        due = execution.body.model_copy(
            update={"status": ExecutionStatus.RUNNING, "available": now - timedelta(seconds=seconds)}
        )
        plugin.execution_changed(execution.model_copy(update={"body": due}))
    (point,) = telemetry.points("actium.execution.queue_age")
    assert dict(point.attributes) == {"actium.project": "default", "actium.action.name": "retrain"}
    assert point.count == 3
    assert point.min >= 0
    assert 90 <= point.max < 120


def test_publications_are_counted_and_timed(bench: Any, telemetry: Any, event: Any) -> None:
    """Every event that was to be published counts, one that could not be stored with the type of the error."""
    bench.publish("1")
    bench.publish("2")
    bench.app.store.close()
    with pytest.raises(StoreClosedError):
        bench.app.events.publish(event())
    for metric in ("messaging.client.sent.messages", "messaging.client.operation.duration"):
        points = telemetry.points(metric)
        assert by(points, "error.type") == {(None,): 2, ("StoreClosedError",): 1}
        assert {point.attributes["messaging.operation.name"] for point in points} == {"publish"}


def test_no_metric_tells_what_is_different_each_time(bench: Any, telemetry: Any, flavors: ModuleType) -> None:
    """Ids of events and executions make series without end, so that no metric has them."""
    bench.act(flavors.tell)
    for number in range(5):
        bench.publish(f"event-{number}")
    bench.work()
    for metric in ("messaging.client.sent.messages", "messaging.process.duration", "actium.executions"):
        assert len(telemetry.points(metric)) == 1
