"""Who waits for executions to end waits as long as was asked for, and sees what other processes do."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from actium import Actium, ExecutionStatus, TriggerExecutionResponse
from actium.errors import ExecutionNotEndedError
from actium.models import ActionResponse
from actium.stores.records import ExecutionRecord

CreateAction = Callable[..., ActionResponse]
SECONDS = 10.0


@pytest.mark.parametrize("timeout", [0, 0.1, 0.4])
def test_a_wait_is_over_when_its_time_is(app: Actium, create: CreateAction, timeout: float) -> None:
    """Who waits for what does not end is told so when the time has passed, neither before nor long after."""
    execution = app.actions.run(create().id)
    began = time.monotonic()
    with pytest.raises(ExecutionNotEndedError):
        app.executions.wait(execution.id, timeout)
    assert timeout <= time.monotonic() - began < timeout + 1


@pytest.mark.parametrize("waits", ["thread", "coroutine"])
def test_what_another_process_ends_after_the_first_look(
    url: str, app: Actium, create: CreateAction, monkeypatch: pytest.MonkeyPatch, waits: str
) -> None:
    """Who has looked in vain, and is told by nobody, looks again, and sees the end."""
    execution = app.actions.run(create().id)
    looks, looked = 0, threading.Event()

    def noting(read: Callable[..., Any]) -> Callable[..., Any]:
        def read_and_note(kind: Any, *arguments: Any) -> Any:
            nonlocal looks
            found = read(kind, *arguments)
            if kind is ExecutionRecord:
                looks += 1
                looked.set()
            return found

        return read_and_note

    async def wait() -> TriggerExecutionResponse:
        async with asyncio.timeout(SECONDS):
            return await app.executions.await_end(execution.id)

    with Actium(url) as other, ThreadPoolExecutor(1) as thread:  # as in another process: they tell each other nothing
        for name in ("get", "get_many"):
            monkeypatch.setattr(app.store, name, noting(getattr(app.store, name)))
        if waits == "thread":
            waiting = thread.submit(app.executions.wait, execution.id, 2 * SECONDS)
        else:
            waiting = thread.submit(lambda: asyncio.run(wait()))
        assert looked.wait(SECONDS)
        other.executions.cancel(execution.id)
        assert waiting.result(SECONDS).status is ExecutionStatus.CANCELLED
    assert looks > 1
