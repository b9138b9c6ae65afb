"""Ids of events and executions: unique, and near each other when they are made near each other."""

from __future__ import annotations

import time
from uuid import RFC_4122

import pytest

from actium.models.ids import new_id


def test_are_uuids_of_version_8() -> None:
    """They have the form that RFC 9562 leaves to those who make them."""
    for _ in range(100):
        made = new_id()
        assert (made.version, made.variant) == (8, RFC_4122)


def test_differ() -> None:
    """A hundred thousand of them are a hundred thousand."""
    assert len({new_id() for _ in range(100_000)}) == 100_000


def test_tell_the_quarter_of_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of one period begin alike, the next begin with the next number, and after all numbers they begin anew."""
    beginnings = []
    for now in (1_000.0, 1_000.2, 1_000.25, 1_000.0 + 65_536 / 4):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        beginnings.append(int(str(new_id())[:4], 16))
    assert beginnings == [4_000, 4_000, 4_001, 4_000]


def test_differ_after_a_few_characters_more() -> None:
    """People tell the ids of one moment by their first characters too."""
    assert len({str(new_id())[:13] for _ in range(1_000)}) >= 999  # 32 random bits: one pair in 8,000 runs
