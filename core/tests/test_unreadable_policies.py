"""A run policy that cannot be read, as a newer Actium may store it, keeps nothing but its action from running."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from actium import Actium, Event, ExecutionStatus
from actium.errors import ConflictError
from actium.models import ActionResponse, ActionUpdate, RunPolicy, TriggerRequest

CreateAction = Callable[..., ActionResponse]


@pytest.fixture
def broken(app: Actium, create: CreateAction, tmp_path: Path) -> ActionResponse:
    """An action whose run policy says something unknown, beside one that is in order; both triggered by everything."""
    action = create("broken")
    for each in (action, create("sound")):
        app.triggers.create(TriggerRequest(name=each.name, action_id=each.id, match_all=True))
    with closing(sqlite3.connect(tmp_path / "actium.db")) as connection, connection:
        connection.execute(
            "UPDATE actions SET run_policy = ? WHERE id = ?", ('{"retry_at_dawn": true}', str(action.id))
        )
        connection.execute(
            "UPDATE action_revisions SET fields = json_set(fields, '$.run_policy', json(?)) WHERE action_id = ?",
            ('{"retry_at_dawn": true}', str(action.id)),
        )
    return action


def publish(app: Actium) -> dict[str, ExecutionStatus]:
    published = app.events.publish(Event(type="x", source="/t"))
    app.worker().run_until_idle()
    executions = [app.executions.get(one) for one in published.executions]
    return {one.name: one.status for one in executions}


def test_its_executions_fail_with_that_reason(app: Actium, broken: ActionResponse) -> None:
    """Publishing goes on: what cannot be run is stored as failed, and the other action runs."""
    assert publish(app) == {"broken": ExecutionStatus.FAILED, "sound": ExecutionStatus.SUCCEEDED}
    (failed,) = [one for one in app.executions.list().items if one.status is ExecutionStatus.FAILED]
    assert "retry_at_dawn" in str(failed.reason)


def test_the_action_says_so(app: Actium, broken: ActionResponse) -> None:
    """Listing and reading actions goes on; this one has a problem."""
    assert "retry_at_dawn" in str(app.actions.get(broken.id).problem)
    assert [one.problem is None for one in app.actions.list().items] == [
        one.name == "sound" for one in app.actions.list().items
    ]


def test_mended_and_tried_again(app: Actium, broken: ActionResponse) -> None:
    """With another run policy, what failed is run again with the latest revision, and not with that of before."""
    publish(app)
    (failed,) = [one for one in app.executions.list().items if one.status is ExecutionStatus.FAILED]
    with pytest.raises(ConflictError, match="retry_at_dawn"):
        app.executions.retry(failed.id)
    app.actions.update(broken.id, ActionUpdate(run_policy=RunPolicy()))
    app.executions.retry(failed.id, latest=True)
    app.worker().run_until_idle()
    assert app.executions.get(failed.id).status is ExecutionStatus.SUCCEEDED
