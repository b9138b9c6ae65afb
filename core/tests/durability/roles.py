"""The processes of a crash run: ``python roles.py worker|publisher|operator URL FILE NUMBER``, until they are killed.

All append what they know to their file in single writes, so that no kill leaves half of it unsaid: a worker that an
attempt begins, a publisher what was acknowledged to it, an operator what it is about to cancel.
"""

from __future__ import annotations

import logging
import os
import random
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from crash_flavors import FILE, FLAVORS

from actium import Actium, Event
from actium.errors import ConflictError, NotFoundError
from actium.models import TriggerExecutionFilter

LEASE = 2.0
"""Seconds; short, so that a process that is stopped for longer loses its executions."""


def worker(url: str, file: str, concurrency: int) -> None:
    """Run what is stored, until asked to end."""
    os.environ[FILE] = file
    with Actium(url) as app:
        for flavor in FLAVORS:
            app.flavors.register(flavor)
        working = app.worker(concurrency=concurrency, poll_interval=0.05, lease=LEASE)
        signal.signal(signal.SIGTERM, lambda *_: working.stop(grace=0.05))
        working.run()


def publisher(url: str, file: str, seed: int) -> None:
    """Publish events, one by one and many at once."""
    draws = random.Random(seed)
    told = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    with Actium(url) as app:
        while True:
            events = [
                Event(
                    type=draws.choices(["thread", "loop", "turn", "process"], [10, 6, 3, 1])[0],
                    source="/crash",
                    data={"seconds": draws.choice([0, 0, 0, 0.005]), "failures": draws.choice([0, 0, 0, 1])},
                )
                for _ in range(draws.choice([1, 5, 20]))
            ]
            for published in app.events.publish_many(events):
                os.write(told, f"{published.id} {' '.join(map(str, published.executions))}\n".encode())
            time.sleep(draws.random() * 0.05)


def operator(url: str, file: str, seed: int) -> None:
    """Cancel executions, and have those that were cancelled or have failed run again."""
    draws = random.Random(seed)
    told = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    with Actium(url) as app:
        while True:
            asked = draws.choice(["pending", "running", "cancelled", "failed"])
            for execution in app.executions.list(TriggerExecutionFilter(status=asked, max_size=2)).items:
                with suppress(ConflictError, NotFoundError):
                    if asked in {"pending", "running"}:
                        os.write(told, f"{execution.id}\n".encode())
                        app.executions.cancel(execution.id)
                    else:
                        app.executions.retry(execution.id)
            time.sleep(draws.random() * 0.1)


if __name__ == "__main__":
    role, url, path, number = sys.argv[1:]
    logging.disable(logging.CRITICAL)  # a killed worker's executions are told as such by the next, by the hundred
    os.umask(0)
    {"worker": worker, "publisher": publisher, "operator": operator}[role](url, path, int(number))
