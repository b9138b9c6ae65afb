"""Exceptions that signals raise anywhere while something is stored or read: the store is there for others, at once."""

from __future__ import annotations

import gc
import itertools
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from actium import Actium, Event
from actium.app import events
from actium.event_hub import in_turn

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
    gc.collect()  # connections that were lost are told of now, and not in another test


def test_an_interruption_anywhere_of_publishing_many_is_told_and_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its publisher gets that interruption, and soon; no worker waits for events that do not come; others publish."""
    monkeypatch.setattr(events, "PUBLISHED_TOGETHER", 2)
    told = list[BaseException]()

    def publish_many(interruption: Interruption) -> None:
        try:
            with interruption.awaited():
                app.events.publish_many(Event(type="data.arrived", source="/s") for _ in range(15))
        except BaseException as error:
            told.append(error)

    def in_thread(interruption: Interruption) -> None:
        thread = threading.Thread(target=publish_many, args=[interruption], daemon=True)
        thread.start()
        thread.join(SECONDS)
        assert not thread.is_alive(), interruption.where

    with Actium(f"sqlite:///{tmp_path / 'actium.db'}") as app:
        worker = app.worker()
        for number in itertools.count(1):
            interruption = Interruption(number, (in_turn.__file__, threading.__file__))
            in_thread(interruption)
            if interruption.where is None:
                break
            assert list(map(type, told)) == [KeyboardInterrupt], interruption.where
            told.clear()
            in_thread(Interruption(0, ()))
            until = time.monotonic() + SECONDS
            while worker._outbox._errands and time.monotonic() < until:
                time.sleep(0.001)
            assert not worker._outbox._errands, interruption.where
        assert number > 10
        assert not told
        assert app.store.check() == ()
