"""The connections that read, which one block after another uses."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from types import TracebackType

from actium.stores.sqlite.wording import Wording

_LOOK_AFTER = 0.001


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
        self._all: list[sqlite3.Connection] = []
        self._free: list[sqlite3.Connection] = []
        self._blocks: set[_Block] = set()
        self._goes_on: threading.Event | None = None
        self._is_closed = False

    def block(self) -> _Block:
        """A block that has a connection."""
        return _Block(self, self._wording)

    def close(self) -> None:
        """Close the connections, those in use as soon as they are given back."""
        self._is_closed = True
        while self._free:
            self._free.pop().close()

    @property
    def is_at_rest(self) -> bool:
        """Whether nobody reads."""
        return not self._blocks

    def rest(self, seconds: float) -> None:
        """Let nobody read until `go_on` is called, and wait for the blocks to end, but not for longer than that."""
        until = time.monotonic() + seconds
        self._goes_on = threading.Event()
        while self._blocks and time.monotonic() < until:
            time.sleep(_LOOK_AFTER)

    def go_on(self) -> None:
        """Let others read again, after `rest`."""
        goes_on, self._goes_on = self._goes_on, None
        if goes_on is not None:
            goes_on.set()

    def abandon(self) -> list[sqlite3.Connection]:
        """All connections, which this does not use any more."""
        connections, self._all, self._free = self._all, [], []
        return connections

    def lend(self, block: _Block) -> sqlite3.Connection:
        """A connection for a block, which gives it back."""
        self._blocks.add(block)  # before it is looked whether to wait: whoever sees none lets nobody begin
        try:
            while (goes_on := self._goes_on) is not None:
                self._blocks.discard(block)
                goes_on.wait()
                self._blocks.add(block)
            try:
                return self._free.pop()
            except IndexError:
                connection = self._connect()
                self._all.append(connection)
                return connection
        except BaseException:
            self._blocks.discard(block)
            raise

    def take_back(self, block: _Block, connection: sqlite3.Connection) -> None:
        """Keep a block's connection for the next one."""
        if self._is_closed:
            connection.close()
        else:
            self._free.append(connection)
        self._blocks.discard(block)


class _Block:
    """A block that reads."""

    __slots__ = ("_connection", "_readers", "_wording")

    def __init__(self, readers: Readers, wording: Wording) -> None:
        self._readers = readers
        self._wording = wording
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> sqlite3.Connection:
        with self._wording:
            self._connection = connection = self._readers.lend(self)
        return connection

    def __exit__(self, kind: object, error: BaseException | None, traceback: TracebackType | None) -> None:
        if self._connection is not None:
            self._readers.take_back(self, self._connection)
        self._wording.__exit__(kind, error, traceback)
