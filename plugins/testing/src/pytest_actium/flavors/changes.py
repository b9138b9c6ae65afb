"""Rules of an action's life: what a flavor provisions comes and goes with it, also when something fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from actium.errors import StoreError
from actium.models import ActionResponse, ActionUpdate
from pytest_actium.child import unmended_actions
from pytest_actium.flavors.subject import Bench, Configuration, FlavorSubject, differences
from pytest_actium.hook_record import REFUSE, RefusedError
from pytest_actium.verdicts import fail, in_words

COULD_NOT = "Actium could not"
"""How a note on an exception begins when something that failed could not be undone."""


class ChangeRules(FlavorSubject):
    """What happens when an action is created, changed, read and deleted."""

    def test_a_creation_that_cannot_be_stored_leaves_nothing(self, bench: Bench, faults: Faults) -> None:
        """When storing fails after the flavor has provisioned, all of it is given back, and no action is left."""
        with faults.unchanged_world(self, bench) as check:
            last = "update_action" if bench.overrides("process_action_request") else "insert_action"
            with faults.failing(bench, last):
                _expect(StoreError, bench.create)
            check(
                "creating failed when it was to be stored", "give back in process_action_delete what was provisioned."
            )

    def test_a_creation_that_is_refused_late_leaves_nothing(self, bench: Bench, faults: Faults) -> None:
        """When a hook plugin refuses an action that is complete, what was provisioned is given back."""
        with faults.unchanged_world(self, bench) as check:
            with faults.refusing("create_action"):
                _expect(RefusedError, bench.create)
            check("a creation was refused", "give back in process_action_delete what was provisioned.")

    def test_an_update_that_cannot_be_stored_changes_nothing(
        self, bench: Bench, faults: Faults, changed_configuration: Configuration
    ) -> None:
        """When storing fails after the flavor has adapted, everything is as it was before."""
        action = bench.created()
        change = ActionUpdate(configuration=changed_configuration, description="changed")
        with faults.unchanged_world(self, bench, action) as check:
            call = 2 if bench.overrides("process_action_update") else 1
            with faults.failing(bench, "update_action", call=call):
                _expect(StoreError, lambda: bench.app.actions.update(action.id, change))
            check("an update failed when it was to be stored", "let process_action_update go back as well as forth.")

    def test_an_update_that_is_refused_late_changes_nothing(
        self, bench: Bench, faults: Faults, changed_configuration: Configuration
    ) -> None:
        """When a hook plugin refuses an update that is complete, everything is as it was before."""
        action = bench.created()
        change = ActionUpdate(configuration=changed_configuration, description="changed")
        with faults.unchanged_world(self, bench, action) as check:
            with faults.refusing("update_action"):
                _expect(RefusedError, lambda: bench.app.actions.update(action.id, change))
            check("an update was refused", "let process_action_update go back as well as forth.")

    def test_updating_there_and_back_changes_nothing(
        self, bench: Bench, configuration: Configuration, changed_configuration: Configuration
    ) -> None:
        """An action that gets another configuration, and then its own again, is as it was."""
        action = bench.created()
        before = self.world(bench)
        for given in (changed_configuration, configuration):
            try:
                bench.app.actions.update(action.id, ActionUpdate(configuration=given))
            except Exception as error:
                fail(
                    f"An update from one valid configuration to another failed: {in_words(error)}",
                    mend="let process_action_update adapt what was provisioned to the new configuration.",
                )
        changed = differences(before, self.world(bench))
        if changed:
            fail(
                f"After an update there and back, something differs: {changed}.",
                mend="give back in process_action_update what only the previous configuration needed.",
            )

    def test_renaming_keeps_the_configuration(self, bench: Bench) -> None:
        """A change of name and description leaves the configuration alone."""
        action = bench.created()
        if not bench.survives_storage():
            pytest.skip("it does not survive storage")
        renamed = bench.app.actions.update(action.id, ActionUpdate(name="renamed", description="renamed"))
        if renamed.configuration != action.configuration:
            fail(
                f"Renaming changed the configuration from {action.configuration!r:.500} to "
                f"{renamed.configuration!r:.500}.",
                mend="change in process_action_update only what follows from what has changed.",
            )

    def test_deleting_gives_everything_back(self, bench: Bench) -> None:
        """What was provisioned for an action is gone when the action is."""
        before = self.world(bench)
        action = bench.created()
        try:
            bench.app.actions.delete(action.id)
        except Exception as error:
            fail(f"The action cannot be deleted: {in_words(error)}", mend="correct process_action_delete.")
        changed = differences(before, self.world(bench))
        if changed:
            fail(
                f"After its only action was deleted, something is left: {changed}.",
                mend="give back in process_action_delete what process_action_request has provisioned.",
            )

    def test_deleting_is_idempotent(self, bench: Bench, faults: Faults) -> None:
        """A deletion that was cut short is finished when it is made again, although some or all is gone already."""
        before = self.world(bench)
        action = bench.created()
        with faults.failing(bench, "remove_action"):
            try:
                bench.app.actions.delete(action.id)
            except StoreError:
                pass
            except Exception as error:
                pytest.skip(f"it cannot be deleted at all: {error}")
        for problem in unmended_actions(bench.app.doctor.examine(mend=True, grace=timedelta(0))):
            fail(
                f"Deleting again failed after the first deletion was cut short: {problem}.",
                mend="take what is gone already for given back in process_action_delete.",
            )
        changed = differences(before, self.world(bench))
        if changed and not self._is_left_by_deleting(bench):
            fail(
                f"After deleting twice, something differs: {changed}.",
                mend="give back in process_action_delete what was provisioned, and no more than that.",
            )

    def test_reading_changes_nothing(self, bench: Bench) -> None:
        """Reading an action has no problem, gives the same each time, and changes nothing."""
        action = bench.created()
        before = self.world(bench)
        first, second = bench.app.actions.get(action.id), bench.app.actions.get(action.id)
        if first.problem is not None:
            fail(f"Reading an action tells a problem: {first.problem}", mend="correct process_action_response.")
        changed = differences(before, self.world(bench))
        if changed or first.model_dump() != second.model_dump():
            fail(
                f"Reading an action twice gives different answers, or changes something: {changed or 'its response'}.",
                mend="only complete the response in process_action_response, with what is the same each time.",
            )

    # Resources

    def test_extracting_resources_is_pure(self, bench: Bench, configuration: Configuration) -> None:
        """Saying which resources a configuration refers to changes neither it nor anything else."""
        bench.created()
        config = bench.handler.validate_action_configuration(configuration)
        before, dumped = self.world(bench), config.model_dump()
        bench.handler.extract_resources(config)
        changed = differences(before, self.world(bench))
        if config.model_dump() != dumped or changed:
            fail(
                f"extract_resources changed {changed or 'the configuration'}.",
                mend="only read in extract_resources; it is called whenever a configuration is stored.",
            )

    def test_extracting_resources_is_stable(self, bench: Bench, configuration: Configuration) -> None:
        """The same configuration refers to the same resources, however often one asks."""
        bench.created()
        answers = [
            {
                str(kind): (item.id, item.name)
                for kind, item in bench.handler.extract_resources(
                    bench.handler.validate_action_configuration(configuration)
                ).items()
            }
            for _ in range(2)
        ]
        if answers[0] != answers[1]:
            fail(
                f"extract_resources said {answers[0]} and then {answers[1]}.",
                mend="take the ids of resources from what is stored, or from the configuration; make none up.",
            )

    # What the tests share

    @pytest.fixture
    def changed_configuration(self, other_configuration: Configuration | None) -> Configuration:
        """Another valid configuration; the test is left out where there is none."""
        if other_configuration is None:
            pytest.skip("no OTHER configuration is named")
        return other_configuration

    @pytest.fixture
    def faults(self, monkeypatch: pytest.MonkeyPatch) -> Faults:
        """What can be made to fail."""
        return Faults(monkeypatch)

    def _is_left_by_deleting(self, bench: Bench) -> bool:
        """Whether a single deletion leaves something behind, too, which has a test of its own."""
        before = self.world(bench)
        bench.app.actions.delete(bench.created(name="once").id)
        return bool(differences(before, self.world(bench)))


class Faults:
    """What a test can make fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    @contextmanager
    def failing(self, bench: Bench, method: str, *, call: int = 1) -> Iterator[None]:
        """Let one call of a store's method fail, as a full disk would."""
        real = getattr(bench.app.store, method)
        calls = iter(range(1, 1_000_000))

        def faulty(*arguments: Any, **named: Any) -> Any:
            if next(calls) == call:
                raise StoreError("There is no room left, on purpose.")
            return real(*arguments, **named)

        with self._monkeypatch.context() as patch:
            patch.setattr(bench.app.store, method, faulty)
            yield

    @contextmanager
    def refusing(self, hook: str) -> Iterator[None]:
        """Let a hook plugin refuse what the flavor has done."""
        with self._monkeypatch.context() as patch:
            patch.setenv(REFUSE, hook)
            yield

    @contextmanager
    def unchanged_world(
        self, subject: FlavorSubject, bench: Bench, action: ActionResponse | None = None
    ) -> Iterator[Callable[[str, str], None]]:
        """Gives what checks that all is as it was."""
        before = subject.world(bench)

        def check(what: str, mend: str) -> None:
            changed = differences(before, subject.world(bench))
            if changed:
                fail(f"After {what}, something differs: {changed}.", mend=mend)
            page = bench.app.actions.list(hydrate=True)
            if action is None and page.total:
                fail(f"After {what}, the action is still there, {page.items[0].status.value}.", mend=mend)
            if action is not None:
                now = bench.app.actions.get(action.id)
                if (now.configuration, now.description, now.status) != (
                    action.configuration,
                    action.description,
                    action.status,
                ):
                    fail(f"After {what}, the action is {now.status.value} with {now.configuration!r:.500}.", mend=mend)

        yield check


def _expect(kind: type[Exception], call: Callable[[], object]) -> None:
    """Make a call that has to fail in one way, and be undone."""
    try:
        call()
    except kind as error:
        notes = [note for note in getattr(error, "__notes__", ()) if COULD_NOT in note]
        if notes:
            fail(
                f"What had failed could not be undone: {notes[0]}",
                mend="let process_action_delete and process_action_update work for what is only half there.",
            )
    except Exception as error:
        pytest.skip(f"it fails in another way, which has a test of its own: {error}")
    else:
        fail(f"{kind.__name__} was lost.", mend="leave create_action, update_action and delete_action as they are.")
