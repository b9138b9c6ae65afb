"""Workers: what takes executions and runs them, until stopped or until nothing is left."""

from __future__ import annotations

import logging
import os
import socket
import threading
from uuid import UUID, uuid4

from actium.errors import InvalidInputError, StoreBusyError
from actium.event_hub.execution import ExecutionRunner
from actium.models.execution import TriggerExecutionResponse

logger = logging.getLogger("actium.worker")

DEFAULT_POLL_INTERVAL = 1.0
"""Seconds between looks for executions that other processes have stored."""


class Worker:
    """Runs executions in the thread that calls it; several workers, also in several processes, share one store.

    Attributes:
        name: ``host:process:number``, as attempts record it.
    """

    def __init__(
        self,
        runner: ExecutionRunner,
        *,
        stored_executions: threading.Event,
        poll_interval: float = DEFAULT_POLL_INTERVAL,
    ) -> None:
        """Make a worker; use ``Actium.worker()``.

        Args:
            runner: Claims, runs and records.
            stored_executions: Set when this process has stored executions.
            poll_interval: Seconds between looks for executions that other processes have stored.

        Raises:
            InvalidInputError: The interval is nothing to wait for.
        """
        if not 0 < poll_interval <= threading.TIMEOUT_MAX:
            raise InvalidInputError(f"A worker cannot look every {poll_interval!r} s.", hint="Give seconds above 0.")
        self.name = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        self._runner = runner
        self._stored_executions = stored_executions
        self._poll_interval = poll_interval
        self._stopping = threading.Event()
        self._running = threading.RLock()

    def run(self) -> int:
        """Run executions until `stop` is called.

        Returns:
            How many were run.
        """
        ran = 0
        with self._running:
            while not self._stopping.is_set():
                self._stored_executions.clear()
                try:
                    has_run = self._runner.run_next(self.name) is not None
                except StoreBusyError as error:
                    logger.warning("The worker %s tries again: %s", self.name, error)
                    continue
                if has_run:
                    ran += 1
                elif not self._stopping.is_set():
                    self._stored_executions.wait(self._poll_interval)
        return ran

    def run_until_idle(self) -> int:
        """Run executions until none is pending, including those that they led to, or `stop` is called.

        Returns:
            How many were run.
        """
        ran = 0
        with self._running:
            while not self._stopping.is_set() and self._runner.run_next(self.name) is not None:
                ran += 1
        return ran

    def run_one(self, execution_id: UUID) -> TriggerExecutionResponse | None:
        """Run one execution.

        Returns:
            It in its final state; None when it was not pending.
        """
        with self._running:
            return self._runner.run_next(self.name, execution_id=execution_id)

    def stop(self) -> None:
        """Take no further execution. What runs is finished. May be called from another thread."""
        self._stopping.set()
        self._stored_executions.set()

    def join(self) -> None:
        """Wait until what runs has ended, unless it is what calls this."""
        with self._running:
            return
