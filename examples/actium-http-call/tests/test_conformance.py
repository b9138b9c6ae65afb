"""The flavor keeps the rules that every flavor has to keep."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from pytest_actium import FlavorConformance


class Answer(BaseHTTPRequestHandler):
    """Answers what is asked: at once, or for ``/never`` not before the test is over."""

    over: threading.Event

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/never":
            self.over.wait(30)
        self.send_response(200 if self.path == "/works" else 500)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""


class Endpoint(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that were cancelled leave before they have an answer."""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    Answer.over = threading.Event()
    with Endpoint(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        Answer.over.set()
        server.shutdown()
        thread.join()


class TestHttpCall(FlavorConformance):
    FLAVOR = "http_call.request"
    INVALID: ClassVar[dict[str, dict[str, Any]]] = {
        "method": {"url": "http://127.0.0.1/", "method": "BREW"},
        "url": {"url": "http://ada:secret@127.0.0.1/"},
        "headers": {"url": "http://127.0.0.1/", "headers": {"Idempotency-Key": "env:MINE"}},
        "expected_status[0]": {"url": "http://127.0.0.1/", "expected_status": [42]},
        "timeout": {"url": "http://127.0.0.1/", "timeout": 0},
    }

    @pytest.fixture
    def configuration(self, endpoint: str) -> dict[str, Any]:
        return {"url": f"{endpoint}/works", "headers": {"Authorization": "env:HTTP_CALL_TOKEN"}, "body": {"a": 1}}

    @pytest.fixture
    def other_configuration(self, endpoint: str) -> dict[str, Any]:
        return {"url": f"{endpoint}/works", "expected_status": [200]}

    @pytest.fixture
    def lasting_configuration(self, endpoint: str) -> dict[str, Any]:
        return {"url": f"{endpoint}/never"}

    @pytest.fixture
    def failing_configuration(self, endpoint: str) -> dict[str, Any]:
        return {"url": f"{endpoint}/fails"}
