"""The pool: warm child processes, each used again after a clean answer and killed after anything else."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from types import TracebackType
from typing import Any, Self

from actium import process_copies
from actium.errors import ExecutionCancelled, ExecutionTimeoutError, InvalidInputError
from actium.isolation import child_logs
from actium.isolation.child_traces import join, told_when_cut_off
from actium.isolation.errors import PoolClosedError, ProcessDiedError, ProcessProtocolError
from actium.isolation.messages import ChildSettings, Message, RunOrder, hook_references
from actium.isolation.process import ChildProcess
from actium.isolation.transported_errors import rebuilt

logger = logging.getLogger("actium.isolation")

DEFAULT_GRACE = 5.0
"""Seconds that a run has to end when it is asked to, before its process is killed."""

DEFAULT_POLL_INTERVAL = 0.1
"""Seconds between looks whether a run was cancelled."""

Steps = list[dict[str, Any]]


class ProcessPool:
    """Runs orders in child processes. Any number of threads may call `run` at once.

    A process is started when it is needed first, and serves until it crashes, is killed, or has had ``recycle_after``
    runs. When this process ends, in whatever way, they end too.
    """

    def __init__(
        self,
        *,
        size: int,
        grace: float = DEFAULT_GRACE,
        recycle_after: int | None = None,
        store_url: str | None = None,
        hooks: Sequence[object] = (),
        blocked: Sequence[str] = (),
        attach: str | None = None,
        poll_interval: float = DEFAULT_POLL_INTERVAL,
        start_timeout: float = 60.0,
        executable: str | None = None,
    ) -> None:
        """Make a pool; nothing is started yet.

        Args:
            size: How many processes there are at most; further runs wait for a free one.
            grace: Seconds that a run has to end when it is asked to, before its process is killed.
            recycle_after: After how many runs a process is replaced, for libraries that leak; None for never.
            store_url: The store that handlers reach as ``self.store``, with an absolute path.
            hooks: The enabled hook plugins, as `Actium` takes them.
            blocked: Plugins or distributions not to use, by name.
            attach: ``module:function`` that is called in the child with each new handler and its store.
            poll_interval: Seconds between looks whether a run was cancelled.
            start_timeout: Seconds that a new process may take until it takes orders.
            executable: The interpreter; None for the one that this program runs on.

        Raises:
            InvalidInputError: There would be no process at all.
        """
        if size < 1 or (recycle_after is not None and recycle_after < 1):
            raise InvalidInputError(
                f"A pool of {size!r} processes, replaced after {recycle_after!r} runs, could run nothing.",
                hint="Give whole numbers from 1.",
            )
        self._size = size
        self._grace = grace
        self._recycle_after = recycle_after
        self._without_hooks = ChildSettings(store_url=store_url, blocked=tuple(blocked), attach=attach)
        self._hooks = tuple(hooks)
        self._poll_interval = poll_interval
        self._start_timeout = start_timeout
        self._executable = executable
        self._closed = False
        self._begin()
        process_copies.begin_with(self, ProcessPool._begin_anew)

    def run(
        self,
        order: RunOrder,
        *,
        timeout: float | None,
        is_cancelled: Callable[[], bool],
        on_progress: Callable[[Steps], None],
    ) -> Any:
        """Run an order in one of the processes, and wait for its outcome.

        Args:
            order: What to run.
            timeout: Seconds that it may take once a process has it; None for as long as it likes.
            is_cancelled: Asked every ``poll_interval`` whether someone asked for its end. When so, the handler is told;
                when it has not ended within the grace time, its process is killed.
            on_progress: Called, in this thread, with the steps that the handler reports.

        Returns:
            The handler's result as JSON values, with secrets masked.

        Raises:
            ExecutionTimeoutError: It took too long; its process was killed.
            ExecutionCancelled: It ended because it was asked to, or its process was killed after it was.
            ProcessDiedError: Its process crashed, ended or was killed from elsewhere.
            ProcessProtocolError: Its process wrote what is no message; it was killed.
            UnstorableResultError: Its result is too large or nothing that JSON can hold.
            NotIsolableError: A hook plugin cannot be imported by another process.
            PoolClosedError: The pool was closed.
            Exception: What the handler raised, see `actium.isolation.transported_errors`; also an interruption such
                as ``SystemExit``, as an exception of that name.
        """
        child = self._take(is_cancelled)
        try:
            with told_when_cut_off(child.pid):
                answer = self._conversation(child, order, timeout, is_cancelled, on_progress)
        except BaseException as error:
            self._discard(child)
            if self._closed and isinstance(error, ProcessDiedError | ProcessProtocolError):
                raise _closed() from error
            raise
        self._give_back(child)
        join(answer)
        if "error" in answer:
            raise rebuilt(answer["error"])
        return answer["result"]

    def close(self) -> None:
        """End all processes, at the latest after the grace time, and wait for that. Closing twice is harmless.

        What still runs is asked to end with SIGTERM; its `run` raises `PoolClosedError`.
        """
        with self._changed:
            self._closed = True
            idle = self._idle[:]
            self._idle.clear()
            busy = self._children.difference(idle)
            self._changed.notify_all()
        for child in idle:
            child.dismiss()
        for child in busy:
            child.terminate()
        until = time.monotonic() + self._grace
        for child in [*idle, *busy]:
            child.wait(until - time.monotonic())
        for child in busy:
            child.end()  # the thread that uses it notices, and frees the rest
        for child in idle:
            self._discard(child)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # One run

    def _conversation(
        self,
        child: ChildProcess,
        order: RunOrder,
        timeout: float | None,
        is_cancelled: Callable[[], bool],
        on_progress: Callable[[Steps], None],
    ) -> Message:
        started = time.monotonic()
        ends = math.inf if timeout is None else started + timeout
        killed_at = math.inf
        number = child.order(order.packed(), deadline=min(ends, started + self._start_timeout))
        look_at = started + self._poll_interval
        while True:
            message = child.receive(min(look_at, ends, killed_at))
            if message is not None and message.get("run") == number:  # else of a run before, e.g. by a thread it left
                if message["kind"] == "answer":
                    return message
                if message["kind"] == "progress":
                    on_progress(message["steps"])
                if message["kind"] == child_logs.KIND:
                    child_logs.handle(message["record"])
            now = time.monotonic()
            if now >= ends:
                child.stop(self._grace)
                raise ExecutionTimeoutError(
                    f"The action ran for more than {timeout:g} seconds; its process was killed.",
                    hint="Give it more time, or find out what it waits for.",
                )
            if now >= killed_at:
                child.stop(self._grace)
                raise ExecutionCancelled(
                    f"It did not end within {self._grace:g} seconds of being asked to; its process was killed."
                )
            if now >= look_at:
                look_at = now + self._poll_interval
                if killed_at == math.inf and is_cancelled():
                    child.ask_to_cancel(number)
                    killed_at = now + self._grace

    # The processes

    @cached_property
    def _settings(self) -> ChildSettings:
        return replace(self._without_hooks, hooks=hook_references(self._hooks))

    def _take(self, is_cancelled: Callable[[], bool]) -> ChildProcess:
        while True:
            with self._changed:
                if self._closed:
                    raise _closed()
                child = self._idle.pop() if self._idle else None
                if child is None and self._room:
                    self._room -= 1
                    break
                if child is None:
                    self._changed.wait(self._poll_interval)
            if child is not None and child.is_alive:
                return child
            if child is not None:
                logger.warning(
                    "The process %d ended while it had nothing to do; another one takes its place.", child.pid
                )
                self._discard(child)
            elif is_cancelled():
                raise ExecutionCancelled("It was cancelled while it waited for a process, before it began.")
        return self._start()

    def _start(self) -> ChildProcess:
        child = None
        try:
            child = ChildProcess(self._settings, executable=self._executable)
            self._children.add(child)
            child.wait_until_ready(self._start_timeout)
        except BaseException:
            self._discard(child)
            raise
        logger.debug("Started the process %d.", child.pid)
        return child

    def _give_back(self, child: ChildProcess) -> None:
        if self._recycle_after is None or child.runs < self._recycle_after:
            with self._changed:
                if not self._closed:
                    self._idle.append(child)
                    self._changed.notify()
                    return
        child.dismiss()
        child.wait(self._grace)
        self._discard(child)

    def _discard(self, child: ChildProcess | None) -> None:
        if child is not None:
            child.kill()
            self._children.discard(child)
        with self._changed:
            self._room += 1
            self._changed.notify()

    def _begin(self) -> None:
        self._changed = threading.Condition()
        self._children: set[ChildProcess] = set()
        self._idle: list[ChildProcess] = []
        self._room = self._size

    def _begin_anew(self) -> None:
        """Leave the processes to the original: they could not see its end if this one kept the connections."""
        for child in self._children:
            child.forget()
        self._begin()


def _closed() -> PoolClosedError:
    return PoolClosedError(
        "The pool of processes was closed.", hint="What the handler did so far is not known; run it again."
    )
