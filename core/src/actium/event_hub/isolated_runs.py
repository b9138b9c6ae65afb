"""Runs of handlers that ask for a process of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from actium.auth.context import AuthContext
from actium.isolation.messages import FlavorReference, RunOrder
from actium.models.execution import TriggerExecutionResponse
from actium.process_copies import ProcessLock
from actium.running import RunningAttempt, running_attempt
from actium.stores.base_store import BaseStore
from actium.tracing import trace

if TYPE_CHECKING:
    from actium.isolation.pool import ProcessPool

MOST_PROCESSES = 1_024
"""As many as a worker may have threads: each of them waits for one process, and none is started before that."""

GRACE = 1.0
"""Seconds that a run is given to end when it has been asked to, before its process is killed."""


class IsolatedRuns:
    """Runs handlers in warm processes, which are started when the first of them runs."""

    def __init__(self, store: BaseStore, *, hooks: Sequence[object], blocked: Sequence[str]) -> None:
        """Start nothing yet.

        Args:
            store: What the handlers reach as ``self.store``, over connections of their own.
            hooks: The hook plugins that were enabled by argument.
            blocked: The plugins that were blocked by argument.
        """
        self._store = store
        self._hooks = hooks
        self._blocked = blocked
        self._lock = ProcessLock()
        self._pool: ProcessPool | None = None

    def run(
        self,
        flavor: FlavorReference,
        configuration: Mapping[str, Any],
        trigger_execution: TriggerExecutionResponse,
        auth_context: AuthContext,
    ) -> Any:
        """Run an execution in a process, and wait for it in this thread.

        Raises:
            Exception: See `ProcessPool.run`.
        """
        execution_id = trigger_execution.id
        attempt = running_attempt(execution_id) or RunningAttempt(execution_id)
        attempt.is_isolated = True
        return self._ready().run(
            RunOrder(
                flavor=flavor,
                configuration=configuration,
                trigger_execution=trigger_execution,
                auth_context=auth_context,
                is_traced=trace.is_recorded(),
            ),
            timeout=attempt.timeout,
            is_cancelled=lambda: attempt.is_to_end or self._store.cancel_requested(execution_id),
            on_progress=lambda steps: self._store.record_progress(
                execution_id, steps, attempt=trigger_execution.attempt
            ),
        )

    def close(self) -> None:
        """End the processes."""
        with self._lock.here:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    def _ready(self) -> ProcessPool:
        from actium.isolation.pool import ProcessPool  # most programs never need it

        with self._lock.here:
            if self._pool is None:
                self._pool = ProcessPool(
                    size=MOST_PROCESSES,
                    grace=GRACE,
                    store_url=self._store.url,
                    hooks=self._hooks,
                    blocked=self._blocked,
                )
            return self._pool
