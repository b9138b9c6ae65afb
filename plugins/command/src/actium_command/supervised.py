"""The worker's side of a command: starts its supervisor, feeds and follows it, and ends it on request."""

from __future__ import annotations

import json
import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

from actium.errors import NotConfiguredError
from actium_command.output_tail import OutputTail

SUPERVISOR = Path(__file__).with_name("supervisor.py")
TERMINATE = b"t"
GRACE_SECONDS = 1.0
"""How long a command may take to end when it is asked to; a worker waits two seconds for the whole."""

POLL_SECONDS = 0.2
LAST_WORDS_SECONDS = 1.0
"""How long the output is read after the end. It ends with the last process that can write to it."""

_GONE_SECONDS = 5.0
_CHUNK = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandOrder:
    """What a supervisor is told.

    Attributes:
        argv: The program and its arguments.
        environment: All of its environment.
        directory: Where it runs.
        remove: A folder that is removed after it; None for none.
        limits: What each of its processes may use, by the names of `CommandLimits`.
    """

    argv: Sequence[str]
    environment: dict[str, str]
    directory: str
    remove: str | None
    limits: dict[str, int]

    def packed(self) -> bytes:
        """The order as a line of JSON."""
        told = {
            "argv": list(self.argv),
            "environment": self.environment,
            "directory": self.directory,
            "remove": self.remove,
            "limits": self.limits,
        }
        return json.dumps(told).encode() + b"\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandEnd:
    """How a command ended.

    Attributes:
        answer: What the supervisor told; None where it was itself ended.
        was_asked: Whether it was asked to end.
        seconds: How long it took, with the start of its supervisor.
    """

    answer: dict[str, Any] | None
    was_asked: bool
    seconds: float


class SupervisedCommand:
    """A command under way. Leaving the ``with`` block leaves no process of it behind."""

    def __init__(self, order: CommandOrder, *, stdin: bytes | None, stdout: OutputTail, stderr: OutputTail) -> None:
        """Start it.

        Args:
            order: What to run.
            stdin: What it can read; None for nothing.
            stdout: Keeps the end of its standard output.
            stderr: Keeps the end of its standard error.

        Raises:
            NotConfiguredError: It is not known which Python to start.
            OSError: No process can be started.
        """
        self._started = time.monotonic()
        self._asked: float | None = None
        self._has_given_up = False
        self._answer = bytearray()
        self._unread = memoryview(stdin or b"")
        self._resources = ExitStack()
        self._selector = self._resources.enter_context(selectors.DefaultSelector())
        try:
            self._connection, theirs = socket.socketpair()
            self._resources.enter_context(self._connection)
            with theirs:
                self._process = _started(theirs, has_stdin=stdin is not None)
            self._resources.callback(self._wait)
            self._watch(self._process.stdout, stdout)
            self._watch(self._process.stderr, stderr)
            self._feed(self._process.stdin)
            self._selector.register(self._connection, selectors.EVENT_READ, self._answer)
            with suppress(OSError):  # it has ended already, and will not answer
                self._connection.sendall(order.packed())
        except BaseException:
            self._resources.close()
            raise

    def follow(self, is_cancelled: Callable[[], bool]) -> CommandEnd:
        """Wait for its end.

        Args:
            is_cancelled: Asked several times a second; when it says so, the command is asked to end, then killed.
        """
        next_look = self._started
        while self._connection in self._watched() and not self._is_past_hope():
            if time.monotonic() >= next_look:
                next_look = time.monotonic() + POLL_SECONDS
                if self._asked is None and is_cancelled():
                    self._ask()
            self._kill_when_it_is_time()
            self._take(POLL_SECONDS if self._asked is None else POLL_SECONDS / 10)
        deadline = time.monotonic() + LAST_WORDS_SECONDS
        while self._watched() and (left := deadline - time.monotonic()) > 0:
            self._take(left)
        return CommandEnd(
            answer=json.loads(self._answer) if self._answer else None,
            was_asked=self._asked is not None,
            seconds=round(time.monotonic() - self._started, 6),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    def _wait(self) -> None:
        with suppress(OSError):  # the supervisor has closed its end already
            self._connection.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(_GONE_SECONDS)
        except subprocess.TimeoutExpired:  # something was stopped, or waits for a disk
            self._process.kill()
            self._process.wait()

    def _watch(self, stream: IO[bytes] | None, tail: OutputTail) -> None:
        if stream is not None:
            self._resources.enter_context(stream)
            os.set_blocking(stream.fileno(), False)
            self._selector.register(stream, selectors.EVENT_READ, tail)

    def _feed(self, stream: IO[bytes] | None) -> None:
        if stream is not None:
            self._resources.callback(stream.close)
            os.set_blocking(stream.fileno(), False)
            self._selector.register(stream, selectors.EVENT_WRITE)

    def _watched(self) -> set[Any]:
        return {key.fileobj for key in self._selector.get_map().values() if key.events & selectors.EVENT_READ}

    def _ask(self) -> None:
        self._asked = time.monotonic()
        with suppress(OSError):
            self._connection.sendall(TERMINATE)

    def _kill_when_it_is_time(self) -> None:
        if self._asked is None or self._has_given_up or time.monotonic() < self._asked + GRACE_SECONDS:
            return
        self._has_given_up = True
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)  # its answer can still be read

    def _is_past_hope(self) -> bool:
        """Whether even what was killed does not end, as what waits for a disk that is gone."""
        return self._asked is not None and time.monotonic() > self._asked + GRACE_SECONDS + _GONE_SECONDS

    def _take(self, seconds: float) -> None:
        for key, events in self._selector.select(seconds):
            if events & selectors.EVENT_WRITE:
                self._write(key)
            else:
                self._read(key)

    def _write(self, key: selectors.SelectorKey) -> None:
        try:
            self._unread = self._unread[os.write(key.fd, self._unread[:_CHUNK]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:  # the command reads no more
            self._unread = self._unread[:0]
        if not self._unread:
            self._forget(key)

    def _read(self, key: selectors.SelectorKey) -> None:
        try:
            chunk = os.read(key.fd, _CHUNK)
        except BlockingIOError:
            return
        except ConnectionResetError:  # the supervisor was killed before it had read all
            chunk = b""
        if not chunk:
            self._selector.unregister(key.fileobj)
        elif isinstance(key.data, OutputTail):
            key.data.add(chunk)
        else:
            self._answer += chunk

    def _forget(self, key: selectors.SelectorKey) -> None:
        self._selector.unregister(key.fileobj)
        if not isinstance(key.fileobj, int) and isinstance(self._process.stdin, type(key.fileobj)):
            self._process.stdin.close()


def _started(theirs: socket.socket, *, has_stdin: bool) -> subprocess.Popen[bytes]:
    if not sys.executable:
        raise NotConfiguredError(
            "This program does not know which Python interpreter it runs on, so that it cannot look after a command.",
            hint="Run the worker with Python itself, as `actium worker` does.",
        )
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(SUPERVISOR), str(theirs.fileno())],
        stdin=subprocess.PIPE if has_stdin else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        pass_fds=[theirs.fileno()],
        start_new_session=True,
    )
