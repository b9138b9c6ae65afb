"""The threads of a worker that run handlers."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable

from actium.event_hub.run import Run

logger = logging.getLogger("actium.worker")


class _Nothing:
    """Takes the place of a run where a thread is only to come by."""

    def start(self) -> None:
        pass


class RunThreads:
    """A number of threads, started when there is something to run. They are daemons: none keeps a process alive."""

    def __init__(self, size: int, *, on_ran: Callable[[float], object]) -> None:
        """Start nothing yet.

        Args:
            size: How many threads.
            on_ran: Called in a run's thread when it is over, with the seconds that it has taken.
        """
        self._size = size
        self._on_ran = on_ran
        self._lock = threading.Lock()
        self._waiting: queue.SimpleQueue[Run | _Nothing | None] = queue.SimpleQueue()
        self._running: dict[Run | _Nothing, None] = {}
        self._load = 0
        self._own: set[int] = set()
        self._threads = 0

    @property
    def load(self) -> int:
        """How many runs wait for a thread, or keep one busy."""
        return self._load

    @property
    def are_behind(self) -> bool:
        """Whether a run waits for a thread."""
        return not self._waiting.empty()

    def are_here(self) -> bool:
        """Whether this is asked in one of them."""
        return threading.get_ident() in self._own

    def pass_by(self) -> None:
        """Have one of them, as soon as it is free, do what it does when it has run something."""
        if not self.are_behind:  # else one of them will do so anyway
            self.put(_Nothing())

    def put(self, run: Run | _Nothing) -> None:
        """Run something as soon as a thread is free."""
        with self._lock:
            self._load += 1
            self._waiting.put(run)
        if self._threads < self._size:
            self.start_as_needed()

    def take_back(self) -> list[Run]:
        """The runs that no thread has begun with; none will."""
        taken = []
        with contextlib.suppress(queue.Empty):
            while True:
                taken.append(self._waiting.get_nowait())
        for _ in range(taken.count(None)):  # threads that are to end
            self._waiting.put(None)
        with self._lock:
            self._load -= len(taken) - taken.count(None)
        return [run for run in taken if isinstance(run, Run)]

    def abandon(self, run: Run) -> None:
        """Count on a run's thread no more; another takes its place."""
        if self._running.pop(run, self) is None:
            with self._lock:
                self._threads -= 1
                self._load -= 1
            self.start_as_needed()

    def leave_to_parent(self) -> None:
        """In a copy of the process: run nothing more, and let the thread end that goes on in the copy, if it is one."""
        self._lock = threading.Lock()
        self._waiting = queue.SimpleQueue()
        self._waiting.put(None)

    def close(self) -> None:
        """Let the threads end; those that run something do so after it."""
        with self._lock:
            threads, self._threads = self._threads, 0
        for _ in range(threads):
            self._waiting.put(None)

    def start_as_needed(self) -> None:
        """Start a thread where one more has something to do. Where the system has none to give, it is asked again."""
        with self._lock:
            if self._threads >= min(self._size, self._load):
                return
            thread = threading.Thread(target=self._work, name=f"actium-run-{self._threads + 1}", daemon=True)
            self._threads += 1  # before it starts: an interruption of this thread may come when it has
            try:
                thread.start()
            except BaseException as error:
                if thread.ident is None:
                    self._threads -= 1
                if not isinstance(error, RuntimeError):
                    raise
                logger.error("A worker has %d of %d threads, and tries again: %s", self._threads, self._size, error)

    def _work(self) -> None:
        here = threading.get_ident()
        self._own.add(here)
        try:
            while (run := self._waiting.get()) is not None:
                if not self._ran(run):
                    return
        finally:
            self._own.discard(here)

    def _ran(self, run: Run | _Nothing) -> bool:
        """Run something; whether this thread is still counted on afterwards."""
        self._running[run] = None
        began = time.monotonic()
        try:
            run.start()
        except BaseException as error:  # told in the run's ending; the thread is there for others
            logger.warning("A handler raised %s in a thread of its worker.", type(error).__name__)
        if self._running.pop(run, self) is not None:
            return False  # it was abandoned, and another thread has its place
        try:
            self._on_ran(time.monotonic() - began)
        except Exception:  # the run has been told of; the thread is there for others
            logger.exception("A thread of a worker cannot tell that it has run something.")
        with self._lock:  # only now is it free for another
            self._load -= 1
        return True
