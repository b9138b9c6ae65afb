"""On whose behalf an execution acts, and with what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import SecretStr

from actium.models.account import ServiceAccountResponse

DEFAULT_AUTH_WINDOW = 60
"""Minutes that a token is valid where neither the action nor its flavor says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthContext:
    """What an execution's work authenticates with.

    Attributes:
        service_account: On whose behalf it acts.
        access_token: A random token, bound to account and execution; hand it on by environment, never by argument.
        expires: When the token stops being valid; None for never.
    """

    service_account: ServiceAccountResponse
    access_token: SecretStr
    expires: datetime | None


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
