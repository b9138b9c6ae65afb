"""What is built and installed: the wheels themselves, and a third party's flavor that comes and goes."""

from __future__ import annotations

import hashlib
import textwrap
import zipfile
from email.parser import Parser
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
ALLOWED = {"pluggy", "pydantic", "importlib-metadata"}


def metadata(wheel: Path) -> dict[str, list[str]]:
    """The headers of a wheel's METADATA."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        parsed = Parser().parsestr(archive.read(name).decode())
    return {header: parsed.get_all(header, []) for header in set(parsed)}


def requirement_name(requirement: str) -> str:
    return requirement.replace(">", " ").replace("=", " ").replace("<", " ").replace(";", " ").split()[0]


def test_core_needs_three_distributions_and_nothing_else(wheels: dict[str, Path]) -> None:
    """The built wheel of core requires pluggy, pydantic and importlib-metadata, and has no extras."""
    headers = metadata(wheels["core"])
    assert {requirement_name(each) for each in headers["Requires-Dist"]} == ALLOWED
    assert "Provides-Extra" not in headers


def test_wheels_are_typed_and_licensed(wheels: dict[str, Path]) -> None:
    """Every wheel has its py.typed marker and its licence, and no tests."""
    for wheel in wheels.values():
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if not name.startswith("actium_cli/templates/")]
        assert any(name.endswith("/py.typed") for name in names), wheel.name
        assert any(name.endswith("licenses/LICENSE") for name in names), wheel.name
        assert not any("tests" in path.parts or path.name.startswith("test_") for path in map(PurePosixPath, names))
        assert metadata(wheel)["License-Expression"] == ["Apache-2.0"]


def test_wheels_hold_the_sources_and_nothing_else(wheels: dict[str, Path]) -> None:
    """Every wheel holds exactly the files of its package, byte for byte: none forgotten, none of an earlier build."""
    for folder, wheel in wheels.items():
        source = ROOT / folder / "src"
        with zipfile.ZipFile(wheel) as archive:
            held = {name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name}
        packages = [path.name for path in source.iterdir() if (path / "__init__.py").is_file()]
        expected = {
            path.relative_to(source).as_posix(): path.read_bytes()
            for package in packages
            for path in (source / package).rglob("*")
            if path.is_file() and path.suffix != ".pyc"
        }
        assert sorted(held) == sorted(expected), wheel.name
        assert held == expected, wheel.name


def test_versions_move_together(wheels: dict[str, Path]) -> None:
    """Core and its plugins have one version; plugins need core at exactly that."""
    headers = {folder: metadata(wheel) for folder, wheel in wheels.items()}
    (version,) = headers["core"]["Version"]
    for folder in (folder for folder in headers if folder.startswith("plugins/")):
        assert headers[folder]["Version"] == [version]
        assert f"actium=={version}" in headers[folder]["Requires-Dist"]


USE_CORE = textwrap.dedent(
    """
    import importlib, pkgutil
    import actium, actium.errors, actium.models
    from actium import ActionConfig, Actium, Event, action_flavor
    from actium.models import ActionRequest, ServiceAccountRequest, TriggerRequest

    for package in (actium, actium.models, actium.errors):
        for name in dir(package):
            getattr(package, name)
    for module in pkgutil.walk_packages(actium.__path__, "actium."):
        importlib.import_module(module.name)

    @action_flavor("test.echo")
    def echo(trigger_execution):
        return trigger_execution.event.data

    with Actium("sqlite:///core.db") as app:
        assert app.flavors.list().total == 0
        app.flavors.register(echo)
        account = app.accounts.create(ServiceAccountRequest(name="robot"))
        action = app.actions.create(
            ActionRequest(name="echo", plugin_subtype="test", flavor="echo", service_account_id=account.id)
        )
        app.triggers.create(TriggerRequest(name="t", action_id=action.id, match_all=True))
        app.events.publish(Event(type="x.y", source="/a", data=[1]))
        app.worker().run_until_idle()
        print(app.executions.list(hydrate=True).items[0].result)
    """
)

USE_THIRD_PARTY = textwrap.dedent(
    """
    import sys, threading
    from http.server import BaseHTTPRequestHandler, HTTPServer
    from actium import Actium, Event
    from actium.models import ActionRequest, ServiceAccountRequest, TriggerRequest

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"thank you")
        def log_message(self, *arguments): ...

    server = HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with Actium("sqlite:///third.db") as app:
        flavors = app.flavors.list().items
        assert "actium_http_call" not in sys.modules
        account = app.accounts.create(ServiceAccountRequest(name="robot"))
        action = app.actions.create(ActionRequest(
            name="call", plugin_subtype="http_call", flavor="request", service_account_id=account.id,
            configuration={"url": f"http://127.0.0.1:{server.server_port}/"},
        ))
        app.triggers.create(TriggerRequest(name="t", action_id=action.id, match_all=True))
        app.events.publish(Event(type="x.y", source="/a", data=[1]))
        app.worker().run_until_idle()
        execution = app.executions.list(hydrate=True).items[0]
        print([flavor.name for flavor in flavors], execution.status.value, execution.result["answer"])
    server.shutdown()
    """
)

AFTERWARDS = textwrap.dedent(
    """
    from actium import Actium

    with Actium("sqlite:///third.db") as app:
        print(app.flavors.list().total)
        print(app.actions.get("call").problem)
    """
)

CORE_FILES = "import actium, os; print(os.path.dirname(actium.__file__))"


def digest(folder: Path) -> str:
    """A hash of all source files of a folder."""
    whole = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        whole.update(file.relative_to(folder).as_posix().encode() + file.read_bytes())
    return whole.hexdigest()


@pytest.mark.slow
def test_a_third_partys_flavor_comes_and_goes(wheels: dict[str, Path], environment: Any) -> None:
    """Core alone works; a third party's wheel adds its flavor, which works; uninstalling takes it away again."""
    environment.pip("install", "--quiet", str(wheels["core"]))
    installed = {line.partition("==")[0].lower() for line in environment.pip("list", "--format=freeze").split()}
    assert not {"typer", "rich", "dask", "httpx"} & installed
    assert environment.run("-W", "error", "-c", USE_CORE) == "[1]\n"
    core = Path(environment.run("-c", CORE_FILES).strip())
    before = digest(core)
    environment.pip("install", "--quiet", str(wheels["examples/actium-http-call"]))
    assert environment.run("-c", USE_THIRD_PARTY) == "['http_call.request'] succeeded thank you\n"
    environment.pip("uninstall", "--quiet", "--yes", "actium-http-call")
    count, problem = environment.run("-c", AFTERWARDS).splitlines()
    assert count == "0"
    assert "http_call.request is not installed; actium-http-call 1.4.0 provided it" in problem
    assert "pip install actium-http-call" in problem
    assert digest(core) == before
