"""On whose behalf an execution acts, and with what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import SecretStr

from actium.models.account import ServiceAccountResponse

DEFAULT_AUTH_WINDOW = 60
"""Minutes that a token is valid where neither the action nor its flavor says otherwise."""


class AuthContext:
    """What an execution's work authenticates with."""

    __slots__ = ("_access_token", "_expires", "_service_account")

    def __init__(
        self, *, service_account: ServiceAccountResponse, expires: datetime | None, access_token: SecretStr
    ) -> None:
        """Make a context with a token that there is; `actium.auth.tokens.Tokens.issue` makes one with a new token.

        Args:
            service_account: On whose behalf.
            expires: When the token stops being valid; None for never.
            access_token: The token.
        """
        self._service_account = service_account
        self._expires = expires
        self._access_token = access_token

    @property
    def service_account(self) -> ServiceAccountResponse:
        """On whose behalf it acts."""
        return self._service_account

    @property
    def expires(self) -> datetime | None:
        """When the token stops being valid; None for never."""
        return self._expires

    @property
    def access_token(self) -> SecretStr:
        """A random token, bound to account and execution; hand it on by environment, never by argument.

        Raises:
            StoreError: Its hash cannot be stored.
        """
        return self._access_token

    def __repr__(self) -> str:
        return f"AuthContext(service_account={self.service_account.name!r}, expires={self.expires!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedToken:
    """Whose a valid token is.

    Attributes:
        service_account: On whose behalf its bearer acts.
        execution_id: The execution that it was made for.
        expires: When it stops being valid; None for never.
    """

    service_account: ServiceAccountResponse
    execution_id: UUID | None
    expires: datetime | None
