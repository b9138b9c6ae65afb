"""What a crash leaves behind, and what the doctor makes of it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from actium import ActionConfig, Actium, BaseActionFlavor, BaseActionHandler, ExecutionStatus
from actium.app.doctor import Finding
from actium.errors import NotFoundError
from actium.models import (
    ActionRequest,
    ActionResponse,
    ActionStatus,
    ActionUpdate,
    ServiceAccountRequest,
    ServiceAccountResponse,
)
from actium.stores.records import ActionRecord

CreateAction = Callable[..., ActionResponse]
AT_ONCE = timedelta(0)


class RoomConfig(ActionConfig):
    size: int = 1


class RoomHandler(BaseActionHandler):
    """Remembers what is provisioned, as an outside system would."""

    rooms: ClassVar[dict[str, int]] = {}
    broken: ClassVar[bool] = False

    @property
    def config_class(self) -> type[ActionConfig]:
        return RoomConfig

    @property
    def flavor_class(self) -> type[BaseActionFlavor]:
        return RoomFlavor

    def run(self, config: Any, trigger_execution: Any, auth_context: Any) -> Any:
        return None

    def process_action_request(self, action: Any, config: RoomConfig) -> None:
        self.rooms[str(action.id)] = config.size

    def process_action_update(
        self, action: Any, config: RoomConfig, previous_action: Any, previous_config: Any
    ) -> None:
        self.rooms[str(action.id)] = config.size

    def process_action_delete(self, action: Any, config: RoomConfig, force: bool) -> None:
        if self.broken:
            raise ConnectionError("the outside system does not answer")
        self.rooms.pop(str(action.id), None)


class RoomFlavor(BaseActionFlavor):
    """Rooms in an outside system."""

    SUBTYPE = "test"
    FLAVOR = "room"
    PLUGIN_CLASS = RoomHandler
    ACTION_CONFIG_CLASS = RoomConfig


@pytest.fixture(autouse=True)
def rooms(app: Actium, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    app.flavors.register(RoomFlavor)
    monkeypatch.setattr(RoomHandler, "rooms", {})
    return RoomHandler.rooms


def left_behind(app: Actium, action: ActionResponse, status: ActionStatus, **fields: Any) -> None:
    """Put a row into the state that a crash in the middle of a change leaves."""
    present = app.store.get(ActionRecord, action.id)
    app.store.restore_action(replace(present, status=status, **fields), expected_version=present.version)


def test_a_sound_application_has_no_findings(app: Actium, create: CreateAction) -> None:
    """Nothing is found where nothing is wrong."""
    create()
    app.actions.run("greet")
    assert app.doctor.examine(mend=True, grace=AT_ONCE) == ()
    assert app.worker().run_until_idle() == 1


def test_a_half_created_action_is_undone(app: Actium, create: CreateAction, rooms: dict[str, int]) -> None:
    """An action whose creation a crash interrupted is told, and mending gives back what it provisioned."""
    action = create("half", flavor="test.room")
    left_behind(app, action, ActionStatus.CREATING, revision=0)
    (finding,) = app.doctor.examine(grace=AT_ONCE)
    assert ("'half'" in finding.what, "creating" in finding.problem, finding.mended) == (True, True, False)
    assert rooms
    (finding,) = app.doctor.examine(mend=True, grace=AT_ONCE)
    assert finding.mended
    assert (rooms, app.actions.list().total) == ({}, 0)


def test_a_half_updated_action_goes_back(app: Actium, create: CreateAction, rooms: dict[str, int]) -> None:
    """An interrupted update is undone: the row and what was provisioned are as the last revision says."""
    action = create("half", flavor="test.room", configuration={"size": 1})
    app.actions.update(action.id, ActionUpdate(configuration={"size": 2}))
    left_behind(app, action, ActionStatus.UPDATING, configuration={"size": 9}, description="half-way")
    rooms[str(action.id)] = 9
    assert app.doctor.examine(mend=True, grace=AT_ONCE)[0].mended
    mended = app.actions.get(action.id)
    assert (mended.configuration, mended.description, mended.status) == ({"size": 2}, "", ActionStatus.READY)
    assert rooms == {str(action.id): 2}


def test_a_half_deleted_action_is_deleted(app: Actium, create: CreateAction, rooms: dict[str, int]) -> None:
    """An interrupted deletion is finished."""
    action = create("half", flavor="test.room")
    left_behind(app, action, ActionStatus.DELETING)
    assert app.doctor.examine(mend=True, grace=AT_ONCE)[0].mended
    assert rooms == {}
    with pytest.raises(NotFoundError):
        app.actions.get("half")


def test_a_flavor_without_provisioning_is_mended_too(app: Actium, create: CreateAction) -> None:
    """Rows of flavors that provision nothing are finished or undone without calling them."""
    one, two = create("one"), create("two", configuration={"text": "old"})
    left_behind(app, one, ActionStatus.DELETING)
    left_behind(app, two, ActionStatus.UPDATING, configuration={"text": "half"})
    assert [finding.mended for finding in app.doctor.examine(mend=True, grace=AT_ONCE)] == [True, True]
    assert app.actions.get("two").configuration["text"] == "old"


def test_a_change_that_may_still_be_going_on_is_left_alone(app: Actium, create: CreateAction) -> None:
    """A change younger than the grace time is not called left behind."""
    left_behind(app, create("young"), ActionStatus.UPDATING, updated=datetime.now(UTC))
    assert app.doctor.examine(mend=True) == ()


def test_mending_that_fails_is_told(
    app: Actium, create: CreateAction, monkeypatch: pytest.MonkeyPatch, rooms: dict[str, int]
) -> None:
    """When the outside system does not answer, the finding says so and the row stays for another try."""
    left_behind(app, create("half", flavor="test.room"), ActionStatus.DELETING)
    monkeypatch.setattr(RoomHandler, "broken", True)
    (finding,) = app.doctor.examine(mend=True, grace=AT_ONCE)
    assert not finding.mended
    assert "the outside system does not answer" in finding.problem
    monkeypatch.setattr(RoomHandler, "broken", False)
    assert app.doctor.examine(mend=True, grace=AT_ONCE)[0].mended


DYING = textwrap.dedent(
    """
    import os, sys
    from actium import ActionConfig, Actium, action_flavor

    @action_flavor("test.echo")
    def echo(config):
        os._exit(9)

    with Actium(sys.argv[1]) as app:
        app.flavors.register(echo)
        app.worker().run_until_idle()
    """
)


@pytest.mark.skipif(os.name != "posix", reason="looks for processes")
def test_an_execution_whose_worker_died_is_ended(url: str, app: Actium, create: CreateAction) -> None:
    """A worker that dies leaves its execution running; the doctor tells, and mending records it as failed."""
    create()
    execution = app.actions.run("greet")
    assert subprocess.run([sys.executable, "-c", DYING, url], check=False).returncode == 9
    assert app.executions.get(execution.id).status is ExecutionStatus.RUNNING
    (finding,) = app.doctor.examine()
    assert (str(execution.id) in finding.what, "is gone" in finding.problem) == (True, True)
    assert app.doctor.examine(mend=True)[0].mended
    ended = app.executions.get(execution.id)
    assert (ended.status, "is gone" in str(ended.reason)) == (ExecutionStatus.FAILED, True)
    assert app.doctor.examine() == ()


def test_executions_of_living_and_foreign_workers_are_left_alone(app: Actium, create: CreateAction) -> None:
    """Nothing is said of a worker that lives, nor of one on another machine."""
    create()
    for worker in (f"{socket.gethostname()}:{os.getpid()}:1", "elsewhere:1:1", "odd"):
        app.actions.run("greet")
        assert app.store.claim_execution(worker) is not None
    assert app.doctor.examine(mend=True) == ()


def test_broken_plugins_are_findings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """A broken plugin and unreadable metadata are told with their distribution."""
    broken = tmp_path / "site" / "actium_broken-1.2.dist-info"
    broken.mkdir(parents=True)
    (broken / "METADATA").write_text("Metadata-Version: 2.1\nName: actium-broken\nVersion: 1.2\n")
    (broken / "entry_points.txt").write_text("[actium.action_flavors]\nbroken.one = actium_nowhere:Flavor\n")
    odd = tmp_path / "site" / "actium_odd-1.0.dist-info"
    odd.mkdir()
    (odd / "METADATA").write_text("Metadata-Version: 2.1\nName: actium-odd\nVersion: 1.0\n")
    (odd / "entry_points.txt").write_text("[actium.action_flavors]\nno equals sign\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    with Actium(url) as app:
        findings = app.doctor.examine()
    told = [finding for finding in findings if "broken" in finding.what or "odd" in finding.what]
    assert len(told) == 2
    assert any("actium-broken 1.2" in finding.what and "actium_nowhere" in finding.problem for finding in told)
    assert all(isinstance(finding, Finding) and not finding.mended for finding in told)


def test_an_action_being_created_belongs_to_an_account(app: Actium, account: ServiceAccountResponse) -> None:
    """Names of half-made actions are taken, so that nobody provisions the same thing twice."""
    action = app.actions.create(
        ActionRequest(name="half", plugin_subtype="test", flavor="room", service_account_id=account.id)
    )
    left_behind(app, action, ActionStatus.CREATING, revision=0)
    with pytest.raises(ValueError, match="'half'"):
        app.actions.create(
            ActionRequest(name="half", plugin_subtype="test", flavor="room", service_account_id=account.id)
        )
    assert app.accounts.create(ServiceAccountRequest(name="other")).name == "other"
