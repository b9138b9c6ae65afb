"""Publishers, workers and an operator as real processes on one store, killed, stopped and asked to end at random; then
what must hold is checked.

``python harness.py --kills 5000 --seed 7`` runs it by hand; ``nox -s soak`` does that for long.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from crash_flavors import FLAVORS
from roles import LEASE

from actium import Actium
from actium.models import ActionRequest, Backoff, Concurrency, RunPolicy, ServiceAccountRequest, TriggerRequest

ROLES = Path(__file__).with_name("roles.py")
SECONDS_TO_DRAIN = 120.0
MAX_ATTEMPTS = 4


class CrashRun:
    """One run: its processes, and what they have told."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.url = f"sqlite:///{folder / 'actium.db'}"
        self.store = folder / "actium.db"
        self.began = folder / "began"
        self.acknowledged = folder / "acknowledged"
        self.cancelled = folder / "cancelled"
        self.kills = 0
        self._draws = random.Random(seed)
        self._processes: list[tuple[str, subprocess.Popen[bytes]]] = []
        self._set_up()

    def _set_up(self) -> None:
        with Actium(self.url) as app:
            for flavor in FLAVORS:
                app.flavors.register(flavor)
            account = app.accounts.create(ServiceAccountRequest(name="robot"))
            for name, flavor in (("thread", "thread"), ("loop", "loop"), ("turn", "thread"), ("process", "process")):
                concurrency = Concurrency(mode="queued") if name == "turn" else Concurrency()
                action = app.actions.create(
                    ActionRequest(
                        name=name,
                        plugin_subtype="crash",
                        flavor=flavor,
                        service_account_id=account.id,
                        run_policy=RunPolicy(
                            max_attempts=MAX_ATTEMPTS, backoff=Backoff(base=0.05), concurrency=concurrency
                        ),
                    )
                )
                app.triggers.create(TriggerRequest(name=name, action_id=action.id, filters=[{"exact": {"type": name}}]))

    def crash(self, kills: int) -> None:
        """Start all of them, and kill one at a time, at random points; now and then stop a worker, or ask it to end."""
        self._processes = [self._start(role) for role in ("worker", "worker", "publisher", "operator")]
        while self.kills < kills:
            time.sleep(0.02 + self._draws.random() * 0.25)
            index = self._draws.randrange(len(self._processes))
            role, process = self._processes[index]
            assert process.poll() is None, f"a {role} has ended by itself with {process.returncode}"
            manner = self._draws.random() if role == "worker" else 1.0
            if manner < 0.05:
                process.send_signal(signal.SIGSTOP)  # as if its machine slept, perhaps for longer than its lease
                time.sleep(self._draws.random() * 1.5 * LEASE)
                process.send_signal(signal.SIGCONT)
                continue
            if manner < 0.15:
                process.terminate()
                status = process.wait(SECONDS_TO_DRAIN)
                assert status in {0, -signal.SIGTERM}, f"a worker that was asked to end has ended with {status}"
                self._processes[index] = self._start(role)
                continue
            process.kill()
            process.wait()
            self.kills += 1
            self._processes[index] = self._start(role)

    def drain(self) -> None:
        """Let the workers end what is there, then end them."""
        for role, process in self._processes:
            if role != "worker":
                process.kill()
                process.wait()
        until = time.monotonic() + SECONDS_TO_DRAIN
        while self.unfinished() and time.monotonic() < until:
            time.sleep(0.1)
        self.close()

    def close(self) -> None:
        """Leave no process behind."""
        for _, process in self._processes:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()

    def unfinished(self) -> int:
        """How many executions have not ended."""
        ((count,),) = self._rows("SELECT count(*) FROM executions WHERE status IN ('pending', 'running')")
        return int(count)

    def problems(self) -> list[str]:
        """What does not hold; nothing where all is well."""
        events = {row[0] for row in self._rows("SELECT id FROM events")}
        attempts = dict(self._rows("SELECT id, attempt FROM executions"))
        kept = set(self._rows("SELECT execution_id, number FROM execution_attempts"))
        problems = [f"{self.unfinished()} executions have not ended"] if self.unfinished() else []
        for event, *executions in self._told(self.acknowledged):
            if event not in events or not executions or not attempts.keys() >= set(executions):
                problems.append(f"the event {event} was acknowledged with {executions}, and is not all there")
        begun = Counter((execution, int(number)) for execution, number, _ in self._told(self.began))
        problems += [f"the attempt {attempt} began {count} times" for attempt, count in begun.items() if count > 1]
        problems += [
            f"the attempt {execution, number} has no record"
            for execution, number in begun
            if (execution, number) not in kept and attempts.get(execution) != number
        ]
        statuses = {row[0] for row in self._rows("SELECT DISTINCT status FROM executions")}
        if not statuses <= {"succeeded", "failed", "cancelled"}:
            problems.append(f"there are executions that are {statuses}")
        asked = {execution for (execution,) in self._told(self.cancelled)}
        cancelled = {row[0] for row in self._rows("SELECT id FROM executions WHERE status = 'cancelled'")}
        problems += [f"nobody has cancelled the execution {execution}" for execution in cancelled - asked]
        suspicious = self._rows("SELECT id, reason FROM executions WHERE status = 'failed' AND losses < 3")
        problems += [f"the execution {execution} has failed: {reason}" for execution, reason in suspicious]
        problems += [f"integrity: {row[0]}" for row in self._rows("PRAGMA integrity_check") if row[0] != "ok"]
        problems += [f"foreign keys: {row}" for row in self._rows("PRAGMA foreign_key_check")]
        return problems

    def counts(self) -> str:
        """What the run has seen, in words."""
        ((executions, tries),) = self._rows("SELECT count(*), sum(attempt) FROM executions")
        acknowledged = sum(1 for _ in self._told(self.acknowledged))
        return f"{self.kills} kills, {acknowledged} acknowledged events, {executions} executions, {tries} attempts"

    def _start(self, role: str) -> tuple[str, subprocess.Popen[bytes]]:
        told = {"worker": self.began, "publisher": self.acknowledged, "operator": self.cancelled}[role]
        number = self._draws.choice([1, 4]) if role == "worker" else self.kills
        # Whoever is killed while it writes down which lines it has run leaves a file that spoils the others' figures.
        unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
        command = [sys.executable, str(ROLES), role, self.url, str(told), str(number)]
        return role, subprocess.Popen(command, env=unmeasured)

    def _rows(self, statement: str) -> list[tuple[object, ...]]:
        connection = sqlite3.connect(self.store, timeout=60)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()

    @staticmethod
    def _told(file: Path) -> list[list[str]]:
        return [line.split() for line in file.read_text().splitlines()] if file.exists() else []


def main() -> int:
    """Run once, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        run = CrashRun(Path(folder), asked.seed)
        try:
            run.crash(asked.kills)
            run.drain()
        finally:
            run.close()
        problems = run.problems()
        print(run.counts(), *problems[:20], sep="\n", flush=True)
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
