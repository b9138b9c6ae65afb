"""The threads of a worker that run handlers."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable

from actium.event_hub.run import Run

logger = logging.getLogger("actium.worker")


class RunThreads:
    """A number of threads, started when there is something to run. They are daemons: none keeps a process alive."""

    def __init__(self, size: int, *, on_ran: Callable[[float], None]) -> None:
        """Start nothing yet.

        Args:
            size: How many threads.
            on_ran: Called with the seconds that a run has taken of its thread.
        """
        self._size = size
        self._on_ran = on_ran
        self._lock = threading.Lock()
        self._runs: queue.SimpleQueue[Run | None] = queue.SimpleQueue()
        self._waiting: dict[Run, None] = {}
        self._running: dict[Run, None] = {}
        self._threads = 0

    @property
    def load(self) -> int:
        """How many runs wait for a thread, or have one."""
        return len(self._waiting) + len(self._running)

    def put(self, run: Run) -> None:
        """Run something as soon as a thread is free."""
        with self._lock:
            self._waiting[run] = None
            if self._threads < min(self._size, len(self._waiting) + len(self._running)):
                self._threads += 1
                threading.Thread(target=self._work, name=f"actium-run-{self._threads}", daemon=True).start()
        self._runs.put(run)

    def take_back(self) -> list[Run]:
        """The runs that no thread has begun with; none will."""
        with self._lock:
            waiting, self._waiting = list(self._waiting), {}
        return waiting

    def abandon(self, run: Run) -> None:
        """Count on a run's thread no more; another takes its place."""
        with self._lock:
            if self._running.pop(run, self) is None:
                self._threads -= 1

    def close(self) -> None:
        """Let the threads end; those that run something do so after it."""
        with self._lock:
            threads, self._threads = self._threads, 0
        for _ in range(threads):
            self._runs.put(None)

    def _work(self) -> None:
        while (run := self._runs.get()) is not None:
            with self._lock:
                if self._waiting.pop(run, self) is not None:
                    continue  # it was taken back
                self._running[run] = None
            began = time.monotonic()
            try:
                run.start()
            except BaseException as error:  # told in the run's ending; the thread is there for others
                logger.warning("A handler raised %s in a thread of its worker.", type(error).__name__)
            with self._lock:
                if self._running.pop(run, self) is not None:
                    return  # it was abandoned, and another thread has its place
            self._on_ran(time.monotonic() - began)
