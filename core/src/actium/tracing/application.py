"""The tracing of one application: whether all of it is traced, and who gets the traces."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, final

from actium.tracing.filters import EVERYTHING, TraceFilter
from actium.tracing.recorder import Actor, Entered, OpenSpan, Recording, active, present
from actium.tracing.spans import SpanKind, Trace

logger = logging.getLogger("actium.tracing")

Sink = Callable[[Trace], object]
"""Takes a trace when it is complete, in whichever thread that comes about."""


class ApplicationTracing:
    """What one application has traced besides what its actions ask for.

    Attributes:
        sink: Who gets the traces; None where nothing is traced besides.
    """

    def __init__(self, sink: Sink | None = None, only: TraceFilter = EVERYTHING) -> None:
        """Trace nothing yet; `begin` does.

        Args:
            sink: Who gets the traces.
            only: What of them.
        """
        self.sink = sink
        self._only = only

    def begin(self) -> None:
        """Trace from now on, until `close`."""
        if self.sink is not None:
            active[self] = None

    def wants(self, flavor: str) -> bool:
        """Whether what a flavor does is traced."""
        return self.sink is not None and self._only.takes_flavor(flavor)

    def call(self, hook: str, acting: Actor, arguments: dict[str, Any]) -> Entered:
        """The call of a flavor's hook, as a context: in the trace that there is, or in one of its own."""
        above = present()
        if above is not None:
            return Entered(above.recording.begin(above, SpanKind.HOOK, hook, acting, arguments))
        if not self.wants(acting.plugin):
            return Entered(None)
        recording = Recording(flavor=acting.plugin)
        return _TraceOfItsOwn(self, recording, recording.begin(None, SpanKind.HOOK, hook, acting, arguments))

    def deliver(self, trace: Trace) -> bool:
        """Hand on a trace. A sink that fails is logged, and harms nothing.

        Returns:
            Whether there is anything in it that is wanted.
        """
        if self.sink is None:
            return False
        shown = self._only.of(trace)
        if not shown.spans:
            return False
        try:
            self.sink(shown)
        except Exception:
            logger.exception("A trace could not be written.")
        return True

    def close(self) -> None:
        """Trace nothing more, and let the sink close what it has open."""
        active.pop(self, None)
        sink, self.sink = self.sink, None
        close = getattr(sink, "close", None)
        if close is not None:
            close()


@final
class _TraceOfItsOwn(Entered):
    """The outermost span of a recording, which is delivered at its end, without the secrets that were noted inside."""

    __slots__ = ("_noting", "_recording", "_tracing")

    def __init__(self, tracing: ApplicationTracing, recording: Recording, span: OpenSpan | None) -> None:
        super().__init__(span)
        self._tracing = tracing
        self._recording = recording
        self._noting = ExitStack()

    def __enter__(self) -> OpenSpan | None:
        from actium.auth.secret_references import noting_secrets, secrets_noted_here

        noted = secrets_noted_here()
        secrets = self._noting.enter_context(noting_secrets()) if noted is None else noted
        self._recording.secrets = lambda: secrets
        return super().__enter__()

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        from actium.tracing.taking import taken

        super().__exit__(kind, error, traceback)
        self._noting.close()
        self._tracing.deliver(taken(self._recording))


NOT_TRACED = ApplicationTracing()
