"""A file for Perfetto that is written trace by trace, by one process at a time.

The applications of a process that name one file write to it together. Another process that names it meanwhile writes to
one beside it with its own number, for the events of two cannot be told apart.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from actium.process_copies import Process, this_process
from actium.tracing.chrome import ChromeEvents
from actium.tracing.spans import Trace

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

logger = logging.getLogger("actium.tracing")

_END = b"\n]\n"
_BEYOND = 2**31 - 2

_files: dict[tuple[Process, Path], ChromeFile] = {}
"""Those of this process, and of the process that it was forked from."""


def chrome_file(path: Path) -> ChromeFile:
    """The file of a path in this process; beside it where this was forked from a process that writes there."""
    process, path = this_process(), path.absolute()
    found = _files.get((process, path))
    if found is None:
        is_inherited = any(path == other for _, other in tuple(_files))
        found = _files.setdefault((process, path), ChromeFile(path, is_inherited=is_inherited))
    return found


def write_whole(file: IO[bytes], text: bytes) -> None:
    """Write a text at once, for other processes may write theirs in between."""
    rest = memoryview(text)
    while rest:  # more than once only where the disk is full, or the file is a pipe
        rest = rest[file.write(rest) :]


class ChromeFile:
    """A file that is begun anew by the first trace of a process, and added to by those that follow.

    While it is open it lacks its end; it is read all the same.
    """

    def __init__(self, path: Path, *, is_inherited: bool = False) -> None:
        self._path = path
        self._is_inherited = is_inherited
        self._lock = threading.Lock()
        self._file: IO[bytes] | None = None
        self._name = path
        self._left: int | None = None
        self._events = ChromeEvents()
        self._users: set[object] = set()

    def write(self, user: object, trace: Trace) -> None:
        """Write a trace.

        Args:
            user: Who does so, and will say when it is done.
            trace: What to write.

        Raises:
            OSError: That is not possible.
        """
        with self._lock:
            self._users.add(user)
            file = self._file = self._file or self._opened()
            end = file.tell()
            events = [json.dumps(event) for event in self._events.of(trace)]
            try:
                write_whole(file, (",\n" if end else "[\n").encode() + ",\n".join(events).encode())
            except OSError:
                file.truncate(file.seek(end))  # half a trace would make the file one that nobody can read
                raise

    def done(self, user: object) -> None:
        """Someone is done; when everyone is, the file gets its end. Saying so twice is harmless."""
        with self._lock:
            self._users.discard(user)
            if self._users or self._file is None:
                return
            with self._file as file:
                file.write(_END)
                self._left = file.tell()
                _unlock(file)
            self._file = None

    def _opened(self) -> IO[bytes]:
        for name in self._names():
            file = os.fdopen(os.open(name, os.O_RDWR | os.O_CREAT, 0o666), "r+b", buffering=0)
            if not _locked(file):
                file.close()
                continue
            length = file.seek(0, os.SEEK_END)
            if name == self._name and length == self._left:
                file.seek(length - len(_END))
            else:
                file.seek(0)
                self._events = ChromeEvents()
            file.truncate()
            if name not in {self._name, self._path}:
                told = "Another process writes its traces to '%s'; those of this one are in '%s'."
                logger.warning(told, self._path, name)
            self._name = name
            return file
        raise AssertionError("there is always another name")

    def _names(self) -> Iterator[Path]:
        """Where to write: as before, as was asked for, or beside it."""
        if not (self._is_inherited and self._name == self._path):
            yield self._name
        if not self._is_inherited:
            yield self._path
        for number in itertools.count(1):
            yield self._path.with_stem(f"{self._path.stem}.{os.getpid()}" + (f"-{number}" if number > 1 else ""))


if sys.platform == "win32":

    def _locked(file: IO[bytes]) -> bool:
        """Take a file for oneself until it is closed; False where someone else has it."""
        file.seek(_BEYOND)  # others may read what is written
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(file: IO[bytes]) -> None:
        """Let others take a file."""
        file.seek(_BEYOND)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:

    def _locked(file: IO[bytes]) -> bool:
        """Take a file for oneself until it is closed; False where someone else has it."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:  # not every file system can
            logger.debug("A file of traces cannot be locked: %s", error)
        return True

    def _unlock(file: IO[bytes]) -> None:
        """Let others take a file, also while a process that was forked meanwhile still has it open."""
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_UN)
