"""The flavor against a real server on this machine, through a whole application."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from actium import Actium, Event, ExecutionStatus, TriggerExecutionResponse
from actium.errors import InvalidConfigurationError
from actium.models import ActionRequest, ActionResponse, ServiceAccountRequest, TriggerRequest


class Endpoint(ThreadingHTTPServer):
    """Answers as a test wants, and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.asked: list[dict[str, Any]] = []
        self.status, self.kind = 200, "application/json"
        self.content: bytes = b'{"ok": true}'
        self.headers = {"X-Request-Id": "r-1", "X-Internal": "i"}
        self.answers = threading.Event()
        self.answers.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/refresh"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients may leave before they have read all."""


class Answer(BaseHTTPRequestHandler):
    """One request to the endpoint."""

    server: Endpoint

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append(
            {"method": self.command, "headers": dict(self.headers), "body": json.loads(body or b"null")}
        )
        self.server.answers.wait()
        self.send_response(self.server.status)
        if self.server.status == 302:
            self.send_header("Location", self.server.url)
        for name, value in {**self.server.headers, "Content-Type": self.server.kind}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.server.content)

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as endpoint:
        thread = threading.Thread(target=endpoint.serve_forever)
        thread.start()
        yield endpoint
        endpoint.answers.set()
        endpoint.shutdown()
        thread.join()


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Actium]:
    with Actium(f"sqlite:///{tmp_path / 'actium.db'}") as app:
        yield app


def action(app: Actium, **configuration: Any) -> ActionResponse:
    account = app.accounts.create(ServiceAccountRequest(name="dashboard-bot"))
    return app.actions.create(
        ActionRequest(
            name="tell-the-dashboard",
            plugin_subtype="http_call",
            flavor="request",
            service_account_id=account.id,
            configuration=configuration,
        )
    )


def run(app: Actium, data: Any = None, **configuration: Any) -> TriggerExecutionResponse:
    """Run an action of this configuration through an event with this data."""
    made = action(app, **configuration)
    app.triggers.create(TriggerRequest(name="every", action_id=made.id, match_all=True))
    app.events.publish(Event(type="com.example.arrived", source="/a", data=data))
    app.worker().run_until_idle()
    return app.executions.list(hydrate=True).items[0]


