"""What SQLite raises, in Actium's words."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from types import TracebackType

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


class Wording:
    """A block in which SQLite's errors become Actium's; one for all threads, which may be inside of it at one time."""

    def __init__(self, name: str, busy_seconds: float, *, is_closed: Callable[[], bool]) -> None:
        """Tell of one database.

        Args:
            name: What messages call it.
            busy_seconds: How long others are waited for.
            is_closed: Whether it was closed, which SQLite tells in several ways.
        """
        self._name = name
        self._busy_seconds = busy_seconds
        self._is_closed = is_closed

    @property
    def sentence_start(self) -> str:
        """The name where a sentence begins."""
        return f"T{self._name[1:]}"

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, traceback: TracebackType | None) -> None:
        if error is not None and (told := self._told(error)) is not None:
            raise told from error

    def closed(self) -> StoreClosedError:
        """The error that it was closed."""
        return StoreClosedError(f"{self.sentence_start} was closed.", hint="Open it again.")

    def read_only(self) -> StoreReadOnlyError:
        """The error that it cannot be written."""
        return StoreReadOnlyError(
            f"{self.sentence_start} cannot be written.", hint="Check the permissions of the file and its folder."
        )

    def _told(self, error: BaseException) -> ActiumError | None:
        """What an error means; None where it is no affair of SQLite."""
        if isinstance(error, sqlite3.IntegrityError):
            return ConflictError(f"{self.sentence_start} refused a change: {error}.")
        if isinstance(error, sqlite3.Error):
            return self._failure(error)
        if isinstance(error, UnicodeEncodeError | OverflowError):
            return InvalidInputError(f"{self.sentence_start} cannot keep or compare a value: {error}.")
        return None

    def _failure(self, error: sqlite3.Error) -> StoreError:
        if self._is_closed() or _says(error, "closed database"):
            return self.closed()
        if _says(error, "locked", "busy"):
            return StoreBusyError(
                f"Another process wrote to {self._name} for more than {self._busy_seconds:g} s.",
                hint="Try again; if it lasts, look for a process that is stopped in the middle of a write.",
            )
        if _says(error, "readonly", "read-only"):
            return self.read_only()
        if _says(error, "not a database", "malformed", "corrupt"):
            return StoreCorruptError(
                f"{self.sentence_start} is no usable SQLite database: {error}.",
                hint="Check the path; if it is right, restore the file from a backup.",
            )
        if _says(error, "full"):
            return StoreError(f"There is no room left for {self._name}.", hint="Free some disk space and try again.")
        return StoreError(
            f"{self.sentence_start} failed: {error}.", hint="Check that the file is there and its disk is well."
        )


def _says(error: sqlite3.Error, *words: str) -> bool:
    text = str(error).lower()
    return any(word in text for word in words)
