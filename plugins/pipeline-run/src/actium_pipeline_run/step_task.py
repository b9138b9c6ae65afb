"""One step's call, wherever Dask makes it: repeats it, times it, and tells how it goes.

Processes of a cluster get this module by value, so they need Dask only. It imports nothing but the standard library.
"""

from __future__ import annotations

import inspect
import json
import pickle
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing import current_process
from multiprocessing.connection import Client
from pathlib import Path
from typing import Any, Protocol

MAX_MESSAGE_CHARACTERS = 2_000
MAX_TRACEBACK_CHARACTERS = 8_000

Work = tuple[Callable[..., Any], Mapping[str, Any]]


class Channel(Protocol):
    """Takes messages about a step to the process that watches the run; has taken them when it returns, if it can."""

    def send(self, message: dict[str, Any]) -> None:
        """Send one message, made of what JSON can hold."""


@dataclass(frozen=True, slots=True)
class DirectChannel:
    """For steps that are called in the watching process itself."""

    report: Callable[[dict[str, Any]], None]

    def send(self, message: dict[str, Any]) -> None:
        """Hand over one message."""
        self.report(message)


@dataclass(frozen=True, slots=True)
class SocketChannel:
    """For processes that the watching process started: they share its authentication key."""

    address: tuple[str, int]

    def send(self, message: dict[str, Any]) -> None:
        """Send one message and wait until it has been taken."""
        with Client(self.address, authkey=current_process().authkey) as connection:
            connection.send_bytes(json.dumps(message).encode())
            connection.recv_bytes()


@dataclass(frozen=True, slots=True)
class TopicChannel:
    """For workers of a cluster: through the scheduler, in order, and ahead of the step's result."""

    topic: str

    def send(self, message: dict[str, Any]) -> None:
        """Log one message under the run's topic."""
        from distributed import get_worker

        get_worker().log_event(self.topic, message)


@dataclass(frozen=True, slots=True)
class Input:
    """Stands in a step's arguments for what Dask hands over.

    Attributes:
        position: Which of the inputs.
    """

    position: int


@dataclass(frozen=True, slots=True)
class KeptWork:
    """A step's function and arguments, as they are."""

    work: Work

    def __call__(self) -> Work:
        return self.work


@dataclass(frozen=True, slots=True)
class PickledWork:
    """A step's function and arguments, opaque to everything between here and the call."""

    content: bytes

    def __call__(self) -> Work:
        work: Work = pickle.loads(self.content)  # noqa: S301 - written by this run's own process
        return work


@dataclass(frozen=True, slots=True)
class StepTask:
    """What Dask calls for a step.

    Attributes:
        name: The step.
        retries: How often a failed call is repeated.
        channel: Takes the step's messages.
        work: Gives the function, and its arguments by parameter with `Input` in them.
    """

    name: str
    retries: int
    channel: Channel
    work: Callable[[], Work]

    def __call__(self, inputs: list[Any], _waited_for: list[None]) -> Any:
        for attempt in range(1, self.retries + 2):
            self.channel.send({"step": self.name, "state": "started", "attempt": attempt})
            start = time.perf_counter()
            try:
                result = self._call(inputs)
            except (Exception, SystemExit) as error:
                is_final = attempt > self.retries
                self._tell("raised", start, error=_described(error), final=is_final)
                if is_final:
                    # the exception itself may not survive the way to another process; it was told already
                    raise RuntimeError(f"The step {self.name!r} failed: {_in_words(error)}") from None
            else:
                self._tell("succeeded", start)
                return result
            finally:
                _flush()
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _call(self, inputs: list[Any]) -> Any:
        function, arguments = self.work()
        filled = {name: _filled(value, inputs) for name, value in arguments.items()}
        bound = inspect.BoundArguments(inspect.signature(function), filled)
        return function(*bound.args, **bound.kwargs)

    def _tell(self, state: str, start: float, **more: Any) -> None:
        self.channel.send({"step": self.name, "state": state, "seconds": round(time.perf_counter() - start, 6), **more})


@dataclass(frozen=True, slots=True)
class Pick:
    """What Dask calls for an item of a step's output, so that only the item travels."""

    name: str
    key: str | int

    def __call__(self, output: Any) -> Any:
        try:
            return output[self.key]
        except (LookupError, TypeError) as error:
            raise RuntimeError(
                f"The output of the step {self.name!r}, of type {type(output).__name__}, has no item {self.key!r}."
            ) from error


def drop(output: Any) -> None:
    """What Dask calls where it only matters that a step has run."""


@dataclass(frozen=True, slots=True)
class Fill:
    """What Dask calls last: puts the outputs of steps into the pipeline's result.

    Attributes:
        template: What the pipeline returns, with `Input` in it.
    """

    template: Any

    def __call__(self, inputs: list[Any], _dropped: list[None]) -> Any:
        return _filled(self.template, inputs)


def _filled(value: Any, inputs: list[Any]) -> Any:
    if isinstance(value, Input):
        return inputs[value.position]
    if isinstance(value, list):
        return [_filled(item, inputs) for item in value]
    if isinstance(value, tuple):
        items = [_filled(item, inputs) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    if isinstance(value, dict):
        return {key: _filled(item, inputs) for key, item in value.items()}
    return value


def _described(error: BaseException) -> dict[str, Any]:
    """An exception as text, without the frames of this module, which are at the top."""
    told = traceback.TracebackException.from_exception(error)
    while told.stack and Path(told.stack[0].filename).name == "step_task.py":
        del told.stack[0]
    text = "".join(told.format())
    return {
        "type": type(error).__name__,
        "message": said(error)[:MAX_MESSAGE_CHARACTERS],
        "traceback": _storable(text[-MAX_TRACEBACK_CHARACTERS:]),
    }


def _in_words(error: BaseException) -> str:
    return f"{type(error).__name__}: {said(error)}"


def said(error: BaseException) -> str:
    """What an exception says, as a text that any store can hold."""
    try:
        return _storable(str(error))
    except Exception as broken:  # the exception's own fault, which is told in the place of its text
        return f"(its text cannot be shown: {type(broken).__name__})"


def _storable(text: str) -> str:
    return text.encode(errors="replace").decode().replace("\x00", "\ufffd")


def _flush() -> None:
    """Bring what the step printed into the log: a process that is killed later would lose it."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()
