"""The conformance suite for hook plugins: they see every action, and let all pass as it is."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from actium import Actium, BaseActionFlavor, ExecutionStatus
from actium.errors import PluginError
from actium.models import ActionUpdate
from pytest_actium.flavors.leftovers import LeftoverRules
from pytest_actium.flavors.subject import Bench, Configuration, Life
from pytest_actium.hook_record import INNER, OUTER
from pytest_actium.plain_flavors import coroutine, isolated, plain
from pytest_actium.plugin import known
from pytest_actium.verdicts import fail, in_words

FLAVORS: dict[str, type[BaseActionFlavor]] = {"plain": plain, "coroutine": coroutine, "isolated": isolated}


class HookPluginConformance(LeftoverRules):
    """Subclass it, say which hook plugin, and get its tests.

    A plugin that refuses something by its purpose is given what it lets pass: override the fixtures ``configuration``
    (of `pytest_actium.plain_flavors.PlainConfig`) and ``event``.

    >>> class TestWorkingHours(HookPluginConformance):
    ...     PLUGIN = "working-hours"

    Attributes:
        PLUGIN: The name of its entry point.
    """

    PLUGIN: ClassVar[str]
    KIND = "hooks"
    FLAVOR = plain
    VALID: ClassVar[dict[str, Any]] = {"text": "hello", "token": "env:CONFORMANCE_TOKEN"}
    EVENT_DATA: ClassVar[Any] = {"rows": 3}

    @property
    def key(self) -> str:
        """The name of its entry point."""
        return self.PLUGIN

    @pytest.fixture
    def actium_hooks(self) -> Sequence[object]:
        """The plugin, and one that records on either side of it."""
        return (INNER, self.PLUGIN, OUTER)

    def test_an_application_opens_with_it(self, actium_url: str) -> None:
        """An application can be opened with the plugin enabled: its hooks exist, implemented in the right way."""
        try:
            app = Actium(actium_url, hooks=[self.PLUGIN])
        except PluginError as error:
            fail(f"No application opens with it: {error}", mend="correct what the message names.")
        app.close()

    @pytest.mark.parametrize("kind", FLAVORS)
    def test_results_pass_through(self, opened: Bench, kind: str) -> None:
        """What a handler returns is the result, whether it is a function, a coroutine, or runs in another process."""
        bench = _around(opened, FLAVORS[kind])
        (execution,) = bench.run()
        expected = {"text": bench.configuration.get("text", "hello"), "data": bench.event.data}
        if (execution.status, execution.result) != (ExecutionStatus.SUCCEEDED, expected):
            fail(
                f"The handler returned {expected}; the execution is {execution.status.value} with "
                f"{execution.result!r:.300}: {execution.reason}",
                mend="write `return (yield)` where the flavor runs, and give what comes from there on as it is; "
                "keep an object that is enabled in its module, where another process finds it.",
            )

    @pytest.mark.parametrize("kind", FLAVORS)
    def test_failures_pass_through(self, opened: Bench, kind: str) -> None:
        """What a handler raises is the execution's error, whatever kind of handler it is."""
        bench = _around(opened, FLAVORS[kind])
        (execution,) = bench.run({**bench.configuration, "fails": True})
        if execution.error is None or execution.error.type != "PlainError":
            fail(
                f"The handler raised PlainError; the execution is {execution.status.value}: {execution.reason}",
                mend="let what is raised at the `yield` go on, after whatever you do with it.",
            )

    def test_changes_pass_through(self, opened: Bench) -> None:
        """Creating, changing, reading and deleting an action do what they do without the plugin."""
        bench = opened
        try:
            action = bench.create(description="first")
            changed = bench.app.actions.update(action.id, ActionUpdate(description="second"))
            read = bench.app.actions.get(action.id)
            bench.app.actions.delete(action.id)
        except Exception as error:
            fail(f"A change was refused: {in_words(error)}", mend="let pass what the plugin is not there to refuse.")
        seen = [action.description, changed.description, read.description, read.configuration.get("text")]
        expected = ["first", "second", "second", bench.configuration.get("text", "hello")]
        if seen != expected or bench.app.actions.list().total:
            fail(
                f"An action was to have {expected} and had {seen}; {bench.app.actions.list().total} are left.",
                mend="change neither what is asked for nor what comes back, unless that is the plugin's purpose.",
            )

    def test_nothing_is_complained_of(self, opened: Bench, caplog: pytest.LogCaptureFixture) -> None:
        """Actium has no reason to log a warning of the plugin: no result is lost, and no observer raises."""
        caplog.set_level(logging.WARNING, logger="actium.plugins")
        bench = opened
        bench.run()
        bench.app.actions.update("conformance", ActionUpdate(description="changed"))
        bench.app.actions.delete("conformance")
        told = [record.getMessage() for record in caplog.records if record.name == "actium.plugins"]
        if told:
            fail(f"Actium logged: {told[0]}", mend="do what the message says.")

    def test_runs_side_by_side(self, opened: Bench, lived: Life) -> None:
        """Runs that go on at once do not disturb each other."""
        for execution in opened.run(times=4):
            if execution.status is not ExecutionStatus.SUCCEEDED:
                fail(
                    f"One of four runs at once is {execution.status.value}: {execution.reason}",
                    mend="keep what belongs to a run in local variables, or by its id and under a lock.",
                )

    def test_secrets_are_not_told(
        self,
        opened: Bench,
        secrets: dict[str, str],
        caplog: pytest.LogCaptureFixture,
        capfd: pytest.CaptureFixture[str],
        tmp_path: Path,
    ) -> None:
        """A secret that is resolved for a run is in no log, in nothing printed, and in no file."""
        caplog.set_level(logging.DEBUG)
        bench = opened
        bench.run()
        printed = capfd.readouterr()
        places = {"a log": caplog.text, "standard output": printed.out, "standard error": printed.err}
        told = [what for what, text in places.items() if any(value in text for value in secrets.values())]
        for file in filter(Path.is_file, tmp_path.rglob("*")):
            content = file.read_bytes()
            told += [file.name for value in secrets.values() if value.encode() in content]
        if told:
            fail(f"A secret is in {', '.join(told)}.", mend="tell configurations as they print themselves, masked.")

    @pytest.fixture
    def opened(self, request: pytest.FixtureRequest, actium_url: str) -> Bench:
        """An application with the plugin enabled; the test is left out where none opens, as another test says."""
        try:
            Actium(actium_url, hooks=[self.PLUGIN]).close()
        except PluginError as error:
            pytest.skip(f"no application opens with it: {error}")
        bench: Bench = request.getfixturevalue("bench")
        return bench

    @pytest.fixture
    def configuration(self) -> Configuration:
        """What the plain flavors are given."""
        return dict(self.VALID)


def _around(bench: Bench, flavor: type[BaseActionFlavor]) -> Bench:
    """The same bench with another flavor."""
    bench.key = known(bench.app, flavor)
    return bench
