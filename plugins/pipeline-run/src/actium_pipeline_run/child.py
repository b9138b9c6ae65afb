"""The child process: ``python -P -m actium_pipeline_run.child``. It alone imports a pipeline's Python.

It gets one order as a line on its standard input, which then stays open: when that ends, Actium's process has died and
the child ends its whole process group. Messages of steps and the answer leave as lines of JSON through what was its
standard output; from then on, standard output is the log, as standard error is.
"""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO, assert_never

from actium.errors import ActiumError
from actium_pipeline_run.errors import PipelineDefinitionError
from actium_pipeline_run.orders import (
    DescribeOrder,
    PipelineDescription,
    RunOrder,
    read_order,
    write_description,
    write_error,
)
from actium_pipeline_run.source import SourceReference
from actium_pipeline_run.step_task import said


def main() -> None:
    """Carry out the order, answer, and end at once, whatever threads the pipeline has left behind."""
    orders, answers = _take_over_streams()
    faulthandler.enable()
    line = orders.readline()
    threading.Thread(target=_die_with_parent, args=(orders,), name="lifeline", daemon=True).start()
    sender = _Sender(answers)
    try:
        sender.send(_answer(line, sender))
    except ActiumError as error:
        sender.send({"answer": "refused", "error": write_error(error)})
    except BaseException as error:  # also SystemExit and what a scheduler raises for a dead worker: all are told
        sender.send({"answer": "failed", "type": type(error).__name__, "message": said(error)})
    finally:
        _leave()


def _answer(line: bytes, sender: _Sender) -> dict[str, Any]:
    order = read_order(line)
    match order:
        case DescribeOrder():
            return {"answer": "described", "description": write_description(_describe(order))}
        case RunOrder():
            return {"answer": "succeeded", "result": _run(order, sender)}
        case _:
            assert_never(order)


def _describe(order: DescribeOrder) -> PipelineDescription:
    from actium_pipeline_run.loading import load_named

    loaded = load_named(SourceReference.parse(order.reference), directory=Path(order.directory))
    plan = loaded.pipeline.plan()
    return PipelineDescription(
        name=loaded.pipeline.name,
        description=loaded.pipeline.description,
        source=loaded.source,
        parameters=plan.parameter_records(),
        graph=plan.graph(),
    )


def _run(order: RunOrder, sender: _Sender) -> Any:
    from actium_pipeline_run.binding import bind, with_secrets
    from actium_pipeline_run.loading import load_unchanged
    from actium_pipeline_run.results import as_result

    loaded = load_unchanged(order.source)
    plan = loaded.pipeline.plan()
    if plan.graph().names != order.steps:
        raise PipelineDefinitionError(
            f"The pipeline {loaded.pipeline.name!r} has other steps here than in its snapshot, though its files are"
            f" the same: {', '.join(plan.graph().names)} instead of {', '.join(order.steps)}.",
            hint="Let its body depend on nothing but its parameters.",
        )
    bound = bind(
        plan,
        parameters=order.parameters,
        step_parameters=order.step_parameters,
        step_retries=order.step_retries,
    )

    bound, secrets = with_secrets(bound)
    sender.send({"secrets": secrets})

    from actium_pipeline_run.by_value import travel_by_value
    from actium_pipeline_run.lowering import lower
    from actium_pipeline_run.schedulers import scheduler_for

    travel_by_value(loaded.modules)
    with scheduler_for(order.scheduler, run=order.run, report=sender.send) as scheduler:
        final = lower(bound, run=order.run, channel=scheduler.channel, travels=scheduler.travels)
        return as_result(scheduler.compute(final))


class _Sender:
    """Writes lines of JSON, from any thread."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, message: dict[str, Any]) -> None:
        line = json.dumps(message).encode() + b"\n"
        with self._lock:
            self._stream.write(line)
            self._stream.flush()


def _take_over_streams() -> tuple[BinaryIO, BinaryIO]:
    """Keep the two pipes to the parent to this process, and leave an empty input and the log to the pipeline."""
    orders = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(line_buffering=True, errors="backslashreplace")
    return orders, answers


def _die_with_parent(orders: BinaryIO) -> None:
    orders.read()
    if os.name == "posix" and os.getpgrp() == os.getpid():
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(1)


def _leave() -> None:
    for stream in (sys.stdout, sys.stderr):
        if not stream.closed:
            stream.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
