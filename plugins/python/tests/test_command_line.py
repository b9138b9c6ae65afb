"""The flavor under the command line, whose worker watches executions with a hook plugin of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def actium(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "actium_cli", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=120).stdout


def test_a_worker_of_the_command_line_runs_it(tmp_path: Path) -> None:
    """What the command line enables to watch is not asked for in the process that runs the function."""
    actium(tmp_path, "account", "create", "robot")
    configured = ["--set", "callable=math:gcd", "--set", "args=[12, 18]"]
    actium(tmp_path, "action", "create", "divide", "--flavor", "python.call", "--account", "robot", *configured)
    actium(tmp_path, "trigger", "create", "on-any", "--action", "divide", "--match-all")
    actium(tmp_path, "event", "publish", "--type", "com.example.asked", "--source", "/a")
    assert "Ran 1: 1 succeeded." in actium(tmp_path, "worker", "--until-idle")
    [execution] = json.loads(actium(tmp_path, "--json", "execution", "list"))["items"]
    assert json.loads(actium(tmp_path, "--json", "execution", "show", execution["id"]))["metadata"]["result"] == 6
