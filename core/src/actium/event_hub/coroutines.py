"""The event loop that ``async def`` handlers share, in a thread of its own."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import TypeVar

from actium import process_copies

T = TypeVar("T")

logger = logging.getLogger("actium.coroutines")

_LEFT_ALONE: list[asyncio.AbstractEventLoop] = []
"""Loops of a parent process. To close one here, be it as garbage, would deafen the parent's."""


class SharedLoop:
    """An event loop in a daemon thread, started at its first use. Nothing that runs on it can end it."""

    def __init__(self) -> None:
        self._begin()
        process_copies.begin_with(self, SharedLoop._begin_anew)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def _begin_anew(self) -> None:
        if self._loop is not None and self._thread is not None and self._thread.ident == threading.get_ident():
            self._loop.stop()  # a coroutine has forked: what else waits on the loop is the parent's
        self._begin()

    def run(self, awaitable: Awaitable[T]) -> T:
        """Await something on the loop, and wait for it in this thread. Interrupting the wait cancels it.

        Raises:
            BaseException: What it raises, ``SystemExit`` and ``KeyboardInterrupt`` as well.
        """
        ended: Future[T] = Future()
        cancel = self.start(awaitable, on_result=ended.set_result, on_error=ended.set_exception)
        try:
            return ended.result()
        except BaseException:
            cancel()
            raise

    def start(
        self, awaitable: Awaitable[T], *, on_result: Callable[[T], object], on_error: Callable[[BaseException], object]
    ) -> Callable[[], object]:
        """Await something on the loop, and go on meanwhile.

        Args:
            awaitable: What to await; it sees the context variables of the caller.
            on_result: Called on the loop with what it gave; must not block.
            on_error: Called on the loop with what it raised; must not block.

        Returns:
            What cancels it, from any thread.
        """
        return asyncio.run_coroutine_threadsafe(_carried(awaitable, on_result, on_error), self._running()).cancel

    def close(self) -> None:
        """Cancel what runs, and end the thread."""
        process_copies.notice()
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()

    def _running(self) -> asyncio.AbstractEventLoop:
        process_copies.notice()
        with self._lock:
            if self._loop is None:
                started: Future[asyncio.AbstractEventLoop] = Future()
                self._thread = threading.Thread(target=_serve, args=(started,), name="actium-coroutines", daemon=True)
                self._thread.start()
                self._loop = started.result()
            return self._loop


def _serve(started: Future[asyncio.AbstractEventLoop]) -> None:
    process, runner = process_copies.this_process(), asyncio.Runner()
    loop = runner.get_loop()
    started.set_result(loop)
    try:
        while True:
            try:
                loop.run_forever()
            except (SystemExit, KeyboardInterrupt) as error:  # from a task that a handler has left behind
                if process_copies.this_process() is not process:
                    return
                logger.error("A task on the shared event loop raised %s; the loop goes on.", type(error).__name__)
            else:
                return
    finally:
        if process_copies.this_process() is process:
            runner.close()
        else:
            _LEFT_ALONE.append(loop)


async def _carried(
    awaitable: Awaitable[T], on_result: Callable[[T], object], on_error: Callable[[BaseException], object]
) -> None:
    """Carry out what is raised as a value: what would end the loop must not be raised there."""
    process = process_copies.this_process()
    try:
        result = await awaitable
    except BaseException as error:
        on_error(error)
    else:
        on_result(result)
    if process_copies.this_process() is not process:
        raise SystemExit  # at once: what is to follow on this loop is the parent's
