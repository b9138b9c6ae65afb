"""Coroutines that wait for executions to end: those of one event loop look at the store together.

A look at one execution takes six statements, and each gives the interpreter to other threads. A look at a hundred
takes no more.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Mapping
from uuid import UUID
from weakref import WeakKeyDictionary

from actium.errors import NotFoundError
from actium.event_hub.endings import Ended, Endings
from actium.models.execution import TriggerExecutionResponse
from actium.stores.claims import Claim

LOOK_INTERVAL = 0.25
"""Seconds between looks at executions that are waited for: another process may be what ends them."""

Look = Callable[[Collection[UUID], Ended], Mapping[UUID, TriggerExecutionResponse | None]]
"""Reads executions, with what is known of how some have ended here; gives those that have ended, hydrated, and None for
those that have not. The others are missing."""


class AwaitedEnds:
    """What the coroutines of an application wait for, by event loop."""

    def __init__(self, look: Look, endings: Endings) -> None:
        self._look = look
        self._endings = endings
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _Waiting] = WeakKeyDictionary()

    async def end_of(self, execution_id: UUID) -> TriggerExecutionResponse:
        """Wait until an execution has ended.

        Raises:
            NotFoundError: There is no such execution.
        """
        loop = asyncio.get_running_loop()
        waiting = self._loops.get(loop)
        if waiting is None:
            waiting = self._loops[loop] = _Waiting(loop, self._look, self._endings)
        return await waiting.end_of(execution_id)


class _Waiting:
    """What the coroutines of one event loop wait for. Used in the loop's thread, but for `announced`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, look: Look, endings: Endings) -> None:
        self._loop = loop
        self._read = look
        self._endings = endings
        self._futures: dict[UUID, set[asyncio.Future[TriggerExecutionResponse]]] = {}
        self._to_look_at: dict[UUID, Claim | None] = {}
        self._next_look: asyncio.Handle | None = None

    async def end_of(self, execution_id: UUID) -> TriggerExecutionResponse:
        future: asyncio.Future[TriggerExecutionResponse] = self._loop.create_future()
        if not self._futures:
            self._endings.watch(self.announced)
        self._futures.setdefault(execution_id, set()).add(future)
        if not self._endings.will_be_announced(execution_id):
            self._look_soon({execution_id: None})
        elif self._next_look is None:
            self._next_look = self._loop.call_later(LOOK_INTERVAL, self._look_at_all)
        try:
            return await future
        finally:
            self._forget(execution_id, future)

    def announced(self, ended: Ended) -> None:
        """Called in a worker's thread when executions have ended, perhaps some that are waited for."""
        some = {execution_id: claim for execution_id, claim in ended.items() if execution_id in self._futures}
        if some and not self._loop.is_closed():
            with contextlib.suppress(RuntimeError):  # it has been closed meanwhile, and nobody waits any more
                self._loop.call_soon_threadsafe(self._look_soon, some)

    def _look_soon(self, ended: Ended) -> None:
        """Look at executions when what else is ready to go on in this loop has done so."""
        if not self._to_look_at:
            if self._next_look is not None:
                self._next_look.cancel()
            self._next_look = self._loop.call_soon(self._look)
        self._to_look_at.update(ended)

    def _look(self) -> None:
        known, self._to_look_at = self._to_look_at, {}
        wanted = known.keys() & self._futures.keys()
        try:
            found = self._read(wanted, known) if wanted else {}
        except Exception as error:  # each of them is told
            for execution_id in wanted:
                self._tell(execution_id, error)
        else:
            for execution_id in wanted:
                self._tell(execution_id, found[execution_id] if execution_id in found else _not_there(execution_id))
        self._next_look = self._loop.call_later(LOOK_INTERVAL, self._look_at_all) if self._futures else None

    def _look_at_all(self) -> None:
        self._to_look_at = dict.fromkeys(self._futures)
        self._look()

    def _tell(self, execution_id: UUID, outcome: TriggerExecutionResponse | Exception | None) -> None:
        if outcome is None:
            return  # it has not ended
        for future in self._futures.get(execution_id, ()):
            if future.done():
                continue
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome.model_copy(deep=True) if len(self._futures[execution_id]) > 1 else outcome)

    def _forget(self, execution_id: UUID, future: asyncio.Future[TriggerExecutionResponse]) -> None:
        futures = self._futures[execution_id]
        futures.discard(future)
        if not futures:
            del self._futures[execution_id]
        if not self._futures:
            self._endings.unwatch(self.announced)
            if self._next_look is not None:
                self._next_look.cancel()
                self._next_look = None
            self._to_look_at = {}


def _not_there(execution_id: UUID) -> NotFoundError:
    return NotFoundError(
        f"There is no execution with the id {str(execution_id)!r}.", hint="List the executions there are."
    )
