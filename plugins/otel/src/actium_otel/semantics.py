"""The names of attributes and metrics: those of OpenTelemetry's semantic conventions, and Actium's own.

They are written out here because the package that holds them gives these only from a private module. The source is
https://github.com/open-telemetry/semantic-conventions/tree/v1.44.0/docs: ``messaging``, ``cloudevents``, ``faas`` and
``exceptions``. Only the last is stable; what the others rename is renamed here.
"""

from __future__ import annotations

from typing import Final

VERSION: Final = "1.44.0"
SCHEMA_URL: Final = f"https://opentelemetry.io/schemas/{VERSION}"

# Messaging

MESSAGING_SYSTEM: Final = "messaging.system"
MESSAGING_OPERATION_NAME: Final = "messaging.operation.name"
MESSAGING_OPERATION_TYPE: Final = "messaging.operation.type"
MESSAGING_DESTINATION_NAME: Final = "messaging.destination.name"
"""Where messages go to: the type of an event, for that is what triggers name."""
MESSAGING_CONSUMER_GROUP_NAME: Final = "messaging.consumer.group.name"
"""Who takes each message once: the action."""
MESSAGING_MESSAGE_ID: Final = "messaging.message.id"
MESSAGING_MESSAGE_CONVERSATION_ID: Final = "messaging.message.conversation_id"
"""What belongs together: the ``correlationid`` of an event."""

SYSTEM: Final = "actium"
PUBLISH: Final = "publish"
RUN: Final = "run"
OPERATION_TYPE_SEND: Final = "send"
OPERATION_TYPE_PROCESS: Final = "process"

# CloudEvents

CLOUDEVENTS_EVENT_ID: Final = "cloudevents.event_id"
CLOUDEVENTS_EVENT_SOURCE: Final = "cloudevents.event_source"
CLOUDEVENTS_EVENT_SPEC_VERSION: Final = "cloudevents.event_spec_version"
CLOUDEVENTS_EVENT_SUBJECT: Final = "cloudevents.event_subject"
CLOUDEVENTS_EVENT_TYPE: Final = "cloudevents.event_type"

# Functions as a service

FAAS_INVOCATION_ID: Final = "faas.invocation_id"
"""The id of the execution, which all of its attempts share."""
FAAS_TRIGGER: Final = "faas.trigger"

FAAS_TRIGGER_PUBSUB: Final = "pubsub"
FAAS_TRIGGER_OTHER: Final = "other"

# Errors

ERROR_TYPE: Final = "error.type"
ERROR_TYPE_OTHER: Final = "_OTHER"
EXCEPTION: Final = "exception"
EXCEPTION_TYPE: Final = "exception.type"
EXCEPTION_MESSAGE: Final = "exception.message"
EXCEPTION_STACKTRACE: Final = "exception.stacktrace"

# Actium's own

ACTIUM_PROJECT: Final = "actium.project"
ACTIUM_ACTION_ID: Final = "actium.action.id"
ACTIUM_ACTION_NAME: Final = "actium.action.name"
ACTIUM_ACTION_REVISION: Final = "actium.action.revision"
ACTIUM_TRIGGER_ID: Final = "actium.trigger.id"
ACTIUM_ATTEMPT_NUMBER: Final = "actium.attempt.number"
ACTIUM_ATTEMPT_STATUS: Final = "actium.attempt.status"
"""How the attempt ended."""
ACTIUM_EXECUTION_STATUS: Final = "actium.execution.status"
"""Where its execution is then: ``pending`` where another attempt follows."""
ACTIUM_EVENT_DUPLICATE: Final = "actium.event.duplicate"
"""Whether the event was known already; then nothing new runs."""
ACTIUM_EVENT_EXECUTIONS: Final = "actium.event.executions"
"""How many executions the event has led to."""

# Metrics

MESSAGING_CLIENT_SENT_MESSAGES: Final = "messaging.client.sent.messages"
MESSAGING_CLIENT_OPERATION_DURATION: Final = "messaging.client.operation.duration"
MESSAGING_PROCESS_DURATION: Final = "messaging.process.duration"
ACTIUM_EXECUTIONS: Final = "actium.executions"
ACTIUM_EXECUTION_QUEUE_AGE: Final = "actium.execution.queue_age"

SHORT_DURATIONS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""The bounds in seconds that the conventions give to the durations of messaging."""
LONG_DURATIONS: Final = (*SHORT_DURATIONS, 30.0, 60.0, 300.0, 1_800.0, 3_600.0, 21_600.0)
"""Bounds in seconds for what may also take hours: runs, and waiting for a worker."""
