"""A flavor that tells what it does in a process of its own."""

from __future__ import annotations

import os
import signal
import threading

from actium import ActionConfig, action_flavor, trace


class Config(ActionConfig):
    """Takes a text to tell, and how to end."""

    text: str
    end: str = "return"


@action_flavor("tracing.process", config=Config, isolation="process")
def tells(config: Config) -> int:
    """Opens spans, also in a thread."""

    def in_thread() -> None:
        with trace.span(f"thread {config.text}"):
            pass

    with trace.span(f"outer {config.text}"), trace.span(f"inner {config.text}", rows=3):
        thread = threading.Thread(target=trace.carried(in_thread))
        thread.start()
        thread.join()
        if config.end == "raise":
            raise ConnectionError(f"refused {config.text}")
        if config.end == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if config.end == "stay":
            threading.Event().wait()
    return os.getpid()
