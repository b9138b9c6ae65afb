"""The context in which an event was created, as the event itself carries it.

These are the extension attributes ``traceparent`` and ``tracestate`` of the CloudEvents distributed tracing extension,
in the format of W3C Trace Context, whatever propagators are configured for other ways:
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/extensions/distributed-tracing.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

if TYPE_CHECKING:
    from actium import Event

TRACEPARENT = "traceparent"
TRACESTATE = "tracestate"

_propagator = TraceContextTextMapPropagator()


def is_carried(event: Event) -> bool:
    """Whether an event says in which context it was created; nobody on its way changes that."""
    return TRACEPARENT in event.extensions()


def carried_by(span: Span) -> dict[str, str]:
    """The extension attributes with which an event carries the context of a span; none where that has no identity."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier, trace.set_span_in_context(span, Context()))
    return carrier


def links_to(event: Event | None) -> list[Link]:
    """The link to where an event was created; none where it does not say, or nothing that can be read."""
    if event is None or not is_carried(event):
        return []
    carrier = {name: value for name, value in event.attributes().items() if name in {TRACEPARENT, TRACESTATE}}
    created = trace.get_current_span(_propagator.extract(carrier, Context())).get_span_context()
    return [Link(created)] if created.is_valid else []
