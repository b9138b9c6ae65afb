"""Keeps the end of what a command prints, however much that is, and no piece of a secret at its beginning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from actium.auth.secret_references import masked

_LONGEST_ESCAPE = 12
"""Characters that one may become where a secret is written as JSON: a pair of surrogates."""


class OutputTail:
    """The last bytes of a stream.

    Secrets are masked before the text is cut: a piece of a secret could not be told from anything else. So a little
    more is kept than is shown.
    """

    def __init__(self, limit: int, *, secrets: Sequence[str] = ()) -> None:
        """Keep nothing yet.

        Args:
            limit: How many bytes are shown at most.
            secrets: What must not be shown, nor any piece of it.
        """
        self._limit = limit
        self._secrets = secrets
        self._margin = max((_LONGEST_ESCAPE * len(secret) for secret in secrets), default=0)
        self._kept = bytearray()
        self._seen = 0

    def add(self, chunk: bytes) -> None:
        """Take in what came next."""
        self._seen += len(chunk)
        self._kept += chunk
        if len(self._kept) > 2 * self._capacity + 65_536:  # seldom, since it moves all that is kept
            del self._kept[: -self._capacity]

    @property
    def is_cut(self) -> bool:
        """Whether something was left out."""
        return self._seen > self._limit

    def text(self) -> str:
        """What is shown: all of it, or the end of it from the beginning of a line where there is one."""
        content = bytes(self._kept[-self._capacity :]) if self._capacity else b""
        text: str = masked(content.decode(errors="replace").replace("\x00", "\ufffd"), self._secrets)
        if not self.is_cut:
            return text
        if len(content) < self._seen:
            text = text[self._margin :]  # it may begin with a piece of a secret
        text = text.encode()[len(text.encode()) - min(self._limit, len(text.encode())) :].decode(errors="ignore")
        _, _, lines = text.partition("\n")
        return lines or text

    def as_result(self) -> dict[str, Any]:
        """What is kept of it with the execution."""
        return {"text": self.text(), "bytes": self._seen, "truncated": self.is_cut}

    @property
    def _capacity(self) -> int:
        return self._limit + self._margin
