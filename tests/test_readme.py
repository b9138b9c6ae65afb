"""What the README shows is what happens."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
RunPage = Callable[..., "subprocess.CompletedProcess[str]"]


class Channel:
    """A server that takes messages as Slack does."""

    def __init__(self) -> None:
        self.messages: list[object] = []
        channel = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                channel.messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Keep the test's output clean."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"


@pytest.fixture
def channel() -> Iterator[Channel]:
    channel = Channel()
    thread = threading.Thread(target=channel.server.serve_forever)
    thread.start()
    yield channel
    channel.server.shutdown()
    thread.join()
    channel.server.server_close()


def test_its_two_commands_stand_first() -> None:
    """The first code of the README is the two commands that run the demo and the tests."""
    first = re.search(r"```sh\n(.*?)```", README.read_text(), re.DOTALL)
    assert first is not None
    assert first[1].splitlines() == [
        "python3 -m pip install nox && python3 -m nox -s demo      # runs the main job",
        "python3 -m nox -s tests                                    # passes its tests",
    ]
    assert README.read_text().index("```") == first.start()


def test_its_flavor_runs(tmp_path: Path, channel: Channel, run_page: RunPage) -> None:
    """The README's flavor is found through its entry point, and its action tells the channel what it was told to."""
    done = run_page(README, tmp_path, SLACK_WEBHOOK=channel.url)
    assert done.returncode == 0, done.stderr
    assert channel.messages == [{"text": "New data has arrived."}]


def test_no_secret_is_in_its_store(tmp_path: Path, channel: Channel, run_page: RunPage) -> None:
    """The README's store holds the reference to the webhook, and nowhere the webhook."""
    secret = f"{channel.url}T000/B000/XXXX"
    done = run_page(README, tmp_path, SLACK_WEBHOOK=secret)
    assert done.returncode == 0, done.stderr
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("actium.db*"))
    assert b"env:SLACK_WEBHOOK" in stored
    assert secret.encode() not in stored


def test_its_flavor_has_at_most_fifteen_lines() -> None:
    """A flavor takes 15 lines of code; blank lines and the file's name are not counted."""
    block = re.search(r"```python\n# actium_slack.py\n(.*?)```", README.read_text(), re.DOTALL)
    assert block is not None
    assert len([line for line in block[1].splitlines() if line.strip()]) <= 15


def test_its_sessions_exist() -> None:
    """Every nox session that the README or CONTRIBUTING names is defined."""
    tree = ast.parse((ROOT / "noxfile.py").read_text())
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.decorator_list}
    for page in (README, ROOT / "CONTRIBUTING.md"):
        named = set(re.findall(r"nox -s ([a-z]+)(?![a-z-])", page.read_text()))
        assert named
        assert named <= defined, page


@pytest.mark.slow
def test_its_demo_prints_what_is_shown(tmp_path: Path) -> None:
    """What the README shows of the demo is printed by it in this order; ids, numbers and times differ."""
    shown = re.search(r"```text\n(.*?)```", README.read_text(), re.DOTALL)
    assert shown is not None
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "penguins" / "demo.py"), "--keep", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    printed = iter(without_figures(done.stdout))
    assert [line for line in without_figures(shown[1]) if line not in printed] == []


def without_figures(text: str) -> list[str]:
    """The lines of a text, with one sign for each id, length of time and number, and one space for several."""
    for pattern, sign in ((r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID"), (r"\d+(\.\d+)?( m?s\b)?", "N")):
        text = re.sub(pattern, sign, text)
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]
