"""Nothing is lost, and nothing is run without a record, however often processes are killed."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from harness import CrashRun  # beside this file, as the harness is run by hand too

KILLS = 200


@pytest.fixture
def seed() -> int:
    return int(os.environ.get("ACTIUM_CRASH_SEED", random.randrange(1_000_000)))


@pytest.fixture
def run(tmp_path: Path, seed: int) -> Iterator[CrashRun]:
    run = CrashRun(tmp_path, seed)
    yield run
    run.close()


@pytest.mark.skipif(os.name != "posix", reason="needs signals that stop and kill")
def test_two_hundred_kills_lose_nothing(run: CrashRun, seed: int) -> None:
    """Publishers and workers are killed and stopped at random: every acknowledged event has its executions, every
    execution ends, every attempt that began has a record and began once, and the store is sound."""
    replay = f"ACTIUM_CRASH_SEED={seed} replays it: python -m pytest {Path(__file__).name}"
    run.crash(KILLS)
    run.drain()
    assert run.kills == KILLS
    assert run.problems() == [], replay
    print(run.counts())
