"""Access tokens: short-lived, bound, revocable, and stored as hashes only."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr

from actium import Actium
from actium.auth import Tokens, acting_as
from actium.auth.actor import current_actor
from actium.errors import InactiveAccountError, InvalidInputError, InvalidTokenError
from actium.models import ServiceAccountResponse, ServiceAccountUpdate
from actium.stores.records import AccountRecord


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 31, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(app: Actium, clock: Clock) -> Tokens:
    return Tokens(app.store, now=clock)


@pytest.fixture
def record(app: Actium, account: ServiceAccountResponse) -> AccountRecord:
    return app.store.get(AccountRecord, account.id)


def test_expire_with_their_window(tokens: Tokens, clock: Clock, record: AccountRecord) -> None:
    """A token is valid for its window in minutes, to the second."""
    execution_id = uuid4()
    context = tokens.issue(record, execution_id=execution_id, window=5)
    clock.now += timedelta(minutes=5, seconds=-1)
    verified = tokens.verify(context.access_token)
    assert (verified.execution_id, verified.expires, verified.service_account.name) == (
        execution_id,
        context.expires,
        "robot",
    )
    clock.now += timedelta(seconds=1)
    with pytest.raises(InvalidTokenError, match="expired at 2026-01-31 00:05:00 UTC"):
        tokens.verify(context.access_token)


def test_a_window_of_zero_has_no_limit(tokens: Tokens, clock: Clock, record: AccountRecord) -> None:
    """A window of 0 never expires."""
    context = tokens.issue(record, execution_id=None, window=0)
    clock.now += timedelta(days=10_000)
    assert tokens.verify(context.access_token.get_secret_value()).expires is None


def test_are_random_and_never_shown(tokens: Tokens, record: AccountRecord, tmp_path: Path) -> None:
    """Two tokens differ, neither is in a repr nor in the store's files."""
    one, two = (tokens.issue(record, execution_id=None, window=1) for _ in range(2))
    texts = [context.access_token.get_secret_value() for context in (one, two)]
    assert texts[0] != texts[1]
    assert all(len(text) >= 40 for text in texts)
    assert not any(text in repr(context) for text in texts for context in (one, two))
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("actium.db*"))
    assert not any(text.encode() in stored for text in texts)


def test_revoking_by_execution(tokens: Tokens, record: AccountRecord) -> None:
    """All tokens of an execution are revoked together, those of others stay."""
    execution_id = uuid4()
    gone = tokens.issue(record, execution_id=execution_id, window=1)
    stays = tokens.issue(record, execution_id=uuid4(), window=1)
    assert gone.access_token != stays.access_token
    assert tokens.revoke(execution_id=execution_id) == 1
    assert tokens.revoke(execution_id=execution_id) == 0
    with pytest.raises(InvalidTokenError, match="revoked at"):
        tokens.verify(gone.access_token)
    assert tokens.verify(stays.access_token)


def test_unknown_ones_are_refused(tokens: Tokens) -> None:
    """A token that was never made is refused."""
    for token in ("made up", SecretStr("")):
        with pytest.raises(InvalidTokenError, match="not known"):
            tokens.verify(token)


@pytest.mark.parametrize("token", ["\ud800", SecretStr("a\udc80")])
def test_any_text_is_a_token_that_is_not_known(tokens: Tokens, token: str | SecretStr) -> None:
    """Text that UTF-8 cannot write is as unknown as any other, and there is nothing of it to revoke."""
    with pytest.raises(InvalidTokenError, match="not known"):
        tokens.verify(token)
    assert tokens.revoke(token) == 0


@pytest.mark.parametrize("token", [None, 7, b"bytes", ["list"]])
def test_what_is_no_text_is_no_token(tokens: Tokens, token: Any) -> None:
    """Verifying what is no text, such as a header that is missing, is refused as any wrong token, by its type."""
    with pytest.raises(InvalidTokenError, match=f"not {type(token).__name__}"):
        tokens.verify(token)
    with pytest.raises(InvalidInputError):
        tokens.revoke(token)


def test_an_inactive_account_has_none(
    app: Actium, tokens: Tokens, record: AccountRecord, account: ServiceAccountResponse
) -> None:
    """Deactivating an account refuses its tokens at once, and makes no new ones."""
    context = tokens.issue(record, execution_id=None, window=1)
    app.accounts.update(account.id, ServiceAccountUpdate(active=False))
    with pytest.raises(InactiveAccountError, match="'robot' is inactive"):
        tokens.verify(context.access_token)
    with pytest.raises(InactiveAccountError):
        tokens.issue(app.store.get(AccountRecord, account.id), execution_id=None, window=1)


def test_deleting_an_account_deletes_its_tokens(app: Actium, tokens: Tokens, record: AccountRecord) -> None:
    """The tokens of a deleted account are not known any more."""
    token = tokens.issue(record, execution_id=None, window=1).access_token
    app.accounts.delete(record.id)
    with pytest.raises(InvalidTokenError, match="not known"):
        tokens.verify(token)


def test_is_stored_when_it_is_asked_for(app: Actium, tokens: Tokens, record: AccountRecord, tmp_path: Path) -> None:
    """A context makes its token once, when someone wants it; those that nobody wants are not stored."""
    context = tokens.issue(record, execution_id=None, window=1)
    tokens.issue(record, execution_id=None, window=1)
    assert context.access_token is context.access_token
    store = sqlite3.connect(tmp_path / "actium.db")
    assert store.execute("SELECT count(*) FROM tokens").fetchone() == (1,)
    store.close()


def test_who_makes_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes are made by whom the context names, otherwise by the system's user."""
    outside = current_actor()
    assert outside
    with acting_as("ada"):
        with acting_as("bob"):
            assert current_actor() == "bob"
        assert current_actor() == "ada"
    assert current_actor() == outside


@pytest.mark.parametrize("name", [None, 7, "\ud800", b"ada"])
def test_nobody_acts_as_what_cannot_be_recorded(name: Any) -> None:
    """Who makes changes is text that a store can keep, or is refused before anything is changed."""
    with pytest.raises(InvalidInputError, match="Nobody can be recorded as"), acting_as(name):
        pytest.fail("it was let in")


def test_a_user_of_any_bytes_may_make_changes() -> None:
    """A login name that is no UTF-8 is known with what cannot be written escaped."""
    code = "from actium.auth.actor import current_actor; print(current_actor())"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environb, b"LOGNAME": b"ad\xff"}, capture_output=True, check=True
    )
    assert done.stdout.decode().strip() == r"ad\udcff"
