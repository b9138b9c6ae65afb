"""The parent side of one child process: starting it, talking to it with time limits, and ending it for certain."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from actium.errors import ActiumError, NotConfiguredError
from actium.isolation.errors import ProcessDiedError, ProcessProtocolError
from actium.isolation.messages import ChildSettings, Frames, Message, framed
from actium.isolation.surroundings import Surroundings
from actium.isolation.transported_errors import with_child_traceback

BOOTSTRAP = (
    "import json, sys; text = sys.stdin.buffer.read(); "
    "told = json.loads(text) if text.endswith(b'}') else sys.exit(1); sys.path[:] = told['path']; "
    "from actium.isolation.child import main; main(told)"
)
"""What a process begins with. Who started it may be killed before it has told anything; that is no error of ours."""
_CHUNK = 262_144
_CRASH_REPORT_BYTES = 65_536
_GONE_SECONDS = 2.0
"""How long a process may take to be gone once it has closed its connection or was sent SIGKILL."""


class ChildProcess:
    """A process in a session and process group of its own, and the connection to it.

    The connection is a pair of sockets that handlers know nothing of: what they print goes where the prints of this
    process go. One thread at a time may use it; `kill` may be called by any.

    Attributes:
        pid: Its process id, and the id of its process group.
        runs: How many orders it was given.
    """

    def __init__(self, settings: ChildSettings, *, executable: str | None = None) -> None:
        """Start a process; call `wait_until_ready` before the first order.

        Raises:
            NotConfiguredError: It is not known which interpreter to start.
            OSError: It cannot be started.
        """
        self.runs = 0
        self._frames = Frames()
        self._told = Surroundings.current().of_new_child()
        self._crash_report = _CrashReport()
        self._socket, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = _started(executable, theirs, self._crash_report)
                self.pid = self._process.pid
                self._introduce(theirs, settings)
        except BaseException:
            self._close_descriptors()
            raise
        self._crash_report.close_writer()

    def wait_until_ready(self, seconds: float) -> None:
        """Wait until it takes orders.

        Raises:
            ProcessDiedError: It ended, or was not ready in time.
        """
        message = self.receive(time.monotonic() + seconds)
        if message is None:
            raise ProcessDiedError(
                f"A new process ({self.pid}) was not ready after {seconds:g} seconds.",
                hint="The machine may be too busy, or starting Python takes long here (.pth files, slow disks).",
            )

    def order(self, packed: Mapping[str, Any], *, deadline: float) -> int:
        """Give it a run.

        Args:
            packed: The order, as JSON values.
            deadline: When it must have been taken, by the monotonic clock.

        Returns:
            The run's number, which its progress and its answer carry.
        """
        surroundings = Surroundings.current()
        changes = surroundings.since(self._told)
        data = framed({"kind": "run", "run": self.runs + 1, "surroundings": changes, **packed})
        self.runs += 1
        self._send(data, deadline)
        self._told = surroundings
        return self.runs

    def ask_to_cancel(self, run: int) -> None:
        """Tell it that someone asked for the end of its run."""
        self._send(framed({"kind": "cancel", "run": run}), time.monotonic() + _GONE_SECONDS)

    def receive(self, until: float) -> Message | None:
        """What it says next.

        Args:
            until: How long to wait, by the monotonic clock.

        Returns:
            None when it said nothing.

        Raises:
            ProcessDiedError: It is gone.
            ProcessProtocolError: It wrote what is no message, or closed its connection.
        """
        while (message := self._frames.take()) is None:
            try:
                self._socket.settimeout(max(until - time.monotonic(), 0.000_1))
                received = self._socket.recv(_CHUNK)
            except TimeoutError:
                if self._process.poll() is None:
                    return None
                raise self._end() from None  # something that it started still holds the connection
            except OSError as error:
                raise self._end() from error
            if not received:
                raise self._end()
            self._frames.add(received)
        return message

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def dismiss(self) -> None:
        """Ask it to end once it has nothing to do; `kill` then waits for that."""
        with suppress(OSError, ActiumError):  # it is gone already
            self._send(framed({"kind": "close"}), time.monotonic() + 1)

    def wait(self, seconds: float) -> None:
        """Wait until it has ended, at most some seconds."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(max(seconds, 0))

    def terminate(self) -> None:
        """Ask it and what it started to end at once; ``finally`` blocks are run."""
        self._signal(signal.SIGTERM)

    def end(self) -> None:
        """End it and what it started, without a chance to do anything more."""
        if sys.platform == "win32":
            self._process.kill()
        else:
            self._signal(signal.SIGKILL)
        self.wait(_GONE_SECONDS)

    def kill(self) -> None:
        """`end` it, and free what belongs to it here."""
        self.end()
        self._close_descriptors()

    def stop(self, grace: float) -> None:
        """Ask it to end, and kill it where it has not within the grace time, or where this wait is interrupted."""
        try:
            self.terminate()
            self.wait(grace)
        finally:
            self.kill()

    def forget(self) -> None:
        """In a fork of this process: close what was inherited, and leave the child to the original."""
        self._process.returncode = 0  # it is no child of the fork, which must not wait for it
        self._close_descriptors()

    def _introduce(self, theirs: socket.socket, settings: ChildSettings) -> None:
        if sys.platform == "win32":
            handed_over: object = base64.b64encode(theirs.share(self.pid)).decode()
        else:
            handed_over = theirs.fileno()
        told = {
            "socket": handed_over,
            "crash_report": self._crash_report.writer,
            "path": self._told.path,
            "settings": settings.packed(),
        }
        stdin = self._process.stdin
        with suppress(BrokenPipeError):  # it has ended; waiting until it is ready tells so
            if stdin is not None:
                stdin.write(json.dumps(told).encode())
                stdin.close()

    def _send(self, data: bytes, deadline: float) -> None:
        rest = memoryview(data)
        try:
            while rest:
                self._socket.settimeout(max(deadline - time.monotonic(), 0.000_1))
                rest = rest[self._socket.send(rest) :]
        except TimeoutError as error:
            raise ProcessProtocolError(
                f"The process {self.pid} does not take what it is sent.", hint="It may have been stopped by a signal."
            ) from error
        except OSError as error:
            raise self._end() from error

    def _signal(self, number: int) -> None:
        if sys.platform == "win32":
            self._process.terminate()
            return
        # The group's id is not given to others while anything of the group is left, nor soon after.
        with suppress(ProcessLookupError, PermissionError):  # nothing is left of it; macOS says EPERM of zombies
            os.killpg(self.pid, number)

    def _end(self) -> ActiumError:
        """Why there is nothing more to read."""
        self.wait(_GONE_SECONDS)
        status = self._process.returncode
        if status is None:
            return ProcessProtocolError(
                f"The process {self.pid} closed its connection in the middle of a run.",
                hint="Its handler, or a library that it uses, closes descriptors that are not its own.",
            )
        error = _death(self.pid, status)
        report = self._crash_report.read()
        if report:
            with_child_traceback(error, report)
        return error

    def _close_descriptors(self) -> None:
        self._socket.close()
        self._crash_report.close()


