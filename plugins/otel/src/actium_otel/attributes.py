"""What spans tell of events and executions. Never an event's data, a configuration or a result: they may be secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actium_otel import semantics

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

    from actium import Event, TriggerExecutionResponse

Attributes = dict[str, "AttributeValue"]


def of_event(event: Event) -> Attributes:
    """An event, as a message and as a CloudEvent."""
    told: dict[str, AttributeValue | None] = {
        semantics.MESSAGING_MESSAGE_ID: event.id,
        semantics.MESSAGING_MESSAGE_CONVERSATION_ID: event.attributes().get("correlationid"),
        semantics.CLOUDEVENTS_EVENT_ID: event.id,
        semantics.CLOUDEVENTS_EVENT_SOURCE: event.source,
        semantics.CLOUDEVENTS_EVENT_SPEC_VERSION: event.specversion,
        semantics.CLOUDEVENTS_EVENT_SUBJECT: event.subject,
        semantics.CLOUDEVENTS_EVENT_TYPE: event.type,
    }
    return {name: value for name, value in told.items() if value is not None}


def of_publication(event: Event) -> Attributes:
    """The publishing of an event, as metrics tell it, too."""
    return {
        semantics.MESSAGING_SYSTEM: semantics.SYSTEM,
        semantics.MESSAGING_OPERATION_NAME: semantics.PUBLISH,
        semantics.MESSAGING_DESTINATION_NAME: event.type,
    }


def of_run(execution: TriggerExecutionResponse) -> Attributes:
    """The running of an execution, as metrics tell it, too."""
    told: Attributes = {
        semantics.MESSAGING_SYSTEM: semantics.SYSTEM,
        semantics.MESSAGING_OPERATION_NAME: semantics.RUN,
        semantics.MESSAGING_CONSUMER_GROUP_NAME: execution.name,
    }
    if execution.event is not None:
        told[semantics.MESSAGING_DESTINATION_NAME] = execution.event.type
    return told


def of_execution(execution: TriggerExecutionResponse) -> Attributes:
    """Which execution it is, of what, with the event that led to it."""
    told: Attributes = {
        semantics.FAAS_INVOCATION_ID: str(execution.id),
        semantics.FAAS_TRIGGER: semantics.FAAS_TRIGGER_OTHER
        if execution.trigger_id is None
        else semantics.FAAS_TRIGGER_PUBSUB,
        semantics.ACTIUM_PROJECT: execution.project,
        semantics.ACTIUM_ACTION_ID: str(execution.action_id),
        semantics.ACTIUM_ACTION_NAME: execution.name,
        semantics.ACTIUM_ACTION_REVISION: execution.body.action_revision,
        semantics.ACTIUM_ATTEMPT_NUMBER: execution.attempt,
    }
    if execution.trigger_id is not None:
        told[semantics.ACTIUM_TRIGGER_ID] = str(execution.trigger_id)
    return told if execution.event is None else told | of_event(execution.event)
