"""Applications in tests: what runs in one is waited for, but never without an end."""

from __future__ import annotations

import threading

from actium import Actium
from actium.event_hub.worker import Worker

CLOSE_SECONDS = 10.0


def run_until_idle(app: Actium, *, seconds: float, concurrency: int = 1) -> bool:
    """Let a worker run what is due.

    Returns:
        Whether it was done in time; otherwise it was asked to end what runs, and not waited for any longer.
    """
    worker = app.worker(concurrency=concurrency, poll_interval=0.02)
    thread = working(worker.run_until_idle)
    return ended(worker, thread, seconds=seconds)


def working(work: object) -> threading.Thread:
    """A thread that works and does not keep the process alive."""
    if not callable(work):
        raise TypeError(f"{work!r} cannot be called")
    thread = threading.Thread(target=work, name="pytest-actium-worker", daemon=True)
    thread.start()
    return thread


def ended(worker: Worker, thread: threading.Thread, *, seconds: float) -> bool:
    """Whether a worker's thread ends in time; it is stopped when it does not."""
    thread.join(seconds)
    if not thread.is_alive():
        return True
    worker.stop(grace=0)
    return False


def close(app: Actium, *, seconds: float = CLOSE_SECONDS) -> bool:
    """Close an application; whether that was done in time."""
    thread = working(app.close)
    thread.join(seconds)
    return not thread.is_alive()
