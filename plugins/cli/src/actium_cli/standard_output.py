"""Keeps standard output for what a command answers: everything else that is printed goes to standard error."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

_STDOUT, _STDERR = 1, 2


@contextmanager
def kept_stdout() -> Iterator[TextIO]:
    """Send what is printed meanwhile, also by child processes, to standard error.

    Yields:
        The real standard output.
    """
    printed_to = sys.stdout
    printed_to.flush()
    sys.stdout = sys.stderr
    try:
        if not _is_descriptor(printed_to):
            yield printed_to
            return
        with _duplicate(printed_to) as real:
            os.dup2(_STDERR, _STDOUT)
            try:
                yield real
            finally:
                printed_to.flush()  # what plugins wrote through an object that they had kept
                real.flush()
                os.dup2(real.fileno(), _STDOUT)
    finally:
        sys.stdout = printed_to


def give_up_stdout() -> None:
    """Send everything from now on to standard error: what plugins print while the process ends."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), _STDOUT)
    else:
        if _is_descriptor(sys.stdout):
            os.dup2(_STDERR, _STDOUT)
    sys.stdout = sys.stderr


def _is_descriptor(stream: TextIO) -> bool:
    """Whether a stream writes to descriptor 1, and there is a descriptor 2 to send others to."""
    try:
        os.fstat(_STDERR)
        return stream.fileno() == _STDOUT
    except (OSError, ValueError, io.UnsupportedOperation):
        return False


def _duplicate(stream: TextIO) -> TextIO:
    return open(  # noqa: PTH123 - a descriptor, not a path; the caller closes it
        os.dup(stream.fileno()), "w", encoding=stream.encoding, errors="backslashreplace"
    )
