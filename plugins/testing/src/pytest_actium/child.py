"""What happens in a process of its own: looking at an import, working on a store, and being killed in the middle.

The parent hands over an order as JSON on standard input; the answer goes to the file that the order names, since what
the process prints is looked at, too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from actium import BaseActionFlavor
    from actium.app.doctor import Finding

SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class ChildEnd:
    """How a process ended.

    Attributes:
        code: Its exit code; negative for a signal.
        output: What it printed.
        answer: What it answered; None where it was killed before.
    """

    code: int
    output: str
    answer: Any


def in_child(task: str, **order: Any) -> ChildEnd:
    """Have a task done in a fresh interpreter, which finds modules where this one does.

    Raises:
        subprocess.TimeoutExpired: It takes too long.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with tempfile.TemporaryDirectory(prefix="pytest-actium-") as folder:
        answer = Path(folder, "answer.json")
        done = subprocess.run(
            [sys.executable, "-m", "pytest_actium.child"],
            input=json.dumps({**order, "task": task, "answer": str(answer)}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return ChildEnd(
            done.returncode, done.stdout, json.loads(answer.read_text(encoding="utf-8")) if answer.exists() else None
        )


def reference_of(flavor: str | type[BaseActionFlavor]) -> str | None:
    """How a child finds a flavor that no distribution provides: ``module:qualname``; None for a key."""
    return None if isinstance(flavor, str) else f"{flavor.__module__}:{flavor.__qualname__}"


def open_application(order: Mapping[str, Any]) -> Any:
    """An application on the order's store, with the order's flavor."""
    from functools import reduce
    from importlib import import_module

    from actium import Actium

    app = Actium(order["url"])
    reference, key = order["reference"], order["key"]
    subtype, _, short = key.partition(".")
    status = app.registry.flavor_status("action", subtype, short)
    if reference is not None and status is None:
        module, _, name = reference.partition(":")
        flavor: Any = import_module(module)
        app.flavors.register(reduce(getattr, name.split("."), flavor))
    return app


def work(order: Mapping[str, Any]) -> dict[str, Any]:
    """Run what is due in a store."""
    with open_application(order) as app:
        return {"attempts": app.worker().run_until_idle()}


def mend(order: Mapping[str, Any]) -> list[str]:
    """Mend what a crash left of actions; gives what could not be mended."""
    from datetime import timedelta

    with open_application(order) as app:
        findings = app.doctor.examine(mend=True, grace=timedelta(0))
    return unmended_actions(findings)


def unmended_actions(findings: Iterable[Finding]) -> list[str]:
    """What the doctor found of actions, which are not plugins, and could not mend."""
    return [
        each.problem
        for each in findings
        if each.what.startswith("action ") and not each.what.startswith("action plugin ") and not each.mended
    ]


def main() -> None:
    """Do what standard input asks for."""
    order = json.loads(sys.stdin.read())
    answer: Any
    if order["task"] == "probe":
        from pytest_actium.probe import probe

        answer = probe(order["key"], order["kind"])
    elif order["task"] == "work":
        answer = work(order)
    elif order["task"] == "mend":
        answer = mend(order)
    else:
        from pytest_actium.killed import change

        answer = change(order)
    Path(order["answer"]).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main()
