"""The one connection that writes, and group commit on it.

A transaction that others wait behind is not committed at its end: the next one goes on inside it, behind a savepoint,
and the last one, or the one that fills the group, commits them all with one sync. Everyone returns once that is done,
so a durable write costs a share of a sync. A lone caller commits for itself, in its own thread.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from actium.errors import StoreBusyError

MOST_TOGETHER = 64
"""How many transactions are committed together at most; those that wait longest wait for no more."""


class _Group:
    """Transactions that are committed together."""

    __slots__ = ("error", "is_over", "members")

    def __init__(self) -> None:
        self.members = 0
        self.error: BaseException | None = None
        self.is_over = threading.Event()

    def end(self, error: BaseException | None = None) -> None:
        self.error = error
        self.is_over.set()


class Writer:
    """Serialises the transactions of one process on one connection."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], *, busy_seconds: float) -> None:
        """Open nothing yet.

        Args:
            connect: Opens the connection, when it is needed first.
            busy_seconds: How long a transaction may wait for its turn.
        """
        self._connect = connect
        self._busy_seconds = busy_seconds
        self._lock = threading.RLock()
        self._counting = threading.Lock()
        self.waiting = 0
        """How many transactions wait for their turn."""
        self._is_left_open = False
        self._group: _Group | None = None
        self._open: sqlite3.Connection | None = None

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection; to be used while this is `held` only."""
        if self._open is None:
            self._open = self._connect()
        return self._open

    @contextmanager
    def held(self) -> Iterator[sqlite3.Connection]:
        """The connection, for something else than a transaction."""
        self._acquire()
        try:
            yield self.connection
        finally:
            self._release()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A transaction: durable when this is left, rolled back when anything is raised.

        Raises:
            StoreBusyError: Others have written for longer than the time limit.
            sqlite3.Error: As SQLite says; nothing was written then.
        """
        self._acquire()
        try:
            group = self._begin()
            try:
                yield self.connection
            except BaseException as error:
                self._undo(group, error)
                raise
            self._complete(group)
        finally:
            self._release()
        if not group.is_over.is_set():
            group.is_over.wait()
        if group.error is not None:
            raise group.error

    def close(self) -> None:
        """Close the connection, once what is being written is."""
        self._acquire()
        try:
            self._commit()  # a group that was left open for who waits here
            connection, self._open = self._open, None
            if connection is not None:
                connection.close()
        finally:
            self._release()

    def abandon(self) -> sqlite3.Connection | None:
        """The connection, which this does not use any more; nor does it wait for anyone who does."""
        connection, self._open = self._open, None
        return connection

    def _acquire(self) -> None:
        with self._counting:
            self.waiting += 1
        has_it = False
        try:
            has_it = self._lock.acquire(timeout=self._busy_seconds)
        finally:
            with self._counting:
                self.waiting -= 1
                is_left_alone = self._is_left_open and not has_it and not self.waiting
                if has_it or is_left_alone:
                    self._is_left_open = False
            if is_left_alone:  # a group was kept open for this caller, who does not come
                with self._lock:
                    self._commit_unless_awaited()
        if not has_it:
            raise StoreBusyError(
                f"Others in this process have written to the store for more than {self._busy_seconds:g} s.",
                hint="Try again; if it lasts, publish less at once.",
            )

    def _release(self) -> None:
        try:
            self._commit_unless_awaited()
        finally:
            self._lock.release()

    def _begin(self) -> _Group:
        if self._group is None or not self.connection.in_transaction:
            if self.connection.in_transaction:  # who began it was interrupted before anyone else knew of it
                self.connection.execute("ROLLBACK")
            self.connection.execute("BEGIN IMMEDIATE")
            self._group = _Group()
        elif self._group.members:
            self.connection.execute("SAVEPOINT member")
        return self._group

    def _complete(self, group: _Group) -> None:
        if group.members:
            self.connection.execute("RELEASE member")
        group.members += 1

    def _undo(self, group: _Group, error: BaseException) -> None:
        connection = self.connection
        if not connection.in_transaction:  # what failed has ended the transaction, and all that was in it is gone
            self._group = None
            group.end(error)
        elif group.members:
            connection.execute("ROLLBACK TO member")
            connection.execute("RELEASE member")
        else:
            self._group = None
            connection.execute("ROLLBACK")
            group.end()

    def _commit_unless_awaited(self) -> None:
        group = self._group
        if group is None or not group.members:
            return
        with self._counting:
            self._is_left_open = self.waiting > 0 and group.members < MOST_TOGETHER
            if self._is_left_open:
                return
        self._commit()

    def _commit(self) -> None:
        group = self._group
        if group is None or not group.members:
            self._group = None
            return
        try:
            self.connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            group.end(error)
        except BaseException:  # an interruption of this thread is no affair of the others
            is_done = not self.connection.in_transaction
            self._roll_back()
            group.end(None if is_done else sqlite3.OperationalError("who was to commit it was interrupted"))
            raise
        else:
            group.end()
        finally:
            self._group = None

    def _roll_back(self) -> None:
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")
