"""Interruptions at each place where one may come, as a signal's handler that raises makes them, one after the other.

Python looks for signals behind each call of a builtin, where a function of Python begins or a generator goes on, and at
the end of a loop: there one is raised. Between other instructions, such as the last one of a `with` and what leaves it,
nothing can come, so that to raise at each line would find what never happens.
"""

from __future__ import annotations

import dis
import itertools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import CodeType, FrameType
from typing import Any


class Interruption:
    """Interrupts this thread once, in code of some files.

    Attributes:
        where: Where it has done so: the name of the function and the line; None until then.
    """

    def __init__(self, number: int, files: tuple[str, ...]) -> None:
        """Interrupt later.

        Args:
            number: At which place of those that are passed, from 1.
            files: How the names of the files end.
        """
        self._left = number
        self._files = files
        self._in_python: set[int] = set()
        self.where: str | None = None

    @contextmanager
    def awaited(self) -> Iterator[None]:
        """Interrupt what runs inside, in this thread."""
        before = sys.gettrace()
        sys._getframe().f_trace_opcodes = True  # Python 3.12 looks for this in who calls the next
        sys.settrace(self._seen)
        try:
            yield
        finally:
            sys.settrace(before)

    def _seen(self, frame: FrameType, event: str, argument: object) -> Callable[..., Any] | None:
        if event == "call" and frame.f_back is not None:
            self._in_python.add(id(frame.f_back))
        if not frame.f_code.co_filename.endswith(self._files):
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            is_back_from_python = id(frame) in self._in_python
            self._in_python.discard(id(frame))
            if not is_back_from_python and frame.f_lasti in _looks_for_signals(frame.f_code):
                self._left -= 1
                if self._left == 0:
                    self.where = f"{frame.f_code.co_name}:{frame.f_lineno}"
                    raise KeyboardInterrupt
        return self._seen


@cache
def _looks_for_signals(code: CodeType) -> frozenset[int]:
    """Where the instructions begin before which Python looks for signals."""
    return frozenset(
        then.offset
        for one, then in itertools.pairwise(dis.get_instructions(code))
        if one.opname.startswith("CALL") or one.opname in {"RESUME", "JUMP_BACKWARD"}
    )
