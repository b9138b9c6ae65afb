"""Requests through a whole application, to a real server on this machine."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from actium import Actium, Event, ExecutionStatus, TriggerExecutionResponse
from actium.errors import InvalidConfigurationError
from actium.models import ActionResponse

if TYPE_CHECKING:
    from conftest import Endpoint

Run = Callable[..., TriggerExecutionResponse]
LOOPBACK = ["127.0.0.0/8"]
SECONDS = 30.0
EVENT = Event(type="com.example.arrived", source="/a", data={"rows": 3, "who": "Zoë"}, priority=7)


def test_a_request_is_sent_and_its_answer_kept(run: Run, endpoint: Endpoint) -> None:
    """The result has status, some headers and the JSON of the answer."""
    endpoint.reply(
        201, b'{"id": 7}', Content_Type="application/json", ETag='"a"', Set_Cookie="session=1", X_Internal="i"
    )
    execution = run(url=endpoint.url, method="PUT", headers={"X-Mode": "dry"})
    assert execution.result == {
        "status": 201,
        "url": f"{endpoint.url}/",
        "headers": {"content-type": "application/json", "etag": '"a"'},
        "body": {"id": 7},
        "truncated": False,
    }, execution.reason
    (asked,) = endpoint.asked
    assert (asked.method, asked.body) == ("PUT", b"")
    assert asked.headers["X-Mode"] == "dry"
    assert asked.headers["Idempotency-Key"] == str(execution.id)


def test_the_query_is_added(run: Run, endpoint: Endpoint) -> None:
    """Parameters are added to those of the URL, escaped; a list gives one several times; a fragment is not sent."""
    run(url=f"{endpoint.url}/find?a=1#part", query={"b": "x y&z", "c": ["1", "2"], "d": True})
    assert endpoint.asked[0].path == "/find?a=1&b=x+y%26z&c=1&c=2&d=true"


@pytest.mark.parametrize(
    "configuration, kind, body",
    [
        ({"json_body": {"a": ["ü"]}}, "application/json", {"a": ["ü"]}),
        ({"json_body": [1]}, "application/json", [1]),
        ({"text_body": "grüß\n"}, "text/plain; charset=utf-8", "grüß\n"),
        ({"body_from": "data"}, "application/json", {"rows": 3, "who": "Zoë"}),
        ({"body_from": "event"}, "application/cloudevents+json; charset=utf-8", EVENT),
        ({"text_body": "a,b", "headers": {"content-type": "text/csv"}}, "text/csv", "a,b"),
    ],
    ids=["object", "list", "text", "data", "event", "other type"],
)
def test_bodies_are_sent_with_their_type(
    run: Run, endpoint: Endpoint, configuration: dict[str, Any], kind: str, body: Any
) -> None:
    """A body is sent as JSON, text, the event or its data, with the media type that says so."""
    run(url=endpoint.url, method="POST", event=EVENT, **configuration)
    (asked,) = endpoint.asked
    types = [value for name, value in asked.headers.items() if name.lower() == "content-type"]
    assert types == [kind]
    text = asked.body.decode()
    if isinstance(body, Event):
        assert Event.model_validate_json(text) == body
    else:
        assert (text if isinstance(body, str) else json.loads(text)) == body


def test_without_an_event_there_is_no_body(run: Run, endpoint: Endpoint) -> None:
    """A run by hand without an event sends no body in its place."""
    run(url=endpoint.url, method="POST", body_from="event")
    assert endpoint.asked[0].body == b""


def test_secrets_are_sent_and_masked(run: Run, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Secret headers reach the endpoint, and are masked where it repeats them."""
    monkeypatch.setenv("KEY", "s3cr3t key")
    endpoint.reply(500, b"who is s3cr3t key?", X_Request_Id="s3cr3t key")
    execution = run(url=endpoint.url, secret_headers={"X-Api-Key": "env:KEY"})
    assert endpoint.asked[0].headers["X-Api-Key"] == "s3cr3t key"
    assert "who is **********?" in str(execution.reason)
    assert "s3cr3t" not in execution.model_dump_json()


