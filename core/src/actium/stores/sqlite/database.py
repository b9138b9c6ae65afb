"""Connections to one SQLite database, transactions on them, and their errors in Actium's words.

One connection writes (see `actium.stores.sqlite.writer`); readers take connections from a small pool and never wait
for it (WAL). A database in memory has one connection for both.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from actium.errors import (
    ActiumError,
    ConflictError,
    InvalidInputError,
    StoreBusyError,
    StoreClosedError,
    StoreCorruptError,
    StoreError,
    StoreReadOnlyError,
)
from actium.stores.sqlite.writer import Writer

BUSY_SECONDS = 30.0
_OLDEST_SQLITE = (3, 34, 0)
_STATEMENTS_CACHED = 256


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
        self._synchronous = synchronous
        self._busy_seconds = busy_seconds
        self.in_our_words = _InOurWords(self)
        self._closed = False
        self._opened = False
        self._file: os.stat_result | None = None
        self._read_only = False
        self._process = os.getpid()
        self._writer = self._new_writer()
        self._readers: list[sqlite3.Connection] = []
        self._inherited: list[sqlite3.Connection] = []

    @property
    def name(self) -> str:
        """What messages call it."""
        return "the store in memory" if self._path is None else f"the store {str(self._path)!r}"

    @property
    def _at_the_beginning(self) -> str:
        """The name where a sentence begins."""
        return f"T{self.name[1:]}"

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that writes: committed at the end, rolled back when anything is raised."""
        self._after_fork()
        with self.in_our_words, self._writer.transaction() as connection:
            self._check_file()
            yield connection

    def reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """A connection to read from. Each statement sees one state; those of one block may see different ones."""
        self._after_fork()
        return _Borrowed(self) if self._path is not None else self._between_transactions()

    @contextmanager
    def _between_transactions(self) -> Iterator[sqlite3.Connection]:
        with self.in_our_words, self._writer.held() as connection:
            yield connection

    @contextmanager
    def rebuilding(self) -> Iterator[None]:
        """Let transactions change the whole database meanwhile, before anyone else writes.

        SQLite keeps the pages that a statement changes as they were, to undo it. A statement that stores or ends many
        executions is faster by a tenth where it may keep them in memory; those of a million rows have no place there.
        """
        with self.in_our_words, self._writer.held() as connection:
            connection.execute("PRAGMA temp_store = FILE")
        try:
            yield
        finally:
            with self.in_our_words, self._writer.held() as connection:
                connection.execute("PRAGMA temp_store = MEMORY")

    def write_ahead(self) -> None:
        """Let readers and the writer work side by side from now on (WAL); the file remembers it.

        This changes the file, so it must be known to be ours.
        """
        if self._path is None or self._read_only:
            return
        with self.in_our_words, self._writer.held() as connection:
            (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
            if mode != "wal":
                connection.execute("PRAGMA journal_mode = WAL").fetchone()

    def close(self) -> None:
        """Close all connections, those in use as soon as they are given back."""
        self._after_fork()
        self._closed = True
        self._writer.close()
        while self._readers:
            self._readers.pop().close()

    def _after_fork(self) -> None:
        """Leave connections to the parent process: using them here, or closing them, would break its locks."""
        if self._process != os.getpid():
            self._process = os.getpid()
            self._inherited += filter(None, [self._writer.abandon(), *self._readers])
            self._writer, self._readers = self._new_writer(), []

    def _new_writer(self) -> Writer:
        return Writer(self._connect_to_write, busy_seconds=self._busy_seconds)

    def _connect_to_write(self) -> sqlite3.Connection:
        if self._closed:
            raise self._is_closed()
        connection = self._connect()
        if self._read_only:
            connection.close()
            raise self._is_read_only()
        self._file = None if self._path is None else self._path.stat()
        connection.execute("PRAGMA temp_store = MEMORY")
        return connection

    def _check_file(self) -> None:
        """Refuse to write to a file that nobody can find any more: what is in it ends with this process."""
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

    def borrow(self) -> sqlite3.Connection:
        """A connection that only reads, to be given back."""
        if self._closed:
            raise self._is_closed()
        try:
            return self._readers.pop()
        except IndexError:
            connection = self._connect()
            connection.execute("PRAGMA query_only = ON")
            return connection

    def give_back(self, connection: sqlite3.Connection) -> None:
        """Keep a connection for who reads next."""
        if self._closed:
            connection.close()
        else:
            self._readers.append(connection)

    def _connect(self) -> sqlite3.Connection:
        if self._path is None:
            if self._inherited:
                raise StoreError(
                    "A store in memory stays with the process that opened it.", hint="After a fork, open a store anew."
                )
            connection = self._connected(":memory:")
            connection.execute("PRAGMA foreign_keys = ON")
            return connection
        if not self._path.parent.is_dir():
            raise StoreError(f"There is no folder {str(self._path.parent)!r} for {self.name}.", hint="Make it first.")
        location = f"file:{quote(str(self._path))}"
        if self._read_only:
            return self._connected(f"{location}?immutable=1")
        connection = self._connected(location)
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

    def translated(self, error: BaseException) -> ActiumError | None:
        """What an error means here; None where it is no affair of the database."""
        if isinstance(error, sqlite3.IntegrityError):
            return ConflictError(f"{self._at_the_beginning} refused a change: {error}.")
        if isinstance(error, sqlite3.Error):
            return self._failure(error)
        if isinstance(error, UnicodeEncodeError | OverflowError):
            return InvalidInputError(f"{self._at_the_beginning} cannot keep or compare a value: {error}.")
        return None

    def _failure(self, error: sqlite3.Error) -> StoreError:
        if self._closed or _says(error, "closed database"):
            return self._is_closed()
        if _says(error, "locked", "busy"):
            return StoreBusyError(
                f"Another process wrote to {self.name} for more than {self._busy_seconds:g} s.",
                hint="Try again; if it lasts, look for a process that is stopped in the middle of a write.",
            )
        if _says(error, "readonly", "read-only"):
            return self._is_read_only()
        if _says(error, "not a database", "malformed", "corrupt"):
            return StoreCorruptError(
                f"{self._at_the_beginning} is no usable SQLite database: {error}.",
                hint="Check the path; if it is right, restore the file from a backup.",
            )
        if _says(error, "full"):
            return StoreError(f"There is no room left for {self.name}.", hint="Free some disk space and try again.")
        return StoreError(
            f"{self._at_the_beginning} failed: {error}.", hint="Check that the file is there and its disk is well."
        )

    def _is_closed(self) -> StoreClosedError:
        return StoreClosedError(f"{self._at_the_beginning} was closed.", hint="Open it again.")

    def _is_read_only(self) -> StoreReadOnlyError:
        return StoreReadOnlyError(
            f"{self._at_the_beginning} cannot be written.", hint="Check the permissions of the file and its folder."
        )


class _InOurWords:
    """Tells what SQLite raises inside as Actium's errors; used for one block in another, and by all threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, traceback: TracebackType | None) -> None:
        if error is not None and (told := self._database.translated(error)) is not None:
            raise told from error


class _Borrowed:
    """A block that reads."""

    __slots__ = ("_connection", "_database")

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> sqlite3.Connection:
        with self._database.in_our_words:
            self._connection = connection = self._database.borrow()
            return connection

    def __exit__(self, kind: object, error: BaseException | None, traceback: TracebackType | None) -> None:
        if self._connection is not None:
            self._database.give_back(self._connection)
        if error is not None and (told := self._database.translated(error)) is not None:
            raise told from error


def _says(error: sqlite3.Error, *words: str) -> bool:
    text = str(error).lower()
    return any(word in text for word in words)
