"""The distribution: what it needs, how it is found, and that it records nothing where nothing is set up."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from actium import Actium
from actium.plugins.registry import PluginFlavorRegistry
from actium_otel import plugin, semantics

FOLDER = Path(__file__).parents[1]
SOURCE = FOLDER / "src/actium_otel"

WITHOUT_SDK = """
import sys

for name in ("opentelemetry.sdk", "opentelemetry.exporter", "opentelemetry.proto"):
    sys.modules[name] = None  # as if it were not installed

from actium import Actium, Event, action_flavor
from actium.models import ActionRequest, ServiceAccountRequest, TriggerRequest


@action_flavor("test.noop")
def noop():
    "Does nothing."


with Actium("sqlite://", hooks=["otel"]) as app:
    app.flavors.register(noop)
    account = app.accounts.create(ServiceAccountRequest(name="robot"))
    action = app.actions.create(
        ActionRequest(name="noop", plugin_subtype="test", flavor="noop", service_account_id=account.id)
    )
    app.triggers.create(TriggerRequest(name="every", action_id=action.id, match_all=True))
    published = app.events.publish(Event(type="tick", source="/clock", id="1"))
    app.worker().run_until_idle()
    print(app.executions.get(published.executions[0]).status, app.events.get("1").event.extensions())
"""


def printed(code: str) -> str:
    """What a fresh interpreter prints."""
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith(("ACTIUM_", "OTEL_"))}
    done = subprocess.run([sys.executable, "-c", code], env=surroundings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.strip()


def test_needs_core_and_the_api_only() -> None:
    """Installed without extras it brings Actium and OpenTelemetry's API; the SDK is the user's, or an extra."""
    needed = importlib.metadata.requires("actium-otel") or []
    assert sorted(each for each in needed if "extra ==" not in each) == ["actium==0.1.0", "opentelemetry-api>=1.30"]
    assert {each.partition(">")[0] for each in needed if 'extra == "sdk"' in each} == {
        "opentelemetry-sdk",
        "opentelemetry-exporter-otlp-proto-http",
    }
    told = tomllib.loads((FOLDER / "pyproject.toml").read_text())["project"]
    assert plugin.SCOPE_VERSION == told["version"] == importlib.metadata.version("actium-otel")


@pytest.mark.parametrize("module", sorted(SOURCE.glob("*.py")), ids=lambda path: path.name)
def test_imports_public_parts_of_the_api_only(module: Path) -> None:
    """No module imports the SDK, an exporter or what is private there; of Actium's core only what is public."""
    named = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            named.add(node.module)
    of_api = ("opentelemetry.trace", "opentelemetry.metrics", "opentelemetry.context", "opentelemetry.util.types")
    for name in named:
        if name.startswith("opentelemetry."):
            assert name.startswith(of_api), name
        if name.split(".")[0] == "actium":
            assert name in {"actium", "actium.models"}, name


def test_is_found_by_its_name() -> None:
    """The entry point is found, taken for sound, and makes the plugin when it is enabled."""
    statuses = {status.name: status for status in PluginFlavorRegistry.from_environment(hooks=["otel"]).check()}
    found = statuses["otel"]
    assert (found.origin.distribution, found.state) == ("actium-otel", "loaded")
    with Actium("sqlite://", hooks=["otel"]) as app:
        (made,) = app.registry.hook_plugins()
        assert (made.origin.name, made.origin.distribution) == ("otel", "actium-otel")


def test_takes_part_only_where_it_is_enabled() -> None:
    """Being installed costs nothing: an application without it imports nothing of OpenTelemetry."""
    code = "import sys, actium_otel; from actium import Actium; Actium('sqlite://').close(); "
    assert printed(code + "print([name for name in sys.modules if name.startswith('opentelemetry.')])") == "[]"


def test_works_without_an_sdk() -> None:
    """Where no SDK is installed everything runs as without it, and events carry nothing more."""
    assert printed(WITHOUT_SDK) == "succeeded {}"


def test_names_are_those_of_the_conventions() -> None:
    """Every name that is not Actium's own is in the conventions, in the package that is made from them."""
    known = set()
    for name in ("messaging", "cloudevents", "faas", "error", "exception"):
        for kind in ("attributes", "metrics"):
            module = f"opentelemetry.semconv._incubating.{kind}.{name}_{kind}"
            if importlib.util.find_spec(module) is not None:
                found = vars(importlib.import_module(module)).items()
                known |= {value for key, value in found if key.isupper() and isinstance(value, str)}
    own = {value for key, value in vars(semantics).items() if key.startswith(("MESSAGING_", "CLOUDEVENTS_"))}
    own |= {semantics.FAAS_INVOCATION_ID, semantics.FAAS_TRIGGER, semantics.ERROR_TYPE, semantics.EXCEPTION_TYPE}
    assert own <= known
