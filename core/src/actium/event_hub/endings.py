"""Who waits for executions to end, and is told by the workers of this process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from uuid import UUID


class Endings:
    """Tells those who listen that an execution has ended, once that is durable."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: dict[UUID, list[Callable[[], object]]] = {}

    @contextmanager
    def listening(self, execution_id: UUID, listener: Callable[[], object]) -> Iterator[None]:
        """Have a function called, in a worker's thread, when an execution ends in this process.

        Look at the store inside: it may have ended before, or end in another process.
        """
        with self._lock:
            self._listeners.setdefault(execution_id, []).append(listener)
        try:
            yield
        finally:
            with self._lock:
                listeners = self._listeners[execution_id]
                listeners.remove(listener)
                if not listeners:
                    del self._listeners[execution_id]

    def announce(self, execution_ids: Iterable[UUID]) -> None:
        """Tell that executions have ended."""
        if not self._listeners:
            return
        with self._lock:
            listeners = [one for execution_id in execution_ids for one in self._listeners.get(execution_id, ())]
        for listener in listeners:
            listener()
