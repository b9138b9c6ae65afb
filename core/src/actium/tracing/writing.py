"""Where the traces of an application go: to standard error, or to a file whose name says in which form."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO

from actium.process_copies import ProcessLock
from actium.tracing.chrome_file import chrome_file, write_whole
from actium.tracing.json_lines import json_lines
from actium.tracing.spans import Trace
from actium.tracing.tree import tree_text


def write_tree(trace: Trace) -> None:
    """Write a trace as a tree to standard error."""
    sys.stderr.write(tree_text(trace))
    sys.stderr.flush()


class TraceFile:
    """A file of traces: ``.json`` is one that Perfetto opens, ``.jsonl`` has a line a span, all others have trees.

    The file is opened with the first trace. One for Perfetto is begun anew by each process, the others are added to;
    several processes may share those.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._form = path.suffix.lower()
        self._lock = ProcessLock()
        self._file: IO[bytes] | None = None

    def __call__(self, trace: Trace) -> None:
        """Write a trace.

        Raises:
            OSError: That is not possible.
        """
        if self._form == ".json":
            chrome_file(self._path).write(self, trace)
            return
        text = "".join(f"{line}\n" for line in json_lines(trace)) if self._form == ".jsonl" else tree_text(trace)
        with self._lock.here:
            if self._file is None:
                self._file = self._path.open("ab", buffering=0)
            write_whole(self._file, text.encode("utf-8", "replace"))

    def close(self) -> None:
        """Close the file; traces that come later are added to it."""
        if self._form == ".json":
            chrome_file(self._path).done(self)
            return
        with self._lock.here:
            if self._file is not None:
                self._file.close()
                self._file = None
