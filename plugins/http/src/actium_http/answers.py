"""What is read and kept of an answer, within a bound, and what a status means for further attempts."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from actium.auth.secret_references import masked

if TYPE_CHECKING:
    import httpx

KEPT_HEADERS = ("content-type", "etag", "last-modified", "location", "retry-after", "x-request-id")
LONGEST_WAIT = 86_400.0
"""How many seconds an endpoint may ask for at most: a day."""

_LONGEST_ESCAPE = 12
_CHUNK = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer, as far as it was read.

    Attributes:
        status: Its status.
        url: Where it came from, after redirects.
        headers: Those of its headers that are kept.
        body: Its JSON where it is whole, otherwise its text.
        text: Its text, with secrets masked, within the bound.
        is_cut: Whether there was more.
    """

    status: int
    url: str
    headers: dict[str, str]
    body: Any
    text: str
    is_cut: bool


async def read_answer(response: httpx.Response, *, limit: int, secrets: Sequence[str]) -> Answer:
    """Read the beginning of an answer.

    Args:
        response: The answer, of which nothing was read yet.
        limit: How many bytes are kept at most.
        secrets: What must not be kept, nor any piece of it.
    """
    margin = max((_LONGEST_ESCAPE * len(secret) for secret in secrets), default=0)
    content = await _beginning(response, limit + margin + 1)
    content = _decoded(content, response.headers.get("content-encoding", ""), limit + margin + 1)
    is_cut = len(content) > limit
    text = content.decode(_charset(response), errors="replace").replace("\x00", "\ufffd")
    shown: str = masked(text, secrets)
    if len(content) > limit + margin:  # it may end with a piece of a secret
        shown = shown[: len(shown) - margin - 1]
    shown = shown.encode()[:limit].decode(errors="ignore") if is_cut else shown
    return Answer(
        status=response.status_code,
        url=str(response.request.url),
        headers={name: response.headers[name] for name in KEPT_HEADERS if name in response.headers},
        body=shown if is_cut else _parsed(text, shown, response.headers.get("content-type", "")),
        text=shown,
        is_cut=is_cut,
    )


def retry_after(value: str | None, *, now: datetime) -> float | None:
    """The seconds that a ``Retry-After`` header asks to wait, at most a day; None where it cannot be understood."""
    if value is None:
        return None
    try:
        seconds = float(value) if value.strip().isdecimal() else (_date(value) - now).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(0.0, seconds), LONGEST_WAIT) if math.isfinite(seconds) else LONGEST_WAIT


def _date(value: str) -> datetime:
    date = parsedate_to_datetime(value)
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date


async def _beginning(response: httpx.Response, limit: int) -> bytes:
    content = bytearray()
    async for chunk in response.aiter_raw(_CHUNK):
        content += chunk
        if len(content) >= limit:
            break
    return bytes(content[:limit])


def _decoded(content: bytes, encoding: str, limit: int) -> bytes:
    """Decompress what came compressed although that was not asked for, and never more than the bound."""
    if encoding.strip().lower() not in {"gzip", "x-gzip", "deflate"}:
        return content
    try:
        return zlib.decompressobj(wbits=47).decompress(content, limit)
    except zlib.error:  # it is not what it says; the bytes show what it is
        return content


def _charset(response: httpx.Response) -> str:
    charset = response.charset_encoding or "utf-8"
    try:
        "".encode(charset)
    except LookupError:  # nobody has heard of it
        return "utf-8"
    return charset


def _parsed(text: str, shown: str, kind: str) -> Any:
    if "json" not in kind:
        return shown
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # it is not what it says; the text shows what it is
        return shown
