"""The suite for hook plugins passes for a sound one, and for each rule fails for one that breaks it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest_plugins = "pytester"

PLUGINS = """
import logging
import socket
import threading

from actium import hookimpl

KEPT = []


class Sound:
    @hookimpl(wrapper=True)
    def run_action(self, config, trigger_execution):
        return (yield)

    @hookimpl(wrapper=True)
    def create_action(self, action):
        return (yield)

    @hookimpl
    def execution_changed(self, trigger_execution):
        pass


class Misspelled:
    @hookimpl(wrapper=True)
    def run_actoin(self):
        return (yield)


class Changing(Sound):
    @hookimpl(wrapper=True)
    def run_action(self, config, trigger_execution):
        yield
        return {"text": "something else"}


class Renaming(Sound):
    @hookimpl(wrapper=True)
    def run_action(self, config, trigger_execution):
        try:
            return (yield)
        except Exception as error:
            raise RuntimeError("it failed") from error


class Rewriting(Sound):
    @hookimpl(wrapper=True)
    def update_action(self, action, action_update):
        action_update.description = "another"
        return (yield)


class Forgetful(Sound):
    @hookimpl(wrapper=True)
    def create_action(self, action):
        yield


class Alone(Sound):
    running = 0

    @hookimpl(wrapper=True)
    def run_action(self, config, trigger_execution):
        self.running += 1
        try:
            threading.Event().wait(0.1)
            if self.running > 1:
                raise RuntimeError("another run goes on")
            return (yield)
        finally:
            self.running -= 1


class Telling(Sound):
    @hookimpl(wrapper=True)
    def run_action(self, config, trigger_execution):
        if config.token is not None:
            logging.getLogger("telling").info("token %s", config.token.get_secret_value())
        return (yield)


class Threads(Sound):
    @hookimpl
    def execution_changed(self, trigger_execution):
        threading.Thread(target=threading.Event().wait, args=(30,), daemon=True).start()


class Sockets(Sound):
    @hookimpl
    def execution_changed(self, trigger_execution):
        KEPT.append(socket.socket())
"""
RULES = {
    "Misspelled": {"test_it_is_found_by_its_entry_point", "test_an_application_opens_with_it"},
    "Changing": {"test_results_pass_through"},
    "Renaming": {"test_failures_pass_through"},
    "Rewriting": {"test_changes_pass_through"},
    "Forgetful": {"test_nothing_is_complained_of"},
    "Alone": {"test_runs_side_by_side"},
    "Telling": {"test_secrets_are_not_told"},
    "Threads": {"test_no_threads_are_left"},
    "Sockets": {"test_no_sockets_are_left"},
}
FAILED = re.compile(r"^FAILED \S+::Test_(\w+)::(\w+)", re.MULTILINE)


@pytest.fixture
def installed(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path with the plugins, as if a distribution had been installed there."""
    site = pytester.mkdir("site")
    (site / "hooking.py").write_text(PLUGINS)
    metadata = site / "hooking-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: hooking\nVersion: 1.0\nRequires-Dist: actium\n")
    lines = [f"{name} = hooking:{name}" for name in ("Sound", *RULES)]
    (metadata / "entry_points.txt").write_text("\n".join(["[actium.hooks]", *lines]))
    monkeypatch.setenv("PYTHONPATH", str(site), prepend=":")
    return site


def suites(*names: str) -> str:
    classes = [f"class Test_{name}(HookPluginConformance):\n    PLUGIN = '{name}'\n" for name in names]
    return "\n\n".join(["from pytest_actium import HookPluginConformance\n", *classes])


def test_a_sound_plugin_breaks_no_rule(pytester: pytest.Pytester, installed: Path) -> None:
    """A plugin that lets everything pass passes, with no test left out."""
    pytester.makepyfile(suites("Sound"))
    done = pytester.runpytest_subprocess("-q", "-p", "no:xdist", "-W", "error")
    assert set(done.parseoutcomes()) == {"passed"}, done.stdout.str()[-8_000:]


@pytest.mark.slow
def test_exactly_the_broken_rule_is_told(pytester: pytest.Pytester, installed: Path) -> None:
    """For each plugin that breaks a rule, that rule's tests fail and no other does."""
    pytester.makepyfile(suites(*RULES))
    done = pytester.runpytest_subprocess("-q", "-rf", "-p", "no:xdist", "-W", "error")
    found: dict[str, set[str]] = {name: set() for name in RULES}
    for name, test in FAILED.findall(done.stdout.str()):
        found[name].add(test)
    assert found == RULES
