"""The embedded store keeps what the conformance suite asks of any store, in a file and in memory."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from actium.stores import BaseStore, open_store
from pytest_actium import StoreConformance


class TestFile(StoreConformance):
    def open_store(self, folder: Path) -> BaseStore:
        return open_store(f"sqlite:///{folder / 'actium.db'}")


class TestMemory(StoreConformance):
    EXEMPT: ClassVar[dict[str, str]] = {
        "test_what_was_stored_is_there_after_opening_again": "memory is not kept",
        "test_what_one_has_stored_another_sees": "memory is not shared",
    }

    def open_store(self, folder: Path) -> BaseStore:
        return open_store("sqlite://")
