"""The metrics: what was published, how long it waited and ran, and how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actium_otel import semantics
from actium_otel.attributes import Attributes, of_publication, of_run

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter

    from actium import Event, TriggerExecutionResponse


class Instruments:
    """The instruments of one meter."""

    def __init__(self, meter: Meter) -> None:
        self._sent = meter.create_counter(
            semantics.MESSAGING_CLIENT_SENT_MESSAGES, "{message}", "Events that were to be published."
        )
        self._publishing = meter.create_histogram(
            semantics.MESSAGING_CLIENT_OPERATION_DURATION,
            "s",
            "How long publishing an event took.",
            explicit_bucket_boundaries_advisory=semantics.SHORT_DURATIONS,
        )
        self._running = meter.create_histogram(
            semantics.MESSAGING_PROCESS_DURATION,
            "s",
            "How long an attempt at an execution took.",
            explicit_bucket_boundaries_advisory=semantics.LONG_DURATIONS,
        )
        self._queue_age = meter.create_histogram(
            semantics.ACTIUM_EXECUTION_QUEUE_AGE,
            "s",
            "How long an execution waited for a worker, from when it might have begun or been tried again.",
            explicit_bucket_boundaries_advisory=semantics.LONG_DURATIONS,
        )
        self._executions = meter.create_counter(
            semantics.ACTIUM_EXECUTIONS, "{execution}", "Executions that have reached their final status."
        )

    def published(self, event: Event, seconds: float, *, error_type: str | None) -> None:
        """An event was published, or could not be."""
        told = of_publication(event)
        if error_type is not None:
            told[semantics.ERROR_TYPE] = error_type
        self._sent.add(1, told)
        self._publishing.record(seconds, told | {semantics.MESSAGING_OPERATION_TYPE: semantics.OPERATION_TYPE_SEND})

    def begun(self, execution: TriggerExecutionResponse, waited: float) -> None:
        """An attempt has begun, so many seconds after it might have."""
        self._queue_age.record(waited, _of_action(execution))

    def ran(self, execution: TriggerExecutionResponse, seconds: float, *, error_type: str | None) -> None:
        """An attempt has ended."""
        told = of_run(execution)
        if error_type is not None:
            told[semantics.ERROR_TYPE] = error_type
        self._running.record(seconds, told)

    def ended(self, execution: TriggerExecutionResponse) -> None:
        """An execution has reached its final status."""
        told = _of_action(execution) | {semantics.ACTIUM_EXECUTION_STATUS: execution.status.value}
        self._executions.add(1, told)


def _of_action(execution: TriggerExecutionResponse) -> Attributes:
    return {semantics.ACTIUM_PROJECT: execution.project, semantics.ACTIUM_ACTION_NAME: execution.name}
