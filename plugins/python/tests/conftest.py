"""An application, modules in a folder of their own, and actions that call what is in them."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from actium import Actium, Event, TriggerExecutionResponse
from actium.models import ActionRequest, ActionResponse, ServiceAccountRequest


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Actium]:
    with Actium(f"sqlite:///{tmp_path / 'actium.db'}") as app:
        app.accounts.create(ServiceAccountRequest(name="robot"))
        yield app


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], Path]]:
    """Write a module that can be imported, by its path, and is not."""
    folder = tmp_path / "modules"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)

    def write(path: str, text: str) -> Path:
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
        return file

    yield write
    assert not {name for name in set(sys.modules) - before if name.startswith("shop")}, "a module was imported"


@pytest.fixture
def create(app: Actium) -> Callable[..., ActionResponse]:
    def create(*, run_policy: dict[str, Any] | None = None, **configuration: Any) -> ActionResponse:
        return app.actions.create(
            ActionRequest(
                name="call",
                plugin_subtype="python",
                flavor="call",
                service_account_id=app.accounts.get("robot").id,
                configuration=configuration,
                run_policy=run_policy or {},
            )
        )

    return create


@pytest.fixture
def run(app: Actium, create: Callable[..., ActionResponse]) -> Callable[..., TriggerExecutionResponse]:
    def run(*, event: Event | None = None, **configuration: Any) -> TriggerExecutionResponse:
        create(**configuration)
        execution = app.actions.run("call", event)
        app.worker().run_until_idle()
        return app.executions.get(execution.id)

    return run
