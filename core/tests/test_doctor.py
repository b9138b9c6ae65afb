"""What a crash leaves behind, and what the doctor makes of it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

import pytest
from pydantic import Field, field_validator

from actium import ActionConfig, Actium, BaseActionFlavor, BaseActionHandler, Event, ExecutionStatus
from actium.app.doctor import Doctor, Finding
from actium.errors import NotFoundError
from actium.event_hub.beats import Beats, this_host
from actium.models import (
    ActionRequest,
    ActionResponse,
    ActionStatus,
    ActionUpdate,
    ServiceAccountRequest,
    ServiceAccountResponse,
)
from actium.stores.records import ActionRecord, WorkerRecord

CreateAction = Callable[..., ActionResponse]
AT_ONCE = timedelta(0)


class RoomConfig(ActionConfig):
    size: int = 1
    doors: dict[str, str] = Field(default_factory=dict)

    @field_validator("size")
    @classmethod
    def _known(cls, size: int) -> int:
        return dict.fromkeys(range(100), size)[size]


class RoomHandler(BaseActionHandler):
    """Remembers what is provisioned, as an outside system would."""

    rooms: ClassVar[dict[str, int]] = {}
    broken: ClassVar[bool] = False
    meanwhile: ClassVar[Callable[..., Any]] = staticmethod(lambda *_: None)

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
        self.meanwhile(action, config, previous_action, previous_config)
        self.rooms[str(action.id)] = config.size

    def process_action_delete(self, action: Any, config: RoomConfig, force: bool) -> None:
        self.meanwhile(action, config)
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
    assert (mended.configuration["size"], mended.description, mended.status) == (2, "", ActionStatus.READY)
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


def test_an_action_that_is_ready_after_all_is_left_alone(
    app: Actium, create: CreateAction, monkeypatch: pytest.MonkeyPatch, rooms: dict[str, int]
) -> None:
    """A creation that ends between finding and mending keeps its action, and what it provisioned."""
    action = create("slow", flavor="test.room")
    left_behind(app, action, ActionStatus.CREATING, revision=0)
    real = app.registry.get_plugin

    def end_meanwhile(*key: str) -> Any:
        present = app.store.get(ActionRecord, action.id)
        ready = replace(present, status=ActionStatus.READY, revision=1)
        app.store.restore_action(ready, expected_version=present.version)
        return real(*key)

    monkeypatch.setattr(app.registry, "get_plugin", end_meanwhile)
    (finding,) = app.doctor.examine(mend=True, grace=AT_ONCE)
    assert (finding.mended, "was changed while it was examined" in finding.problem) == (False, True)
    assert app.actions.get("slow").status is ActionStatus.READY
    assert rooms


def test_two_doctors_do_not_mend_the_same_action(
    app: Actium, create: CreateAction, monkeypatch: pytest.MonkeyPatch, rooms: dict[str, int]
) -> None:
    """While one doctor mends an action, for another one it is a change that may still be going on."""
    left_behind(
        app, create("half", flavor="test.room"), ActionStatus.DELETING, updated=datetime(2020, 1, 1, tzinfo=UTC)
    )
    seen: list[Any] = []
    monkeypatch.setattr(RoomHandler, "meanwhile", lambda *_: seen.append(app.doctor.examine(mend=True)))
    assert app.doctor.examine(mend=True)[0].mended
    assert seen == [()]


def test_what_a_flavor_does_to_what_it_is_given_is_not_restored(
    app: Actium, create: CreateAction, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Going back restores the last revision, whatever the flavor changes deep inside of what it is given."""
    action = create("half", flavor="test.room", configuration={"doors": {"front": "locked"}})
    left_behind(app, action, ActionStatus.UPDATING, configuration={"doors": {"front": "half"}})

    def spoil(_: Any, now: Any, config: Any, before: Any, __: Any) -> None:
        for given in (now, before):
            given.configuration["doors"]["front"] = "spoiled"
        config.doors["front"] = "spoiled"

    monkeypatch.setattr(RoomHandler, "meanwhile", spoil)
    assert app.doctor.examine(mend=True, grace=AT_ONCE)[0].mended
    assert app.actions.get("half").configuration["doors"] == {"front": "locked"}