def test_a_bearer_token_is_sent(run: Run, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token is sent as the authorization, and masked without the word before it, too."""
    monkeypatch.setenv("KEY", "abcdef")
    endpoint.reply(200, b"your token is abcdef")
    execution = run(url=endpoint.url, bearer_token="env:KEY")
    assert endpoint.asked[0].headers["Authorization"] == "Bearer abcdef"
    assert execution.result["body"] == "your token is **********"


def test_the_executions_token_is_sent_when_asked_for(app: Actium, run: Run, endpoint: Endpoint) -> None:
    """The token of the service account is sent only where that is configured, and is valid."""
    execution = run(url=endpoint.url, send_access_token=True)
    token = endpoint.asked[0].headers["Authorization"].removeprefix("Bearer ")
    assert app.auth.verify(token).execution_id == execution.id


def test_a_secret_that_is_no_header_is_not_sent(run: Run, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret with a line break, which would be a header of its own, fails before anything is sent."""
    monkeypatch.setenv("KEY", "abc\r\nX-Other: 1")
    execution = run(url=endpoint.url, secret_headers={"X-Api-Key": "env:KEY"}, run_policy={"max_attempts": 3})
    assert (execution.status, execution.attempt) == (ExecutionStatus.FAILED, 1)
    assert "The secret header X-Api-Key must be printable" in str(execution.reason)
    assert not endpoint.asked


@pytest.mark.parametrize(
    "kind, content, body",
    [
        ("text/plain", b"thank you", "thank you"),
        ("text/plain; charset=latin-1", b"merci \xe0 vous", "merci à vous"),
        ("text/plain; charset=klingon", b"nuq", "nuq"),
        ("text/plain; charset=base64", b"nuq", "nuq"),
        ("text/plain", b"\xff\x00", "\ufffd\ufffd"),
        ("application/problem+json", b'{"a": [1]}', {"a": [1]}),
        ("application/json", b"{not json", "{not json"),
        ("application/json", b"[" * 9_000, "[" * 9_000),
        ("application/json", b"", ""),
    ],
)
def test_answers_are_kept(run: Run, endpoint: Endpoint, kind: str, content: bytes, body: Any) -> None:
    """JSON is kept as such, all else as text; no answer makes a successful request fail."""
    endpoint.reply(200, content, Content_Type=kind)
    execution = run(url=endpoint.url)
    assert execution.status is ExecutionStatus.SUCCEEDED, execution.reason
    assert execution.result["body"] == body


def test_a_long_answer_is_cut(run: Run, endpoint: Endpoint) -> None:
    """Of a long answer only the beginning is read, and that it was cut is told."""
    endpoint.reply(200, b'["' + b"x" * 5_000_000 + b'"]', Content_Type="application/json")
    result = run(url=endpoint.url, max_response_bytes=10).result
    assert (result["body"], result["truncated"]) == ('["xxxxxxxx', True)


def test_the_largest_answer_can_be_stored(run: Run, endpoint: Endpoint) -> None:
    """However an answer looks, a result within the bound is kept."""
    endpoint.reply(200, bytes([1]) * 200_000)
    execution = run(url=endpoint.url, max_response_bytes=131_072)
    assert execution.status is ExecutionStatus.SUCCEEDED, execution.reason


@pytest.mark.parametrize("before", range(0, 30, 3))
def test_a_secret_is_not_cut_in_two(run: Run, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, before: int) -> None:
    """Where an answer is cut in the middle of a secret, no piece of the secret is left."""
    monkeypatch.setenv("KEY", "QWERTZUIOPASDFGHJKL")
    endpoint.reply(200, b"x" * before + b"QWERTZUIOPASDFGHJKL" * 100)
    body = run(url=endpoint.url, secret_headers={"X-Key": "env:KEY"}, max_response_bytes=25).result["body"]
    assert set(body) <= {"x", "*"}


def test_a_compressed_bomb_is_bounded(run: Run, endpoint: Endpoint) -> None:
    """An answer that comes compressed, though that was not asked for, is unpacked up to the bound."""
    endpoint.reply(200, gzip.compress(b"x" * 50_000_000), Content_Encoding="gzip")
    result = run(url=endpoint.url, max_response_bytes=100).result
    assert (result["body"], result["truncated"]) == ("x" * 100, True)
    assert endpoint.asked[0].headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    "status, kind, is_permanent",
    [
        (304, "RequestRefusedError", True),
        (400, "RequestRefusedError", True),
        (401, "RequestRefusedError", True),
        (404, "RequestRefusedError", True),
        (408, "UnexpectedStatusError", False),
        (425, "UnexpectedStatusError", False),
        (429, "UnexpectedStatusError", False),
        (500, "UnexpectedStatusError", False),
        (503, "UnexpectedStatusError", False),
    ],
)
def test_statuses_say_whether_to_try_again(
    run: Run, endpoint: Endpoint, status: int, kind: str, is_permanent: bool
) -> None:
    """What is wrong with the request is not tried again; what is wrong with the moment is, as the run policy says."""
    endpoint.reply(status, b"" if status == 304 else b"out of order")
    policy = {"max_attempts": 2, "backoff": {"base": 0.000_001, "jitter": False}}
    execution = run(url=endpoint.url, run_policy=policy)
    assert execution.status is ExecutionStatus.FAILED
    assert execution.error is not None
    assert execution.error.type == kind
    assert f"GET {endpoint.url}/ answered {status}" in str(execution.reason)
    assert len(endpoint.asked) == (1 if is_permanent else 2)
    assert {asked.headers["Idempotency-Key"] for asked in endpoint.asked} == {str(execution.id)}


