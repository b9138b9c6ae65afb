"""A trace as JSON, one line a span, for programs and for ``grep``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from actium.tracing.spans import SpanKind, Trace, span_json


def json_lines(trace: Trace) -> Iterator[str]:
    """A line for each span, with the id of its execution where it belongs to one."""
    execution = next((span.arguments.get("id") for span in trace.spans if span.kind is SpanKind.EXECUTION), None)
    for span in trace.spans:
        told: dict[str, Any] = {} if execution is None else {"execution": execution}
        told |= {**span_json(span), "start": span.start.isoformat(), "seconds": span.seconds}
        yield json.dumps(told)
    if trace.left_out:
        yield json.dumps({"left_out": trace.left_out})
