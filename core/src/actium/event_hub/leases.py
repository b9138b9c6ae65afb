"""Who lives: beats for the workers of this process, and taking over from those of others that are gone."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

from actium import process_copies
from actium.errors import StoreError, WorkerLostError
from actium.event_hub.beats import LONGEST_BETWEEN_LOOKS, LOOKS_A_LEASE, Beats, GoneWorker, this_host
from actium.event_hub.strays import Strays
from actium.stores.base_store import BaseStore
from actium.stores.records import WorkerRecord

DEFAULT_LEASE = 30.0
"""Seconds for which a worker keeps what it has claimed without a sign of life."""

logger = logging.getLogger("actium.leases")


class Leases:
    """Keeps the workers of one application known to its store, and takes over from those that are gone."""

    def __init__(
        self,
        store: BaseStore,
        *,
        on_takeover: Callable[[], None],
        strays: Strays,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin nothing yet.

        Args:
            store: Where the workers are.
            on_takeover: Called when executions have become pending because their worker is gone, or has lost them.
            strays: Finds what the workers of this application have lost.
            clock: Seconds that only grow.
        """
        self._store = store
        self._on_takeover = on_takeover
        self._strays = strays
        self._clock = clock
        self._begin_anew()
        process_copies.begin_with(self, Leases._begin_anew)

    def _begin_anew(self) -> None:
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        self._own: dict[str, float] = {}
        self._beats = Beats(self._store, clock=self._clock)
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def name(self, lease: float) -> str:
        """The name under which this process takes executions; it is registered, and kept alive from now on.

        The workers of one application share it, as they live and die together. When it is made, what workers that are
        gone have left is taken over.

        Args:
            lease: Seconds for which it keeps what it has claimed without a sign of life.
        """
        process_copies.notice()
        with self._lock:
            name = next((name for name, own in self._own.items() if own == lease), None)
            if name is None:
                name = self._register(lease)
            else:
                self._start_as_needed()
                return name
        self.look()
        return name

    def _register(self, lease: float) -> str:
        name = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        self._store.register_worker(
            WorkerRecord(
                name=name, host=this_host(), process=os.getpid(), lease=lease, beat=0, started=datetime.now(UTC)
            )
        )
        self._own[name] = lease
        self._start_as_needed()
        return name

    def _start_as_needed(self) -> None:
        """Start the thread that beats. Where the system has none to give, whoever asks for a name next tries again."""
        if self._thread is None:
            thread = threading.Thread(target=self._live, name="actium-leases", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                logger.error("The leases of this process cannot be renewed yet: %s", error)
            else:
                self._thread = thread

    def forget(self, name: str) -> None:
        """Beat for a name no more: the store has given what it had to others."""
        with self._lock:
            self._own.pop(name, None)

    def look(self) -> int:
        """Take over from the workers that are gone.

        Returns:
            How many attempts they had.
        """
        taken = 0
        with self._looking:
            for gone in self._beats.look(own=self._own):
                taken += self._take_over(gone)
        if taken:
            self._on_takeover()
        return taken

    def close(self) -> None:
        """Stop beating, and have what is still claimed tried again by others."""
        process_copies.notice()
        self._closing.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        for name in tuple(self._own):
            with contextlib.suppress(StoreError):  # whoever looks next will see that the process is gone
                self._store.remove_worker(name, reason="its worker was closed", counts=False)
        self._own = {}

    def _live(self) -> None:
        beaten = self._clock()
        while not self._closing.wait(self._pause()):
            try:
                is_time = self._clock() - beaten >= min(self._own.values(), default=DEFAULT_LEASE) / LOOKS_A_LEASE
                if is_time:
                    beaten = self._clock()
                    self._beat()
                self.look()
                if is_time and self._strays.give_back(tuple(self._own)):
                    self._on_takeover()
            except StoreError as error:
                logger.warning("The leases of this process cannot be renewed now: %s", error)
            except Exception:  # the leases of everything that runs here hang on this thread
                logger.exception("The leases of this process cannot be renewed now.")

    def _pause(self) -> float:
        return min(LONGEST_BETWEEN_LOOKS, min(self._own.values(), default=DEFAULT_LEASE) / LOOKS_A_LEASE)

    def _beat(self) -> None:
        for name in tuple(self._own):
            try:
                self._store.beat(name)
            except WorkerLostError as error:
                self.forget(name)
                logger.warning("%s", error)

    def _take_over(self, gone: GoneWorker) -> int:
        taken = self._store.remove_worker(gone.name, reason=gone.reason, beat=gone.beat)
        if taken:
            logger.warning("%d execution(s) are tried again: %s.", taken, gone.reason)
        return taken
