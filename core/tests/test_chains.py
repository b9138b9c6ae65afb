"""A chain of executions ends, however one leads to the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from actium import ActionConfig, Actium, Event, TriggerExecutionResponse, action_flavor
from actium.event_hub.publisher import PUBLISHED_TOGETHER
from actium.models import ActionResponse, TriggerExecutionFilter, TriggerRequest

CreateAction = Callable[..., ActionResponse]
Next = Callable[[Actium, UUID], object]
MOST = 20
"""After so many, a chain that nobody breaks ends by itself."""


def event() -> Event:
    return Event(type="com.example.echo", source="/a")


def by_hand(app: Actium, action_id: UUID) -> object:
    return app.actions.run(action_id)


def by_hand_with_an_event(app: Actium, action_id: UUID) -> object:
    return app.actions.run(action_id, event=event())


def published_with_others(app: Actium, action_id: UUID) -> object:
    return app.events.publish_many([event()])


def published_with_many_others(app: Actium, action_id: UUID) -> object:
    others = (Event(type="com.example.other", source="/b") for _ in range(2 * PUBLISHED_TOGETHER))
    return app.events.publish_many([event(), *others])


@pytest.mark.parametrize("concurrency", [1, 2])
@pytest.mark.parametrize("is_coroutine", [False, True])
@pytest.mark.parametrize("go_on", [by_hand, by_hand_with_an_event, published_with_others, published_with_many_others])
def test_a_chain_ends(app: Actium, create: CreateAction, go_on: Next, is_coroutine: bool, concurrency: int) -> None:
    """Eight executions may lead to one another, by events or by hand; the ninth is skipped, and tells why."""
    ran = list[UUID]()

    def run(config: ActionConfig, trigger_execution: TriggerExecutionResponse) -> None:
        ran.append(trigger_execution.id)
        if len(ran) < MOST:
            go_on(app, action.id)

    async def run_later(config: ActionConfig, trigger_execution: TriggerExecutionResponse) -> Any:
        return run(config, trigger_execution)

    app.flavors.register(action_flavor("test.echoing")(run_later if is_coroutine else run))
    action = create(flavor="test.echoing")
    app.triggers.create(TriggerRequest(name="every", action_id=action.id, filters=[{"exact": {"source": "/a"}}]))
    go_on(app, action.id)
    assert app.worker(concurrency=concurrency).run_until_idle() == 8
    (skipped, *others) = app.executions.list(TriggerExecutionFilter(status="skipped")).items
    assert "number 9 in a chain of executions" in str(skipped.reason)
    assert others == []
