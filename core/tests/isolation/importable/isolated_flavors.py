"""Flavors that child processes import: well-behaved ones, and others."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from actium import ActionConfig, BaseActionFlavor, BaseActionHandler, action_flavor, hookimpl
from actium.errors import ExecutionCancelled, InvalidInputError
from actium.models.execution import StepProgress

SLEEPER = [sys.executable, "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"]


class Said(ActionConfig):
    """Takes a text, a number and a secret."""

    text: str = ""
    number: int = 0
    secret: SecretStr | None = None


def report(path: str, text: str) -> None:
    """Write a file in one step, so that whoever waits for it reads it whole."""
    unfinished = Path(f"{path}.unfinished")
    unfinished.write_text(text)
    unfinished.rename(path)


@action_flavor("isolated.pid")
def pid() -> int:
    return os.getpid()


@action_flavor("isolated.echo", config=Said)
def echo(config: Said, trigger_execution: Any, auth_context: Any) -> dict[str, Any]:
    return {
        "text": config.text,
        "event": trigger_execution.event.data,
        "execution": str(trigger_execution.id),
        "account": auth_context.service_account.name,
        "secret": None if config.secret is None else config.secret.get_secret_value(),
        "token length": len(auth_context.access_token.get_secret_value()),
    }


@action_flavor("isolated.later", config=Said)
async def later(config: Said) -> str:
    await asyncio.sleep(0)
    return config.text


class PrivateError(ValueError):
    """A class that the parent never imports."""


@action_flavor("isolated.raises", config=Said)
def raises(config: Said) -> None:
    told = config.text if config.secret is None else f"{config.text} {config.secret.get_secret_value()}"
    kinds = {
        0: PrivateError(told),
        1: InvalidInputError(told, hint="Look again."),
        2: ExecutionCancelled(told),
        3: SystemExit(told),
        4: KeyboardInterrupt(told),
        5: KeyError(told),
    }
    raise kinds[config.number]


@action_flavor("isolated.exits", config=Said)
def exits(config: Said) -> None:
    os._exit(config.number)


@action_flavor("isolated.signals", config=Said)
def signals(config: Said) -> None:
    os.kill(os.getpid(), config.number)


@action_flavor("isolated.hangs", config=Said)
def hangs(config: Said) -> None:
    """Starts a process, tells both ids, and ends for nobody."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    grandchild = subprocess.Popen(SLEEPER)
    report(config.text, f"{os.getpid()} {grandchild.pid}")
    while True:
        time.sleep(600)


@action_flavor("isolated.cleans", config=Said)
def cleans(config: Said) -> None:
    """Waits, and cleans up when it is made to end."""
    report(config.text, "begun")
    try:
        time.sleep(600)
    finally:
        report(config.text, "cleaned up")


@action_flavor("isolated.cleans_async", config=Said)
async def cleans_async(config: Said) -> None:
    """The same, on an event loop."""
    report(config.text, "begun")
    try:
        await asyncio.sleep(600)
    finally:
        report(config.text, "cleaned up")


@action_flavor("isolated.prints", config=Said)
def prints(config: Said) -> str:
    print("printed", config.text, flush=True)
    print("complained", config.text, file=sys.stderr, flush=True)
    os.write(1, b"written\n")
    subprocess.run([sys.executable, "-c", "print('printed by another')"], check=True)
    return sys.stdin.read()


@action_flavor("isolated.returns", config=Said)
def returns(config: Said) -> Any:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    return {
        "large": "x" * config.number,
        "object": object(),
        "nan": float("nan"),
        "deep": deep,
        "date": dt.date(2024, 2, 29),
    }[config.text]


@action_flavor("isolated.forks", config=Said)
def forks(config: Said) -> str:
    return "the original" if os.fork() else "the copy"


def sockets() -> list[int]:
    found = []
    for descriptor in range(3, 64):
        try:
            socket.socket(fileno=os.dup(descriptor)).close()
        except OSError:
            continue
        found.append(descriptor)
    return found


@action_flavor("isolated.scribbles", config=Said)
def scribbles(config: Said) -> None:
    for descriptor in sockets():
        os.write(descriptor, config.text.encode())


@action_flavor("isolated.closes")
def closes() -> None:
    os.closerange(3, 64)


@action_flavor("isolated.shuts")
def shuts() -> None:
    for descriptor in sockets():
        socket.socket(fileno=os.dup(descriptor)).shutdown(socket.SHUT_WR)
    time.sleep(600)


@action_flavor("isolated.environment", config=Said)
def environment(config: Said) -> Any:
    return [os.environ.get(config.text), str(Path.cwd())]


@action_flavor("isolated.leaves_a_thread")
def leaves_a_thread() -> int:
    threading.Thread(target=time.sleep, args=(600,)).start()
    return os.getpid()


@action_flavor("isolated.overlaps", config=Said)
def overlaps(config: Said) -> int:
    """Tells how many of its kind run at this moment."""
    mine = Path(config.text, str(os.getpid()))
    mine.touch(exist_ok=False)
    running = len(list(mine.parent.iterdir()))
    time.sleep(0.01)
    mine.unlink()
    return running


class StepsHandler(BaseActionHandler):
    """Reports steps until it is asked to end, or to the last."""

    config_class = Said

    @property
    def flavor_class(self) -> type[BaseActionFlavor]:
        return Steps

    def run(self, config: Said, trigger_execution: Any, auth_context: Any) -> str:
        for number in range(config.number):
            step = StepProgress(name=f"{config.text} {number}", status="running")
            self.report_progress(trigger_execution, [step])
        if config.secret is not None:
            self.report_progress(trigger_execution, [StepProgress(name=config.secret.get_secret_value(), status="")])
        return "done"


class Steps(BaseActionFlavor):
    """Reports steps."""

    SUBTYPE = "isolated"
    FLAVOR = "steps"
    PLUGIN_CLASS = StepsHandler
    ACTION_CONFIG_CLASS = Said


class WaitsHandler(BaseActionHandler):
    """Ends when it is asked to."""

    config_class = Said

    @property
    def flavor_class(self) -> type[BaseActionFlavor]:
        return Waits

    def run(self, config: Said, trigger_execution: Any, auth_context: Any) -> None:
        while not self.cancel_requested(trigger_execution):
            time.sleep(0.01)
        raise ExecutionCancelled("it was asked to")


class Waits(BaseActionFlavor):
    """Waits to be asked to end."""

    SUBTYPE = "isolated"
    FLAVOR = "waits"
    PLUGIN_CLASS = WaitsHandler
    ACTION_CONFIG_CLASS = Said


class StoresHandler(BaseActionHandler):
    """Uses the store, and what was attached."""

    config_class = Said
    attached: object = None

    @property
    def flavor_class(self) -> type[BaseActionFlavor]:
        return Stores

    def run(self, config: Said, trigger_execution: Any, auth_context: Any) -> Any:
        self.store.put_setting("seen", config.text)
        return [self.store.get_setting("seen"), self.attached]


class Stores(BaseActionFlavor):
    """Uses the store."""

    SUBTYPE = "isolated"
    FLAVOR = "stores"
    PLUGIN_CLASS = StoresHandler
    ACTION_CONFIG_CLASS = Said


def attach(handler: Any, store: Any) -> None:
    handler.attached = type(store).__name__


class Loud:
    """A hook plugin that changes every result."""

    @hookimpl(wrapper=True)
    def run_action(self) -> Any:
        return {"wrapped": (yield)}


loud = Loud()
