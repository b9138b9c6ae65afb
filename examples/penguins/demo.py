"""Shows Actium at work with its real commands: an event arrives, a trigger matches, a pipeline runs on real data.

Each command is shown before what it prints. Everything happens in a folder that is removed at the end, unless
``--keep FOLDER`` names one.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ARRIVED = "com.example.data.arrived"
ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def main() -> int:
    """Run the demonstration; says whether all of it worked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--keep", metavar="FOLDER", type=Path, help="work in this folder and keep it")
    folder: Path | None = parser.parse_args().keep
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        return demonstrate(Shell(folder))
    with tempfile.TemporaryDirectory(prefix="actium-demo-") as name:
        return demonstrate(Shell(Path(name)))


class Shell:
    """Runs commands in one folder, and shows each of them with what it prints."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._actium = _command()
        outside = {name: value for name, value in os.environ.items() if not name.startswith("ACTIUM_")}
        self._environment = {**outside, "PYTHONUTF8": "1"}

    def say(self, text: str) -> None:
        """Tell what comes next."""
        print(f"\n{_styled(text, '1')}", flush=True)

    def watch(self, *arguments: str) -> None:
        """Run one command of ``actium`` as a person would: on a terminal it draws, and takes keys.

        Raises:
            CommandError: Its exit code is not 0.
        """
        print(_styled(f"\n$ actium {shlex.join(arguments)}", "36"), flush=True)
        done = subprocess.run([*self._actium, *arguments], cwd=self.folder, env=self._environment, check=False)
        self._check(done.returncode, arguments)

    def actium(self, *arguments: str) -> str:
        """Run one command of ``actium``; what it prints is shown and returned.

        Raises:
            CommandError: Its exit code is not 0.
        """
        print(_styled(f"\n$ actium {shlex.join(arguments)}", "36"), flush=True)
        printed: list[str] = []
        with subprocess.Popen(
            [*self._actium, *arguments],
            cwd=self.folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        ) as process:
            for line in process.stdout or ():
                printed.append(line)
                print(line, end="", flush=True)
        self._check(process.returncode, arguments)
        return "".join(printed)

    def _check(self, code: int, arguments: tuple[str, ...]) -> None:
        if code != 0:
            raise CommandError(f"`actium {shlex.join(arguments)}` ended with exit code {code}.")


class CommandError(Exception):
    """A command of the demonstration did not work."""


def demonstrate(shell: Shell) -> int:
    """Go the whole way from a pipeline in a file to an execution that an event led to."""
    began = time.monotonic()
    shutil.copy(HERE / "pipeline.py", shell.folder)
    shutil.copy(HERE / "penguins.csv", shell.folder)
    try:
        accuracy = _steps(shell)
    except CommandError as error:
        print(f"\nThe demonstration failed: {error}", file=sys.stderr)
        return 1
    shell.say(
        f"Done in {time.monotonic() - began:.0f} seconds: an event led to a model that recognizes {accuracy:.1%} of"
        " penguins it has never seen."
    )
    return 0


def _steps(shell: Shell) -> float:
    shell.say("1. A pipeline is Python in a file. A snapshot of it is what will run, and nothing else.")
    snapshot = _first_id(shell.actium("pipeline", "snapshot", "pipeline.py:penguins"))
    shell.watch("pipeline", "graph", "penguins")

    shell.say("2. An action is configured now and runs later, on behalf of a service account.")
    shell.watch("account", "create", "trainer")
    shell.watch(
        *("action", "create", "retrain", "--flavor", "pipeline_run.builtin", "--account", "trainer"),
        *("--set", f"snapshot_id={snapshot}", "--set", "run_config.run_name=nightly"),
        *("--set", "run_config.steps.fit.parameters.regularization=0.5"),
    )

    shell.say("3. A trigger says which events run it.")
    shell.watch("trigger", "create", "on-new-data", "--action", "retrain", "--filter", f"exact:type={ARRIVED}")

    shell.say("4. New data arrives: somebody publishes an event. From here on the execution is durable.")
    published = shell.actium(
        *("event", "publish", "--type", ARRIVED, "--source", "/bucket/raw", "--id", "42"),
        *("--data", '{"path": "penguins.csv"}'),
    )
    execution = _last_id(published)

    shell.say("5. A worker, here one that stops when nothing is left to do, runs it in processes of its own.")
    shell.watch("worker", "--until-idle")

    shell.say("6. What happened is kept: the steps, the result, the run with its log.")
    shown = shell.actium("execution", "show", execution)
    shell.watch("pipeline", "runs", "nightly")
    return _accuracy(shown)


def _accuracy(shown: str) -> float:
    found = re.search(r"accuracy: ([0-9.]+)", shown)
    if found is None:
        raise CommandError("The execution has no accuracy; what it shows above says why.")
    return float(found[1])


def _first_id(printed: str) -> str:
    return _ids(printed)[0]


def _last_id(printed: str) -> str:
    return _ids(printed)[-1]


def _ids(printed: str) -> list[str]:
    found = ID.findall(printed)
    if not found:
        raise CommandError("A command that should have printed an id did not.")
    return found


def _command() -> list[str]:
    """The ``actium`` of this Python's environment, whether or not that is on the path."""
    beside = Path(sys.executable).with_name("actium.exe" if os.name == "nt" else "actium")
    return [str(beside)] if beside.exists() else [sys.executable, "-m", "actium_cli"]


def _styled(text: str, style: str) -> str:
    return f"\x1b[{style}m{text}\x1b[0m" if sys.stdout.isatty() and "NO_COLOR" not in os.environ else text


if __name__ == "__main__":
    sys.exit(main())
