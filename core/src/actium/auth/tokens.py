"""Access tokens: random, short-lived, and known to the store by their hash only."""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from pydantic import SecretStr

from actium.auth.context import AuthContext, VerifiedToken
from actium.errors import InactiveAccountError, InvalidInputError, InvalidTokenError, NotFoundError
from actium.models.account import ServiceAccountResponse
from actium.stores.base_store import BaseStore
from actium.stores.records import AccountRecord, TokenRecord
from actium.stores.responses import account_response

_BYTES = 32


class IssuedContext(AuthContext):
    """A context whose token is made and stored when it is first asked for, as most executions never ask."""

    __slots__ = ("_account", "_created", "_execution_id", "_lock", "_made", "_on_token", "_store", "_window")

    def __init__(
        self,
        store: BaseStore,
        account: AccountRecord,
        execution_id: UUID | None,
        created: datetime,
        window: int,
        on_token: Callable[[str], None],
    ) -> None:
        """Make nothing yet; see `Tokens.issue`."""
        self._store = store
        self._account = account
        self._execution_id = execution_id
        self._created = created
        self._window = window
        self._on_token = on_token
        self._lock = threading.Lock()
        self._made: SecretStr | None = None

    @property
    def service_account(self) -> ServiceAccountResponse:
        """On whose behalf it acts."""
        return account_response(self._account)

    @property
    def expires(self) -> datetime | None:
        """When the token stops being valid; None for never."""
        return self._created + timedelta(minutes=self._window) if self._window else None

    @property
    def access_token(self) -> SecretStr:
        """See `AuthContext.access_token`."""
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made

    def _make(self) -> SecretStr:
        text = secrets.token_urlsafe(_BYTES)
        self._on_token(text)
        self._store.insert_token(
            TokenRecord(
                digest=_digest(text),
                service_account_id=self._account.id,
                execution_id=self._execution_id,
                created=self._created,
                expires=self.expires,
            )
        )
        return SecretStr(text)


class Tokens:
    """Makes, verifies and revokes access tokens."""

    def __init__(self, store: BaseStore, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._store = store
        self._now = now

    def issue(
        self,
        account: AccountRecord,
        *,
        execution_id: UUID | None,
        window: int,
        on_token: Callable[[str], None] = lambda token: None,
    ) -> AuthContext:
        """Make a context with a token, which is stored when it is first asked for.

        Args:
            account: On whose behalf.
            execution_id: For which execution.
            window: Minutes that it is valid; 0 means no limit: it is valid until it is revoked, or its account is
                deleted or switched off.
            on_token: Called with the token when it is asked for, e.g. to mask it from then on.

        Raises:
            InactiveAccountError: The account is switched off.
        """
        if not account.active:
            raise _inactive(account)
        return IssuedContext(self._store, account, execution_id, self._now(), window, on_token)

    def verify(self, token: str | SecretStr) -> VerifiedToken:
        """Say whose a token is.

        Raises:
            InvalidTokenError: It is unknown, expired, revoked, or no text at all.
            InactiveAccountError: Its account is switched off.
        """
        if not _is_text(token):
            raise InvalidTokenError(f"A token is text, not {type(token).__name__}.", hint="Pass it as it was made.")
        record = self._store.get_token(_digest(token))
        if record is None:
            raise InvalidTokenError(
                "This token is not known.",
                hint="A token is made for one execution, and does not outlast its auth window.",
            )
        if record.revoked is not None:
            raise InvalidTokenError(f"This token was revoked at {record.revoked:%Y-%m-%d %H:%M:%S} UTC.")
        if record.expires is not None and record.expires <= self._now():
            raise InvalidTokenError(
                f"This token expired at {record.expires:%Y-%m-%d %H:%M:%S} UTC.",
                hint="Give the action a longer auth_window (minutes, 0 for no limit).",
            )
        try:
            account = self._store.get(AccountRecord, record.service_account_id)
        except NotFoundError as error:
            raise InvalidTokenError("The service account of this token was deleted.") from error
        if not account.active:
            raise _inactive(account)
        return VerifiedToken(
            service_account=account_response(account), execution_id=record.execution_id, expires=record.expires
        )

    def revoke(
        self,
        token: str | SecretStr | None = None,
        *,
        execution_id: UUID | None = None,
        service_account_id: UUID | None = None,
    ) -> int:
        """Revoke the tokens that fit all that is given, at once and for good.

        Returns:
            How many were still valid.

        Raises:
            InvalidInputError: Nothing is given, or the token is no text.
        """
        if token is not None and not _is_text(token):
            raise InvalidInputError(f"A token is text, not {type(token).__name__}.", hint="Pass it as it was made.")
        return self._store.revoke_tokens(
            when=self._now(),
            digest=None if token is None else _digest(token),
            execution_id=execution_id,
            service_account_id=service_account_id,
        )


def _inactive(account: AccountRecord) -> InactiveAccountError:
    return InactiveAccountError(
        f"The service account {account.name!r} is inactive.",
        hint="Activate it, or give the action another one.",
    )


def _is_text(token: object) -> bool:
    return isinstance(token, str | SecretStr)


def _digest(token: str | SecretStr) -> str:
    text = token.get_secret_value() if isinstance(token, SecretStr) else token
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()  # any text is a token, if not a known one
