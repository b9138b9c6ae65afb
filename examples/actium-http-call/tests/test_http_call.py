"""The flavor against a real server on this machine, through a whole application."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from actium import Actium, Event, ExecutionStatus, TriggerExecutionResponse
from actium.errors import InvalidConfigurationError
from actium.models import ActionRequest, ActionResponse, ServiceAccountRequest, TriggerRequest


class Endpoint(HTTPServer):
    """Answers as a test wants, and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.asked: list[dict[str, Any]] = []
        self.status, self.text, self.kind = 200, '{"ok": true}', "application/json"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/refresh"


class Answer(BaseHTTPRequestHandler):
    """One request to the endpoint."""

    server: Endpoint

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append(
            {"method": self.command, "headers": dict(self.headers), "body": json.loads(body or b"null")}
        )
        self.send_response(self.server.status)
        if self.server.status == 302:
            self.send_header("Location", self.server.url)
        self.send_header("Content-Type", self.server.kind)
        self.end_headers()
        self.wfile.write(self.server.text.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as endpoint:
        thread = threading.Thread(target=endpoint.serve_forever)
        thread.start()
        yield endpoint
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


def run(app: Actium, data: Any = None) -> TriggerExecutionResponse:
    app.events.publish(Event(type="com.example.arrived", source="/a", data=data))
    app.worker().run_until_idle()
    return app.executions.list(hydrate=True).items[0]


def on_every_event(app: Actium, made: ActionResponse) -> None:
    app.triggers.create(TriggerRequest(name="every", action_id=made.id, match_all=True))


def test_posts_the_events_data(app: Actium, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event's data is posted with the secret header and the execution's id, and the answer is the result."""
    monkeypatch.setenv("DASHBOARD_TOKEN", "Bearer t0ken")
    on_every_event(app, action(app, url=endpoint.url, headers={"Authorization": "env:DASHBOARD_TOKEN"}))
    execution = run(app, {"rows": 344})
    assert execution.status is ExecutionStatus.SUCCEEDED, execution.reason
    assert (execution.result["status"], execution.result["answer"]) == (200, {"ok": True})
    (asked,) = endpoint.asked
    assert asked["body"] == {"rows": 344}
    assert asked["headers"]["Authorization"] == "Bearer t0ken"
    assert asked["headers"]["Idempotency-Key"] == str(execution.id)


def test_posts_the_configured_body(app: Actium, endpoint: Endpoint) -> None:
    """A configured body is posted in place of the event's data; a long answer is cut."""
    endpoint.text, endpoint.kind = "x" * 5_000, "text/plain"
    on_every_event(app, action(app, url=endpoint.url, body={"fixed": 1}))
    assert len(run(app).result["answer"]) == 2_000
    assert endpoint.asked[0]["body"] == {"fixed": 1}


@pytest.mark.parametrize("status", [302, 500])
def test_an_unexpected_status_fails(app: Actium, endpoint: Endpoint, status: int) -> None:
    """A status that is not expected fails the execution with the answer; redirects are not followed."""
    endpoint.status, endpoint.text = status, "out of order"
    on_every_event(app, action(app, url=endpoint.url))
    execution = run(app)
    assert execution.status is ExecutionStatus.FAILED
    assert f"answered {status}" in str(execution.reason)
    assert "out of order" in str(execution.reason)
    assert len(endpoint.asked) == 1


@pytest.mark.parametrize(
    "configuration, path",
    [
        ({"url": "ftp://x"}, "url"),
        ({"url": "http://x", "metod": "GET"}, "metod"),
        ({"url": "http://x", "headers": {"Authorization": "Bearer literal"}}, "headers.Authorization"),
        ({"url": "http://x", "timeout": 0}, "timeout"),
    ],
)
def test_what_cannot_work_is_refused(app: Actium, configuration: dict[str, Any], path: str) -> None:
    """Wrong configurations are refused with the field's path when the action is created."""
    with pytest.raises(InvalidConfigurationError) as caught:
        action(app, **configuration)
    assert [problem.path for problem in caught.value.problems] == [path]
