"""What the workers of a crash run do: in a thread, on the event loop, in turn, and in processes of their own."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

from actium import action_flavor

FILE = "CRASH_FILE"
"""The environment variable that names the file in which attempts are noted."""


def note(trigger_execution: Any) -> dict[str, Any]:
    """Write down that an attempt begins, in one step, so that no kill leaves half of it unsaid."""
    file = os.open(os.environ[FILE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        os.write(file, f"{trigger_execution.id} {trigger_execution.attempt} {os.getpid()}\n".encode())
    finally:
        os.close(file)
    wanted: dict[str, Any] = trigger_execution.event.data
    return wanted


def end(trigger_execution: Any, wanted: dict[str, Any]) -> int:
    if trigger_execution.attempt <= wanted["failures"]:
        raise ValueError("not yet")
    return os.getpid()


@action_flavor("crash.thread")
def in_a_thread(trigger_execution: Any) -> int:
    """Blocks its thread for a moment."""
    wanted = note(trigger_execution)
    time.sleep(wanted["seconds"])
    return end(trigger_execution, wanted)


@action_flavor("crash.loop")
async def on_the_loop(trigger_execution: Any) -> int:
    """Waits on the event loop."""
    wanted = note(trigger_execution)
    await asyncio.sleep(wanted["seconds"])
    return end(trigger_execution, wanted)


@action_flavor("crash.process", isolation="process")
def in_a_process(trigger_execution: Any) -> int:
    """Runs in a process of its own."""
    wanted = note(trigger_execution)
    time.sleep(wanted["seconds"])
    return end(trigger_execution, wanted)


FLAVORS = (in_a_thread, on_the_loop, in_a_process)
