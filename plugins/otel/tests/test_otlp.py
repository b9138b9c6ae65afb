"""A whole program with OTLP: what arrives at a collector is decoded from the protocol's own messages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

IMPORTABLE = Path(__file__).parent / "importable"


class Collector(ThreadingHTTPServer):
    """Takes what is exported over HTTP, and decodes it.

    Attributes:
        spans: The spans that arrived.
        metrics: The metrics that arrived, by name.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receiver)
        self.spans: list[Any] = []
        self.metrics: dict[str, list[Any]] = {}

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def take(self, path: str, body: bytes) -> None:
        if path == "/v1/traces":
            traces = ExportTraceServiceRequest.FromString(body)
            self.spans += [
                span for resource in traces.resource_spans for scope in resource.scope_spans for span in scope.spans
            ]
        elif path == "/v1/metrics":
            for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                for scope in resource.scope_metrics:
                    for metric in scope.metrics:
                        data = getattr(metric, metric.WhichOneof("data"))
                        self.metrics.setdefault(metric.name, []).extend(data.data_points)
        else:
            raise AssertionError(path)

    def span(self, name: str, kind: Any) -> Any:
        (span,) = [span for span in self.spans if span.name == name and span.kind == kind]
        return span


class Receiver(BaseHTTPRequestHandler):
    """Answers one export."""

    def do_POST(self) -> None:
        assert isinstance(self.server, Collector)
        self.server.take(self.path, self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        thread = threading.Thread(target=collector.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield collector
        collector.shutdown()
        thread.join()


def run_program(url: str, collector: Collector, *flavors: str) -> dict[str, Any]:
    """Run the program in a process of its own; gives what became of its executions."""
    surroundings = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(IMPORTABLE), os.environ.get("PYTHONPATH", "")]),
        "ACTIUM_HOOKS": "otel",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
        "OTEL_SERVICE_NAME": "trainer",
    }
    program = [sys.executable, str(IMPORTABLE / "otel_program.py"), url, *flavors]
    done = subprocess.run(program, env=surroundings, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    ended: dict[str, Any] = json.loads(done.stdout)
    return ended


def told(span: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes}


def identity(span: Any) -> dict[str, str]:
    return {"trace": span.trace_id.hex(), "span": span.span_id.hex()}


def test_spans_and_metrics_arrive(url: str, collector: Collector) -> None:
    """Enabled by its name, with providers that the program has set: publication, attempts and metrics arrive."""
    ended = run_program(url, collector, "tell", "tell_later", "fail")
    publication = collector.span("publish com.example.arrived", Span.SPAN_KIND_PRODUCER)
    assert told(publication)["actium.event.executions"] == 3
    for name in ("tell", "tell_later", "fail"):
        run = collector.span(f"run {name}", Span.SPAN_KIND_CONSUMER)
        assert [(link.trace_id, link.span_id) for link in run.links] == [(publication.trace_id, publication.span_id)]
        assert told(run)["actium.execution.status"] == ended[name][0]
        if name != "fail":
            assert identity(run) == ended[name][1]
    failed = collector.span("run fail", Span.SPAN_KIND_CONSUMER)
    assert failed.status.code == Status.STATUS_CODE_ERROR
    assert [event.name for event in failed.events] == ["exception"]
    assert {name: sum(_count(point) for point in points) for name, points in collector.metrics.items()} == {
        "messaging.client.sent.messages": 1,
        "messaging.client.operation.duration": 1,
        "messaging.process.duration": 3,
        "actium.execution.queue_age": 3,
        "actium.executions": 3,
    }


def _count(point: Any) -> int:
    return point.count if hasattr(point, "count") else point.as_int


def test_runs_in_processes_of_their_own_arrive(url: str, collector: Collector) -> None:
    """The worker tells of the attempt, and the process that runs it of the same execution, with what it did there."""
    ended = run_program(url, collector, "apart")
    assert ended["apart"][0] == "succeeded"
    publication = collector.span("publish com.example.arrived", Span.SPAN_KIND_PRODUCER)
    attempt = collector.span("run apart", Span.SPAN_KIND_CONSUMER)
    inside = collector.span("run apart", Span.SPAN_KIND_INTERNAL)
    done = collector.span("fit", Span.SPAN_KIND_INTERNAL)
    assert told(attempt)["faas.invocation_id"] == told(inside)["faas.invocation_id"]
    assert told(attempt)["actium.attempt.status"] == "succeeded"
    for span in (attempt, inside):
        assert [(link.trace_id, link.span_id) for link in span.links] == [(publication.trace_id, publication.span_id)]
    assert (done.trace_id, done.parent_span_id) == (inside.trace_id, inside.span_id)
    assert identity(done) == ended["apart"][1]
