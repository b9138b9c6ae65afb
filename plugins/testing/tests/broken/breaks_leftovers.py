"""Flavors that leave something behind."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import threading
from typing import Any

from sound import SoundHandler, flavor

_KEPT: list[Any] = []


class Threads(SoundHandler):
    def run(self, config: Any, trigger_execution: Any, auth_context: Any) -> Any:
        threading.Thread(target=threading.Event().wait, args=(60,), daemon=True).start()
        return super().run(config, trigger_execution, auth_context)


threads = flavor("threads", Threads, breaks="test_no_threads_are_left")


class Processes(SoundHandler):
    def run(self, config: Any, trigger_execution: Any, auth_context: Any) -> Any:
        _KEPT.append(
            subprocess.Popen(
                [sys.executable, "-c", "import time; time.sleep(8)"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )
        return super().run(config, trigger_execution, auth_context)


processes = flavor("processes", Processes, breaks="test_no_processes_are_left")


class Files(SoundHandler):
    def run(self, config: Any, trigger_execution: Any, auth_context: Any) -> Any:
        tempfile.mkstemp()
        return super().run(config, trigger_execution, auth_context)


files = flavor("files", Files, breaks="test_no_files_are_left")


class Sockets(SoundHandler):
    def run(self, config: Any, trigger_execution: Any, auth_context: Any) -> Any:
        _KEPT.append(socket.socket())
        return super().run(config, trigger_execution, auth_context)


sockets = flavor("sockets", Sockets, breaks="test_no_sockets_are_left")


class LoudlyClosed(SoundHandler):
    _pool: Any = None

    def run(self, config: Any, trigger_execution: Any, auth_context: Any) -> Any:
        self._pool = object()
        return super().run(config, trigger_execution, auth_context)

    def close(self) -> None:
        if self._pool is None:
            raise AttributeError("there is no pool to close")


loud = flavor("loud", LoudlyClosed, breaks="test_closing_it_unused_is_quiet")
