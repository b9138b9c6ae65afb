"""The hook plugin: what Actium calls, and where OpenTelemetry's providers come in."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from opentelemetry import metrics, trace

from actium import ExecutionStatus, hookimpl
from actium_otel import semantics
from actium_otel.attempt_spans import AttemptSpans
from actium_otel.instruments import Instruments
from actium_otel.publication_spans import PublicationSpans

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from actium import Event, TriggerExecutionResponse
    from actium.models import PublishedEvent

HOOK_VERSION = 1
SCOPE = "actium_otel"
SCOPE_VERSION = "0.1.0"


class OpenTelemetryHooks:
    """Makes spans of publications and attempts, and counts them.

    Its spans are outermost: what other hook plugins do, and whether they refuse something, stands inside.
    """

    HOOK_VERSION = HOOK_VERSION

    def __init__(
        self, *, tracer_provider: TracerProvider | None = None, meter_provider: MeterProvider | None = None
    ) -> None:
        """Make the plugin. It does nothing worth mentioning until a provider records something.

        Args:
            tracer_provider: Where spans go; None for the global one, also where that is set later.
            meter_provider: Where metrics go; likewise.
        """
        tracer = trace.get_tracer(SCOPE, SCOPE_VERSION, tracer_provider, semantics.SCHEMA_URL)
        instruments = Instruments(metrics.get_meter(SCOPE, SCOPE_VERSION, meter_provider, semantics.SCHEMA_URL))
        self._publications = PublicationSpans(tracer, instruments)
        self._attempts = AttemptSpans(tracer, instruments)

    @hookimpl(wrapper=True, tryfirst=True)
    def publish_event(
        self, event: Event, extensions: dict[str, str | int | bool]
    ) -> Generator[None, PublishedEvent, PublishedEvent]:
        publication = self._publications.begin(event, extensions)
        try:
            published = yield
        except BaseException as error:
            publication.fail(error)
            raise
        publication.end(published)
        return published

    @hookimpl(wrapper=True, tryfirst=True)
    def run_action(self, trigger_execution: TriggerExecutionResponse) -> Generator[None, Any, Any]:
        with self._attempts.around_run(trigger_execution):
            return (yield)

    @hookimpl(tryfirst=True)
    def execution_changed(self, trigger_execution: TriggerExecutionResponse) -> None:
        if trigger_execution.status is ExecutionStatus.RUNNING:
            self._attempts.begin(trigger_execution)
        else:
            self._attempts.end(trigger_execution)
