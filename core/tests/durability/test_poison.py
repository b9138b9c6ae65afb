"""What brings its worker down, again and again, fails alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from actium import Actium, Event, ExecutionStatus
from actium.models import ActionResponse, TriggerRequest

CreateAction = Callable[..., ActionResponse]

POISONED = """
import os, sys, time
from actium import Actium, action_flavor

@action_flavor("test.echo")
def run(trigger_execution):
    if trigger_execution.event.data == "poison":
        os._exit(7)
    time.sleep(0.2)

app = Actium(sys.argv[1])
app.flavors.register(run)
if len(sys.argv) > 2:
    app.worker(concurrency=4, poll_interval=0.05).run()
else:
    app.worker(concurrency=4, poll_interval=0.05).run_until_idle()
"""


@pytest.mark.parametrize("how", [[], ["forever"]], ids=["until idle", "for ever"])
def test_only_the_cause_fails(app: Actium, create: CreateAction, how: list[str]) -> None:
    """What ran beside an execution that ends its process three times succeeds, although it was lost as often."""

    app.triggers.create(TriggerRequest(name="all", action_id=create().id, match_all=True))
    everything = ["a", "b", "poison", "c", "d", "e", "f", "g"]
    app.events.publish_many([Event(type="x", source="/t", data=each) for each in everything])
    command = [sys.executable, "-c", POISONED, app.store.url, *how]
    for _ in range(8):
        if not [one for one in app.executions.list().items if not one.status.is_final]:
            break
        worker = subprocess.Popen(command)
        try:
            worker.wait(5)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
    ended = {one.event.data: one for one in app.executions.list(hydrate=True).items if one.event is not None}
    assert sorted(ended) == sorted(everything)
    assert [data for data, one in ended.items() if one.status is not ExecutionStatus.SUCCEEDED] == ["poison"]
    assert "seems to be the cause" in (ended["poison"].reason or "")
