"""What a process has at a moment: its threads, its children, and what it has open."""

from __future__ import annotations

import os
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

LINGER_SECONDS = 2.0
"""How long what is about to end may take for that."""

_PROC = Path("/proc/self")
_HELPERS = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")

Thing = TypeVar("Thing")


def children(marked: str | None = None) -> dict[int, str]:
    """The processes below this one, by number, with their commands.

    Args:
        marked: Besides, those that have this in their environment, whoever is their parent by now (Linux only).
    """
    found = _children_from_proc(marked) if _PROC.exists() else _children_from_ps()
    return {pid: command for pid, command in found.items() if not any(helper in command for helper in _HELPERS)}


def open_files() -> list[str]:
    """What this process has open: ``file`` with its path, or ``socket``."""
    return sorted(filter(None, map(_described, _descriptors())))


def new_threads(before: set[threading.Thread]) -> list[str]:
    """The names of threads that were not there before, and do not end."""

    def new() -> list[str]:
        return [thread.name for thread in threading.enumerate() if thread not in before]

    return until_gone(new)


def until_gone(look: Callable[[], list[Thing]]) -> list[Thing]:
    """What is still there after a while; empty as soon as nothing is."""
    end, pause = time.monotonic() + LINGER_SECONDS, threading.Event()
    left = look()
    while left and time.monotonic() < end:
        pause.wait(0.02)
        left = look()
    return left


def _descriptors() -> Iterator[int]:
    folder = _PROC / "fd" if _PROC.exists() else Path("/dev/fd")
    if folder.exists():
        yield from [int(each.name) for each in folder.iterdir()]


def _described(descriptor: int) -> str | None:
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError:  # the one that listed them
        return None
    if stat.S_ISSOCK(mode):
        return f"socket {descriptor}"
    if not stat.S_ISREG(mode):
        return None
    link = Path(f"/proc/self/fd/{descriptor}")
    try:
        return f"file {descriptor} {link.readlink()}"
    except OSError:
        return f"file {descriptor}"


def _children_from_proc(marked: str | None) -> dict[int, str]:
    parents: dict[int, int] = {}
    commands: dict[int, str] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with suppress(OSError, ValueError):  # it has ended meanwhile, or is somebody else's
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            pid = int(folder.name)
            if state != "Z":
                parents[pid], commands[pid] = int(parent), command
            if marked is not None and pid != os.getpid() and marked.encode() in (folder / "environ").read_bytes():
                parents[pid], commands[pid] = os.getpid(), command
    return {pid: commands[pid] for pid in _below(os.getpid(), parents)}


def _children_from_ps() -> dict[int, str]:
    listed = subprocess.run(
        ["/bin/ps", "-A", "-o", "pid=,ppid=,stat=,command="], capture_output=True, text=True, check=False
    )
    parents: dict[int, int] = {}
    commands: dict[int, str] = {}
    for line in listed.stdout.splitlines():
        pid, parent, state, command = line.split(maxsplit=3)
        if not state.startswith("Z") and not command.startswith("/bin/ps -A"):
            parents[int(pid)], commands[int(pid)] = int(parent), command
    return {pid: commands[pid] for pid in _below(os.getpid(), parents)}


def _below(root: int, parents: dict[int, int]) -> set[int]:
    found: set[int] = set()
    level = {root}
    while level:
        level = {pid for pid, parent in parents.items() if parent in level and pid not in found}
        found |= level
    return found
