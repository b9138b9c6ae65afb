"""A store whose files may no longer be read or written, as their permissions were taken away."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from uuid import UUID

import pytest

from actium import Actium, Event, action_flavor
from actium.errors import StoreError, StoreReadOnlyError
from actium.event_hub.worker import Worker
from actium.models import ActionRequest, ServiceAccountRequest, TriggerRequest

Working = Callable[..., AbstractContextManager[Worker]]
SECONDS = 30.0

_VERSION_3 = 0x20080522
_OVERRIDES = 0b110
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, by which root is bound by no permissions."""


@contextmanager
def without_overrides() -> Iterator[None]:
    """Let permissions bind root in this thread, and in those that it starts."""
    system = ctypes.CDLL(None)
    header, sets = (ctypes.c_uint32 * 2)(_VERSION_3, 0), (ctypes.c_uint32 * 6)()  # of sets, the first is in effect
    system.capget(header, sets)
    before, sets[0] = sets[0], sets[0] & ~_OVERRIDES
    system.capset(header, sets)
    try:
        yield
    finally:
        sets[0] = before
        system.capset(header, sets)


@pytest.fixture
def bound(tmp_path: Path) -> Iterator[None]:
    """Permissions bind, also where root runs the tests."""
    if os.name != "posix":
        pytest.skip("permissions are POSIX")
    with without_overrides() if os.geteuid() == 0 and sys.platform == "linux" else nullcontext():
        probe = tmp_path / "probe"
        probe.touch(mode=0)
        with suppress(PermissionError):
            probe.read_bytes()
            pytest.skip("permissions do not bind whoever runs the tests here")
        yield


@contextmanager
def taken_away(folder: Path, mode: int) -> Iterator[None]:
    """Leave a folder as it is, and its files with no more permissions than told."""
    files = {path: path.stat().st_mode for path in folder.iterdir()}
    for path in files:
        path.chmod(mode)
    folder.chmod(0o500)
    try:
        yield
    finally:
        folder.chmod(0o700)
        for path, before in files.items():
            path.chmod(before)


@pytest.mark.usefixtures("bound")
@pytest.mark.parametrize("mode", [0, 0o400])
def test_permissions_that_are_taken_away_under_a_worker(tmp_path: Path, working: Working, mode: int) -> None:
    """Who has the store open goes on; who opens it is told; nothing that was acknowledged is lost."""
    folder = tmp_path / "store"
    folder.mkdir()
    url = f"sqlite:///{folder / 'actium.db'}"
    with Actium(url) as app:
        app.flavors.register(action_flavor("test.nothing")(lambda config: "done"))
        robot = app.accounts.create(ServiceAccountRequest(name="robot"))
        request = ActionRequest(name="a", plugin_subtype="test", flavor="nothing", service_account_id=robot.id)
        action = app.actions.create(request)
        app.triggers.create(TriggerRequest(name="every", action_id=action.id, match_all=True))
        acknowledged = list[UUID]()

        def publish(app: Actium) -> None:
            acknowledged.extend(app.events.publish(Event(type="a.b", source="/s")).executions)

        with working(app, poll_interval=0.02):
            publish(app)
            assert app.executions.wait(acknowledged[0], SECONDS).result == "done"
            with taken_away(folder, mode):
                publish(app)
                assert app.executions.wait(acknowledged[1], SECONDS).result == "done"
                if mode:
                    with Actium(url) as other:
                        assert other.executions.get(acknowledged[1]).result == "done"
                        with pytest.raises(StoreReadOnlyError, match="Check the permissions"):
                            publish(other)
                else:
                    with pytest.raises(StoreError, match="unable to open database file"):
                        Actium(url)
                publish(app)
            with Actium(url) as other:
                publish(other)
            ended = [app.executions.wait(one, SECONDS) for one in acknowledged]
        assert [(one.result, len(one.attempts)) for one in ended] == [("done", 1)] * 4
        assert app.store.check() == ()
