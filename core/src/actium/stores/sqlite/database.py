"""Connections to one SQLite database, and transactions on them.

One connection writes (see `actium.stores.sqlite.writer`); readers take connections from a small pool and never wait
for it (WAL). A database in memory has one connection for both.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.parse import quote

from actium import process_copies
from actium.errors import StoreError
from actium.stores.sqlite import forks
from actium.stores.sqlite.readers import Readers
from actium.stores.sqlite.wording import Wording
from actium.stores.sqlite.writer import Writer

BUSY_SECONDS = 30.0
_OLDEST_SQLITE = (3, 34, 0)
_STATEMENTS_CACHED = 256
_LOOK_AGAIN_AFTER = 0.005
"""Seconds to leave the file to another that changes its journal."""

_LEFT_ALONE: list[sqlite3.Connection] = []
"""What a parent process uses; it lasts as long as this process."""


class Database:
    """One SQLite database, open."""

    def __init__(self, path: Path | None, *, synchronous: str = "FULL", busy_seconds: float = BUSY_SECONDS) -> None:
        """Open a database; the file is made where it does not exist.

        Args:
            path: The file; None for a database in memory.
            synchronous: ``FULL``: what is committed survives a power cut. ``NORMAL``: it survives the process.
            busy_seconds: How long to wait for another process that writes.

        Raises:
            StoreError: It cannot be opened.
        """
        if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            raise StoreError(
                f"This Python has SQLite {sqlite3.sqlite_version}; Actium needs 3.34 or newer.",
                hint="Use a Python that was built with a newer SQLite.",
            )
        self._path = None if path is None else path.absolute()  # a later chdir must not lead to another file
        self._place = id(self) if path is None else path.resolve()
        self._synchronous = synchronous
        self._busy_seconds = busy_seconds
        self.wording = Wording(self.name, busy_seconds, is_closed=lambda: self._closed)
        self._closed = False
        self._opened = False
        self._file: os.stat_result | None = None
        self._temp_store = "MEMORY"
        self._read_only = False
        self._writer, self._readers = self._new_connections()
        self._is_lost = False
        forks.register(self)

    @property
    def name(self) -> str:
        """What messages call it."""
        return "the store in memory" if self._path is None else f"the store {str(self._path)!r}"

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that writes: committed at the end, rolled back when anything is raised."""
        process_copies.notice()
        with self.wording, self._writer.transaction() as connection:
            self._check_file()
            yield connection

    def reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """A connection to read from. Each statement sees one state; those of one block may see different ones."""
        process_copies.notice()
        return self._readers.block() if self._path is not None else self._between_transactions()

    @contextmanager
    def _between_transactions(self) -> Iterator[sqlite3.Connection]:
        with self.wording, self._writer.held() as connection:
            yield connection

    @contextmanager
    def rebuilding(self) -> Iterator[None]:
        """Let transactions change the whole database meanwhile, before anyone else writes.

        SQLite keeps the pages that a statement changes as they were, to undo it. A statement that stores or ends many
        executions is faster by a tenth where it may keep them in memory; those of a million rows have no place there.
        """
        self._keep_undone_in("FILE")
        try:
            yield
        finally:
            self._keep_undone_in("MEMORY")

    def _keep_undone_in(self, place: str) -> None:
        self._temp_store = place
        with self.wording, self._writer.held() as connection:
            connection.execute(f"PRAGMA temp_store = {place}")

    def write_ahead(self) -> None:
        """Let readers and the writer work side by side from now on (WAL); the file remembers it.

        This changes the file, so it must be known to be ours.
        """
        if self._path is None or self._read_only:
            return
        with self.wording, self._writer.held() as connection:
            (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
            if mode != "wal":
                self._change_journal(connection)

    def _change_journal(self, connection: sqlite3.Connection) -> None:
        until = time.monotonic() + self._busy_seconds
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL").fetchone()
            except sqlite3.OperationalError as error:  # of two that do so at one time, SQLite refuses one at once
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                    raise
                time.sleep(_LOOK_AGAIN_AFTER)
            else:
                return

    def close(self) -> None:
        """Close all connections, those in use as soon as they are given back."""
        process_copies.notice()
        self._closed = True
        self._writer.close()
        self._readers.close()

    @property
    def place(self) -> object:
        """The file, whatever it is called; a database in memory is a place of its own."""
        return self._place

    @property
    def is_at_rest(self) -> bool:
        """Whether nobody writes or reads."""
        return self._writer.is_at_rest and self._readers.is_at_rest

    def rest(self, seconds: float) -> None:
        """Let nobody write or read until `go_on`, and close what is open; see `actium.stores.sqlite.forks`."""
        until = time.monotonic() + seconds
        self._writer.rest(seconds)
        self._readers.rest(max(0.0, until - time.monotonic()))
        if self.is_at_rest and self._path is not None:  # what is in memory ends with its connection
            for connection in self._abandoned():
                connection.close()

    def go_on(self) -> None:
        """Let others write and read again, after `rest`."""
        self._writer.go_on()
        self._readers.go_on()

    def begin_anew(self, *, closes: bool) -> None:
        """Leave the connections of the process that has forked this one off; see `actium.stores.sqlite.forks`.

        Args:
            closes: Whether to close them. Where they were in use, that would undo in the file what the parent writes,
                and the file cannot be used here.
        """
        inherited = self._abandoned()
        if closes and self._path is not None:
            try:
                for connection in inherited:
                    connection.close()
            except sqlite3.Error:  # it still holds what the parent holds, as far as SQLite knows
                closes = False
        if not closes or self._path is None:
            _LEFT_ALONE.extend(inherited)
        self._is_lost |= not closes or (self._path is None and bool(inherited))
        self._writer, self._readers = self._new_connections()

    def _abandoned(self) -> list[sqlite3.Connection]:
        """All connections, which are used no more."""
        return [*filter(None, [self._writer.abandon()]), *self._readers.abandon()]

    def _new_connections(self) -> tuple[Writer, Readers]:
        writer = Writer(self._connect_to_write, busy_seconds=self._busy_seconds)
        return writer, Readers(self._connect_to_read, self.wording)

    def _connect_to_write(self) -> sqlite3.Connection:
        if self._closed:
            raise self.wording.closed()
        connection = self._connect()
        if self._read_only:
            connection.close()
            raise self.wording.read_only()
        if self._file is None and self._path is not None:  # else it is the one that was opened first
            self._file = self._path.stat()
        connection.execute(f"PRAGMA temp_store = {self._temp_store}")
        return connection

    def _check_file(self) -> None:
        """Refuse a file that nobody can find any more, as what is in it ends with this process, or one in its place."""
        if self._path is None or self._file is None:
            return
        try:
            present = os.stat(self._path)  # noqa: PTH116 - with each transaction, and Path.stat takes twice as long
        except FileNotFoundError:
            present = None
        if present is None or not os.path.samestat(present, self._file):
            raise StoreError(
                f"The file of {self.name} was {'deleted' if present is None else 'replaced by another'} while it was "
                "open.",
                hint="Put it back, e.g. from a backup, and start what uses it again.",
            )

    def _connect_to_read(self) -> sqlite3.Connection:
        if self._closed:
            raise self.wording.closed()
        connection = self._connect()
        connection.execute("PRAGMA query_only = ON")
        return connection

    def _connect(self) -> sqlite3.Connection:
        if self._is_lost:
            raise self._lost()
        if self._path is None:
            connection = self._connected(":memory:")
            connection.execute("PRAGMA foreign_keys = ON")
            return connection
        if not self._path.parent.is_dir():
            raise StoreError(f"There is no folder {str(self._path.parent)!r} for {self.name}.", hint="Make it first.")
        self._check_file()
        location = f"file:{quote(str(self._path))}"
        if self._read_only:
            return self._connected(f"{location}?immutable=1")
        connection = self._connected(f"{location}?mode=rw" if self._opened else location)  # it is made only once
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")
            connection.execute("PRAGMA foreign_keys = ON")
        except sqlite3.Error as error:
            connection.close()
            if self._opened or not self._cannot_change(self._path, error):
                raise
            self._read_only = True
            connection = self._connected(f"{location}?immutable=1")
        self._opened = True
        return connection

    def _lost(self) -> StoreError:
        if self._path is None:
            return StoreError(
                "A store in memory stays with the process that opened it.", hint="After a fork, open a store anew."
            )
        return StoreError(
            f"{self.wording.sentence_start} was in use when this process was forked off, and cannot be used here.",
            hint="Fork when nobody writes, or start processes with `spawn` or `forkserver`.",
        )

    @staticmethod
    def _cannot_change(path: Path, error: sqlite3.Error) -> bool:
        """Whether a file that cannot be opened lies where nobody writes, so that SQLite may read it without locks.

        A file that someone writes to has a log beside it, or gets one; that is read as SQLite reads it, or not at all.
        """
        log = path.with_name(f"{path.name}-wal")
        return (
            error.sqlite_errorname.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN"))
            and path.exists()
            and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))
            and not (log.exists() and log.stat().st_size)
        )

    def _connected(self, location: str) -> sqlite3.Connection:
        return sqlite3.connect(
            location,
            timeout=self._busy_seconds,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_STATEMENTS_CACHED,
            uri=True,
        )
