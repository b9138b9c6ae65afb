"""What is noted of an attempt in place of recording it: most attempts succeed, and nobody wants to see their traces.

An attempt whose handler stands alone does one thing that plugins did not ask to be told of: the handler is called. What
was noted of that makes the same spans as recording it would have made. It is recorded from the moment on when anything
else is told of it, such as a span of its own, and at the latest when it fails.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import Any, TypeAlias

from actium.tracing.recorder import Actor, LoneHook, OpenSpan, clock
from actium.tracing.spans import SpanKind
from actium.tracing.values import held

Moment: TypeAlias = tuple[int, threading.Thread]
"""When something was, by the clock of recordings, and in which thread."""


class NotedAttempt(ABC):
    """An attempt that is not recorded yet. It may be told of from several threads.

    Attributes:
        is_over: Whether nothing is recorded any more.
    """

    # Most are never told of anything, so that what they begin with stands in the class.
    is_over: bool = False
    _hook: LoneHook | None = None
    _arguments: dict[str, Any] | None = None
    _config: object = None
    _called: Moment | None = None
    _returned: tuple[int, object] | None = None
    _root: OpenSpan | None = None
    _spans: tuple[OpenSpan, ...] = ()

    def __init__(self) -> None:
        """Note that it begins now, in this thread."""
        self._lock = threading.Lock()
        self._began: Moment = clock(), threading.current_thread()

    @abstractmethod
    def record(self) -> OpenSpan | None:
        """Begin to record it, and give its span; called once at most."""

    @property
    def acting(self) -> Actor | None:
        """Who acts in it now."""
        return None if self._hook is None or self._returned is not None else self._hook.plugin

    def notes(self, hook: LoneHook, arguments: dict[str, Any]) -> bool:
        """Note that its handler is called, and with what.

        Args:
            hook: What is called.
            arguments: What with. They are kept, and of ``config``, which a handler may change, what it holds now; what
                makes the ``trigger_execution`` is called only where it is told of.

        Returns:
            Whether that was noted; where it was not, it is to be recorded.
        """
        if self._hook is not None or self._root is not None or self.is_over:
            return False
        self._hook, self._arguments, self._config = hook, arguments, held(arguments["config"])
        self._called = clock(), threading.current_thread()
        return True

    def returned(self, result: object) -> None:
        """What was called has returned."""
        ended = clock(), None if result is None else held(result)
        with self._lock:
            self._returned = ended
            for span in self._spans:
                span.end(ended[1])

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
                self._root = self.record()
                if self._root is not None:
                    _put_back(self._root, self._began)
                    self._tell_of_call(self._root)
            is_called = bool(self._spans) and self._returned is None
            return self._spans[0] if is_called else self._root

    def close(self) -> None:
        """Record nothing more, and let go of what was noted: contexts that outlive it may still know it."""
        with self._lock:
            self.is_over = True
            if self._hook is not None:
                self._arguments = self._config = self._returned = None
            if self._root is not None:
                self._root, self._spans = None, ()

    def _tell_of_call(self, root: OpenSpan) -> None:
        if self._hook is None or self._called is None:
            return
        name, recording = self._hook.name, root.recording
        told = {**(self._arguments or {}), "config": self._config}
        if callable(execution := told.get("trigger_execution")):
            told["trigger_execution"] = execution()
        hook = recording.begin(root, SpanKind.HOOK, name, self._hook.flavor, told)
        handler = recording.begin(hook, SpanKind.IMPLEMENTATION, name, self._hook.plugin, told)
        self._spans = tuple(span for span in (handler, hook) if span is not None)
        for span in self._spans:
            _put_back(span, self._called)
            if self._returned is not None:
                span.ended, span.result = self._returned


def _put_back(span: OpenSpan, moment: Moment) -> None:
    """Let a span have begun at another moment, where it did."""
    span.began, thread = moment
    span.thread = thread.name
