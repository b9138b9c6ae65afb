"""What tells that a worker is gone: its process, where that can be looked for, and else a beat that stands still.

No clocks are compared: a worker counts as gone when its beat has stood still for its lease on the *observer's*
monotonic clock. So a clock that jumps, or that another machine sets otherwise, takes no execution from anybody. A
worker whose process this machine no longer has is gone at once.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from actium.stores.base_store import BaseStore
from actium.stores.records import WorkerRecord

LOOKS_A_LEASE = 3
"""How often a worker beats within its lease, and how often others look, so that none is missed."""

LONGEST_BETWEEN_LOOKS = 1.0
"""Seconds after which others look again at the latest, since processes may be gone without a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoneWorker:
    """A worker that will not end what it has claimed.

    Attributes:
        reason: Why it is taken for gone, as attempts record it.
        beat: The beat at which it stands still; None where it has none any more.
    """

    name: str
    reason: str
    beat: int | None


class Beats:
    """What one observer has seen of the workers of a store."""

    def __init__(
        self,
        store: BaseStore,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """See nothing yet.

        Args:
            store: Where the workers are.
            clock: Seconds that only grow.
            sleep: Lets that many of them pass.
        """
        self._store = store
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[int, float]] = {}

    def look(self, *, own: Collection[str] = ()) -> tuple[GoneWorker, ...]:
        """The workers that are gone, as far as can be told from all looks up to this one.

        Args:
            own: Those of the observer itself, which are not looked at.
        """
        with self._lock:
            asked = self._clock()
            present = self._store.workers()
            answered = self._clock()
            gone = []
            for worker in present:
                if worker.name in own:
                    continue
                reason = self._gone(worker, asked, answered)
                if reason is not None:
                    gone.append(GoneWorker(name=worker.name, reason=reason, beat=worker.beat))
            names = {worker.name for worker in present}
            self._seen = {name: seen for name, seen in self._seen.items() if name in names}
        unknown = "its worker is not known any more"
        return (*gone, *(GoneWorker(name=name, reason=unknown, beat=None) for name in self._store.lost_workers()))

    def watch(self, longest: float, *, on_wait: Callable[[float], None]) -> tuple[GoneWorker, ...]:
        """The workers that are gone, once that can be told of each that says it runs something on another machine.

        Args:
            longest: Seconds after which no further look is taken, though a lease may be longer.
            on_wait: Told for how many seconds at most looks are taken, where one is not enough.
        """
        gone = self.look()
        silent = self._elsewhere(gone)
        if not silent or longest <= 0:
            return gone
        pause = min(LONGEST_BETWEEN_LOOKS, min(worker.lease for worker in silent) / LOOKS_A_LEASE)
        longest = min(longest, max(worker.lease for worker in silent) + 2 * pause)
        on_wait(longest)
        until = self._clock() + longest
        while silent and (left := until - self._clock()) > 0:
            self._sleep(min(pause, left))
            gone = self.look()
            as_before = {(worker.name, worker.beat) for worker in self._elsewhere(gone)}
            silent = [worker for worker in silent if (worker.name, worker.beat) in as_before]
        return gone

    def _elsewhere(self, gone: Sequence[GoneWorker]) -> list[WorkerRecord]:
        """The workers with executions whose process cannot be looked for, without those that are gone."""
        here, names = this_host(), {one.name for one in gone}
        return [
            worker
            for worker in self._store.workers()
            if worker.host != here and worker.name not in names and self._store.executions_of_worker(worker.name)
        ]

    def _gone(self, worker: WorkerRecord, asked: float, answered: float) -> str | None:
        if worker.host == this_host() and not process_lives(worker.process):
            return f"its worker {worker.name} has ended without a word"
        beat, since = self._seen.get(worker.name, (None, answered))
        if beat != worker.beat:
            self._seen[worker.name] = (worker.beat, answered)
            return None
        if asked - since > worker.lease:
            return f"its worker {worker.name} gave no sign of life for {worker.lease:g} s"
        return None


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
