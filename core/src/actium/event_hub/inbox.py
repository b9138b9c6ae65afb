"""What other threads leave for a worker's own: executions that were stored for it, and wake-ups."""

from __future__ import annotations

import queue
from collections.abc import Iterator

from actium.event_hub.offers import Promise


class Inbox:
    """What one thread looks into, and waits for. Others may put something in, or wake it, at any time."""

    def __init__(self) -> None:
        self._arrived: queue.SimpleQueue[Promise | None] = queue.SimpleQueue()
        self._is_woken = False

    def put(self, promise: Promise) -> None:
        """Leave what was stored for the worker."""
        self._arrived.put(promise)

    def wake(self) -> None:
        """Let the worker's own thread look for what is to be done; doing so again before it looks costs nothing."""
        if not self._is_woken:
            self._is_woken = True
            self._arrived.put(None)

    def arrived(self) -> Iterator[Promise]:
        """What has arrived. What anyone woke the thread for until the end of that is seen to by who asks for it."""
        while not self._arrived.empty():
            promise = self._arrived.get()
            if promise is not None:
                yield promise
        self._is_woken = False

    def wait(self, seconds: float) -> Promise | None:
        """Wait for what comes next; None for a wake-up, or when the time is over."""
        try:
            return self._arrived.get(block=seconds > 0, timeout=seconds or None)
        except queue.Empty:
            return None