@pytest.mark.parametrize("last, told", [({"size": 1}, False), ({"size": 1000}, True)])
def test_a_configuration_that_cannot_be_read_does_not_keep_an_update_from_being_undone(
    app: Actium, create: CreateAction, last: dict[str, int], told: bool, rooms: dict[str, int]
) -> None:
    """Going back works where the half-made configuration makes its model raise; where the last one does so too, the
    flavor is not called, and that is told."""
    action = create("half", flavor="test.room")
    present = app.store.get(ActionRecord, action.id)
    app.store.update_action(
        replace(present, configuration=last), None, expected_version=present.version, changed_by="an older version"
    )
    left_behind(app, action, ActionStatus.UPDATING, configuration={"size": 1000})
    rooms.clear()
    (finding,) = app.doctor.examine(mend=True, grace=AT_ONCE)
    assert (finding.mended, "cannot be read: KeyError: 1000" in finding.problem) == (True, told)
    assert app.store.get(ActionRecord, action.id).status is ActionStatus.READY
    assert (rooms == {}) is told


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
def test_executions_whose_worker_died_are_tried_again(url: str, app: Actium, create: CreateAction) -> None:
    """A worker that dies leaves its execution running; the doctor tells, and mending has it tried again."""
    create()
    execution = app.actions.run("greet")
    assert subprocess.run([sys.executable, "-c", DYING, url], check=False).returncode == 9
    assert app.executions.get(execution.id).status is ExecutionStatus.RUNNING
    (finding,) = app.doctor.examine()
    assert not finding.mended
    assert "has ended without a word; 1 execution(s) of 'greet' still say that it runs them" in finding.problem
    assert app.doctor.examine(mend=True)[0].mended
    given_back = app.executions.get(execution.id)
    assert given_back.status is ExecutionStatus.PENDING
    assert "has ended without a word" in str(given_back.attempts[0].reason)
    assert app.doctor.examine() == ()
    app.worker().run_until_idle()
    assert app.executions.get(execution.id).status is ExecutionStatus.SUCCEEDED


def test_living_and_foreign_workers_are_left_alone(app: Actium, create: CreateAction) -> None:
    """Nothing is said of a worker that lives, nor of one on another machine; one that is not known is gone."""
    create()
    for name, host in (("here", this_host()), ("elsewhere", "another machine")):
        app.actions.run("greet")
        app.store.register_worker(
            WorkerRecord(name=name, host=host, process=os.getpid(), lease=30, beat=0, started=datetime.now(UTC))
        )
        assert app.store.exchange(name, limit=1).claims
    assert app.doctor.examine(mend=True) == ()
    assert {item.status for item in app.executions.list().items} == {ExecutionStatus.RUNNING}


class FakeTime:
    """Seconds that pass while someone sleeps; workers may beat meanwhile."""

    def __init__(self, app: Actium, *beating: str, every: float = 10) -> None:
        self._app, self._beating, self._every = app, beating, every
        self.now = self._beaten = 100.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.now - self._beaten >= self._every:
            self._beaten = self.now
            for name in self._beating:
                self._app.store.beat(name)

    def doctor(self) -> Doctor:
        beats = Beats(self._app.store, clock=lambda: self.now, sleep=self.sleep)
        return Doctor(self._app.store, self._app.registry, beats=beats)


def run_elsewhere(app: Actium, name: str, *, lease: float = 30) -> UUID:
    """Let a worker of another machine claim an execution."""
    worker = WorkerRecord(name=name, host="elsewhere", process=1, lease=lease, beat=0, started=datetime.now(UTC))
    app.store.register_worker(worker)
    execution = app.actions.run("greet")
    assert app.store.exchange(name, limit=1).claims
    return execution.id


def test_a_worker_elsewhere_that_stands_still_is_gone(app: Actium, create: CreateAction) -> None:
    """One whose beat stands still for its lease is found, and what it ran is tried again; one that beats is left."""
    create()
    lost, kept = run_elsewhere(app, "dead"), run_elsewhere(app, "alive")
    time, waits = FakeTime(app, "alive"), list[float]()
    watch = timedelta(minutes=1)
    (finding,) = time.doctor().examine_store(watch=watch, on_wait=waits.append)
    assert (finding.what, finding.mended) == ("worker dead", False)
    assert "gave no sign of life for 30 s; 1 execution(s) of 'greet' still say that it runs them" in finding.problem
    assert waits == [pytest.approx(30, abs=2)]
    assert time.now <= 100 + waits[0]
    assert app.executions.get(lost).status is ExecutionStatus.RUNNING
    (finding,) = time.doctor().examine_store(mend=True, watch=watch)
    assert finding.mended
    assert [app.executions.get(one).status for one in (lost, kept)] == [
        ExecutionStatus.PENDING,
        ExecutionStatus.RUNNING,
    ]
    assert [one.name for one in app.store.workers()] == ["alive"]
    assert time.doctor().examine_store(watch=watch) == ()


def test_the_doctor_waits_no_longer_than_needed(app: Actium, create: CreateAction) -> None:
    """Not at all where nothing runs elsewhere, until a sign of life where something does, never beyond the limit."""
    create()
    time, waits = FakeTime(app), list[float]()
    assert time.doctor().examine_store(watch=timedelta(hours=1), on_wait=waits.append) == ()
    run_elsewhere(app, "alive")
    assert time.doctor().examine_store(on_wait=waits.append) == ()
    assert (waits, time.now) == ([], 100)
    time = FakeTime(app, "alive")
    assert time.doctor().examine_store(watch=timedelta(minutes=1)) == ()
    assert 110 <= time.now <= 112
    run_elsewhere(app, "slow", lease=3600)
    time = FakeTime(app, "alive")
    assert time.doctor().examine_store(watch=timedelta(minutes=1)) == ()
    assert time.now == 160


