"""What was raised where nobody can catch it, such as in a hook of a fork, raised again where the program goes on."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from types import CodeType

logger = logging.getLogger("actium.stores")

_A_MOMENT = 0.001
"""Seconds between looks whether a thread has left a function."""


def raise_later(error: BaseException, *, unless_in: CodeType) -> None:
    """Raise something in this thread as soon as it has left a function.

    Ctrl-C comes as its signal where Python's own handler hears that, which also ends what the thread waits for then;
    anything else, such as what another handler has raised, when that is over.

    Args:
        error: What to raise; another of its class is raised, with the same arguments and this one as its cause.
        unless_in: The code of the function.
    """
    thread = threading.get_ident()
    threading.Thread(target=_raise, args=(error, thread, unless_in), daemon=True).start()


def _raise(error: BaseException, thread: int, code: CodeType) -> None:
    while _is_in(thread, code):
        time.sleep(_A_MOMENT)
    is_main = thread == threading.main_thread().ident
    is_as_of_python = type(error) is KeyboardInterrupt and not error.args
    if is_main and is_as_of_python and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.pthread_kill(thread, signal.SIGINT)
        return
    try:
        import ctypes

        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(_again(error)))
    except (ImportError, AttributeError):  # this is no CPython
        logger.error("This was raised while the process forked, and is not raised again.", exc_info=error)


def _is_in(thread: int, code: CodeType) -> bool:
    frame = sys._current_frames().get(thread)
    while frame is not None and frame.f_code is not code:
        frame = frame.f_back
    return frame is not None


def _again(error: BaseException) -> type[BaseException]:
    """A class that makes what says the same: nothing but a class can be raised in a thread from outside."""
    kind = type(error)

    def become(again: BaseException) -> None:
        BaseException.__init__(again, *error.args)
        again.__dict__.update(error.__dict__)
        again.__cause__ = error
        if isinstance(again, SystemExit) and isinstance(error, SystemExit):
            again.code = error.code

    return type(kind.__name__, (kind,), {"__init__": become, "__module__": kind.__module__})
