"""An application, a real HTTP server on this machine, and actions that send requests to it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from actium import Actium, Event, TriggerExecutionResponse
from actium.models import ActionResponse

LOOPBACK = ["127.0.0.0/8"]


@dataclass
class Asked:
    """A request that the server got."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Reply:
    """What the server answers."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes = b""


class Endpoint(ThreadingHTTPServer):
    """Answers as a test wants, and remembers what it was asked.

    Attributes:
        asked: The requests so far.
        replies: The answers by path; the rest is answered with 200.
        answers: Is waited for before each answer.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[Asked] = []
        self.replies: dict[str, Reply] = {}
        self.begun = threading.Event()
        self.answers = threading.Event()
        self.answers.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def reply(self, status: int = 200, content: bytes = b"", path: str = "/", **headers: str) -> None:
        """Set the answer for a path; underscores in headers are hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.replies[path] = Reply(status, named, content)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients may leave before they have read all."""


class _Handler(BaseHTTPRequestHandler):
    server: Endpoint
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append(Asked(self.command, self.path, dict(self.headers), body))
        self.server.begun.set()
        self.server.answers.wait()
        reply = self.server.replies.get(self.path.partition("?")[0], Reply())
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if "Content-Length" not in reply.headers:
            self.send_header("Content-Length", str(len(reply.content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.content)
        self.close_connection = "Content-Length" in reply.headers

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""


for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
    setattr(_Handler, f"do_{method}", _Handler.answer)


@pytest.fixture
def make_endpoint() -> Iterator[Callable[[], Endpoint]]:
    """Start servers; they are stopped after the test."""
    started: list[tuple[Endpoint, threading.Thread]] = []

    def make() -> Endpoint:
        endpoint = Endpoint()
        thread = threading.Thread(target=endpoint.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        started.append((endpoint, thread))
        return endpoint

    yield make
    for endpoint, thread in started:
        endpoint.answers.set()
        endpoint.shutdown()
        endpoint.server_close()
        thread.join()


@pytest.fixture
def endpoint(make_endpoint: Callable[[], Endpoint]) -> Endpoint:
    return make_endpoint()


@pytest.fixture
def app(actium_app: Actium) -> Actium:
    return actium_app


@pytest.fixture
def create(create_action: Callable[..., ActionResponse]) -> Callable[..., ActionResponse]:
    def create(*, run_policy: dict[str, Any] | None = None, **configuration: Any) -> ActionResponse:
        return create_action("http.request", configuration, name="request", run_policy=run_policy or {})

    return create


@pytest.fixture
def run(
    create: Callable[..., ActionResponse], run_action: Callable[..., TriggerExecutionResponse]
) -> Callable[..., TriggerExecutionResponse]:
    """Run an action of this configuration, which may send to this machine."""

    def run(*, event: Event | None = None, **configuration: Any) -> TriggerExecutionResponse:
        return run_action(create(**{"allowed_networks": LOOPBACK, **configuration}), event=event)

    return run
