"""Not one secret is anywhere: every output, log, row of the store and trace file is searched for all of them."""

from __future__ import annotations

import base64
import io
import json
import logging
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from pydantic import BaseModel, Field, SecretStr
from tracing_helpers import Audit, Run, Watch

from actium import ActionConfig, Actium, AuthContext, Event, hookimpl, trace
from actium.auth.secret_references import MASK
from actium.logging import ExecutionContextFilter, JSONFormatter
from actium.tracing.chrome import chrome_trace
from actium.tracing.json_lines import json_lines
from actium.tracing.tree import tree_text

PLACES = (
    "text",
    "nested",
    "listed",
    "exception",
    "repr",
    "header",
    "url",
    "bytes",
    "key",
    "basic",
    "field",
    "log",
)
SECRETS = {place: f"Zq7-{place}/§é+{number}#SECRET" for number, place in enumerate(PLACES)}
TOLD_LATER = "Zq7-a token that was fetched"


class Nested(BaseModel):
    secrets: list[SecretStr] = []
    one: SecretStr | None = None


class Config(ActionConfig):
    """A secret for each of the places."""

    nested: Nested = Nested()
    secrets: dict[str, SecretStr] = Field(default_factory=dict)


class Shouting:
    """Shows its secret in its repr."""

    def __init__(self, secret: str) -> None:
        self.secret = secret

    def __repr__(self) -> str:
        return f"Shouting({self.secret})"


@dataclass
class Login:
    """Holds a secret in a field whose name says nothing."""

    user: str
    way_in: str


class Nosy:
    """A hook plugin that tells of everything it comes by."""

    @hookimpl(wrapper=True)
    def run_action(self, config: Config, auth_context: AuthContext) -> Any:
        token = auth_context.access_token.get_secret_value()
        with trace.span("look", config=config, token=token, text=f"Bearer {token}"):
            return (yield)


def leak(config: Config, auth_context: AuthContext) -> None:
    """Leaves each secret in its place, and fails with one."""
    secrets = {place: secret.get_secret_value() for place, secret in config.secrets.items()}
    trace.secret(TOLD_LATER)
    facts: dict[str, Any] = {
        "text": f"before {secrets['text']} after",
        "nested": {"a": {"b": [(secrets["nested"], {"c": secrets["nested"]})]}},
        "listed": [secrets["listed"], {secrets["listed"]}, (secrets["listed"],)],
        "repr": [Shouting(secrets["repr"]), repr(secrets["repr"]), json.dumps(secrets["repr"])],
        "header": [{"X-Anything": secrets["header"]}, [("Authorization", "Bearer of something else")]],
        "url": f"https://user:{quote(secrets['url'], safe='')}@host/?q={quote(secrets['url'])}",
        "bytes": secrets["bytes"].encode(),
        "key": {secrets["key"]: 1},
        "basic": "Basic " + base64.b64encode(f"user:{secrets['basic']}".encode()).decode(),
        "basic alone": base64.b64encode(f"someone:{secrets['basic']}".encode()).decode(),
        "field": Login("robot", secrets["field"]),
        "cut": "x" * 990 + secrets["text"] + "x" * 5_000,
        "many": [secrets["text"]] * 1_000,
        "later": TOLD_LATER,
        "token": auth_context.access_token.get_secret_value(),
    }
    with trace.span(f"call {secrets['text']}", **facts, **{secrets["key"]: 1}) as span:
        span.note(response={"Set-Cookie": "session=abcdefgh"}, **facts)
        log = logging.getLogger("a.library")
        log.warning("The handler is at work, with %s.", secrets["log"], extra={"login": Login("robot", secrets["log"])})
        try:
            raise KeyError(secrets["log"])
        except KeyError:
            log.exception("It has lost %r.", secrets["log"])
        error = ConnectionError(f"{secrets['exception']} was refused by {secrets['url']}")
        error.add_note(f"with {secrets['exception']}")
        raise error


def searched_for() -> Iterator[bytes]:
    for secret in [*SECRETS.values(), TOLD_LATER]:
        for form in (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], quote(secret, safe=""), quote(secret)):
            yield form.encode()
        yield base64.b64encode(f"user:{secret}".encode())[8:-4]
    yield b"Bearer of something"
    yield b"session=abcdefgh"


def assert_clean(what: str, content: bytes) -> None:
    for form in searched_for():
        assert form not in content, f"{form!r} is in {what}: ...{content[content.index(form) - 200 :][:400]!r}"
    for secret in SECRETS.values():  # nor most of one, as a cut might leave it
        assert secret.encode()[:-2] not in content, what
    assert b"SECRET" not in content, what


def rows(path: Path) -> Iterator[tuple[str, bytes]]:
    """Every row of every table as it is stored, and the whole files."""
    with sqlite3.connect(path) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            yield f"the table {table}", repr(connection.execute(f"SELECT * FROM {table}").fetchall()).encode()
    connection.close()
    for file in path.parent.glob(f"{path.name}*"):
        yield file.name, file.read_bytes()