def test_examinations_add_up(app: Actium, create: CreateAction) -> None:
    """Without waiting, a doctor that looks again and again knows what it has seen before."""
    create()
    run_elsewhere(app, "dead", lease=5)
    time = FakeTime(app)
    doctor = time.doctor()
    assert doctor.examine_store() == ()
    time.now += 4
    assert doctor.examine_store() == ()
    time.now += 2
    assert [one.mended for one in doctor.examine_store(mend=True)] == [True]


def test_a_worker_that_comes_back_in_time_keeps_its_executions(
    app: Actium, create: CreateAction, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that beats after it was found gone, and before that is mended, is left alone."""
    create()
    execution = run_elsewhere(app, "late", lease=5)
    time = FakeTime(app)
    doctor = time.doctor()
    doctor.examine_store()
    time.now += 6
    remove = app.store.remove_worker

    def removed_too_late(name: str, **given: Any) -> int:
        app.store.beat(name)
        return remove(name, **given)

    monkeypatch.setattr(app.store, "remove_worker", removed_too_late)
    assert doctor.examine_store(mend=True) == ()
    assert app.executions.get(execution).status is ExecutionStatus.RUNNING


def test_executions_of_a_worker_that_nobody_knows_are_tried_again(
    app: Actium, create: CreateAction, tmp_path: Path
) -> None:
    """What is said to run under a name that no worker has is told, and mending has it tried again."""
    create()
    execution = app.actions.run("greet")
    forgotten = WorkerRecord(name="forgotten", host="another", process=1, lease=30, beat=0, started=datetime.now(UTC))
    app.store.register_worker(forgotten)
    assert app.store.exchange("forgotten", limit=1).claims
    with closing(sqlite3.connect(tmp_path / "actium.db", isolation_level=None)) as connection:
        connection.execute("DELETE FROM workers")
    for mend, status in ((False, ExecutionStatus.RUNNING), (True, ExecutionStatus.PENDING)):
        (finding,) = app.doctor.examine(mend=mend)
        assert (finding.what, finding.mended) == ("worker forgotten", mend)
        assert "is not known any more; 1 execution(s) of 'greet' still say that it runs them" in finding.problem
        assert app.executions.get(execution.id).status is status
    assert app.doctor.examine() == ()
    app.worker().run_until_idle()
    ended = app.executions.get(execution.id)
    assert (ended.status, len(ended.attempts)) == (ExecutionStatus.SUCCEEDED, 2)


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


def test_wrong_counts_are_told_and_counted_again(app: Actium, create: CreateAction, tmp_path: Path) -> None:
    """Counts that differ from what is there, in any project and either way, are told; mending counts again."""
    create()
    for _ in range(3):
        app.actions.run("greet")
    app.events.publish_many([Event(type="t", source="/s") for _ in range(2)])
    with closing(sqlite3.connect(tmp_path / "actium.db", isolation_level=None)) as connection:
        connection.execute("UPDATE row_counts SET number = 7 WHERE counted = 'executions'")
        connection.execute("DELETE FROM row_counts WHERE counted = 'events'")
        connection.execute("INSERT INTO row_counts VALUES ('events', 'elsewhere', 1)")
    told = {
        ("store, executions", "7 are counted in the project 'default', and 3 are there"),
        ("store, events", "0 are counted in the project 'default', and 2 are there"),
        ("store, events", "1 are counted in the project 'elsewhere', and 0 are there"),
    }
    for mend, remedy in ((False, "Mending will count them again."), (True, "Did count them again.")):
        findings = app.doctor.examine(mend=mend)
        assert {(finding.what, finding.problem) for finding in findings} == told
        assert {(finding.remedy, finding.mended) for finding in findings} == {(remedy, mend)}
    assert app.doctor.examine() == ()
    app.events.publish(Event(type="t", source="/s"))
    assert (app.events.list().total, app.executions.list().total) == (3, 3)


def test_damage_that_only_a_backup_helps_against_is_not_mended(app: Actium, create: CreateAction, url: str) -> None:
    """What refers to nothing stays a finding, while counts are put right beside it."""
    create()
    app.actions.run("greet")
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as connection:
        connection.execute(
            "INSERT INTO execution_attempts (execution_id, number, worker, started) VALUES ('x', 1, 'w', 't')"
        )
        connection.execute("UPDATE row_counts SET number = 0")
    assert [(one.what, one.mended) for one in app.doctor.examine(mend=True)] == [
        ("store, execution_attempts", False),
        ("store, executions", True),
    ]
    (finding,) = app.doctor.examine(mend=True)
    assert (finding.remedy, finding.mended) == ("Restore it from a backup.", False)
