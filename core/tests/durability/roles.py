"""The processes of a crash run: ``python roles.py worker|publisher URL FILE NUMBER``. Each runs until it is killed.

Both append what they know to their file in single writes, so that no kill leaves half of it unsaid: a worker that an
attempt begins, a publisher what was acknowledged to it.
"""

from __future__ import annotations

import logging
import os
import random
import sys
import time
from typing import Any

from actium import Actium, Event, action_flavor

LEASE = 2.0
"""Seconds; short, so that a process that is stopped for longer loses its executions."""


def worker(url: str, file: int, concurrency: int) -> None:
    """Run what is stored."""

    @action_flavor("crash.work")
    def work(trigger_execution: Any) -> int:
        os.write(file, f"{trigger_execution.id} {trigger_execution.attempt} {os.getpid()}\n".encode())
        wanted = trigger_execution.event.data
        time.sleep(wanted["seconds"])
        if trigger_execution.attempt <= wanted["failures"]:
            raise ValueError("not yet")
        return os.getpid()

    with Actium(url) as app:
        app.flavors.register(work)
        app.worker(concurrency=concurrency, poll_interval=0.05, lease=LEASE).run()


def publisher(url: str, file: int, seed: int) -> None:
    """Publish events, one by one and many at once."""
    draws = random.Random(seed)
    with Actium(url) as app:
        while True:
            events = [
                Event(
                    type="com.example.arrived",
                    source="/crash",
                    data={"seconds": draws.choice([0, 0, 0, 0.005]), "failures": draws.choice([0, 0, 0, 1])},
                )
                for _ in range(draws.choice([1, 5, 20]))
            ]
            for published in app.events.publish_many(events):
                os.write(file, f"{published.id} {' '.join(map(str, published.executions))}\n".encode())
            time.sleep(draws.random() * 0.05)


if __name__ == "__main__":
    role, url, path, number = sys.argv[1:]
    logging.disable(logging.CRITICAL)  # a killed worker's executions are told as such by the next, by the hundred
    os.umask(0)
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    {"worker": worker, "publisher": publisher}[role](url, file, int(number))
