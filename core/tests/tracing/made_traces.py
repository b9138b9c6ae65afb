"""Traces made by hand, the same at every run, for the tests of how they are written."""

from __future__ import annotations

from typing import Any

from actium.tracing.spans import Failure, Span, SpanKind, Trace

BEGIN = 1_767_225_600_000_000_000  # 2026-01-01
MS = 1_000_000
FLAVOR = {"plugin": "notify.slack", "distribution": "actium-slack", "version": "2.1"}
AUDIT = {"plugin": "audit", "distribution": "actium-audit", "version": "1.0", "position": "wrapper tryfirst"}
TEXTS = {
    "config": "SlackConfig(channel='#ops', key=SecretStr('env:SLACK_KEY'))",
    "auth_context": "AuthContext(service_account='robot')",
}


class Made:
    """Makes spans one after the other, with ids that count."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def add(
        self,
        parent: int | None,
        kind: SpanKind,
        name: str,
        start: float,
        took: float | None,
        *,
        process: int = 41,
        **told: Any,
    ) -> int:
        """A span; times in milliseconds.

        Returns:
            Its id.
        """
        self.spans.append(
            Span(
                id=len(self.spans) + 1,
                parent=parent,
                kind=kind,
                name=name,
                start_ns=BEGIN + int(start * MS),
                nanoseconds=None if took is None else int(took * MS),
                thread="MainThread",
                process=process,
                **told,
            )
        )
        return len(self.spans)

    def above(self, took: float) -> int:
        """Event, trigger and execution."""
        event = self.add(None, SpanKind.EVENT, "com.example.arrived", 0, took, arguments={"id": "42", "source": "/raw"})
        trigger = self.add(event, SpanKind.TRIGGER, "on-arrival", 1, took - 1, arguments={"id": "t-1"})
        return self.add(trigger, SpanKind.EXECUTION, "tell-ops", 1, took - 1, arguments={"id": "e-1"})


def failed_and_tried_again() -> Trace:
    """Two attempts: the first fails in a span of the plugin's own, the second is slow there."""
    made = Made()
    execution = made.above(3_500)
    refused = Failure(
        type="httpx.ConnectError", message="connection refused", where="slack/run.py:17 in post", notes=("try 1",)
    )
    first = made.add(
        execution,
        SpanKind.ATTEMPT,
        "attempt 1",
        12,
        30,
        failure=Failure(type="httpx.ConnectError", message="connection refused"),
        arguments={"worker": "host:41:a", "status": "failed"},
    )
    hook = made.add(first, SpanKind.HOOK, "run_action", 13, 28, arguments=TEXTS, failure=refused, **FLAVOR)
    made.add(hook, SpanKind.BEFORE, "run_action", 13.1, 0.2, arguments={"config": TEXTS["config"]}, **AUDIT)
    handler = made.add(
        hook,
        SpanKind.IMPLEMENTATION,
        "run_action",
        14,
        26,
        arguments=TEXTS,
        failure=refused,
        position="handler",
        **FLAVOR,
    )
    made.add(handler, SpanKind.OWN, "render", 14.1, 0.5, arguments={"blocks": 3}, **FLAVOR)
    made.add(handler, SpanKind.OWN, "post", 15, 24, arguments={"url": "https://hooks.test"}, failure=refused, **FLAVOR)
    made.add(
        hook, SpanKind.AFTER, "run_action", 40, 0.1, arguments={"exception": "ConnectError('connection...')"}, **AUDIT
    )
    second = made.add(
        execution,
        SpanKind.ATTEMPT,
        "attempt 2",
        1_012,
        2_400,
        arguments={"worker": "host:42:b", "status": "succeeded"},
        process=42,
    )
    hook = made.add(
        second, SpanKind.HOOK, "run_action", 1_013, 2_390, arguments=TEXTS, result="ok", process=42, **FLAVOR
    )
    handler = made.add(
        hook,
        SpanKind.IMPLEMENTATION,
        "run_action",
        1_014,
        2_380,
        arguments=TEXTS,
        result="ok",
        position="handler",
        process=42,
        **FLAVOR,
    )
    made.add(handler, SpanKind.OWN, "post", 1_015, 2_300, process=42, arguments={"bytes": 1_024}, **FLAVOR)
    return Trace(spans=tuple(made.spans))


def odd() -> Trace:
    """What does not go by the book: not ended, control characters, long values, another process, spans left out."""
    made = Made()
    execution = made.add(None, SpanKind.EXECUTION, "by-hand\x1b[31m", 0, 90, arguments={"id": "e-2"})
    attempt = made.add(execution, SpanKind.ATTEMPT, "attempt 1", 0.5, 80, arguments={"trace": "none was kept"})
    hook = made.add(attempt, SpanKind.HOOK, "run_action", 1, 70, arguments={"config": "x" * 200}, **FLAVOR)
    handler = made.add(
        hook, SpanKind.IMPLEMENTATION, "run_action", 1, 70, result="two\nlines", position="handler", **FLAVOR
    )
    child = made.add(handler, SpanKind.OWN, "process 77", 2, 60, process=77, **FLAVOR)
    made.add(child, SpanKind.OWN, "goes on", 3, None, arguments={"text": "y" * 110}, process=77, plugin="made-in-code")
    made.add(child, SpanKind.OWN, "overlaps", 4, 30, process=77)
    made.add(child, SpanKind.OWN, "with this", 10, 40, process=77)
    wrapped = made.add(
        attempt,
        SpanKind.HOOK,
        "get_action",
        75,
        2,
        result="mended",
        plugin="notify.slack",
    )
    made.add(
        wrapped,
        SpanKind.AFTER,
        "get_action",
        76,
        0.5,
        arguments={"exception": "KeyError('k')"},
        result="mended",
        **AUDIT,
    )
    return Trace(spans=tuple(made.spans), left_out=1_234)
