"""The flavor ``http_call.request``."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import ConfigDict, Field, HttpUrl, SecretStr, field_validator

from actium import ActionConfig, AuthContext, BaseActionFlavor, BaseActionHandler, TriggerExecutionResponse

if TYPE_CHECKING:
    import httpx

READ_BYTES = 65_536
"""How much of an answer is read at most."""

SHOWN_CHARACTERS = 2_000
"""How much of an answer's text is kept."""

KEPT_HEADERS = ("content-type", "etag", "location", "retry-after", "x-request-id")
IDEMPOTENCY_KEY = "Idempotency-Key"


class UnexpectedStatusError(Exception):
    """The endpoint answered with a status that was not expected."""


class HttpCallConfig(ActionConfig):
    """What to call, and what to expect."""

    model_config = ConfigDict(extra="forbid")

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = Field(default="POST", description="The HTTP method.")
    url: HttpUrl = Field(description="The endpoint, without credentials; those belong into headers.")
    headers: dict[str, SecretStr] = Field(
        default_factory=dict, description="Headers, each a reference to a secret (`env:NAME`, `file:PATH`)."
    )
    body: dict[str, Any] | None = Field(
        default=None, description="The JSON body; the event's data when it is not given. A GET has none."
    )
    expected_status: list[Annotated[int, Field(ge=200, le=599)]] = Field(
        default=[200, 201, 202, 204], min_length=1, description="The statuses that count as success."
    )
    timeout: float = Field(default=10.0, gt=0, le=300, description="Seconds that the whole call may take.")

    @field_validator("url")
    @classmethod
    def _refuse_credentials(cls, url: HttpUrl) -> HttpUrl:
        if url.username or url.password:
            raise ValueError("must not hold credentials, which would be stored; use an Authorization header")
        return url

    @field_validator("headers")
    @classmethod
    def _keep_the_idempotency_key(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        if any(name.lower() == IDEMPOTENCY_KEY.lower() for name in headers):
            raise ValueError(f"must not set {IDEMPOTENCY_KEY}, which is the execution's id")
        return headers


class HttpCallHandler(BaseActionHandler):
    """Calls the endpoint, and tells how it answered."""

    @property
    def config_class(self) -> type[HttpCallConfig]:
        """See `BaseActionHandler.config_class`."""
        return HttpCallConfig

    @property
    def flavor_class(self) -> type[BaseActionFlavor]:
        """See `BaseActionHandler.flavor_class`."""
        return HttpCallFlavor

    async def run(
        self, config: HttpCallConfig, trigger_execution: TriggerExecutionResponse, auth_context: AuthContext
    ) -> dict[str, Any]:
        """Call the endpoint once.

        Raises:
            UnexpectedStatusError: It answered with another status than those expected.
            TimeoutError: It did not answer in time.
            httpx.HTTPError: It could not be reached.
        """
        try:
            async with asyncio.timeout(config.timeout):
                answer, content = await _called(config, trigger_execution)
        except TimeoutError as error:
            raise TimeoutError(f"{config.method} {config.url} took longer than {config.timeout:g} seconds") from error
        shown = _shown(answer, content)
        if answer.status_code not in config.expected_status:
            raise UnexpectedStatusError(
                f"{config.method} {config.url} answered {answer.status_code}, expected one of "
                f"{config.expected_status}: {shown}"
            )
        return {
            "status": answer.status_code,
            "headers": {name: answer.headers[name] for name in KEPT_HEADERS if name in answer.headers},
            "answer": shown,
        }


class HttpCallFlavor(BaseActionFlavor):
    """Calls an HTTP endpoint."""

    SUBTYPE = "http_call"
    FLAVOR = "request"
    PLUGIN_CLASS = HttpCallHandler
    ACTION_CONFIG_CLASS = HttpCallConfig


async def _called(config: HttpCallConfig, trigger_execution: TriggerExecutionResponse) -> tuple[httpx.Response, bytes]:
    """Call the endpoint; gives its answer, and the beginning of what that holds."""
    import httpx  # only a worker needs it, not whoever lists flavors or creates actions

    headers = {name: secret.get_secret_value() for name, secret in config.headers.items()}
    headers[IDEMPOTENCY_KEY] = str(trigger_execution.id)
    content = bytearray()
    async with (
        httpx.AsyncClient(timeout=None, follow_redirects=False) as client,  # noqa: S113 - the whole call has a limit
        client.stream(config.method, str(config.url), headers=headers, json=_body(config, trigger_execution)) as answer,
    ):
        async for chunk in answer.aiter_bytes(READ_BYTES):
            content += chunk
            if len(content) >= READ_BYTES:
                break
    return answer, bytes(content[:READ_BYTES])


def _body(config: HttpCallConfig, trigger_execution: TriggerExecutionResponse) -> Any:
    if config.method == "GET":
        return None
    event = trigger_execution.event
    return config.body if config.body is not None or event is None else event.data


def _shown(answer: httpx.Response, content: bytes) -> Any:
    """The answer's JSON where it is short JSON, otherwise its text, cut."""
    text = content.decode(answer.charset_encoding or "utf-8", errors="replace")
    if len(text) <= SHOWN_CHARACTERS and "json" in answer.headers.get("content-type", ""):
        try:
            return json.loads(text)
        except ValueError:  # it is not what it says; the text shows what it is
            return text
    return text[:SHOWN_CHARACTERS]
