"""The spans of a run in another process: recorded there, and sent with the answer to become a part of its trace."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from actium.tracing.recorder import Entered, Recording, present
from actium.tracing.spans import SpanKind, trace_json, trace_of
from actium.tracing.taking import taken

TRACE = "trace"
"""Under which key of an answer the spans are."""


@contextmanager
def recorded(answer: dict[str, Any], secrets: Callable[[], Sequence[str]], *, is_wanted: bool) -> Iterator[None]:
    """Record what is done inside, in the child.

    Args:
        answer: Gets what was recorded.
        secrets: What is to be masked.
        is_wanted: Whether the parent asked for it.
    """
    if not is_wanted:
        yield
        return
    recording = Recording(secrets=secrets)
    try:
        with Entered(recording.begin(None, SpanKind.OWN, f"process {os.getpid()}")):
            yield
    finally:
        answer[TRACE] = trace_json(taken(recording))


@contextmanager
def told_when_cut_off(process: int) -> Iterator[None]:
    """Let the trace tell of a run whose process ends, or is ended, before it answers; its spans are lost with it."""
    began = time.perf_counter_ns()  # the clock of recordings
    try:
        yield
    except BaseException as error:
        above = present()
        if above is not None:
            lost = {"cut_off": True, "spans": "lost with the process"}
            span = above.recording.begin(above, SpanKind.OWN, f"process {process}", None, lost)
            if span is not None:
                span.began = began
                span.end(error=error)
        raise


def join(answer: Mapping[str, Any]) -> None:
    """Let what a child has recorded be a part of what is recorded here."""
    span, told = present(), answer.get(TRACE)
    if span is not None and told is not None:
        trace = trace_of(told)
        span.recording.adopt(span, trace.spans, trace.left_out)
