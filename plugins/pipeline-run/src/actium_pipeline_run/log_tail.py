"""Keeps the end of what a process prints, however much that is."""

from __future__ import annotations

import threading
from collections import deque

MAX_LOG_BYTES = 65_536


class LogTail:
    """The last bytes of a stream; written by one thread, read by another."""

    def __init__(self, max_bytes: int = MAX_LOG_BYTES) -> None:
        self._max_bytes = max_bytes
        self._chunks: deque[bytes] = deque()
        self._kept = 0
        self._seen = 0
        self._lock = threading.Lock()

    def add(self, chunk: bytes) -> None:
        """Take in what came next."""
        with self._lock:
            self._seen += len(chunk)
            self._kept += len(chunk)
            self._chunks.append(chunk)
            while self._kept - len(self._chunks[0]) >= self._max_bytes:
                self._kept -= len(self._chunks.popleft())

    def text(self) -> str:
        """What is kept, from the beginning of a line, and how much was left out before it."""
        with self._lock:
            content, seen = b"".join(self._chunks)[-self._max_bytes :], self._seen
        left_out = seen - len(content)
        if left_out:
            beginning = content.find(b"\n") + 1
            left_out += beginning
            content = content[beginning:]
        text = content.decode(errors="replace").replace("\x00", "\ufffd")
        return f"… {left_out:,} bytes before this are left out …\n{text}" if left_out else text
