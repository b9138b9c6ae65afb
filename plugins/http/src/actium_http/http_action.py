"""The flavor ``http.request``."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from actium.actions.base_action import ActionConfig, BaseActionFlavor, BaseActionHandler
from actium.auth.context import AuthContext
from actium.errors import PermanentError, Retry
from actium.models.event import Event
from actium.models.execution import TriggerExecutionResponse
from actium_http.configuration import IDEMPOTENCY_KEY, HttpRequestConfig, header_value_problem
from actium_http.errors import (
    RequestFailedError,
    RequestRefusedError,
    RequestTimeoutError,
    UnexpectedStatusError,
)

if TYPE_CHECKING:
    import ssl

    from actium_http.answers import Answer

TOLD_CHARACTERS = 2_000
"""How much of an answer the reason of a failure tells."""

_ASKS_TO_WAIT = frozenset({429, 503})
_MAY_PASS = frozenset({408, 425, 429})
"""Statuses among 4xx that say something of this moment, not of the request."""


class HttpRequestActionHandler(BaseActionHandler):
    """Sends requests, on the event loop that all coroutines share."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._tls: ssl.SSLContext | None = None

    @property
    def config_class(self) -> type[HttpRequestConfig]:
        """The model of this flavor's configurations."""
        return HttpRequestConfig

    @property
    def flavor_class(self) -> type[HttpRequestActionFlavor]:
        """The flavor that names this handler."""
        return HttpRequestActionFlavor

    async def run(
        self, config: HttpRequestConfig, trigger_execution: TriggerExecutionResponse, auth_context: AuthContext
    ) -> dict[str, Any]:
        """Send the request once, and follow its redirects.

        Raises:
            Retry: The endpoint says when to come again.
            RequestRefusedError: It answered with another 4xx, or a redirect that is not followed.
            UnexpectedStatusError: It answered with another status that is not expected.
            ForbiddenAddressError: It is where nothing may be sent to.
            RequestFailedError, RequestTimeoutError: It did not answer, or not in time.
        """
        import asyncio

        from actium_http.exchange import exchange

        secret_headers = _secret_headers(config, auth_context)
        where = f"{config.method} {_without_query(config)}"
        try:
            async with asyncio.timeout(config.timeout):
                answer = await exchange(
                    config,
                    headers={**config.headers, IDEMPOTENCY_KEY: str(trigger_execution.id)},
                    secret_headers=secret_headers,
                    body=_body(config, trigger_execution.event),
                    secrets=_secrets(secret_headers),
                    tls=self._tls_context(),
                )
        except TimeoutError as error:
            raise RequestTimeoutError(f"{where} took longer than {config.timeout:g} seconds.") from error
        except ConnectionError as error:
            raise RequestFailedError(f"{where} failed: {error}") from error
        if not config.expects(answer.status):
            raise _failure(where, answer)
        return {
            "status": answer.status,
            "url": answer.url,
            "headers": answer.headers,
            "body": answer.body,
            "truncated": answer.is_cut,
        }

    def _tls_context(self) -> ssl.SSLContext:
        """What authorities are trusted; reading them takes longer than many a request, so it is done once."""
        import httpx

        with self._lock:
            if self._tls is None:
                self._tls = httpx.create_ssl_context()
            return self._tls


class HttpRequestActionFlavor(BaseActionFlavor):
    """Sends an HTTP request, and none to private addresses unless they are allowed."""

    SUBTYPE: ClassVar[str] = "http"
    FLAVOR: ClassVar[str] = "request"
    PLUGIN_CLASS: ClassVar[type[BaseActionHandler]] = HttpRequestActionHandler
    ACTION_CONFIG_CLASS: ClassVar[type[ActionConfig]] = HttpRequestConfig


def _secret_headers(config: HttpRequestConfig, auth_context: AuthContext) -> dict[str, str]:
    """The headers that only the configured endpoint may see, and no other that it redirects to."""
    headers = {name: secret.get_secret_value() for name, secret in config.secret_headers.items()}
    if config.bearer_token is not None:
        headers["Authorization"] = f"Bearer {config.bearer_token.get_secret_value()}"
    if config.send_access_token:
        headers["Authorization"] = f"Bearer {auth_context.access_token.get_secret_value()}"
    for name, value in headers.items():
        problem = header_value_problem(value)
        if problem is not None:
            raise PermanentError(f"The secret header {name} {problem}.", hint="Look at what the reference leads to.")
    return headers


def _secrets(secret_headers: Mapping[str, str]) -> Sequence[str]:
    return [*secret_headers.values(), *(value.removeprefix("Bearer ") for value in secret_headers.values())]


def _body(config: HttpRequestConfig, event: Event | None) -> tuple[str, bytes] | None:
    """The body's media type and content."""
    if config.text_body is not None:
        return "text/plain; charset=utf-8", config.text_body.encode()
    if config.json_body is not None:
        return "application/json", _json(config.json_body)
    if config.body_from is None or event is None:
        return None
    if config.body_from == "data":
        return "application/json", _json(event.data)
    whole = {name: value for name, value in event.model_dump(mode="json").items() if value is not None}
    return "application/cloudevents+json; charset=utf-8", _json(whole)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(errors="replace")


def _without_query(config: HttpRequestConfig) -> str:
    return str(config.url).partition("?")[0].partition("#")[0]


def _failure(where: str, answer: Answer) -> Exception:
    from actium_http.answers import retry_after

    said = f" It said: {answer.text[:TOLD_CHARACTERS]}" if answer.text.strip() else ""
    message = f"{where} answered {answer.status}.{said}"
    if answer.status in _ASKS_TO_WAIT:
        after = retry_after(answer.headers.get("retry-after"), now=datetime.now(UTC))
        if after is not None:
            return Retry(message, after=after)
    if 300 <= answer.status < 400:
        return RequestRefusedError(
            f"{where} answered {answer.status}, a redirect to {answer.headers.get('location', 'nowhere')}.",
            hint="Configure that URL, or let `max_redirects` follow it.",
        )
    if 400 <= answer.status < 500 and answer.status not in _MAY_PASS:
        return RequestRefusedError(message)
    return UnexpectedStatusError(message)
