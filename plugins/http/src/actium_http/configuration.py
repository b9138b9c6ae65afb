"""What a request is configured with."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    HttpUrl,
    IPvAnyNetwork,
    JsonValue,
    SecretStr,
    ValidationInfo,
    field_validator,
)

from actium.actions.base_action import ActionConfig
from actium.auth.secret_references import RESOLVERS
from actium_http.addresses import is_allowed, literal_address

IDEMPOTENCY_KEY = "Idempotency-Key"
MAX_RESPONSE_BYTES = 131_072

_SECRETIVE = frozenset({"authorization", "cookie", "proxy-authorization", "x-api-key", "x-auth-token"})
_OURS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "idempotency-key",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

NamesT = TypeVar("NamesT", bound=dict[str, Any])


def _header_name(name: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise ValueError("must be the name of a header: letters, digits and hyphens")
    return name


def header_value_problem(value: str) -> str | None:
    """Why a text cannot be the value of a header; None where it can."""
    if not value.isascii() or not value.replace("\t", " ").isprintable():
        return "must be printable ASCII without line breaks"
    return None


def _header_value(value: str) -> str:
    problem = header_value_problem(value)
    if problem is not None:
        raise ValueError(problem)
    return value


HeaderName = Annotated[str, Field(max_length=255), AfterValidator(_header_name)]
HeaderValue = Annotated[str, AfterValidator(_header_value)]
StatusCode = Annotated[int, Field(ge=200, le=599)]
QueryValue = str | int | float | bool | list[str]


class HttpRequestConfig(ActionConfig):
    """Which request to send, and what to expect."""

    model_config = ConfigDict(extra="forbid")

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = Field(
        default="GET", description="The HTTP method."
    )
    allowed_networks: list[IPvAnyNetwork] = Field(
        default_factory=list,
        description="Networks that are not public, such as 10.1.0.0/16, which the request and its redirects may go to "
        "all the same.",
    )
    url: HttpUrl = Field(description="Where to send it; without credentials, which belong into headers.")
    query: dict[str, QueryValue] = Field(
        default_factory=dict, description="Parameters to add to the URL; a list gives one several times. No secrets."
    )
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict, description="Headers that are no secrets.")
    secret_headers: dict[HeaderName, SecretStr] = Field(
        default_factory=dict,
        description="Headers that are secrets, each a reference such as env:NAME or file:PATH to the whole value.",
    )
    bearer_token: SecretStr | None = Field(
        default=None, description="A reference to a token that is sent as `Authorization: Bearer ...`."
    )
    send_access_token: bool = Field(
        default=False, description="Whether to send the execution's own token as `Authorization: Bearer ...`."
    )
    json_body: JsonValue = Field(default=None, description="A body that is sent as JSON.")
    text_body: str | None = Field(default=None, description="A body that is sent as text, in UTF-8.")
    body_from: Literal["event", "data"] | None = Field(
        default=None,
        description="Sends the event as the body: whole, as CloudEvents JSON, or only its data, as JSON.",
    )
    expected_status: list[StatusCode] | None = Field(
        default=None, min_length=1, description="The statuses that mean success; every 2xx unless given."
    )
    timeout: float = Field(
        default=30.0, gt=0, le=3_600, description="Seconds that the whole may take, with redirects and the answer."
    )
    max_redirects: int = Field(
        default=0, ge=0, le=20, description="How many redirects to follow; a redirect beyond them is an answer."
    )
    max_response_bytes: int = Field(
        default=16_384, ge=0, le=MAX_RESPONSE_BYTES, description="How many bytes of the answer are read and kept."
    )

    @field_validator("url")
    @classmethod
    def _may_be_sent_to(cls, url: HttpUrl, info: ValidationInfo) -> HttpUrl:
        if url.username or url.password:
            raise ValueError("must not hold credentials, which would be stored; use `secret_headers`")
        address = literal_address(url.host or "")
        if address is not None and not is_allowed(address, info.data.get("allowed_networks", ())):
            raise ValueError(f"leads to {address}, which is not public; allow it with `allowed_networks`")
        return url

    @field_validator("headers", "secret_headers")
    @classmethod
    def _leave_what_is_set(cls, headers: NamesT) -> NamesT:
        _refuse(headers, _OURS, "is set by Actium")
        names = [name.lower() for name in headers]
        if len(set(names)) < len(names):
            raise ValueError("must not hold one header in several spellings")
        return headers

    @field_validator("headers")
    @classmethod
    def _holds_no_secrets(cls, headers: dict[str, str]) -> dict[str, str]:
        _refuse(headers, _SECRETIVE, "is a secret, which would be stored; move it to `secret_headers`")
        for name, value in headers.items():
            scheme, colon, rest = value.partition(":")
            if colon and rest and scheme in RESOLVERS:
                raise ValueError(f"{name} refers to a secret, but would be sent as it is; move it to `secret_headers`")
        return headers

    @field_validator("secret_headers")
    @classmethod
    def _given_once(cls, headers: dict[str, SecretStr], info: ValidationInfo) -> dict[str, SecretStr]:
        others = {name.lower() for name in info.data.get("headers", {})}
        _refuse(headers, others, "stands under `headers`, too")
        return headers

    @field_validator("bearer_token", "send_access_token")
    @classmethod
    def _authorizes_once(cls, given: Any, info: ValidationInfo) -> Any:
        has_header = any(name.lower() == "authorization" for name in info.data.get("secret_headers", {}))
        if given and (has_header or (info.field_name == "send_access_token" and info.data.get("bearer_token"))):
            raise ValueError("would be a second Authorization header")
        return given

    @field_validator("text_body", "body_from")
    @classmethod
    def _one_body(cls, given: str | None, info: ValidationInfo) -> str | None:
        others = [name for name in ("json_body", "text_body") if name != info.field_name]
        both = [name for name in others if info.data.get(name) is not None]
        if given is not None and both:
            raise ValueError(f"would be a second body: there is `{both[0]}`")
        return given

    def expects(self, status: int) -> bool:
        """Whether a status means success."""
        return 200 <= status < 300 if self.expected_status is None else status in self.expected_status


def _refuse(headers: Iterable[str], refused: Iterable[str], why: str) -> None:
    names = {*refused}
    found = [name for name in headers if name.lower() in names]
    if found:
        raise ValueError(f"{', '.join(found)} {why}")