@pytest.fixture
def configuration(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A configuration that refers to every secret."""
    for place, secret in SECRETS.items():
        monkeypatch.setenv(f"PLACE_{place.upper()}", secret)
    references = {place: f"env:PLACE_{place.upper()}" for place in PLACES}
    return {"secrets": references, "nested": {"secrets": [*references.values()], "one": references["nested"]}}


def test_not_one_secret_is_anywhere(
    tmp_path: Path,
    run_function: Run,
    configuration: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A dozen kinds of places and more, searched in each form of a trace, in the logs and in every row and file."""
    streams = {"the log": io.StringIO(), "the log in JSON": io.StringIO()}
    handlers = [logging.StreamHandler(stream) for stream in streams.values()]
    handlers[1].setFormatter(JSONFormatter())
    for handler in handlers:
        handler.addFilter(ExecutionContextFilter())
        logging.getLogger().addHandler(handler)
    files = {name: tmp_path / name for name in ("tree.txt", "lines.jsonl", "perfetto.json")}
    outputs: dict[str, str] = {}
    store = tmp_path / "actium.db"
    try:
        for name, file in [*files.items(), ("standard error", "1")]:
            with (
                caplog.at_level(logging.DEBUG),
                Actium(f"sqlite:///{store}", hooks=[Nosy(), Audit(), Watch()], trace=str(file)) as app,
            ):
                execution = run_function(
                    app,
                    leak,
                    config=Config,
                    configuration=configuration,
                    event=Event(type=f"{name.replace(' ', '.')}.a", source="/s"),
                )
                assert execution.status == "failed"
                told = app.executions.trace(execution.id)
                outputs |= {
                    f"{name}: the spans": repr(told),
                    f"{name}: the tree": tree_text(told),
                    f"{name}: the lines": "\n".join(json_lines(told)),
                    f"{name}: the Chrome trace": json.dumps(chrome_trace(told), ensure_ascii=False),
                    f"{name}: the execution": repr(app.executions.get(execution.id)),
                }
    finally:
        for handler in handlers:
            logging.getLogger().removeHandler(handler)
    printed = capfd.readouterr()
    outputs |= {name: stream.getvalue() for name, stream in streams.items()}
    outputs |= {"stdout": printed.out, "stderr": printed.err}
    for what, content in outputs.items():
        assert_clean(what, content.encode())
    for what, content in [*rows(store), *((name, file.read_bytes()) for name, file in files.items())]:
        assert_clean(what, content)
    assert "run_action" in printed.err
    assert all(stream.getvalue().count(MASK) > 5 for stream in streams.values())
    assert all(file.read_text().count(MASK) > 20 for file in files.values())


def test_the_search_finds_secrets(tmp_path: Path) -> None:
    """What the other tests rely on: a secret in any of its forms would be found."""
    for form in searched_for():
        with pytest.raises(AssertionError):
            assert_clean("a text", b"before " + form + b" after")


def test_child_processes_tell_none_either(tmp_path: Path, configuration: dict[str, Any]) -> None:
    """The spans of a run in a process of its own are masked before they are sent."""
    script = tmp_path / "leaking.py"
    here = Path(__file__).parent
    script.write_text(
        f"import sys; sys.path.insert(0, {str(here)!r})\n"
        "from actium import Actium, action_flavor\n"
        "from actium.models import ActionRequest, ServiceAccountRequest\n"
        "import leaking_flavor, json, sys\n"
        "with Actium(sys.argv[1], trace=sys.argv[2]) as app:\n"
        "    app.flavors.register(leaking_flavor.leaking)\n"
        "    robot = app.accounts.create(ServiceAccountRequest(name='robot'))\n"
        "    action = app.actions.create(ActionRequest(name='leak', plugin_subtype='isolated', flavor='leak',\n"
        "        service_account_id=robot.id, configuration=json.loads(sys.argv[3])))\n"
        "    execution = app.actions.run(action.id)\n"
        "    app.worker().run_until_idle()\n"
        "    assert any(span.name.startswith('call') for span in app.executions.trace(execution.id).spans)\n"
    )
    (tmp_path / "leaking_flavor.py").write_text(
        f"import sys; sys.path.insert(0, {str(here)!r})\n"
        "from test_secrets import Config, leak\n"
        "from actium import action_flavor\n"
        "leaking = action_flavor('isolated.leak', config=Config, isolation='process')(leak)\n"
        "leaking.__module__, leaking.__qualname__ = 'leaking_flavor', 'leaking'\n"
    )
    store, file = tmp_path / "actium.db", tmp_path / "lines.jsonl"
    done = subprocess.run(
        [sys.executable, str(script), f"sqlite:///{store}", str(file), json.dumps(configuration)],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
    )
    assert done.returncode == 0, done.stderr.decode()
    for what, content in [*rows(store), ("the file", file.read_bytes()), ("output", done.stdout + done.stderr)]:
        assert_clean(what, content)
