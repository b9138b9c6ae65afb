"""Exceptions that signals raise anywhere while something is stored or read: the store is there for others, at once."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from actium import Actium, Event

sys.path.insert(0, str(Path(__file__).parent))
from interrupting import Interruption  # beside this file, as other processes use it too

SECONDS = 10.0
FILES = "database.py", "readers.py", "writer.py", "wording.py"


def publish(app: Actium) -> None:
    app.events.publish(Event(type="data.arrived", source="/s"))


def read(app: Actium) -> None:
    app.events.list()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of a lost connection, from 3.13 on
@pytest.mark.parametrize("use", [publish, read])
def test_an_interruption_anywhere_leaves_the_store_to_others(tmp_path: Path, use: Callable[[Actium], None]) -> None:
    """Whoever is interrupted keeps no lock, and counts as nobody who reads or writes."""
    with Actium(f"sqlite:///{tmp_path / 'actium.db'}") as app:
        for _ in range(2):
            use(app)  # connections are opened
        number, where = 0, "before"
        while where is not None:
            number += 1
            interruption = Interruption(number, FILES)
            try:
                with interruption.awaited():
                    use(app)
            except KeyboardInterrupt:
                pass
            where = interruption.where
            thread = threading.Thread(target=publish, args=[app], daemon=True)
            thread.start()
            thread.join(SECONDS)
            assert not thread.is_alive(), where
            assert app.store._database.is_at_rest, where
        assert number > 10
        assert app.store.check() == ()
