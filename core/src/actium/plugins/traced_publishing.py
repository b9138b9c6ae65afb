"""What hooks do around an event that is published, recorded: below the event's span, or where a handler publishes it.

Publishing is entered in one thread and perhaps left in another, so that the span is carried from one to the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pluggy

from actium.auth.secret_references import noting_secrets, secrets_noted_here
from actium.plugins.hookspecs import EventHooks
from actium.plugins.traced_hooks import twin_of
from actium.tracing.application import ApplicationTracing
from actium.tracing.recorder import OpenSpan, Recording, current, present
from actium.tracing.spans import SpanKind
from actium.tracing.values import held

if TYPE_CHECKING:
    from actium.models import Event, PublishedEvent


class PublishingTrace:
    """The trace of one event that is published."""

    def __init__(
        self,
        tracing: ApplicationTracing,
        recording: Recording,
        event: OpenSpan | None,
        *,
        is_own: bool,
        secrets: list[str] | None,
    ) -> None:
        self._tracing = tracing
        self._recording = recording
        self._secrets = secrets
        self._event = event
        self._is_own = is_own
        self._hook: OpenSpan | None = None

    @classmethod
    def of(cls, tracing: ApplicationTracing, event: Event) -> PublishingTrace | None:
        """Begin to record an event: in the trace that there is, or in one of its own; None where nobody wants that."""
        above = present()
        if above is not None:
            return cls(tracing, above.recording, above, is_own=False, secrets=secrets_noted_here())
        if not tracing.wants(""):
            return None
        secrets = secrets_noted_here()
        secrets = [] if secrets is None else secrets
        recording = Recording(secrets=lambda: secrets)
        told = {"id": event.id, "source": event.source}
        span = recording.begin(None, SpanKind.EVENT, event.type, None, told)
        return cls(tracing, recording, span, is_own=True, secrets=secrets)

    def begin(self, arguments: Mapping[str, Any]) -> None:
        """The hooks around it are entered."""
        told = {name: held(value) for name, value in arguments.items()}
        self._hook = self._recording.begin(self._event, SpanKind.HOOK, "publish_event", None, told)

    @contextmanager
    def inside_hook(self) -> Iterator[None]:
        """What runs inside is done by the hooks around it."""
        with noting_secrets(self._secrets), _present(self._hook):
            yield

    @contextmanager
    def inside_event(self) -> Iterator[None]:
        """What runs inside is told of it."""
        with noting_secrets(self._secrets), _present(self._event):
            yield

    def end(self, published: PublishedEvent | None, error: BaseException | None = None) -> None:
        """The hooks around it are left."""
        hook, self._hook = self._hook, None
        if hook is not None:
            hook.end(None if published is None else held(published), error)

    def close(self) -> None:
        """Nothing more is told of it. Saying so twice is harmless."""
        if self._is_own and not self._recording.is_over:
            from actium.tracing.taking import taken

            if self._event is not None:
                self._event.end()
            self._tracing.deliver(taken(self._recording))


@contextmanager
def _present(span: OpenSpan | None) -> Iterator[None]:
    if span is None or span.recording.is_over:
        yield
        return
    token = current.set(span)
    try:
        yield
    finally:
        current.reset(token)


def traced_caller(manager: pluggy.PluginManager, answering: object) -> pluggy.HookCaller:
    """The hook around publishing, each wrapper of which tells what it does.

    Args:
        manager: The wrappers, each with an ``origin``.
        answering: What stands inside all of them.
    """
    twin = twin_of(manager, EventHooks, awaits=False)
    twin.register(answering, name="event hub")
    return twin.hook.publish_event
