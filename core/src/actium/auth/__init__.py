"""Who acts: service accounts' tokens, the auth context of an execution, and references to secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actium._lazy import lazy_names

if TYPE_CHECKING:
    from actium.auth.actor import acting_as as acting_as
    from actium.auth.context import AuthContext as AuthContext
    from actium.auth.context import VerifiedToken as VerifiedToken
    from actium.auth.tokens import Tokens as Tokens

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "actium.auth.actor": ("acting_as",),
        "actium.auth.context": ("AuthContext", "VerifiedToken"),
        "actium.auth.tokens": ("Tokens",),
    },
)
