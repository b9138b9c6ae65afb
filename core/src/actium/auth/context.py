"""On whose behalf an execution acts, and with what."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import SecretStr

from actium.models.account import ServiceAccountResponse

DEFAULT_AUTH_WINDOW = 60
"""Minutes that a token is valid where neither the action nor its flavor says otherwise."""


class AuthContext:
    """What an execution's work authenticates with.

    The token is made when it is first asked for, as most executions never ask.

    Attributes:
        expires: When the token stops being valid; None for never.
    """

    __slots__ = ("_lock", "_service_account", "_token", "expires")

    def __init__(
        self,
        *,
        service_account: ServiceAccountResponse | Callable[[], ServiceAccountResponse],
        expires: datetime | None,
        access_token: SecretStr | Callable[[], SecretStr],
    ) -> None:
        """Make a context; `actium.auth.tokens.Tokens.issue` does.

        Args:
            service_account: On whose behalf, or what makes it when someone wants to know.
            expires: When the token stops being valid; None for never.
            access_token: The token, or what makes it and stores its hash; that is called at most once.
        """
        self._service_account = service_account
        self.expires = expires
        self._token = access_token
        self._lock = threading.Lock()

    @property
    def service_account(self) -> ServiceAccountResponse:
        """On whose behalf it acts."""
        if not isinstance(self._service_account, ServiceAccountResponse):
            self._service_account = self._service_account()
        return self._service_account

    @property
    def access_token(self) -> SecretStr:
        """A random token, bound to account and execution; hand it on by environment, never by argument.

        Raises:
            StoreError: Its hash cannot be stored.
        """
        with self._lock:
            if not isinstance(self._token, SecretStr):
                self._token = self._token()
            return self._token

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
