"""Rules of crashes: what a killed process has left of a change is finished or undone later."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from actium import BaseActionFlavor
from actium.models import ActionUpdate
from pytest_actium.child import in_child, reference_of
from pytest_actium.crash import Crash, Moment, NotKilledError
from pytest_actium.flavors.subject import Bench, Configuration, FlavorSubject, differences
from pytest_actium.verdicts import fail


class CrashRules(FlavorSubject):
    """What becomes of a change whose process was killed when the flavor was done, and before that was stored."""

    def test_a_creation_that_was_killed_is_undone(self, bench: Bench, crash: Crash, actium_url: str) -> None:
        """After a crash in the middle of a creation, `actium doctor` gives back what was provisioned."""
        self._needs(bench, "process_action_request")
        before = self.world(bench)
        self._crashed(lambda: crash.create(bench.request(), Moment.AFTER_PROCESSING, flavor=self._class()))
        self._mend(bench, actium_url)
        changed = differences(before, self.world(bench))
        if changed or bench.app.actions.list().total:
            fail(
                f"After a creation was killed and undone, something is left: {changed or 'the action'}.",
                mend="let process_action_delete find what was provisioned by the configuration as it was stored first: "
                "what process_action_request has changed in it is lost in a crash.",
            )

    def test_an_update_that_was_killed_is_undone(
        self, bench: Bench, crash: Crash, actium_url: str, other_configuration: Configuration | None
    ) -> None:
        """After a crash in the middle of an update, `actium doctor` brings everything back to what it was."""
        self._needs(bench, "process_action_update")
        if other_configuration is None:
            pytest.skip("no OTHER configuration is named")
        action = bench.created()
        before = self.world(bench)
        change = ActionUpdate(configuration=other_configuration)
        self._crashed(lambda: crash.update(action.id, change, Moment.AFTER_PROCESSING, flavor=self._class()))
        self._mend(bench, actium_url)
        changed = differences(before, self.world(bench))
        now = bench.app.actions.get(action.id)
        if changed or (now.configuration, now.status) != (action.configuration, action.status):
            fail(
                f"After an update was killed and undone, something differs: {changed or now.configuration}.",
                mend="let process_action_update go from any configuration to any other, as often as it is called.",
            )

    def test_a_deletion_that_was_killed_is_finished(self, bench: Bench, crash: Crash, actium_url: str) -> None:
        """After a crash in the middle of a deletion, `actium doctor` finishes it."""
        self._needs(bench, "process_action_delete")
        before = self.world(bench)
        action = bench.created()
        self._crashed(lambda: crash.delete(action.id, Moment.BEFORE_PROCESSING, flavor=self._class()))
        self._mend(bench, actium_url)
        changed = differences(before, self.world(bench))
        if changed or bench.app.actions.list().total:
            fail(
                f"After a deletion was killed and finished, something is left: {changed or 'the action'}.",
                mend="let process_action_delete need nothing that only the process knows that provisioned it.",
            )

    def _class(self) -> type[BaseActionFlavor] | None:
        return None if isinstance(self.FLAVOR, str) else self.FLAVOR

    def _needs(self, bench: Bench, point: str) -> None:
        if not bench.overrides(point):
            pytest.skip(f"the flavor does not override {point}: there is nothing that could be half done")
        bench.app.actions.delete(bench.created(name="tried").id, force=True)

    def _crashed(self, crash: Callable[[], None]) -> None:
        try:
            crash()
        except NotKilledError as error:
            pytest.skip(f"the change does not come so far: {error}")

    def _mend(self, bench: Bench, url: str) -> None:
        """Let a process that knows nothing of the killed one mend what is left."""
        end = in_child("mend", url=url, key=bench.key, reference=reference_of(self.FLAVOR))
        if end.answer != []:
            fail(
                f"The change that was killed cannot be mended: {end.answer or end.output[-2_000:]}.",
                mend="let process_action_delete and process_action_update work for what is only half there.",
            )
