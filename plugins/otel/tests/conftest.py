"""What the tests of actium-otel share: an application, flavors to run, and the SDK's exporter and reader in memory."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Tracer

from actium import Actium, Event
from actium.models import ActionRequest, ActionResponse, RunPolicy, ServiceAccountRequest, TriggerRequest
from actium_otel import OpenTelemetryHooks

Attributes = Mapping[str, Any]


class Telemetry:
    """The SDK, recording in memory.

    Attributes:
        tracer: What the application under test makes spans of its own with.
    """

    def __init__(self) -> None:
        self._spans = InMemorySpanExporter()
        self._metrics = InMemoryMetricReader()
        self._tracers = TracerProvider(shutdown_on_exit=False)
        self._tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self._meters = MeterProvider([self._metrics], shutdown_on_exit=False)
        self.tracer: Tracer = self._tracers.get_tracer("test")

    def plugin(self) -> OpenTelemetryHooks:
        """The plugin, with these providers."""
        return OpenTelemetryHooks(tracer_provider=self._tracers, meter_provider=self._meters)

    def spans(self, name: str | None = None) -> list[ReadableSpan]:
        """The spans that have ended, in that order; those of one name, or all."""
        return [span for span in self._spans.get_finished_spans() if name in {None, span.name}]

    def span(self, name: str) -> ReadableSpan:
        """The only span of a name."""
        (span,) = self.spans(name)
        return span

    def points(self, metric: str) -> list[Any]:
        """The data points of a metric."""
        data = self._metrics.get_metrics_data()
        return [
            point
            for resource in (data.resource_metrics if data is not None else ())
            for scope in resource.scope_metrics
            for each in scope.metrics
            if each.name == metric
            for point in each.data.data_points
        ]

    def close(self) -> None:
        self._tracers.shutdown()
        self._meters.shutdown()


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    telemetry = Telemetry()
    yield telemetry
    telemetry.close()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'actium.db'}"


@pytest.fixture
def flavors(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module of flavors, importable here and, because the path is handed over, in child processes."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "importable"))
    return importlib.import_module("otel_flavors")


@dataclass(frozen=True)
class Bench:
    """An application with a trigger for each of its actions."""

    app: Actium

    def act(self, flavor: Any, name: str = "retrain", **policy: Any) -> ActionResponse:
        """An action of a flavor, which every event triggers."""
        self.app.flavors.register(flavor)
        account = self.app.accounts.create(ServiceAccountRequest(name=f"{name}-account"))
        action = self.app.actions.create(
            ActionRequest(
                name=name,
                plugin_subtype=flavor.SUBTYPE,
                flavor=flavor.FLAVOR,
                service_account_id=account.id,
                run_policy=RunPolicy(**policy),
                configuration={},
            )
        )
        self.app.triggers.create(TriggerRequest(name=f"on-{name}", action_id=action.id, match_all=True))
        return action

    def publish(self, name: str = "42", **fields: Any) -> Any:
        """Publish an event; gives its only execution's id."""
        published = self.app.events.publish(arrived(name, **fields))
        return published.executions[0] if published.executions else None

    def work(self, **options: Any) -> None:
        self.app.worker(**options).run_until_idle()


def arrived(name: str = "42", **fields: Any) -> Event:
    return Event(type="com.example.arrived", source="/bucket/raw", id=name, **fields)


@pytest.fixture
def bench(url: str, telemetry: Telemetry) -> Iterator[Bench]:
    with Actium(url, hooks=[telemetry.plugin()]) as app:
        yield Bench(app)


MakeEvent = Callable[..., Event]


@pytest.fixture
def event() -> MakeEvent:
    """Make an event."""
    return arrived
