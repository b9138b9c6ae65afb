"""Where the steps of a run are called: in this process, in processes of its own, or on a running Dask cluster."""

from __future__ import annotations

import json
import logging
import multiprocessing
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Listener
from typing import Any, Protocol

from actium_pipeline_run.errors import PipelineRunError
from actium_pipeline_run.step_task import Channel, DirectChannel, SocketChannel, TopicChannel

_log = logging.getLogger(__name__)

Report = Callable[[dict[str, Any]], None]


class Scheduler(Protocol):
    """Calls the steps of one run.

    Attributes:
        channel: Takes the messages of steps.
        travels: Whether steps are called in other processes.
    """

    channel: Channel
    travels: bool

    def compute(self, final: Any) -> Any:
        """Run all that a ``Delayed`` needs, and return its result."""


@contextmanager
def scheduler_for(name: str, *, run: str, report: Report) -> Iterator[Scheduler]:
    """Open the scheduler that a configuration names.

    Args:
        name: ``synchronous``, ``threads``, ``processes``, or an address.
        run: Unique for the run.
        report: Takes the messages of steps, from any thread.

    Raises:
        PipelineRunError: There is no scheduler at the address.
    """
    if name == "processes":
        with _listening(report) as address:
            yield _Processes(SocketChannel(address))
    elif "://" in name:
        with _connected(name, run) as client:
            topic = f"actium-{run}"
            client.subscribe_topic(topic, lambda event: report(event[1]))
            yield _Cluster(TopicChannel(topic), client, report)
    else:
        yield _Local(DirectChannel(report), name)


class _Local:
    travels = False

    def __init__(self, channel: Channel, name: str) -> None:
        self.channel = channel
        self._name = name

    def compute(self, final: Any) -> Any:
        return final.compute(scheduler=self._name)


class _Processes:
    travels = True

    def __init__(self, channel: Channel) -> None:
        self.channel = channel

    def compute(self, final: Any) -> Any:
        from dask.system import CPU_COUNT

        # spawned, as Dask itself does: a forked copy of a process with threads can hang
        pool = ProcessPoolExecutor(CPU_COUNT, mp_context=multiprocessing.get_context("spawn"))
        try:
            # one step at a time for each process: Dask's default of six is meant for many small tasks
            result = final.compute(scheduler="processes", pool=pool, chunksize=1)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # others may still work on steps that nobody wants any more
            raise
        pool.shutdown()  # its semaphores would otherwise be reported as leaked, in the run's log
        return result


class _Cluster:
    travels = True

    def __init__(self, channel: Channel, client: Any, report: Report) -> None:
        self.channel = channel
        self._client = client
        self._report = report

    def compute(self, final: Any) -> Any:
        from distributed import KilledWorker

        if not self._client.scheduler_info()["workers"]:
            _log.warning("The cluster has no workers yet; steps wait for the first.")
        try:
            return self._client.compute(final).result()
        except KilledWorker as error:  # the workers died before they could tell of it themselves
            told = {"type": "KilledWorker", "message": str(error)}
            step = str(error.task).rpartition("-")[0]
            self._report({"step": step, "state": "raised", "seconds": 0.0, "error": told, "final": True})
            raise


@contextmanager
def _connected(address: str, run: str) -> Iterator[Any]:
    import distributed

    connect: Callable[..., Any] = distributed.Client
    try:
        client = connect(address, set_as_default=False, name=f"actium-{run}")
    except (OSError, TimeoutError, ValueError) as error:
        raise PipelineRunError(
            f"There is no Dask scheduler at {address}: {error}.",
            hint="Start one with 'dask scheduler', or set run_config.scheduler to threads or processes.",
        ) from error
    with client:
        yield client


@contextmanager
def _listening(report: Report) -> Iterator[Any]:
    """Take messages from processes that this one starts, at a local address that only they can use."""
    authkey = multiprocessing.current_process().authkey
    with Listener(("127.0.0.1", 0), family="AF_INET", backlog=64, authkey=authkey) as listener:
        thread = threading.Thread(target=_take_messages, args=(listener, report), name="step-messages", daemon=True)
        thread.start()
        yield listener.address


def _take_messages(listener: Listener, report: Report) -> None:
    while True:
        try:
            with listener.accept() as connection:
                report(json.loads(connection.recv_bytes()))
                connection.send_bytes(b"taken")
        except multiprocessing.AuthenticationError as error:
            _log.warning("Refused a message that is not from a step of this run: %s.", error)
        except (EOFError, ConnectionError):
            continue  # a process was killed while it told of a step; the pool notices that itself
        except OSError:
            return  # the listener was closed: the run has ended
