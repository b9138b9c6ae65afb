"""The one connection that writes, and group commit on it.

A transaction that others wait behind is not committed at its end: the next one goes on inside it, behind a savepoint,
and the last one, or the one that fills the group, commits them all with one sync. Everyone returns once that is done,
so a durable write costs a share of a sync. A lone caller commits for itself, in its own thread.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from actium.errors import StoreBusyError
from actium.stores.sqlite.forks import LONGEST_FORK, LOOK_AFTER

MOST_TOGETHER = 64
"""How many transactions are committed together at most; those that wait longest wait for no more."""

_UNDECIDED = 4
"""How many times as long as for its turn a transaction waits for its group: nothing is decided meanwhile."""

_LOOK_AFTER_GROUP = 0.02
"""Seconds between looks whether a group is still looked after by who is to commit it."""


class _Group:
    """Transactions that are committed together.

    Attributes:
        members: How many have ended well.
        is_over: Whether it is decided what became of them.
        error: What has kept them from being committed, which they are told.
        is_given_up: Whether who was to commit them was interrupted before that.
        gates: Locks of those who wait for it, which are let go when it is over.
    """

    __slots__ = ("error", "gates", "is_given_up", "is_over", "members")

    def __init__(self) -> None:
        self.members = 0
        self.is_over = False
        self.error: BaseException | None = None
        self.is_given_up = False
        self.gates: list[threading.Lock] = []

    def fail(self, error: BaseException) -> None:
        """Tell those who wait that nothing of it is stored."""
        self.error, self.is_over = error, True
        for gate in self.gates:
            gate.release()


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
        self._lock = threading.Lock()
        self._counting = threading.Lock()
        self._waiting: set[object] = set()
        self._is_left_open = False
        self._is_in_member = False
        self._is_used = False
        self._rests = False
        self._group: _Group | None = None
        self._open: sqlite3.Connection | None = None

    @property
    def waiting(self) -> int:
        """How many transactions wait for their turn."""
        return len(self._waiting)

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection; to be used while this is `held` only."""
        if self._open is None:
            self._open = self._connect()
        return self._open

    @contextmanager
    def held(self) -> Iterator[sqlite3.Connection]:
        """The connection, for something else than a transaction."""
        with self._turn():
            yield self.connection

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A transaction: durable when this is left, rolled back when anything is raised in it.

        Raises:
            StoreBusyError: Others have written for longer than the time limit.
            sqlite3.Error: As SQLite says; nothing was written then, unless it says that nobody knows.
        """
        with self._turn():
            group = self._begin()
            try:
                yield self.connection
            except BaseException as error:
                self._undo(group, error)
                raise
            self._complete(group)
        if not group.is_over:
            self._wait_for(group)
        if group.error is not None:
            raise group.error
        if group.is_given_up:
            raise sqlite3.OperationalError("who was to commit it was interrupted")

    def close(self) -> None:
        """Close the connection, once what is being written is."""
        with self._turn():
            self._commit()  # a group that was left open for who waits here
            connection, self._open = self._open, None
            if connection is not None:
                connection.close()

    @property
    def is_at_rest(self) -> bool:
        """Whether nobody writes, and no group is open."""
        return not self._is_used and self._group is None

    def rest(self, seconds: float) -> None:
        """Let nobody write until `go_on` is called, and wait for what is under way, but not for longer than that."""
        until = time.monotonic() + seconds
        self._rests = True
        while not self.is_at_rest and time.monotonic() < until:
            time.sleep(LOOK_AFTER)

    def go_on(self) -> None:
        """Let others write again, after `rest`."""
        self._rests = False

    def abandon(self) -> sqlite3.Connection | None:
        """The connection, which this does not use any more; nor does it wait for anyone who does."""
        connection, self._open = self._open, None
        return connection

    # A signal's handler may raise behind every call of a builtin, and where a function of Python begins. So the lock is
    # let go by a builtin in a `finally` of its own, nothing is called between having it and the `try`, and what an
    # interruption leaves undone is put in order before anything else is done with the connection.

    @contextmanager
    def _turn(self, *, waits: bool = True) -> Iterator[bool]:
        """Use the connection, when the others do so no more; without waiting, whether they do not."""
        has_it, turn = False, object()
        try:
            if waits:
                try:
                    self._waiting.add(turn)
                    (has_it,) = map(self._lock.acquire, [True], [self._busy_seconds])  # unpacking is no call
                finally:
                    self._waiting.discard(turn)
                    self._wait_no_longer(has_it=has_it)
                if not has_it:
                    raise StoreBusyError(
                        f"Others in this process have written to the store for more than {self._busy_seconds:g} s.",
                        hint="Try again; if it lasts, publish less at once.",
                    )
            else:
                (has_it,) = map(self._lock.acquire, [False])
            if has_it:
                self._wait_for_forks()
            yield has_it
        finally:
            if has_it:
                try:
                    self._leave_in_order()
                except BaseException:
                    self._leave_in_order()  # it was interrupted, and nobody may come who would do this later
                    raise
                finally:
                    self._is_used = False
                    self._lock.release()

    def _wait_no_longer(self, *, has_it: bool) -> None:
        with self._counting:
            is_left_alone = self._is_left_open and not has_it and not self._waiting
            if has_it or is_left_alone:
                self._is_left_open = False
        if is_left_alone:  # a group was kept open for this caller, who does not come
            with self._lock:
                self._commit_unless_awaited()

    def _wait_for_forks(self) -> None:
        self._is_used = True  # before it is looked whether to wait: who forks looks for it after asking for that
        until = time.monotonic() + LONGEST_FORK if self._rests else 0.0
        while self._rests and time.monotonic() < until:
            self._commit()  # a group that was left open for who comes here
            self._is_used = False
            time.sleep(LOOK_AFTER)
            self._is_used = True

    def _wait_for(self, group: _Group) -> None:
        """Wait until it is decided what became of a group, and see to it where nobody else does."""
        gate = threading.Lock()
        gate.acquire()
        group.gates.append(gate)
        until = time.monotonic() + _UNDECIDED * self._busy_seconds
        while not group.is_over:
            if gate.acquire(timeout=_LOOK_AFTER_GROUP):
                continue
            with self._turn(waits=False) as has_it:  # which commits what was left to someone who does not come
                if has_it and self._group is not group and not group.is_over:
                    group.fail(
                        sqlite3.OperationalError("nobody knows whether it was committed: who did so was interrupted")
                    )
            if not has_it and time.monotonic() >= until:
                raise sqlite3.OperationalError(
                    "nobody knows whether it will be committed: others do not come to an end"
                )

    def _begin(self) -> _Group:
        self._put_in_order()
        connection = self.connection
        if self._group is None:
            connection.execute("BEGIN IMMEDIATE")
            self._group = _Group()
        else:
            connection.execute("SAVEPOINT member")
            self._is_in_member = True
        return self._group

    def _complete(self, group: _Group) -> None:
        if group.members:
            self._is_in_member = False
            self.connection.execute("RELEASE member")
        group.members += 1

    def _undo(self, group: _Group, error: BaseException) -> None:
        if not self.connection.in_transaction:  # what failed has ended the transaction, and all that was in it is gone
            self._group, self._is_in_member = None, False
            group.fail(error)
        else:
            self._put_in_order()

    def _put_in_order(self) -> None:
        """Undo what is in the transaction and belongs to nobody who has ended well."""
        connection, group = self._open, self._group
        if connection is None:
            return
        if not connection.in_transaction:
            self._group, self._is_in_member = None, False
            if group is not None:
                group.fail(sqlite3.OperationalError("the transaction was ended by another one of its group"))
        elif group is None or not group.members:
            connection.execute("ROLLBACK")
            self._group = None
        elif self._is_in_member:
            connection.execute("ROLLBACK TO member")
            self._is_in_member = False
            connection.execute("RELEASE member")

    def _leave_in_order(self) -> None:
        self._put_in_order()
        self._commit_unless_awaited()

    def _commit_unless_awaited(self) -> None:
        group = self._group
        if group is None:
            return
        with self._counting:
            self._is_left_open = len(self._waiting) > 0 and group.members < MOST_TOGETHER
            if self._is_left_open:
                return
        self._commit()

    def _commit(self) -> None:
        self._put_in_order()
        connection, group = self._open, self._group
        if connection is None or group is None:
            return
        told: BaseException | None = None
        try:
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            told = error
        finally:  # nothing is called before it is decided: an interruption must not keep from the others what is so
            group.is_given_up = told is None and connection.in_transaction
            group.error, group.is_over, self._group = told, True, None
            for gate in group.gates:
                gate.release()
            if connection.in_transaction:
                connection.execute("ROLLBACK")
