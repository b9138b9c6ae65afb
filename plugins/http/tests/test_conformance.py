"""The flavor against the conformance suite, with a real server on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from pytest_actium import FlavorConformance

if TYPE_CHECKING:
    from conftest import Endpoint

LOOPBACK = ["127.0.0.0/8"]


class TestHttpRequestConformance(FlavorConformance):
    FLAVOR = "http.request"
    INVALID: ClassVar[Mapping[str, Any]] = {
        "url": {"url": "http://127.0.0.1/"},
        "headers": {"url": "http://x", "headers": {"Authorization": "Bearer literal"}},
        "secret_headers.X-Key": {"url": "http://x", "secret_headers": {"X-Key": "literal"}},
        "bearer_token": {"url": "http://x", "bearer_token": "literal"},
        "text_body": {"url": "http://x", "json_body": 1, "text_body": "1"},
        "expected_status[0]": {"url": "http://x", "expected_status": [20]},
    }
    EVENT_DATA: ClassVar[Mapping[str, Any]] = {"rows": 3}
    NOT_SECRET = ("send_access_token",)

    @pytest.fixture
    def configuration(self, endpoint: Endpoint) -> dict[str, Any]:
        return {
            "method": "POST",
            "url": f"{endpoint.url}/",
            "body_from": "data",
            "secret_headers": {"X-Key": "env:CONFORMANCE_KEY"},
            "allowed_networks": LOOPBACK,
        }

    @pytest.fixture
    def other_configuration(self, endpoint: Endpoint) -> dict[str, Any]:
        return {"url": f"{endpoint.url}/other", "allowed_networks": LOOPBACK, "timeout": 5.0}

    @pytest.fixture
    def lasting_configuration(self, endpoint: Endpoint) -> Mapping[str, Any]:
        endpoint.answers.clear()
        return {"url": f"{endpoint.url}/", "allowed_networks": LOOPBACK, "timeout": 1000.0}

    @pytest.fixture
    def failing_configuration(self, endpoint: Endpoint) -> dict[str, Any]:
        endpoint.reply(404, b"not here", path="/missing")
        return {"url": f"{endpoint.url}/missing", "allowed_networks": LOOPBACK}
