"""The span of each event that is published: from the publisher's call until the event is durable.

Its context goes with the event, unless that says already in which context it was created.
"""

from __future__ import annotations

import time
from collections.abc import MutableMapping
from typing import TYPE_CHECKING

from opentelemetry.trace import SpanKind, StatusCode

from actium_otel import semantics
from actium_otel.attributes import of_event, of_publication
from actium_otel.creation_context import carried_by, is_carried, links_to

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

    from actium import Event
    from actium.models import PublishedEvent
    from actium_otel.instruments import Instruments


class PublicationSpans:
    """The publications that one plugin stands around."""

    def __init__(self, tracer: Tracer, instruments: Instruments) -> None:
        self._tracer = tracer
        self._instruments = instruments

    def begin(self, event: Event, extensions: MutableMapping[str, str | int | bool]) -> Publication:
        """Begin a span, inside the one of the publisher, and let the event carry its context."""
        has_context = is_carried(event)
        span = self._tracer.start_span(
            f"{semantics.PUBLISH} {event.type}",
            kind=SpanKind.CLIENT if has_context else SpanKind.PRODUCER,
            attributes=of_publication(event)
            | of_event(event)
            | {semantics.MESSAGING_OPERATION_TYPE: semantics.OPERATION_TYPE_SEND},
            links=links_to(event),
        )
        if not has_context:
            for name, value in carried_by(span).items():
                extensions.setdefault(name, value)
        return Publication(event, span, self._instruments)


class Publication:
    """One publication under way."""

    __slots__ = ("_began", "_event", "_instruments", "_span")

    def __init__(self, event: Event, span: Span, instruments: Instruments) -> None:
        self._event = event
        self._span = span
        self._instruments = instruments
        self._began = time.perf_counter()

    def end(self, published: PublishedEvent) -> None:
        """The event is durable."""
        self._span.set_attribute(semantics.ACTIUM_EVENT_DUPLICATE, published.duplicate)
        self._span.set_attribute(semantics.ACTIUM_EVENT_EXECUTIONS, len(published.executions))
        self._ended(None)

    def fail(self, error: BaseException) -> None:
        """The event could not be stored, or was refused. What the error says may be secret, so its type has to do."""
        error_type = type(error).__qualname__
        self._span.set_attribute(semantics.ERROR_TYPE, error_type)
        self._span.set_status(StatusCode.ERROR)
        self._ended(error_type)

    def _ended(self, error_type: str | None) -> None:
        self._span.end()
        self._instruments.published(self._event, time.perf_counter() - self._began, error_type=error_type)
