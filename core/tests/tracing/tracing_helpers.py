"""What the tests of tracing share: hook plugins, and ways to find a span."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actium import TriggerExecutionResponse, hookimpl, trace
from actium.tracing.spans import Span, SpanKind, Trace

Run = Callable[..., TriggerExecutionResponse]


class Audit:
    """Wraps every run, and tells of both sides."""

    @hookimpl(wrapper=True, tryfirst=True)
    def run_action(self, config: Any) -> Any:
        with trace.span("look at it"):
            pass
        result = yield
        with trace.span("write it down"):
            return result


class Watch:
    """Is told of executions."""

    @hookimpl
    def execution_changed(self, trigger_execution: Any) -> None:
        """Nothing is done with it."""


def named(trace: Trace, name: str, kind: SpanKind | None = None) -> Span:
    """The only span of a name, and perhaps of a kind."""
    [span] = [span for span in trace.spans if span.name == name and (kind is None or span.kind is kind)]
    return span


def path_of(trace: Trace, span: Span) -> list[str]:
    """The names from the outermost span to one."""
    known = {each.id: each for each in trace.spans}
    names = [span.name]
    while span.parent is not None:
        span = known[span.parent]
        names.insert(0, span.name)
    return names