def test_posts_the_events_data(app: Actium, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event's data is posted with the secret header and the execution's id, and the answer is the result."""
    monkeypatch.setenv("DASHBOARD_TOKEN", "Bearer t0ken")
    execution = run(app, {"rows": 344}, url=endpoint.url, headers={"Authorization": "env:DASHBOARD_TOKEN"})
    assert execution.status is ExecutionStatus.SUCCEEDED, execution.reason
    assert execution.result == {
        "status": 200,
        "headers": {"content-type": "application/json", "x-request-id": "r-1"},
        "answer": {"ok": True},
    }
    (asked,) = endpoint.asked
    assert (asked["method"], asked["body"]) == ("POST", {"rows": 344})
    assert asked["headers"]["Authorization"] == "Bearer t0ken"
    assert asked["headers"]["Idempotency-Key"] == str(execution.id)


def test_posts_the_configured_body(app: Actium, endpoint: Endpoint) -> None:
    """A configured body is posted in place of the event's data."""
    run(app, {"rows": 344}, url=endpoint.url, body={"fixed": 1})
    assert endpoint.asked[0]["body"] == {"fixed": 1}


def test_a_get_has_no_body(app: Actium, endpoint: Endpoint) -> None:
    """A GET sends nothing, whatever the event holds."""
    run(app, {"rows": 344}, url=endpoint.url, method="GET")
    assert (endpoint.asked[0]["method"], endpoint.asked[0]["body"]) == ("GET", None)


def test_a_manual_run_without_an_event_works(app: Actium, endpoint: Endpoint) -> None:
    """A run by hand without an event posts no body."""
    action(app, url=endpoint.url)
    app.actions.run("tell-the-dashboard")
    app.worker().run_until_idle()
    assert app.executions.list().items[0].status is ExecutionStatus.SUCCEEDED
    assert endpoint.asked[0]["body"] is None


@pytest.mark.parametrize(
    "kind, content, shown",
    [
        ("text/plain", b"thank you", "thank you"),
        ("text/plain; charset=latin-1", b"merci \xe0 vous", "merci à vous"),
        ("text/plain", b"\xff", "\ufffd"),
        ("application/problem+json", b'{"a": [1]}', {"a": [1]}),
        ("application/json", b"{not json", "{not json"),
        ("application/json", b"", ""),
        ("application/json", b'"%s"' % (b"x" * 5_000), '"' + "x" * 1_999),
        ("text/plain", b"x" * 5_000_000, "x" * 2_000),
    ],
    ids=["text", "charset", "no text", "json", "not json", "empty", "long json", "endless"],
)
def test_answers_are_kept_short(app: Actium, endpoint: Endpoint, kind: str, content: bytes, shown: Any) -> None:
    """Short JSON is kept as such, all else as text, cut; no answer makes a successful call fail."""
    endpoint.kind, endpoint.content = kind, content
    execution = run(app, url=endpoint.url)
    assert execution.status is ExecutionStatus.SUCCEEDED, execution.reason
    assert execution.result["answer"] == shown


@pytest.mark.parametrize("status", [302, 404, 500])
def test_an_unexpected_status_fails(app: Actium, endpoint: Endpoint, status: int) -> None:
    """A status that is not expected fails the execution with the answer; redirects are not followed."""
    endpoint.status, endpoint.content, endpoint.kind = status, b"out of order", "text/plain"
    execution = run(app, url=endpoint.url)
    assert execution.status is ExecutionStatus.FAILED
    assert f"answered {status}" in str(execution.reason)
    assert "out of order" in str(execution.reason)
    assert len(endpoint.asked) == 1


def test_a_status_may_be_expected(app: Actium, endpoint: Endpoint) -> None:
    """Which statuses count as success is configured."""
    endpoint.status = 302
    execution = run(app, url=endpoint.url, expected_status=[302])
    assert (execution.status, execution.result["headers"]["location"]) == (ExecutionStatus.SUCCEEDED, endpoint.url)


def test_an_endpoint_that_does_not_answer_fails(app: Actium, endpoint: Endpoint) -> None:
    """The whole call has a limit, and the reason says which."""
    endpoint.answers.clear()
    execution = run(app, url=endpoint.url, timeout=0.05)
    assert execution.status is ExecutionStatus.FAILED
    assert f"TimeoutError: POST {endpoint.url} took longer than 0.05 seconds" in str(execution.reason)


def test_an_endpoint_that_is_not_there_fails(app: Actium) -> None:
    """An endpoint that cannot be reached fails the execution with the reason."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        execution = run(app, url=f"http://127.0.0.1:{taken.getsockname()[1]}/")
    assert execution.status is ExecutionStatus.FAILED
    assert "ConnectError" in str(execution.reason)


def test_a_secret_that_comes_back_is_masked(app: Actium, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint that repeats what it was sent does not get the secret into the record."""
    monkeypatch.setenv("DASHBOARD_TOKEN", "Bearer t0ken")
    endpoint.status, endpoint.content, endpoint.kind = 401, b"wrong: Bearer t0ken", "text/plain"
    execution = run(app, url=endpoint.url, headers={"Authorization": "env:DASHBOARD_TOKEN"})
    assert "t0ken" not in execution.model_dump_json()
    assert "wrong: **********" in str(execution.reason)


@pytest.mark.parametrize(
    "configuration, path",
    [
        ({"url": "ftp://x"}, "url"),
        ({"url": "http://me:secret@x"}, "url"),
        ({"url": "http://x", "metod": "GET"}, "metod"),
        ({"url": "http://x", "headers": {"Authorization": "Bearer literal"}}, "headers.Authorization"),
        ({"url": "http://x", "headers": {"idempotency-key": "env:KEY"}}, "headers"),
        ({"url": "http://x", "expected_status": []}, "expected_status"),
        ({"url": "http://x", "expected_status": [20]}, "expected_status[0]"),
        ({"url": "http://x", "timeout": 0}, "timeout"),
    ],
)
def test_what_cannot_work_is_refused(app: Actium, configuration: dict[str, Any], path: str) -> None:
    """Wrong configurations are refused with the field's path when the action is created."""
    with pytest.raises(InvalidConfigurationError) as caught:
        action(app, **configuration)
    assert [problem.path for problem in caught.value.problems] == [path]
