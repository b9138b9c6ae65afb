"""The process between a worker and a command: ``python -I -S supervisor.py DESCRIPTOR``. It needs nothing but Python.

It has one thread, so that limits can be set between fork and exec without the hazards of that in a worker's many. The
worker holds the other end of its connection: when that closes, even because the worker was killed, the command is
killed with its process group. On Linux what the command started and let go of becomes this process's own, and is
killed too.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import socket
import sys
from typing import Any, NoReturn

CHUNK = 65_536
TERMINATE = b"t"

_LIMITS = {
    "cpu_seconds": resource.RLIMIT_CPU,
    "memory_bytes": resource.RLIMIT_AS,
    "open_files": resource.RLIMIT_NOFILE,
    "file_bytes": resource.RLIMIT_FSIZE,
}
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


class Command:
    """The command as a child of this process, the first of a process group of its own."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._ended: tuple[int, resource.struct_rusage] | None = None

    def has_ended(self) -> bool:
        """Whether it has ended. Its id stays taken where the system can do that, so that its group's does too."""
        if hasattr(os, "waitid"):
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        if self._ended is None:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            self._ended = (status, usage) if pid else None
        return self._ended is not None

    def signal(self, number: int) -> None:
        """Send its whole group a signal."""
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
            os.killpg(self.pid, number)

    def end(self) -> dict[str, Any]:
        """Kill what is left of the group; tells how the command itself ended, and what it used."""
        self.signal(signal.SIGKILL)
        status, usage = self._ended or os.wait4(self.pid, 0)[1:]
        unit = 1 if sys.platform == "darwin" else 1_024
        return {
            "exit_code": os.waitstatus_to_exitcode(status),
            "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 6),
            "memory_bytes": usage.ru_maxrss * unit,
        }


def main(descriptor: int) -> None:
    """Run the command that the worker orders, and tell the worker how it ended."""
    os.set_inheritable(descriptor, False)
    connection = socket.socket(fileno=descriptor)
    order = _order(connection)
    if order is None:
        return
    wakeup = _wakeup()
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    try:
        answer = _run(order, connection, wakeup)
    finally:
        _kill_descendants()
        _remove(order["remove"])
    with contextlib.suppress(OSError):  # the worker is gone
        connection.sendall(json.dumps(answer).encode())


def _order(connection: socket.socket) -> dict[str, Any] | None:
    received = bytearray()
    while not received.endswith(b"\n"):
        chunk = connection.recv(CHUNK)
        if not chunk:
            return None
        received += chunk
    order: dict[str, Any] = json.loads(received)
    return order


def _wakeup() -> int:
    """A descriptor that can be read when a child has ended, or this process was asked to end."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    return reading


def _run(order: dict[str, Any], connection: socket.socket, wakeup: int) -> dict[str, Any]:
    reading, writing = os.pipe()
    supervisor = os.getpid()
    pid = os.fork()
    if pid == 0:
        _become(order, writing, supervisor)
    command = Command(pid)
    with contextlib.suppress(OSError):  # it was quicker, or has ended
        os.setpgid(pid, pid)
    os.close(writing)
    os.close(0)  # that the command does not read any more is for the worker to see
    with os.fdopen(reading, "rb") as refusal:
        problem = refusal.read()
    if problem:
        command.end()
        refused: dict[str, Any] = json.loads(problem)
        return {"refused": refused}
    _follow(command, connection, wakeup)
    return {"ended": command.end()}


def _become(order: dict[str, Any], writing: int, supervisor: int) -> NoReturn:
    """In the child: become the command, or say why not."""
    step = "limits"
    try:
        os.setpgid(0, 0)
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != supervisor:  # it died before that was heard of
            os._exit(127)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)  # Python ignores the last two, and children would inherit that
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        _limit(order["limits"])
        step = "working_directory"
        os.chdir(order["directory"])
        step = "argv"
        os.execvpe(order["argv"][0], order["argv"], order["environment"])  # noqa: S606 - no shell, on purpose
    except Exception as error:
        code = error.errno if isinstance(error, OSError) else None
        text = str(error) or type(error).__name__ if code is None else os.strerror(code)
        os.write(writing, json.dumps({"step": step, "errno": code, "problem": text}).encode())
    finally:
        os._exit(127)


def _limit(limits: dict[str, int]) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would keep secrets, and stay
    for name, wanted in limits.items():
        _, most = resource.getrlimit(_LIMITS[name])
        has_room = most == resource.RLIM_INFINITY or wanted < most
        value = wanted if has_room else most
        last = value + 1 if name == "cpu_seconds" and has_room else value  # SIGXCPU, and SIGKILL a second later
        resource.setrlimit(_LIMITS[name], (value, last))


def _follow(command: Command, connection: socket.socket, wakeup: int) -> None:
    """Wait until the command has ended, or is to be killed."""
    while not command.has_ended():
        ready, _, _ = select.select([connection.fileno(), wakeup], [], [])
        if wakeup in ready and signal.SIGTERM in os.read(wakeup, CHUNK):
            command.signal(signal.SIGTERM)
        if connection.fileno() in ready:
            if not _said(connection):
                return
            command.signal(signal.SIGTERM)


def _said(connection: socket.socket) -> bytes:
    try:
        return connection.recv(CHUNK)
    except OSError:  # the worker was killed with something unread
        return b""


def _kill_descendants() -> None:
    """Kill what has become this process's child, and what becomes it by that, until there is nothing left."""
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0]:
                continue
        except ChildProcessError:
            return
        for pid in _children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, 0)


def _children() -> list[int]:
    from pathlib import Path  # seldom needed, and every command waits for imports

    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has just ended
            # The name of a program, in parentheses, may hold spaces and parentheses itself.
            if int((folder / "stat").read_bytes().rpartition(b")")[2].split()[1]) == os.getpid():
                found.append(int(folder.name))
    return found


def _remove(folder: str | None) -> None:
    if folder is not None:
        import shutil  # seldom needed, too

        shutil.rmtree(folder, ignore_errors=True)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
