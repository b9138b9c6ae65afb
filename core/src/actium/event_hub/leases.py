"""Who lives: beats for the workers of this process, and an eye on those of others.

No clocks are compared: a worker counts as gone when its beat has stood still for its lease on the *observer's*
monotonic clock. So a clock that jumps, or that another machine sets otherwise, takes no execution from anybody. A
worker whose process this machine no longer has is gone at once.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from actium.errors import StoreError, WorkerLostError
from actium.event_hub.strays import Strays
from actium.stores.base_store import BaseStore
from actium.stores.records import WorkerRecord

DEFAULT_LEASE = 30.0
"""Seconds for which a worker keeps what it has claimed without a sign of life."""

_LOOKS_A_LEASE = 3
_LONGEST_BETWEEN_LOOKS = 1.0

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
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        self._own: dict[str, float] = {}
        self._seen: dict[str, tuple[int, float]] = {}
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def name(self, lease: float) -> str:
        """The name under which this process takes executions; it is registered, and kept alive from now on.

        The workers of one application share it, as they live and die together. When it is made, what workers that are
        gone have left is taken over.

        Args:
            lease: Seconds for which it keeps what it has claimed without a sign of life.
        """
        if self._process != os.getpid():  # the name of the process that forked is its own affair
            self._process, self._lock, self._looking = os.getpid(), threading.Lock(), threading.Lock()
            self._own, self._seen, self._thread = {}, {}, None
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
            now = self._clock()
            present = self._store.workers()
            for worker in present:
                if worker.name not in self._own and (reason := self._gone(worker, now)) is not None:
                    taken += self._take_over(worker.name, reason, beat=worker.beat)
            for name in self._store.lost_workers():
                taken += self._take_over(name, "its worker is not known any more")
            names = {worker.name for worker in present}
            self._seen = {name: seen for name, seen in self._seen.items() if name in names}
        if taken:
            self._on_takeover()
        return taken

    def close(self) -> None:
        """Stop beating, and have what is still claimed tried again by others."""
        self._closing.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        if self._process == os.getpid():
            for name in tuple(self._own):
                with contextlib.suppress(StoreError):  # whoever looks next will see that the process is gone
                    self._store.remove_worker(name, reason="its worker was closed", counts=False)
        self._own = {}

    def _live(self) -> None:
        beaten = self._clock()
        while not self._closing.wait(self._pause()):
            try:
                is_time = self._clock() - beaten >= min(self._own.values(), default=DEFAULT_LEASE) / _LOOKS_A_LEASE
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
        return min(_LONGEST_BETWEEN_LOOKS, min(self._own.values(), default=DEFAULT_LEASE) / _LOOKS_A_LEASE)

    def _beat(self) -> None:
        for name in tuple(self._own):
            try:
                self._store.beat(name)
            except WorkerLostError as error:
                self.forget(name)
                logger.warning("%s", error)

    def _gone(self, worker: WorkerRecord, now: float) -> str | None:
        if worker.host == this_host() and not process_lives(worker.process):
            return _has_ended(worker)
        beat, since = self._seen.get(worker.name, (None, now))
        if beat != worker.beat:
            self._seen[worker.name] = (worker.beat, now)
            return None
        if now - since > worker.lease:
            return f"its worker {worker.name} gave no sign of life for {worker.lease:g} s"
        return None

    def _take_over(self, name: str, reason: str, *, beat: int | None = None) -> int:
        taken = self._store.remove_worker(name, reason=reason, beat=beat)
        if taken:
            logger.warning("%d execution(s) are tried again: %s.", taken, reason)
        return taken


def gone_workers(store: BaseStore) -> dict[str, str]:
    """The workers that are gone for certain, without waiting for a lease, and why."""
    here = this_host()
    gone = {
        worker.name: _has_ended(worker)
        for worker in store.workers()
        if worker.host == here and not process_lives(worker.process)
    }
    return gone | dict.fromkeys(store.lost_workers(), "its worker is not known any more")


def _has_ended(worker: WorkerRecord) -> str:
    return f"its worker {worker.name} has ended without a word"


def this_host() -> str:
    """What tells apart where process numbers mean the same: the machine, and on Linux the container."""
    try:
        namespace = Path("/proc/self/ns/pid").readlink().name
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return socket.gethostname()
    return f"{socket.gethostname()} {boot} {namespace}"


def process_lives(process: int) -> bool:
    """Whether this machine has a process of that number, as far as can be told."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(process)


def _is_zombie(process: int) -> bool:
    """Whether a process has ended and only its parent has not asked how."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[:1] == ["Z"]
