"""The child side: a process that takes one order after the other, until it is told to end or its parent is gone.

It listens in a thread of its own, so that it hears of a cancellation while a handler runs, and so that the end of the
parent ends everything here at once. Handlers run in the main thread, as in a program of their own.
"""

from __future__ import annotations

import asyncio
import base64
import faulthandler
import inspect
import json
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Awaitable, Mapping, Sequence
from pkgutil import resolve_name
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar, cast
from uuid import UUID

from pydantic_core import PydanticSerializationError, to_jsonable_python

from actium import process_copies
from actium.auth.context import AuthContext
from actium.auth.secret_references import masked, noting_secrets
from actium.isolation.child_logs import ToParent
from actium.isolation.child_store import ChildStore
from actium.isolation.child_traces import recorded
from actium.isolation.errors import UnstorableResultError
from actium.isolation.messages import MAX_RESULT_BYTES, ChildSettings, Frames, Message, RunOrder, framed
from actium.isolation.surroundings import adopt
from actium.isolation.transported_errors import packed
from actium.logging import ExecutionContext
from actium.models.execution import TriggerExecutionResponse
from actium.plugins.base_plugin_flavor import BasePlugin
from actium.plugins.registry import PluginFlavorRegistry
from actium.plugins.relay import Relay
from actium.running import RunningAttempt, belonging_to
from actium.stores.base_store import BaseStore

T = TypeVar("T")

_ACTION = "action"
_CHUNK = 262_144


class RunsExecutions(Protocol):
    """What is called of a handler; it goes through the hooks."""

    def event_hub_callback(
        self, config: Mapping[str, Any], trigger_execution: TriggerExecutionResponse, auth_context: AuthContext
    ) -> Any | Awaitable[Any]: ...


class Terminated(BaseException):
    """SIGTERM: what runs ends, its ``finally`` blocks included, and the process after it."""


class Connection:
    """The way to the parent; several threads may send."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._sending = threading.Lock()
        self._frames = Frames()
        process_copies.begin_with(self, Connection._abandon)

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message; wait while the parent is busy."""
        data = framed(message)
        with self._sending:
            self._socket.sendall(data)

    def receive(self) -> Message | None:
        """The parent's next message; None when it is gone."""
        while (message := self._frames.take()) is None:
            received = self._socket.recv(_CHUNK)
            if not received:
                return None
            self._frames.add(received)
        return message

    def _abandon(self) -> None:
        """A copy must not answer, nor keep the parent from seeing this one's end."""
        self._sending = threading.Lock()
        self._socket.close()


class Run:
    """The run that the process is busy with."""

    def __init__(self, number: int, connection: Connection) -> None:
        self.number = number
        self.execution_id: UUID | None = None
        self.cancel_requested = False
        self.secrets: list[str] = []
        self.log_context: ExecutionContext | None = None
        self._connection = connection

    def report_progress(self, steps: Sequence[dict[str, Any]]) -> None:
        """Hand on how far the steps are."""
        shown = [masked(to_jsonable_python(step), self.secrets) for step in steps]
        self._connection.send({"kind": "progress", "run": self.number, "steps": shown})


