"""What is noted of an attempt in place of recording it: most attempts succeed, and nobody wants to see their traces.

An attempt whose handler stands alone does one thing that plugins did not ask to be told of: the handler is called. What
was noted of that makes the same spans as recording it would have made. It is recorded from the moment on when anything
else is told of it, such as a span of its own, and at the latest when it fails.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from actium.tracing.recorder import Actor, LoneHook, OpenSpan, clock
from actium.tracing.spans import SpanKind
from actium.tracing.values import held


class NotedAttempt:
    """An attempt that is not recorded yet. It may be told of from several threads.

    Attributes:
        is_over: Whether nothing is recorded any more.
    """

    __slots__ = (
        "_arguments",
        "_began",
        "_called",
        "_hook",
        "_lock",
        "_record",
        "_returned",
        "_root",
        "_spans",
        "is_over",
    )

    def __init__(self, record: Callable[[], OpenSpan | None]) -> None:
        """Note that it begins now, in this thread.

        Args:
            record: Begins to record it, and gives its span; called once at most.
        """
        self._record = record
        self._lock = threading.Lock()
        self._began = _now_and_here()
        self._hook: LoneHook | None = None
        self._arguments: dict[str, Any] = {}
        self._called: tuple[int, str] | None = None
        self._returned: tuple[int, object] | None = None
        self._root: OpenSpan | None = None
        self._spans: tuple[OpenSpan, ...] = ()
        self.is_over = False

    @property
    def acting(self) -> Actor | None:
        """Who acts in it now."""
        return None if self._hook is None or self._returned is not None else self._hook.plugin

    def notes(self, hook: LoneHook, arguments: Mapping[str, Any]) -> bool:
        """Note that its handler is called, and with what.

        Returns:
            Whether that was noted; where it was not, it is to be recorded.
        """
        if self.is_over or self._root is not None or self._hook is not None:
            return False
        self._arguments = {name: held(value) for name, value in arguments.items()}
        self._called = _now_and_here()
        self._hook = hook
        return True

    def returned(self, result: object) -> None:
        """What was called has returned."""
        ended, kept = clock(), held(result)
        with self._lock:
            self._returned = ended, kept
            for span in self._spans:
                span.end(kept)

    def raised(self, error: BaseException) -> None:
        """What was called has raised; that is recorded."""
        ended = clock()
        self.open()
        with self._lock:
            self._returned = ended, None
            for span in self._spans:
                span.end(error=error)

    def open(self) -> OpenSpan | None:
        """Record it from now on, with what was noted so far. Saying so twice is harmless.

        Returns:
            The span that its running code is in; None where nothing is recorded any more.
        """
        with self._lock:
            if self.is_over:
                return None
            if self._root is None:
                self._root = self._record()
                if self._root is not None:
                    self._root.began, self._root.thread = self._began
                    self._tell_of_call(self._root)
            is_called = bool(self._spans) and self._returned is None
            return self._spans[0] if is_called else self._root

    def close(self) -> None:
        """Record nothing more, and let go of what was noted: contexts that outlive it may still know it."""
        with self._lock:
            self.is_over = True
            self._arguments, self._returned, self._root, self._spans = {}, None, None, ()

    def _tell_of_call(self, root: OpenSpan) -> None:
        if self._hook is None or self._called is None:
            return
        name, recording = self._hook.name, root.recording
        hook = recording.begin(root, SpanKind.HOOK, name, self._hook.flavor, self._arguments)
        handler = recording.begin(hook, SpanKind.IMPLEMENTATION, name, self._hook.plugin, self._arguments)
        self._spans = tuple(span for span in (handler, hook) if span is not None)
        for span in self._spans:
            span.began, span.thread = self._called
            if self._returned is not None:
                span.ended, span.result = self._returned


def _now_and_here() -> tuple[int, str]:
    return clock(), threading.current_thread().name
