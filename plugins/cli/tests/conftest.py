"""What the tests of the command line share: an empty folder to work in, and ``actium`` called in this process or in one
of its own. Plugins are installed as pip leaves them: a module and a metadata folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from actium_cli.root import app

FLAVORS = '''
"""Flavors to act with. Importing them prints, as plugins of others may."""
import sys
import time
from pathlib import Path

print("printed at import")

from pydantic import BaseModel
from actium import ActionConfig, BaseActionFlavor, BaseActionHandler
from actium.errors import ExecutionCancelled
from actium.models import StepProgress


class Optimizer(BaseModel):
    name: str = "adam"
    lr: float = 0.1


class StepsConfig(ActionConfig):
    text: str = "hello"
    steps: list[str] = ["load", "fit"]
    optimizer: Optimizer = Optimizer()
    fail: bool = False
    gate: str | None = None
    until_cancelled: bool = False
    looks: int = 0


class StepsHandler(BaseActionHandler):
    @property
    def config_class(self):
        return StepsConfig

    @property
    def flavor_class(self):
        return Steps

    def run(self, config, trigger_execution, auth_context):
        print("printed in run")
        if config.gate is not None:
            Path(config.gate).read_text()
        while config.until_cancelled:
            if self.cancel_requested(trigger_execution):
                raise ExecutionCancelled("it was asked to end")
        for _ in range(config.looks):
            time.sleep(0.01)
            if self.cancel_requested(trigger_execution):
                raise ExecutionCancelled("it was asked to end")
        done = []
        for name in config.steps:
            done.append(StepProgress(name=name, status="succeeded", seconds=0.5))
            self.report_progress(trigger_execution, done)
        if config.fail:
            raise RuntimeError("it was asked to fail")
        event = trigger_execution.event
        return {"text": config.text, "data": None if event is None else event.data}


class Steps(BaseActionFlavor):
    """Steps that are done as soon as they are told."""

    SUBTYPE = "test"
    FLAVOR = "steps"
    PLUGIN_CLASS = StepsHandler
    ACTION_CONFIG_CLASS = StepsConfig
'''


@dataclass(frozen=True)
class Outcome:
    """What came of a command."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON document."""
        return json.loads(self.stdout)


Call = Callable[..., Outcome]
Install = Callable[..., None]


@pytest.fixture(scope="session", autouse=True)
def _heeding_interruptions() -> Iterator[None]:
    """Ctrl-C reaches the processes of tests, also where the tests were started in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Where plugins are installed."""
    path = tmp_path / "site"
    path.mkdir()
    return path


@pytest.fixture
def install(site: Path) -> Install:
    """Install a distribution of one module."""

    def install_distribution(
        name: str,
        code: str,
        *,
        version: str = "1.0",
        module: str | None = None,
        requires: Sequence[str] = (),
        **groups: dict[str, str],
    ) -> None:
        info = site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        required = "".join(f"Requires-Dist: {each}\n" for each in requires)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{required}")
        lines: list[str] = []
        for group, entries in groups.items():
            lines += [f"[actium.{group}]", *(f"{entry} = {value}" for entry, value in entries.items()), ""]
        (info / "entry_points.txt").write_text("\n".join(lines))
        (site / f"{module or name.replace('-', '_')}.py").write_text(textwrap.dedent(code))

    return install_distribution


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that commands are called in."""
    path = tmp_path / "work"
    path.mkdir()
    monkeypatch.chdir(path)
    for name in [name for name in os.environ if name.startswith(("ACTIUM_", "FORCE_COLOR", "COLUMNS", "NO_COLOR"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ACTIUM_BLOCK", ",".join(_installed_plugins()))
    return path


def _installed_plugins() -> set[str]:
    """The distributions with plugins that happen to be installed here; tests are about those that they install."""
    return {
        distribution.name
        for distribution in distributions()
        if any(entry.group.startswith("actium.") for entry in distribution.entry_points)
    }


@pytest.fixture
def flavors(install: Install) -> None:
    """The flavor ``test.steps``, installed."""
    install("test-flavors", FLAVORS, version="2.5", action_flavors={"test.steps": "test_flavors:Steps"})


@pytest.fixture
def environment(site: Path, work: Path) -> dict[str, str]:
    """The environment of processes: what can be imported here, and the plugins."""
    path = [str(site), *(entry for entry in sys.path if entry)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path), "PYTHONWARNINGS": "error"}


@pytest.fixture
def process(environment: dict[str, str], work: Path) -> Call:
    """Call ``actium`` in a process of its own."""

    def call(*arguments: object, stdin: str = "", **variables: str) -> Outcome:
        done = subprocess.run(
            [sys.executable, "-m", "actium_cli", *map(str, arguments)],
            input=stdin,
            capture_output=True,
            text=True,
            cwd=work,
            env={**environment, **variables},
            timeout=60,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture
def actium(work: Path, site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Call]:
    """Call ``actium`` in this process."""
    monkeypatch.syspath_prepend(str(site))
    before = set(sys.modules)

    def call(*arguments: object, stdin: str = "") -> Outcome:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin, prog_name="actium")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Outcome(result.exit_code, result.stdout, result.stderr)

    yield call
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(site) in str(sys.modules[name].__file__):
            del sys.modules[name]


@pytest.fixture
def trainer(actium: Call, flavors: None) -> Call:
    """``actium`` with a service account ``trainer`` and an action ``retrain``."""
    assert actium("account", "create", "trainer").exit_code == 0
    assert actium("action", "create", "retrain", "--flavor", "test.steps", "--account", "trainer").exit_code == 0
    return actium


@pytest.fixture
def command() -> typer.main.TyperGroup:
    """The tree of all commands."""
    tree = typer.main.get_command(app)
    assert isinstance(tree, typer.main.TyperGroup)
    return tree
