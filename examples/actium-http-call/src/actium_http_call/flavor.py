"""The flavor ``http_call.request``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import AnyHttpUrl, ConfigDict, Field, SecretStr

from actium import ActionConfig, AuthContext, BaseActionFlavor, BaseActionHandler, TriggerExecutionResponse

if TYPE_CHECKING:
    import httpx

SHOWN_CHARACTERS = 2_000


class UnexpectedStatusError(Exception):
    """The endpoint answered with a status that was not expected."""


class HttpCallConfig(ActionConfig):
    """What to call, and what to expect.

    Attributes:
        method: The HTTP method.
        url: The endpoint.
        headers: Headers, each a reference to a secret (``env:NAME``, ``file:PATH``).
        body: The JSON body; the event's data when it is not given.
        expected_status: The statuses that count as success.
        timeout: Seconds to wait for the endpoint.
    """

    model_config = ConfigDict(extra="forbid")

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    url: AnyHttpUrl
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    body: dict[str, Any] | None = None
    expected_status: list[int] = Field(default=[200, 201, 202, 204], min_length=1)
    timeout: float = Field(default=10.0, gt=0, le=300)


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
            httpx.HTTPError: It could not be reached.
        """
        import httpx

        headers = {name: secret.get_secret_value() for name, secret in config.headers.items()}
        headers["Idempotency-Key"] = str(trigger_execution.id)
        event = trigger_execution.event
        body = config.body if config.body is not None or event is None else event.data
        async with httpx.AsyncClient(timeout=config.timeout, follow_redirects=False) as client:
            answer = await client.request(
                config.method, str(config.url), headers=headers, json=None if config.method == "GET" else body
            )
        if answer.status_code not in config.expected_status:
            raise UnexpectedStatusError(
                f"{config.method} {config.url} answered {answer.status_code}, expected one of "
                f"{config.expected_status}: {answer.text[:SHOWN_CHARACTERS]}"
            )
        return {"status": answer.status_code, "seconds": answer.elapsed.total_seconds(), "answer": _shown(answer)}


class HttpCallFlavor(BaseActionFlavor):
    """Calls an HTTP endpoint."""

    SUBTYPE = "http_call"
    FLAVOR = "request"
    PLUGIN_CLASS = HttpCallHandler
    ACTION_CONFIG_CLASS = HttpCallConfig


def _shown(answer: httpx.Response) -> Any:
    """The answer's JSON where it is short JSON, otherwise its text, cut."""
    if len(answer.text) <= SHOWN_CHARACTERS and "json" in answer.headers.get("content-type", ""):
        return answer.json()
    return answer.text[:SHOWN_CHARACTERS]
