"""What the tests of core share: an application on a real file, an account in it, and flavors to act with."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from actium import ActionConfig, Actium, action_flavor
from actium.event_hub.worker import Worker
from actium.models import ActionRequest, ActionResponse, ServiceAccountRequest, ServiceAccountResponse
from actium.stores.sqlite.database import Database
from actium.stores.sqlite.migrations import MIGRATIONS
from actium.stores.sqlite.schema import prepare

CreateAction = Callable[..., ActionResponse]


class EchoConfig(ActionConfig):
    """What the echo flavor takes."""

    text: str = "hello"
    times: int = 1


@action_flavor("test.echo", config=EchoConfig)
def echo(config: EchoConfig, trigger_execution: Any) -> dict[str, Any]:
    """Gives back what it was given."""
    event = trigger_execution.event
    return {"text": config.text * config.times, "data": None if event is None else event.data}


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'actium.db'}"


@pytest.fixture
def app(url: str) -> Iterator[Actium]:
    with Actium(url) as app:
        app.flavors.register(echo)
        yield app


@pytest.fixture
def of_version(tmp_path: Path) -> Callable[[int], Database]:
    """Make a file as an earlier version left it, with one execution that waits."""

    def of_version(version: int) -> Database:
        database = Database(tmp_path / "actium.db")
        prepare(database, MIGRATIONS[:version])
        with database.writing() as connection:
            connection.execute(
                "INSERT INTO executions (id, project, action_id, action_name, action_revision, status, created) "
                "VALUES ('x', 'default', 'a', 'greet', 1, 'pending', '2026-01-31')"
            )
        return database

    return of_version


@pytest.fixture
def account(app: Actium) -> ServiceAccountResponse:
    return app.accounts.create(ServiceAccountRequest(name="robot"))


@pytest.fixture
def create(app: Actium, account: ServiceAccountResponse) -> CreateAction:
    """Create an action of a flavor, the echo flavor unless told otherwise."""

    def create(name: str = "greet", *, flavor: str = "test.echo", **fields: Any) -> ActionResponse:
        subtype, _, short = flavor.partition(".")
        given = {"service_account_id": account.id, **fields}
        return app.actions.create(ActionRequest(name=name, plugin_subtype=subtype, flavor=short, **given))

    return create


@pytest.fixture
def working() -> Callable[..., AbstractContextManager[Worker]]:
    """A worker of an application that runs in a thread of its own, and takes what is stored; at the end it stops."""

    @contextmanager
    def working(app: Actium, **options: Any) -> Iterator[Worker]:
        worker = app.worker(**{"concurrency": 2, **options})
        thread = threading.Thread(target=worker.run)
        thread.start()
        try:
            while not (worker.name and worker._room.is_open):
                time.sleep(0.001)
            yield worker
        finally:
            worker.stop(grace=1)
            thread.join(30)
            assert not thread.is_alive()

    return working
