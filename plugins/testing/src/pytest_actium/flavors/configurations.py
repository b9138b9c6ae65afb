"""Rules of configurations: what is valid is kept as it is, what is not is refused where it is wrong."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

import pytest

from actium.auth.secret_references import dump_with_references
from actium.errors import AlreadyExistsError, InvalidConfigurationError
from actium.models import ActionUpdate
from pytest_actium.flavors.schemas import SchemaRules
from pytest_actium.flavors.subject import Bench, Configuration, differences
from pytest_actium.verdicts import fail, in_words

_NO_FIELD = "no_field_has_this_name"


class ConfigurationRules(SchemaRules):
    """What becomes of configurations."""

    def test_a_valid_configuration_is_taken(self, bench: Bench) -> None:
        """An action is created from the valid configuration, and is ready."""
        try:
            action = bench.create()
        except Exception as error:
            if not bench.survives_storage():
                pytest.skip("it does not survive storage")
            fail(
                f"{self.key} does not take the configuration that is named as valid: {in_words(error)}",
                mend="correct VALID, or what the flavor checks.",
            )
        if action.status.value != "ready" or action.problem is not None:
            fail(f"The new action is {action.status.value}: {action.problem}.", mend="see the problem that it tells.")

    def test_a_configuration_survives_storage(self, bench: Bench, configuration: Configuration) -> None:
        """A configuration that is stored and read is the same, and stays so however often that happens."""
        handler = bench.handler
        stored = dump_with_references(handler.validate_action_configuration(configuration))
        try:
            read = handler.validate_action_configuration(json.loads(json.dumps(stored)))
        except Exception as error:
            fail(
                f"What is stored of the configuration, {stored!r:.500}, cannot be read: {in_words(error)}",
                mend="let validators take what serializers write.",
            )
        again = dump_with_references(read)
        if stored != again:
            changed = sorted(name for name in stored if stored[name] != again.get(name))
            fail(
                f"The configuration changes when it is stored and read, in {', '.join(changed)}: "
                f"{[stored[name] for name in changed]!r:.500} becomes {[again.get(name) for name in changed]!r:.500}.",
                mend="let validators leave a value alone that they have made before, and serializers write what "
                "validators read.",
            )

    def test_a_configuration_is_left_as_it_was_given(self, bench: Bench, configuration: Configuration) -> None:
        """Whoever creates an action finds their own dictionary unchanged."""
        given = copy.deepcopy(configuration)
        bench.handler.validate_action_configuration(given)
        if given != configuration:
            fail(
                f"Validating changed the caller's configuration from {configuration!r:.500} to {given!r:.500}.",
                mend="copy what a before-validator changes: it gets the caller's own lists and dictionaries.",
            )

    def test_invalid_configurations_are_refused(
        self, bench: Bench, invalid_configurations: Mapping[str, Mapping[str, Any]]
    ) -> None:
        """Every configuration that does not work is refused when an action is created, and nothing is stored."""
        if not invalid_configurations:
            fail("INVALID is empty.", mend="name at least one configuration that must be refused.")
        for path, invalid in invalid_configurations.items():
            try:
                bench.create(invalid)
            except ValueError:
                continue
            except Exception as error:
                fail(
                    f"The configuration that is wrong at {path!r} is refused with {in_words(error)}",
                    mend="raise InvalidConfigurationError, or ValueError in a validator.",
                )
            fail(
                f"The configuration that is wrong at {path!r} was taken: {dict(invalid)!r:.500}.",
                mend="let the model, or validate_action_request, refuse it.",
            )
        if bench.app.actions.list().total:
            fail("A refused action is stored all the same.", mend="store nothing while you validate.")

    def test_refusals_name_the_field(
        self, bench: Bench, invalid_configurations: Mapping[str, Mapping[str, Any]]
    ) -> None:
        """A refusal names the path of the field that is wrong."""
        for path, invalid in invalid_configurations.items():
            try:
                bench.create(invalid)
            except Exception as error:
                named = [problem.path for problem in getattr(error, "problems", ())]
                if not isinstance(error, InvalidConfigurationError) or path not in named:
                    fail(
                        f"The refusal of a wrong {path!r} names {named or 'no field'}: {in_words(error)}",
                        mend="raise InvalidConfigurationError with problems=[FieldProblem(path, ...)].",
                    )
            else:
                pytest.skip("an invalid configuration is taken")

    def test_an_update_is_checked_like_a_creation(
        self, bench: Bench, invalid_configurations: Mapping[str, Mapping[str, Any]]
    ) -> None:
        """A configuration that no action could be created with cannot be given to an action that is there."""
        action = bench.created()
        for path, invalid in invalid_configurations.items():
            try:
                bench.create(invalid, name="another")
            except ValueError:
                pass
            else:
                pytest.skip("an invalid configuration is taken")
            try:
                bench.app.actions.update(action.id, ActionUpdate(configuration=dict(invalid)))
            except ValueError:
                continue
            fail(
                f"The configuration that is wrong at {path!r} is refused for a new action and taken by an update.",
                mend="let validate_action_update check what validate_action_request checks.",
            )
        if bench.app.actions.get(action.id).configuration != action.configuration:
            fail("A refused update changed the action.", mend="store nothing while you validate.")

    def test_unknown_keys_do_not_pass_in_silence(self, bench: Bench, configuration: Configuration) -> None:
        """A key that no field has is refused or reported, since it is a misspelled one."""
        bench.created(name="without-it")
        try:
            action = bench.create({**configuration, _NO_FIELD: 1})
        except InvalidConfigurationError as error:
            if any(_NO_FIELD in problem.path for problem in error.problems):
                return
            fail(f"The refusal does not name the unknown key: {error}", mend='set extra="forbid", which does.')
        if not any(_NO_FIELD in warning for warning in action.warnings):
            fail(
                f"The unknown key {_NO_FIELD!r} was taken without a word; the stored configuration is "
                f"{action.configuration!r:.500}.",
                mend='set model_config = ConfigDict(extra="forbid"), or leave `extra` as ActionConfig has it.',
            )

    def test_validating_has_no_side_effects(self, bench: Bench) -> None:
        """An action that is refused after it was validated leaves nothing behind."""
        bench.created()
        before = self.world(bench)
        with pytest.raises(AlreadyExistsError):
            bench.create()
        changed = differences(before, self.world(bench))
        if changed:
            fail(
                f"Validating an action whose name is taken has changed something: {changed}.",
                mend="provision in process_action_request, which can be undone, and not while you validate.",
            )
