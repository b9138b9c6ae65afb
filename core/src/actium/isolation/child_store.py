"""The store as a handler in another process sees it: opened when it is first used, with the run's own news by pipe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol
from urllib.parse import urlsplit
from uuid import UUID

from actium.errors import NotConfiguredError
from actium.plugins.store_plugins import StorePlugins
from actium.process_copies import ProcessLock
from actium.stores.base_store import BaseStore
from actium.stores.urls import open_store


class CurrentRun(Protocol):
    """What is known of the run that the process is busy with."""

    @property
    def execution_id(self) -> UUID | None: ...

    @property
    def cancel_requested(self) -> bool: ...

    def report_progress(self, steps: Sequence[dict[str, Any]]) -> None: ...


class ChildStore:
    """Stands for the application's store. It passes for a `BaseStore`, and does what the one behind it does.

    Progress of the present run, and whether someone asked for its end, go through the parent process, which knows
    both: a handler that does nothing else opens no store at all.
    """

    def __init__(self, url: str | None, current_run: Callable[[], CurrentRun | None]) -> None:
        self._url = url
        self._current_run = current_run
        self._lock = ProcessLock()
        self._opened: BaseStore | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store(), name)

    def record_progress(self, execution_id: UUID, progress: Sequence[dict[str, Any]], *args: Any, **named: Any) -> None:
        """See `BaseStore.record_progress`."""
        run = self._current_run()
        if run is not None and run.execution_id == execution_id:
            run.report_progress(progress)
        else:
            self._store().record_progress(execution_id, progress, *args, **named)

    def cancel_requested(self, execution_id: UUID, *args: Any, **named: Any) -> bool:
        """See `BaseStore.cancel_requested`."""
        run = self._current_run()
        if run is not None and run.execution_id == execution_id:
            return run.cancel_requested
        return self._store().cancel_requested(execution_id, *args, **named)

    def close(self) -> None:
        """Close the store if it was opened; it is opened again when it is used again."""
        with self._lock.here:
            opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    def _store(self) -> BaseStore:
        with self._lock.here:
            if self._opened is None:
                self._opened = open_store(self._reachable_url(), open_other=StorePlugins().open)
            return self._opened

    def _reachable_url(self) -> str:
        if self._url is None or _is_in_memory(self._url):
            raise NotConfiguredError(
                f"A handler in a process of its own has no store here ({self._url}).",
                hint="Keep the application's store in a file; one in memory belongs to one process.",
            )
        return self._url


BaseStore.register(ChildStore)


def _is_in_memory(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "sqlite" and parts.path in {"", "/", "/:memory:"}
