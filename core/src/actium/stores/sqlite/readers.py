"""The connections that read, which one block after another uses."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from types import TracebackType
from weakref import WeakSet

from actium.stores.sqlite.forks import LONGEST_FORK, LOOK_AFTER
from actium.stores.sqlite.wording import Wording


class Readers:
    """As many connections of one process as have ever been needed at one time."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], wording: Wording) -> None:
        """Open nothing yet.

        Args:
            connect: Opens a connection.
            wording: Tells what SQLite raises in a block.
        """
        self._connect = connect
        self._wording = wording
        self._free: list[sqlite3.Connection] = []
        self._blocks: WeakSet[_Block] = WeakSet()  # one that an interruption has left behind is over
        self._rests = False
        self._is_closed = False

    def block(self) -> _Block:
        """A block that has a connection."""
        return _Block(self, self._wording)

    def close(self) -> None:
        """Close the connections, those in use as soon as they are given back."""
        self._is_closed = True
        block = self.block()
        try:
            self._begin(block)  # no process forks while something is closed
            while self._free:
                self._free.pop().close()
        finally:
            self._blocks.discard(block)

    @property
    def is_at_rest(self) -> bool:
        """Whether nobody reads."""
        return not self._blocks

    def rest(self, seconds: float) -> None:
        """Let nobody read until `go_on` is called, and wait for the blocks to end, but not for longer than that."""
        until = time.monotonic() + seconds
        self._rests = True
        while self._blocks and time.monotonic() < until:
            time.sleep(LOOK_AFTER)

    def go_on(self) -> None:
        """Let others read again, after `rest`."""
        self._rests = False

    def abandon(self) -> list[sqlite3.Connection]:
        """All connections, which this does not use any more."""
        lent = [block.connection for block in list(self._blocks) if block.connection is not None]
        connections, self._free = [*self._free, *lent], []
        return connections

    def lend(self, block: _Block) -> sqlite3.Connection:
        """A connection for a block, which gives it back."""
        try:
            self._begin(block)
            try:
                (block.connection,) = map(self._free.pop, [-1])
            except IndexError:
                block.connection = self._connect()
            return block.connection
        except BaseException:
            self._blocks.discard(block)
            raise

    def _begin(self, block: _Block) -> None:
        """Count a block as one that uses connections, while no process forks."""
        self._blocks.add(block)  # before it is looked whether to wait: whoever sees none lets nobody begin
        until = time.monotonic() + LONGEST_FORK if self._rests else 0.0
        while self._rests and time.monotonic() < until:
            self._blocks.discard(block)
            time.sleep(LOOK_AFTER)
            self._blocks.add(block)

    def take_back(self, block: _Block) -> None:
        """Keep a block's connection for the next one."""
        if block.connection is not None:
            keep = sqlite3.Connection.close if self._is_closed else self._free.append
            (block.connection,) = map(keep, [block.connection])
        self._blocks.discard(block)


# A signal's handler may raise behind every call. What `map` has called is noted by then, as unpacking is no call: who
# has a connection is known at any time, and with a block that nobody has any more its connection is closed.


class _Block:
    """A block that reads.

    Attributes:
        connection: What was lent to it; None before, and when that was given back.
    """

    __slots__ = ("__weakref__", "_readers", "_wording", "connection")

    def __init__(self, readers: Readers, wording: Wording) -> None:
        self._readers = readers
        self._wording = wording
        self.connection: sqlite3.Connection | None = None

    def __enter__(self) -> sqlite3.Connection:
        with self._wording:
            return self._readers.lend(self)

    def __exit__(self, kind: object, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._readers.take_back(self)
        self._wording.__exit__(kind, error, traceback)