class Child:
    """Runs the orders that come in, one at a time."""

    def __init__(self, connection: Connection, settings: ChildSettings) -> None:
        self._process = process_copies.this_process()
        self._connection = connection
        self._settings = settings
        self._orders: SimpleQueue[tuple[Run, Message] | None] = SimpleQueue()
        self._run: Run | None = None
        self._terminated = False
        self._registry: PluginFlavorRegistry | None = None
        self._store = ChildStore(settings.store_url, lambda: self._run)

    def serve(self) -> None:
        """Take orders until told to end."""
        signal.signal(signal.SIGTERM, self._terminate)
        logging.getLogger().addHandler(ToParent(self._connection.send, lambda: self._run))
        threading.Thread(target=self._listen, name="actium-parent", daemon=True).start()
        self._connection.send({"kind": "ready"})
        while (order := self._orders.get()) is not None:
            self._run, message = order
            self._answer(self._run, message)
            self._run = None
        self._close()

    def _terminate(self, number: int, frame: object) -> None:
        self._terminated = True
        raise Terminated

    def _listen(self) -> None:
        """Take in what the parent says, while a handler runs too."""
        latest: Run | None = None
        try:
            while (message := self._connection.receive()) is not None:
                if message["kind"] == "run":
                    latest = Run(message["run"], self._connection)
                    self._orders.put((latest, message))
                elif message["kind"] == "cancel":
                    if latest is not None and latest.number == message["run"]:
                        latest.cancel_requested = True
                else:
                    self._orders.put(None)
        finally:  # nobody waits for an answer any more; another worker may run the execution again
            _die()

    # A run

    def _answer(self, run: Run, message: Message) -> None:
        with noting_secrets() as secrets:
            secrets.append(message["access_token"])
            run.secrets = secrets
            answer: dict[str, Any] = {}
            try:
                with recorded(answer, lambda: secrets, is_wanted=message["is_traced"]):
                    result = self._result(run, message)
                answer |= _succeeded(result, secrets)
            except BaseException as error:  # also SystemExit and KeyboardInterrupt: a failed run, told to the parent
                answer |= {"error": packed(error, secrets)}
        if process_copies.this_process() is not self._process:
            _end_the_copy()
        if self._terminated:
            raise Terminated
        self._connection.send({"kind": "answer", "run": run.number, **answer})

    def _result(self, run: Run, message: Message) -> Any:
        adopt(message["surroundings"])
        order = RunOrder.unpacked(message)
        run.execution_id = order.trigger_execution.id
        run.log_context = attempt = _attempt(order, run.secrets)
        with belonging_to(attempt):
            handler = self._handler(order)
            result = handler.event_hub_callback(order.configuration, order.trigger_execution, order.auth_context)
            return asyncio.run(_awaited(result)) if inspect.isawaitable(result) else result

    def _handler(self, order: RunOrder) -> RunsExecutions:
        if self._registry is None:
            self._registry = PluginFlavorRegistry.from_environment(
                hooks=[_hook(reference) for reference in self._settings.hooks],
                blocked=self._settings.blocked,
                attach=self._attach,
            )
        flavor = order.flavor
        if flavor.made_in_code is not None:
            self._registry.register_plugin_flavor(resolve_name(flavor.made_in_code))
        return cast("RunsExecutions", self._registry.get_plugin(_ACTION, flavor.subtype, flavor.flavor))

    def _attach(self, plugin: BasePlugin, relay: Relay) -> None:
        store = cast("BaseStore", self._store)
        plugin.attach(store, relay.origin)
        set_relay = getattr(plugin, "set_relay", None)
        if set_relay is not None:
            set_relay(relay)
        if self._settings.attach is not None:
            resolve_name(self._settings.attach)(plugin, store)

    # The end

    def _close(self) -> None:
        if self._registry is not None:
            self._registry.close()
        self._store.close()


def _attempt(order: RunOrder, secrets: list[str]) -> RunningAttempt:
    execution, event = order.trigger_execution, order.trigger_execution.event
    attempt = RunningAttempt(
        execution.id,
        attempt=execution.attempt,
        action=execution.name,
        flavor=f"{order.flavor.subtype}.{order.flavor.flavor}",
        correlation=None if event is None else event.attributes().get("correlationid"),
        is_isolated=True,
    )
    attempt.secrets = secrets
    return attempt


def _hook(reference: str) -> object:
    module, colon, name = reference.partition(":")
    return resolve_name(f"{module}:{name}") if colon else reference


async def _awaited(awaitable: Awaitable[T]) -> T:
    return await awaitable


def _succeeded(result: Any, secrets: Sequence[str]) -> dict[str, Any]:
    try:
        plain = to_jsonable_python(result, inf_nan_mode="constants")
        told = masked(plain, secrets)
        size = len(json.dumps(told, allow_nan=False, separators=(",", ":")))
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        raise UnstorableResultError(
            f"The action ran, but its result is nothing that JSON can hold: {error}.",
            hint="Return None, texts, numbers, lists and dicts, or a pydantic model.",
        ) from error
    if size > MAX_RESULT_BYTES:
        raise UnstorableResultError(
            f"The action ran, but its result is {size:,} bytes of JSON; at most {MAX_RESULT_BYTES:,} can be kept.",
            hint="Write it where it belongs, and return a reference to it.",
        )
    return {"result": told}


def _end_the_copy() -> None:
    """End a copy that a handler forked off and that came back from it: only the original answers."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _die() -> None:
    """End at once, with everything that handlers have started in this process's group."""
    if sys.platform != "win32":
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


def _connected(told: Mapping[str, Any]) -> socket.socket:
    if sys.platform == "win32":
        return socket.fromshare(base64.b64decode(told["socket"]))
    os.set_inheritable(told["socket"], False)
    return socket.socket(fileno=told["socket"])


def main(told: Mapping[str, Any]) -> None:
    """Serve the parent that started this process.

    Args:
        told: What the parent wrote to standard input: how to reach it, and the settings.
    """
    connection = Connection(_connected(told))
    if told["crash_report"] is not None:
        os.set_inheritable(told["crash_report"], False)
        faulthandler.enable(told["crash_report"], all_threads=False)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_SETMASK, ())  # the thread that started this process may have blocked some
    try:
        Child(connection, ChildSettings.unpacked(told["settings"])).serve()
    except Terminated:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTERM)
    except ConnectionError:  # the parent is gone, and with it who would read of this
        _die()
