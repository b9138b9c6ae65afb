"""Redirects: followed as far as configured, checked like every request, and told no secrets that are not theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from actium import ExecutionStatus, TriggerExecutionResponse

if TYPE_CHECKING:
    from conftest import Endpoint

Run = Callable[..., TriggerExecutionResponse]


def test_redirects_are_not_followed_unless_configured(run: Run, endpoint: Endpoint) -> None:
    """A redirect fails for good, and the reason tells where it leads."""
    endpoint.reply(302, Location="/there")
    execution = run(url=endpoint.url, run_policy={"max_attempts": 3})
    assert (execution.status, execution.attempt) == (ExecutionStatus.FAILED, 1)
    assert "answered 302, a redirect to /there" in str(execution.reason)
    assert len(endpoint.asked) == 1


@pytest.mark.parametrize(
    "status, method, body", [(301, "GET", b""), (303, "GET", b""), (307, "POST", b"[1]"), (308, "POST", b"[1]")]
)
def test_redirects_are_followed(run: Run, endpoint: Endpoint, status: int, method: str, body: bytes) -> None:
    """A redirect is followed with the method and body that its status asks for, and the result tells where it led."""
    endpoint.reply(status, Location="/there")
    endpoint.reply(200, b"here", path="/there")
    execution = run(url=endpoint.url, method="POST", json_body=[1], max_redirects=1)
    assert (execution.result["url"], execution.result["body"]) == (f"{endpoint.url}/there", "here")
    followed = endpoint.asked[1]
    assert (followed.method, followed.body) == (method, body)
    assert followed.headers["Idempotency-Key"] == str(execution.id)


def test_redirects_beyond_the_number_are_answers(run: Run, endpoint: Endpoint) -> None:
    """After as many redirects as are configured the next one is not followed."""
    endpoint.reply(302, Location="/")
    execution = run(url=endpoint.url, max_redirects=3)
    assert "a redirect to /" in str(execution.reason)
    assert len(endpoint.asked) == 4


def test_secrets_stay_with_their_endpoint(
    run: Run, make_endpoint: Callable[[], Endpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Secret headers follow a redirect within the endpoint, and not to another one."""
    monkeypatch.setenv("KEY", "s3cr3t")
    first, second = make_endpoint(), make_endpoint()
    first.reply(307, Location="/within")
    first.reply(307, Location=f"{second.url}/other", path="/within", Set_Cookie="session=1")
    execution = run(
        url=first.url,
        secret_headers={"X-Api-Key": "env:KEY"},
        bearer_token="env:KEY",
        headers={"X-Plain": "1"},
        max_redirects=5,
    )
    assert execution.status is ExecutionStatus.SUCCEEDED, execution.reason
    assert [asked.headers.get("X-Api-Key") for asked in first.asked] == ["s3cr3t", "s3cr3t"]
    assert [asked.headers.get("Authorization") for asked in first.asked] == ["Bearer s3cr3t"] * 2
    (other,) = second.asked
    assert {"X-Api-Key", "Authorization", "Cookie"}.isdisjoint(other.headers)
    assert other.headers["X-Plain"] == "1"
    assert other.headers["Host"] == f"127.0.0.1:{second.server_port}"


@pytest.mark.parametrize(
    "location",
    ["http://127.0.0.2/", "http://[::1]/", "http://169.254.169.254/latest/meta-data/", "//0.0.0.0/"],
)
def test_redirects_to_private_addresses_are_refused(run: Run, endpoint: Endpoint, location: str) -> None:
    """A redirect to an address that is not allowed is refused for good, even from an endpoint that is allowed."""
    endpoint.reply(302, Location=location)
    execution = run(
        url=endpoint.url, allowed_networks=["127.0.0.1/32"], max_redirects=5, run_policy={"max_attempts": 3}
    )
    assert (execution.status, execution.attempt) == (ExecutionStatus.FAILED, 1)
    assert "ForbiddenAddressError" in str(execution.reason)


@pytest.mark.parametrize("location", ["ftp://127.0.0.1/", "file:///etc/passwd", "data:text/plain,hello"])
def test_redirects_to_what_is_no_http_are_refused(run: Run, endpoint: Endpoint, location: str) -> None:
    """A redirect to another scheme is refused for good."""
    endpoint.reply(302, Location=location)
    execution = run(url=endpoint.url, max_redirects=5, run_policy={"max_attempts": 3})
    assert (execution.status, execution.attempt) == (ExecutionStatus.FAILED, 1), execution.reason
    assert "RequestRefusedError" in str(execution.reason)
