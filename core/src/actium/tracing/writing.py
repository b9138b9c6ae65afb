"""Where the traces of an application go: to standard error, or to a file whose name says in which form."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import TextIO

from actium.tracing.chrome import ChromeEvents
from actium.tracing.json_lines import json_lines
from actium.tracing.spans import Trace
from actium.tracing.tree import tree_text


def write_tree(trace: Trace) -> None:
    """Write a trace as a tree to standard error."""
    sys.stderr.write(tree_text(trace))
    sys.stderr.flush()


class TraceFile:
    """A file of traces: ``.json`` is one that Perfetto opens, ``.jsonl`` has a line a span, all others have trees.

    The file is opened with the first trace. One for Perfetto is begun anew, the others are added to; several processes
    may share those.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._file: TextIO | None = None
        self._chrome = ChromeEvents() if path.suffix == ".json" else None
        self._is_first = True

    def __call__(self, trace: Trace) -> None:
        """Write a trace.

        Raises:
            OSError: That is not possible.
        """
        with self._lock:
            text = self._written(trace)
            if self._file is None:
                self._file = self._path.open("a" if self._chrome is None else "w", encoding="utf-8", errors="replace")
            self._file.write(text)
            self._file.flush()

    def close(self) -> None:
        """Close the file; traces that come later are added to it."""
        with self._lock:
            if self._file is None:
                return
            if self._chrome is not None:
                self._file.write("\n]\n")
            self._file.close()
            self._file = None
            self._chrome = None if self._chrome is None else ChromeEvents()
            self._is_first = True

    def _written(self, trace: Trace) -> str:
        if self._chrome is not None:
            events = [json.dumps(event) for event in self._chrome.of(trace)]
            begin = "[\n" if self._is_first else ",\n"  # a file without its end is read all the same
            self._is_first = False
            return begin + ",\n".join(events)
        if self._path.suffix == ".jsonl":
            return "".join(f"{line}\n" for line in json_lines(trace))
        return tree_text(trace)