@pytest.mark.parametrize("status", [429, 503])
def test_an_endpoint_may_say_when_to_come_again(run: Run, endpoint: Endpoint, status: int) -> None:
    """Retry-After decides when the next attempt is made, whatever the run policy's backoff."""
    endpoint.reply(status, b"busy", Retry_After="3600")
    execution = run(url=endpoint.url, run_policy={"max_attempts": 2, "retry_on": [], "backoff": {"base": 0.001}})
    assert execution.status is ExecutionStatus.PENDING
    assert len(endpoint.asked) == 1
    available, begun = execution.body.available, execution.body.started
    assert available is not None
    assert begun is not None
    assert 3_600 <= (available - begun).total_seconds() < 3_630


def test_a_status_may_be_expected(run: Run, endpoint: Endpoint) -> None:
    """Which statuses mean success is configured; others do not, not even 200."""
    endpoint.reply(404, path="/gone")
    assert run(url=f"{endpoint.url}/gone", expected_status=[404]).result["status"] == 404


def test_only_what_is_expected_succeeds(run: Run, endpoint: Endpoint) -> None:
    """Where a status is expected, another of 2xx fails."""
    assert run(url=endpoint.url, expected_status=[204]).status is ExecutionStatus.FAILED


def test_an_endpoint_that_does_not_answer_fails(run: Run, endpoint: Endpoint) -> None:
    """The whole has a time limit, and the reason says which."""
    endpoint.answers.clear()
    execution = run(url=endpoint.url, timeout=0.1)
    assert execution.reason == f"RequestTimeoutError: GET {endpoint.url}/ took longer than 0.1 seconds."


def test_an_endpoint_that_is_not_there_is_tried_again(run: Run) -> None:
    """Where nobody listens, the execution fails as a ConnectionError, which a run policy can name."""
    policy = {"max_attempts": 2, "retry_on": ["ConnectionError"], "backoff": {"base": 0.000_001, "jitter": False}}
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        execution = run(url=f"http://127.0.0.1:{taken.getsockname()[1]}/", run_policy=policy)
    assert (execution.status, execution.attempt) == (ExecutionStatus.FAILED, 2)
    assert "RequestFailedError" in str(execution.reason)


