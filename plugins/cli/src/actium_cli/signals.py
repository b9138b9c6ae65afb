"""Ctrl-C and SIGTERM while something runs: the first asks it to end, the second ends the process at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SHOW_CURSOR = b"\x1b[?25h"


@contextmanager
def asking_to_end(ask: Callable[[], None], *, announcement: str) -> Iterator[None]:
    """Handle signals while the body runs, which must be in the main thread.

    Args:
        ask: Called once, in a thread of its own: a signal handler interrupts code that may hold any lock.
        announcement: Said on standard error when the first signal arrives.
    """
    asked = threading.Event()

    def told() -> None:
        sys.stderr.write(f"{announcement}\n")
        sys.stderr.flush()
        ask()

    def handle(number: int, _: FrameType | None) -> None:
        if asked.is_set():
            _end_at_once(number)
        asked.set()
        threading.Thread(target=told, name="actium-ending", daemon=True).start()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_at_once(number: int) -> None:
    """End as a process without a handler would, so that whoever waits for it sees the signal; no thread holds it up."""
    if sys.stderr.isatty():
        os.write(sys.stderr.fileno(), _SHOW_CURSOR)
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
    os._exit(128 + number)  # the first process of a container is not ended by its own signals
