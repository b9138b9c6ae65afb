"""Ids of events and executions: unique, and near each other when they are made near each other."""

from __future__ import annotations

import os
import pickle
import random
import time
from pathlib import Path
from uuid import RFC_4122, UUID

import pytest

from actium.models.ids import id_text, new_id, new_id_text, new_ids


def test_are_uuids_of_version_8() -> None:
    """They have the form that RFC 9562 leaves to those who make them."""
    for _ in range(100):
        made = new_id()
        assert (made.version, made.variant) == (8, RFC_4122)


def test_differ() -> None:
    """A hundred thousand of them are a hundred thousand."""
    assert len({new_id() for _ in range(100_000)}) == 100_000


def test_tell_the_part_of_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of one period begin alike, the next begin with the next number, and after all numbers they begin anew."""
    beginnings = []
    for now in (512.0, 512.015, 512.016, 512.0 + 65_536 / 64):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        beginnings.append(int(str(new_id())[:4], 16))
    assert beginnings == [32_768, 32_768, 32_769, 32_768]


def test_differ_after_a_few_characters_more() -> None:
    """People tell the ids of one moment by their first characters too."""
    assert len({str(new_id())[:13] for _ in range(1_000)}) >= 999  # 32 random bits: one pair in 8,000 runs


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_differ_in_a_process_that_was_forked(tmp_path: Path) -> None:
    """A forked process makes other ids than the one that it was forked from."""
    told = tmp_path / "ids"
    process = os.fork()
    if process == 0:
        told.write_text("\n".join(str(new_id()) for _ in range(100)))
        os._exit(0)
    os.waitpid(process, 0)
    assert {str(new_id())[4:] for _ in range(100)}.isdisjoint(one[4:] for one in told.read_text().split())


def test_do_not_follow_the_seed_of_a_program() -> None:
    """A program that seeds the shared random numbers gets other ids all the same."""
    made = []
    for _ in range(2):
        random.seed(1)
        made.append(str(new_id())[4:])
    assert made[0] != made[1]


def test_those_made_together_have_the_form_of_those_made_alone() -> None:
    """Ids that are made together begin with one period, differ, and are UUIDs of version 8 like any other."""
    made = new_ids(10_000)
    assert len(set(made)) == 10_000
    assert len({str(one)[:4] for one in made}) == 1
    assert {(one.version, one.variant) for one in made} == {(8, RFC_4122)}
    assert [UUID(str(one)) for one in made[:100]] == made[:100]
    assert [pickle.loads(pickle.dumps(one)) for one in made[:100]] == made[:100]
    assert new_ids(0) == []


def test_a_text_that_is_no_id_yet_is_one() -> None:
    """The text of a new id is what UUID writes itself, of version 8 and of the present period."""
    text = new_id_text()
    assert (str(UUID(text)), UUID(text).version, UUID(text).variant) == (text, 8, RFC_4122)
    assert len({new_id_text() for _ in range(10_000)}) == 10_000


@pytest.mark.parametrize("bits", [0, 1, 1 << 127, (1 << 128) - 1])
def test_are_written_as_python_writes_them(bits: int) -> None:
    """The quick way to write an id gives the same text as the usual one, for any UUID."""
    assert id_text(UUID(int=bits)) == str(UUID(int=bits))
