"""The way of a new author, from nothing to a flavor that runs and is gone again, with the commands that are told."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

LONGEST = 300
"""Seconds that all the waiting may take. Ten minutes are promised, and most of them belong to the author."""

EDITS = {
    "src/actium_example_greet/flavor.py": [
        ('max_length=100, description="Whom to greet."', 'max_length=40, description="Who has come."'),
        ('default="Hello"', 'default="Good morning"'),
    ],
    "tests/test_flavor.py": [('"said": "Hello, Ada!"', '"said": "Good morning, Ada!"')],
}
"""The lines that the author writes: a field, a default, and what is expected of them."""


@dataclass
class Author:
    """Someone at a terminal with an environment of their own.

    Attributes:
        scripts: Where the environment has its commands.
        folder: Where they are.
        seconds: How long each step took.
    """

    scripts: Path
    folder: Path
    seconds: dict[str, float] = field(default_factory=dict)

    def types(self, command: str, *, fails: bool = False) -> str:
        """Type a command as it is told; gives what it printed, of one that fails what it complained of."""
        program, *arguments = shlex.split(command)
        done = subprocess.run(
            [str(self.scripts / program), *arguments],
            capture_output=True,
            text=True,
            cwd=self.folder,
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith(("ACTIUM_", "PYTEST_"))},
                "PIP_DISABLE_PIP_VERSION_CHECK": "1",
                "PIP_QUIET": "1",
            },
            check=False,
        )
        assert (done.returncode != 0) is fails, f"$ {command}\n{done.stdout}{done.stderr}"
        return done.stderr if fails else done.stdout

    def reads(self, command: str) -> Any:
        """Type a command that answers in JSON."""
        return json.loads(self.types(f"{command} --json"))

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Take the time of a step, and tell it."""
        begun = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - begun
        print(f"{self.seconds[name]:6.1f} s  {name}")

    def writes(self, project: Path, edits: dict[str, list[tuple[str, str]]]) -> None:
        """Change lines of a project, each of which must be there once."""
        for name, lines in edits.items():
            text = (project / name).read_text(encoding="utf-8")
            for old, new in lines:
                assert text.count(old) == 1, f"{name} has {text.count(old)} times {old!r}"
                text = text.replace(old, new)
            (project / name).write_text(text, encoding="utf-8")


@pytest.fixture
def author(environment: Any, tmp_path: Path) -> Author:
    """An author with an empty folder, and an environment with nothing but pip."""
    folder = tmp_path / "desk"
    folder.mkdir()
    return Author(scripts=environment.python.parent, folder=folder)


@pytest.mark.slow
def test_from_an_idea_to_a_flavor(wheels: dict[str, Path], author: Author) -> None:
    """A new flavor is made, changed, installed, held against its suite, used, and gone again, in good time."""
    own = {name: shlex.quote(wheels[name].as_posix()) for name in ("core", "plugins/cli", "plugins/testing")}
    with author.step("install the command line"):
        author.types(f"pip install {' '.join(own.values())}")
    refused = author.types("actium new flavor example.greet", fails=True)
    assert "pip install 'actium-cli[new]'" in refused
    with author.step("install Copier, as the hint says"):
        author.types(f"pip install {own['plugins/cli'].replace('.whl', '.whl[new]')}")

    with author.step("make the project"):
        made = author.reads("actium new flavor example.greet --author 'Ada <ada@example.com>'")
    with author.step("edit three lines"):
        author.writes(author.folder / made["folder"], EDITS)
    install, test, show = made["next"]
    with author.step("install it"):
        author.types(install)
    with author.step("hold it against the conformance suite"):
        assert " passed" in author.types(test).splitlines()[-1]
    with author.step("see it"):
        shown = author.types(show)
    assert "Who has come." in shown
    assert '"Good morning"' in shown

    with author.step("create an action, and run it"):
        author.types("actium account create robot")
        author.types("actium action create welcome --flavor example.greet --account robot --set name=Grace")
        ran = author.reads("actium action run welcome")
    assert (ran["body"]["status"], ran["metadata"]["result"]["said"]) == ("succeeded", "Good morning, Grace!")
    with author.step("publish an event, and let a worker run it"):
        author.types("actium trigger create at-the-door --action welcome --filter exact:type=com.example.arrived")
        author.types("actium event publish --type com.example.arrived --source /door")
        author.types("actium worker --until-idle")
        (latest, _) = author.reads("actium execution list")["items"]
    told = author.reads(f"actium execution show {latest['id']}")
    assert told["metadata"]["result"] == {"said": "Good morning, Grace!", "because_of": "com.example.arrived"}

    with author.step("uninstall it"):
        author.types(f"pip uninstall --yes {made['distribution']}")
    assert author.reads("actium flavor list") == []
    assert "pip install actium-example-greet" in author.types("actium action show welcome")
    assert sum(author.seconds.values()) < LONGEST


@pytest.mark.slow
def test_from_an_idea_to_a_hook_plugin(wheels: dict[str, Path], author: Author) -> None:
    """A new hook plugin is made, installed, held against its suite and seen beside the flavors, and gone again."""
    with author.step("install the command line"):
        cli = f"{wheels['plugins/cli'].as_posix()}[new]"
        author.types(shlex.join(["pip", "install", *map(str, (wheels["core"], cli, wheels["plugins/testing"]))]))
    with author.step("make the project"):
        made = author.reads("actium new hooks working-hours")
    install, test, show = made["next"]
    with author.step("install it"):
        author.types(install)
    with author.step("hold it against the conformance suite"):
        assert " passed" in author.types(test).splitlines()[-1]
    with author.step("see it"):
        assert "actium-working-hours 0.1.0" in author.types(show)
    assert [plugin["state"] for plugin in author.reads("actium plugin check")] == ["loaded"]
    author.types(f"pip uninstall --yes {made['distribution']}")
    assert author.reads("actium plugin list") == []
    assert sum(author.seconds.values()) < LONGEST