def test_an_answer_that_breaks_off_fails(run: Run, endpoint: Endpoint) -> None:
    """An answer that ends before it is whole fails the execution."""
    endpoint.reply(200, b"beginning", Content_Length="100")
    execution = run(url=endpoint.url)
    assert execution.error is not None
    assert execution.error.type == "RequestFailedError"


def test_a_cancelled_request_ends(app: Actium, create: Callable[..., ActionResponse], endpoint: Endpoint) -> None:
    """Cancelling an execution ends its request at once."""
    endpoint.answers.clear()
    create(url=endpoint.url, allowed_networks=LOOPBACK)
    worker = app.worker(poll_interval=0.05)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        execution = app.actions.run("request")
        assert endpoint.begun.wait(SECONDS)
        app.executions.cancel(execution.id)
        ended = app.executions.wait(execution.id, SECONDS)
    finally:
        worker.stop(grace=0)
        thread.join()
    assert ended.status is ExecutionStatus.CANCELLED


@pytest.mark.parametrize(
    "configuration, path",
    [
        ({}, "url"),
        ({"url": "ftp://x"}, "url"),
        ({"url": "http://me:secret@x"}, "url"),
        ({"url": "http://127.0.0.1/"}, "url"),
        ({"url": "http://127.1/"}, "url"),
        ({"url": "http://2130706433/"}, "url"),
        ({"url": "http://0x7f.1/"}, "url"),
        ({"url": "http://[::1]/"}, "url"),
        ({"url": "http://x", "metod": "GET"}, "metod"),
        ({"url": "http://x", "method": "get"}, "method"),
        ({"url": "http://x", "headers": {"Authorization": "Bearer literal"}}, "headers"),
        ({"url": "http://x", "headers": {"X-Key": "env:KEY"}}, "headers"),
        ({"url": "http://x", "headers": {"Host": "y"}}, "headers"),
        ({"url": "http://x", "headers": {"A": "1", "a": "2"}}, "headers"),
        ({"url": "http://x", "headers": {"A": "1\r\nB: 2"}}, "headers.A"),
        ({"url": "http://x", "secret_headers": {"Authorization": "Bearer literal"}}, "secret_headers.Authorization"),
        ({"url": "http://x", "secret_headers": {"idempotency-key": "env:KEY"}}, "secret_headers"),
        ({"url": "http://x", "headers": {"a": "1"}, "secret_headers": {"A": "env:KEY"}}, "secret_headers"),
        ({"url": "http://x", "bearer_token": "literal"}, "bearer_token"),
        ({"url": "http://x", "secret_headers": {"authorization": "env:A"}, "bearer_token": "env:B"}, "bearer_token"),
        ({"url": "http://x", "bearer_token": "env:B", "send_access_token": True}, "send_access_token"),
        ({"url": "http://x", "json_body": 1, "text_body": "1"}, "text_body"),
        ({"url": "http://x", "json_body": 1, "body_from": "event"}, "body_from"),
        ({"url": "http://x", "expected_status": []}, "expected_status"),
        ({"url": "http://x", "expected_status": [20]}, "expected_status[0]"),
        ({"url": "http://x", "timeout": 0}, "timeout"),
        ({"url": "http://x", "allowed_networks": ["everything"]}, "allowed_networks[0]"),
    ],
)
def test_what_cannot_work_is_refused(
    create: Callable[..., ActionResponse], configuration: dict[str, Any], path: str
) -> None:
    """Wrong configurations are refused with the field's path when the action is created."""
    with pytest.raises(InvalidConfigurationError) as caught:
        create(**configuration)
    assert [problem.path for problem in caught.value.problems] == [path]
