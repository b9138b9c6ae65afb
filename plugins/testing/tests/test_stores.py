"""The suite for stores fails for stores that break a rule; that the embedded one passes is tested with that."""

from __future__ import annotations

import re

import pytest

pytest_plugins = "pytester"


BROKEN = """
from dataclasses import replace
from pathlib import Path
from time import sleep

from actium.errors import StoreClosedError
from actium.stores.sqlite.store import SQLiteStore
from pytest_actium import StoreConformance


class Upside(SQLiteStore):
    def page(self, kind, query):
        return super().page(kind, replace(query, descending=not query.descending))


class Careless(SQLiteStore):
    def delete_account(self, account_id):
        for action in super().page(ActionRecord, Query(project=None)).records:
            super().remove_action(action.id, expected_version=action.version, changed_by="nobody")
        super().delete_account(account_id)


class Closing(SQLiteStore):
    is_closed = False

    def close(self):
        if self.is_closed:
            raise StoreClosedError("This store was closed.")
        self.is_closed = True
        super().close()


class Settings(SQLiteStore):
    def get_setting(self, name):
        return super().get_setting(name) or []


class Deaf(SQLiteStore):
    def trigger_changes(self, since):
        return super().trigger_changes(0)


class Hasty(SQLiteStore):
    def trigger_changes(self, since):
        changes = super().trigger_changes(since)
        sleep(0.002)
        return replace(changes, generation=self.trigger_generation())


class Alone(SQLiteStore):
    def record_events(self, drafts, *, worker=None, limit=0):
        return super().record_events(drafts, worker=worker, limit=limit)


from actium.stores.base_store import Query
from actium.stores.records import ActionRecord


class Base(StoreConformance):
    def open_store(self, folder):
        return self.KIND(folder / "actium.db", synchronous="NORMAL")
"""
FAILED = re.compile(r"^FAILED \S+::Test_(\w+)::(\w+)", re.MULTILINE)
RULES = {
    "Upside": {"test_pages_are_what_plain_python_would_give"},
    "Careless": {"test_accounts_one_in_use_is_not_deleted"},
    "Settings": {"test_resources_settings"},
    "Alone": {"test_executions_are_ended_along_with_new_events"},
    "Hasty": {"test_triggers_who_follows_them_misses_none"},
    "Deaf": {"test_triggers_generations_tell_what_changed", "test_triggers_who_follows_them_misses_none"},
}


@pytest.mark.slow
def test_a_store_that_breaks_a_rule_is_told(pytester: pytest.Pytester) -> None:
    """For each store that breaks a rule, the tests of that rule fail and no other does."""
    classes = [f"class Test_{name}(Base):\n    KIND = {name}\n" for name in RULES]
    pytester.makepyfile("\n\n".join([BROKEN, *classes]))
    done = pytester.runpytest_subprocess("-q", "-rf", "-p", "no:xdist", "-W", "error")
    found: dict[str, set[str]] = {name: set() for name in RULES}
    for name, test in FAILED.findall(done.stdout.str()):
        found[name].add(test)
    assert found == RULES


def test_a_store_that_cannot_be_closed_twice_is_told(pytester: pytest.Pytester) -> None:
    """A store whose second close fails is told so by the test of closing, and by every test that closes it itself."""
    pytester.makepyfile(f"{BROKEN}\n\nclass Test_Closing(Base):\n    KIND = Closing\n")
    done = pytester.runpytest_subprocess("-q", "-rf", "-p", "no:xdist")
    assert FAILED.findall(done.stdout.str()) == [("Closing", "test_a_closed_store_says_so")]
