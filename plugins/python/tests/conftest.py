"""An application, modules in a folder of their own, and actions that call what is in them."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from actium import Actium, Event, TriggerExecutionResponse
from actium.models import ActionResponse


@pytest.fixture
def app(actium_app: Actium) -> Actium:
    return actium_app


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
def create(create_action: Callable[..., ActionResponse]) -> Callable[..., ActionResponse]:
    def create(*, run_policy: dict[str, Any] | None = None, **configuration: Any) -> ActionResponse:
        return create_action("python.call", configuration, name="call", run_policy=run_policy or {})

    return create


@pytest.fixture
def run(
    create: Callable[..., ActionResponse], run_action: Callable[..., TriggerExecutionResponse]
) -> Callable[..., TriggerExecutionResponse]:
    def run(*, event: Event | None = None, **configuration: Any) -> TriggerExecutionResponse:
        return run_action(create(**configuration), event=event)

    return run
