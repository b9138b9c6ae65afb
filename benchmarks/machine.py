"""What the figures were taken on: they mean little without it."""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path


def machine() -> dict[str, object]:
    """The processor, the system, the disk under temporary files, and how busy it was."""
    with tempfile.TemporaryDirectory() as folder:
        return {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "architecture": platform.machine(),
            "system": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
            "disk": _disk(Path(folder)),
            "sync_us": round(_sync(Path(folder))),
            "load": [round(load, 1) for load in os.getloadavg()] if hasattr(os, "getloadavg") else None,
            "python": f"{platform.python_implementation()} {platform.python_version()}",
            "sqlite": sqlite3.sqlite_version,
        }


def _processor() -> str:
    told = Path("/proc/cpuinfo")
    if told.exists():
        for line in told.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _disk(folder: Path) -> str:
    """The kind of disk, and its file system; what of this is known."""
    number = folder.stat().st_dev
    device = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")
    name = device.resolve().name if device.exists() else ""
    kinds = {"nvme": "NVMe", "vd": "virtual disk (virtio)", "xvd": "virtual disk (Xen)", "sd": "SCSI or SATA disk"}
    kind = next((kind for beginning, kind in kinds.items() if name.startswith(beginning)), name or "unknown disk")
    return f"{kind}, {_file_system(number)}"


def _file_system(number: int) -> str:
    mounted = Path("/proc/self/mountinfo")
    if mounted.exists():
        for line in mounted.read_text().splitlines():
            fields = line.split()
            if fields[2] == f"{os.major(number)}:{os.minor(number)}":
                return fields[fields.index("-") + 1]
    return "unknown file system"


def _sync(folder: Path) -> float:
    """Microseconds to make 4 KB durable, as a commit with ``synchronous=full`` waits; the median of many."""
    timed = []
    with (folder / "synced").open("wb") as file:
        for _ in range(100):
            file.write(bytes(4096))
            file.flush()
            started = time.perf_counter()
            os.fsync(file.fileno())
            timed.append((time.perf_counter() - started) * 1e6)
    return statistics.median(timed)
