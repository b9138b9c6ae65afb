"""A child process with a process group of its own: started, listened to, and ended together with all it has started."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from actium_pipeline_run.log_tail import LogTail

CHILD_COMMAND = (sys.executable, "-P", "-m", "actium_pipeline_run.child")
GRACE_SECONDS = 5.0
_POLL_SECONDS = 0.02
_TASKKILL = str(Path(os.environ.get("SYSTEMROOT", ""), "System32", "taskkill.exe"))


class ProcessGroup:
    """The child process and its group. Leaving the ``with`` block leaves no process of the group behind.

    Only what has moved to another session by itself escapes, as a daemon does.

    Attributes:
        log: The end of what the group prints.
    """

    def __init__(self, order: bytes, *, environment: Mapping[str, str], grace: float = GRACE_SECONDS) -> None:
        """Start the child.

        Args:
            order: Its order: a line on its standard input, so that no argument of the process shows it.
            environment: Variables on top of this process's own.
            grace: Seconds between asking the group to end and killing it.
        """
        self.log = LogTail()
        self._grace = grace
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._process = subprocess.Popen(
            CHILD_COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **environment},
            start_new_session=os.name == "posix",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self._readers = (
            _reader(self._process.stdout, self._read_lines),
            _reader(self._process.stderr, self._read_log),
        )
        self._send(order)

    @property
    def pid(self) -> int:
        """The child's process id, which is also its group's."""
        return self._process.pid

    def next_line(self, *, timeout: float) -> bytes | None:
        """The next line of its messages, or None when none came in time."""
        try:
            return self._lines.get(timeout=timeout)
        except queue.Empty:
            return None

    def has_ended(self) -> bool:
        """Whether the child has ended. Its id stays taken, so that its group can still be killed safely."""
        if self._process.returncode is not None:
            return True
        if hasattr(os, "waitid"):
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        return self._process.poll() is not None

    def exit_described(self) -> str:
        """How the child ended, in words; to be asked after `end`."""
        code = self._process.returncode
        if code is None or code >= 0:
            return f"ended with exit code {code}"
        try:
            return f"was ended by {signal.Signals(-code).name}"
        except ValueError:
            return f"was ended by signal {-code}"

    def wait(self, *, timeout: float) -> bool:
        """Wait for the child to end by itself; says whether it has."""
        deadline = time.monotonic() + timeout
        while not (ended := self.has_ended()) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        return ended

    def end(self) -> None:
        """End the group: ask it, give it the time of grace, kill what is left. Harmless when it has ended."""
        if self._process.returncode is None:
            if not self.has_ended():
                self._ask()
                self.wait(timeout=self._grace)
            self._kill()
            self._process.wait()
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # an order that was never read
                self._process.stdin.close()
        for reader in self._readers:  # one goes on by itself where a process that left the group holds the other end
            reader.join(timeout=self._grace)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def _send(self, order: bytes) -> None:
        stdin = self._process.stdin
        if stdin is None:
            raise AssertionError("the child was started with a pipe as its standard input")
        with contextlib.suppress(BrokenPipeError):  # it has died already, which its exit code tells
            stdin.write(order)
            stdin.flush()

    def _ask(self) -> None:
        if os.name == "posix":
            self._signal(signal.SIGTERM)
        else:
            self._process.terminate()

    def _kill(self) -> None:
        if os.name == "posix":
            self._signal(signal.SIGKILL)
        else:
            subprocess.run([_TASKKILL, "/F", "/T", "/PID", str(self.pid)], capture_output=True, check=False)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
            os.killpg(self.pid, number)

    def _read_lines(self, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                self._lines.put(line)

    def _read_log(self, stream: IO[bytes]) -> None:
        with stream:
            while chunk := os.read(stream.fileno(), 8_192):
                self.log.add(chunk)


def _reader(stream: IO[bytes] | None, read: Callable[[IO[bytes]], None]) -> threading.Thread:
    if stream is None:
        raise AssertionError("the child was started with pipes")
    thread = threading.Thread(target=read, args=(stream,), name="child-output", daemon=True)
    thread.start()
    return thread
