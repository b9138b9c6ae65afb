"""Flavors that run in processes of their own, and treat them roughly."""

from __future__ import annotations

import ctypes
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from actium import ActionConfig, Actium, Event, action_flavor
from actium.models import StepProgress


def exhaust_memory() -> None:
    """Take all the memory that this process may have, a little at a time, and keep it."""
    import resource  # not on Windows

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + 50_000_000
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    taken = []
    for size in (1_000_000, 10_000, 100):
        with suppress(MemoryError):
            while True:
                taken.append(bytearray(size))
    while True:
        taken.append(bytearray(100))


class Manner(ActionConfig):
    """What to do to the process."""

    manner: str = "well"


@action_flavor("rough.process", config=Manner, isolation="process")
def rough(config: Manner, trigger_execution: Any, handler: Any) -> Any:
    """Does what it is told."""
    if config.manner == "exit":
        os._exit(3)
    if config.manner == "crash":
        ctypes.string_at(0)
    if config.manner == "once" and trigger_execution.attempt == 1:
        os._exit(4)
    if config.manner == "raise":
        raise ValueError("not today")
    if config.manner == "hang":
        handler.report_progress(trigger_execution, [StepProgress(name=str(os.getpid()), status="running")])
        time.sleep(600)
    if config.manner == "memory":
        exhaust_memory()
    if config.manner == "publish":
        with Actium(handler.store.url) as app:
            return str(app.events.publish(Event(type="com.example.stored", source="/here")).id)
    return os.getpid()