class _CrashReport:
    """A pipe that the fault handler of the child writes to when it crashes; it is read when the child is gone."""

    def __init__(self) -> None:
        self.writer: int | None = None
        self._reader: int | None = None
        if sys.platform != "win32":
            self._reader, self.writer = os.pipe()
            os.set_blocking(self._reader, False)

    def read(self) -> str:
        """What was written, most often nothing."""
        if self._reader is None:
            return ""
        try:
            return os.read(self._reader, _CRASH_REPORT_BYTES).decode("utf-8", "replace")
        except BlockingIOError:  # something that the child started still could write
            return ""

    def close_writer(self) -> None:
        """Leave the writing end to the child."""
        if self.writer is not None:
            os.close(self.writer)
            self.writer = None

    def close(self) -> None:
        """Close both ends."""
        self.close_writer()
        if self._reader is not None:
            os.close(self._reader)
            self._reader = None


def _started(executable: str | None, theirs: socket.socket, crash_report: _CrashReport) -> subprocess.Popen[bytes]:
    interpreter = executable or sys.executable
    if not interpreter:
        raise NotConfiguredError(
            "This program does not know which Python interpreter it runs on, so that no other process can be started.",
            hint="Name one as the executable of the pool.",
        )
    options = [f"-W{option}" for option in sys.warnoptions] + ["-O"] * sys.flags.optimize
    command = [interpreter, *options, "-c", BOOTSTRAP]
    if sys.platform == "win32":
        return subprocess.Popen(command, stdin=subprocess.PIPE, creationflags=subprocess.CREATE_NEW_PROCESS_GROUP)
    passed = [descriptor for descriptor in (theirs.fileno(), crash_report.writer) if descriptor is not None]
    return subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=passed, start_new_session=True)


def _death(pid: int, status: int) -> ProcessDiedError:
    if status >= 0:
        return ProcessDiedError(
            f"The process {pid} that ran the action ended with exit code {status} before it answered.",
            exit_code=status,
            hint="Something in it called os._exit, or ended it in another way than by returning or raising.",
        )
    try:
        name = signal.Signals(-status).name
    except ValueError:  # a real-time signal
        name = f"signal {-status}"
    return ProcessDiedError(
        f"The process {pid} that ran the action was killed by {name}.", signal=name, hint=_HINTS.get(name)
    )


_HINTS = {
    "SIGKILL": "Nobody here did that: most likely the machine, or the container, ran out of memory.",
    "SIGTERM": "Nobody here did that: someone ended the process from outside.",
    "SIGSEGV": "A library with native code crashed; where Python was is in the traceback.",
    "SIGABRT": "A library with native code gave up; where Python was is in the traceback.",
    "SIGBUS": "A library with native code crashed, or a file that it has mapped into memory was cut short.",
}
