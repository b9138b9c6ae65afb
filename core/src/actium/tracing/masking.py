"""What of a trace is secret: what is registered as such, what lies under a telling name, and what looks like it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from actium.auth.secret_references import MASK, RESOLVERS, SecretMask

_PASSWORDS = r"[a-z]*(password|passwd|passphrase|secret)|pass|pwd"
_PASSWORD_NAME = re.compile(rf"(^|[^a-z])({_PASSWORDS})s?$")
_TELLING_NAME = re.compile(
    rf"(^|[^a-z])({_PASSWORDS}|auth|(access|auth|api|id|refresh|session|bearer)?[-_.]?token|authorization"
    r"|(api|private|secret|access|account|signing|encryption)[-_.]?key|cookie|set-cookie|credentials?)s?$"
)
_WORD_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NOT_THESE = r"(?!env:|file:|\*{10}|(?:bearer|basic|token)\s)"
_TELLING_TEXT = (
    re.compile(r"(?i)(\b(?:bearer|basic|token)\s+)[A-Za-z0-9._~+/=-]{8,}"),
    re.compile(r"(?i)(\b[a-z][a-z0-9+.-]{0,30}://[^\s/:@]{0,200}:)[^\s/@]{1,500}(?=@)"),
    re.compile(r"""(?i)(\b(?:set-)?cookie\\{0,4}["']?\s?[=:]\s?\\{0,4}["']?)(?!\*{10})[^\r\n"'\\]+"""),
    re.compile(
        r"""(?i)(\b[\w-]{0,40}(?:password|passwd|passphrase|pwd|secret|token|(?:api|private|access)[-_]?key"""
        r"""|authorization)\\{0,4}["']?[ \t]?[=:][ \t]?)"""
        rf"""(?P<quote>\\{{0,4}}["'])?{_NOT_THESE}(?(quote)(?:(?!(?P=quote))[^\r\n]){{1,500}}|(?:[^\s"'&,;)}}\]\\]|\\(?!["']))+)"""
    ),
)


class TraceMask:
    """Masks texts of a trace.

    Attributes:
        longest: No secret that is registered is written longer.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        self._registered = SecretMask(secrets)
        self.longest = self._registered.longest

    def registered(self, text: str) -> str:
        """A text without the secrets that are registered."""
        return self._registered.text(text)

    def text(self, text: str) -> str:
        """A text without what is secret in it, or looks like it."""
        masked = self._registered.text(text)
        for telling in _TELLING_TEXT:
            masked = telling.sub(_masked, masked)
        return masked

    def torn(self, text: str, mark: str) -> str:
        """A text without what is left of registered secrets where something was cut off it, before such a mark."""
        return self._registered.torn(text, mark)

    def beginning(self, text: str, length: int) -> str:
        """The beginning of a text, where no secret is left in part by the cut."""
        if len(text) <= length:
            return self.text(text)[:length]
        window = self.text(text[: length + 2 * self.longest])
        return window[: min(length, max(0, len(window) - self.longest))]


def is_telling_name(name: str) -> bool:
    """Whether a name, such as that of a field or header, says that its value is secret."""
    return _TELLING_NAME.search(_WORD_BOUNDARY.sub("_", name).lower()) is not None


def is_password_name(name: str) -> bool:
    """Whether a name says that its value is secret even where that is a number."""
    return _PASSWORD_NAME.search(_WORD_BOUNDARY.sub("_", name).lower()) is not None


def _masked(found: re.Match[str]) -> str:
    return f"{found[1]}{found.groupdict().get('quote') or ''}{MASK}"


def is_reference(text: str) -> bool:
    """Whether a text refers to a secret, and is none itself."""
    scheme, colon, rest = text.partition(":")
    return bool(colon and rest) and scheme in RESOLVERS
