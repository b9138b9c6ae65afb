"""The life of actions against a simple model: whatever is asked in whatever order, and wherever a flavor fails."""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from actium import ActionConfig, Actium, BaseActionFlavor, BaseActionHandler
from actium.errors import AlreadyExistsError, InUseError, NotFoundError
from actium.models import ActionFilter, ActionRequest, ActionStatus, ActionUpdate, ServiceAccountRequest, TriggerRequest

NAMES = st.sampled_from(["a", "b", "c"])
TEXTS = st.sampled_from(["x", "y"])
STEPS = st.sampled_from([None, None, None, "validate", "process", "extract"])


class Failure(Exception):
    """What a flavor raises where it is told to."""


class OutsideConfig(ActionConfig):
    text: str = ""


class OutsideHandler(BaseActionHandler):
    """Keeps an outside system in step with its actions, and fails where it is told to."""

    outside: ClassVar[dict[str, str]] = {}
    failing: ClassVar[str | None] = None

    @property
    def config_class(self) -> type[ActionConfig]:
        return OutsideConfig

    @property
    def flavor_class(self) -> type[BaseActionFlavor]:
        return OutsideFlavor

    def _fail(self, step: str) -> None:
        if OutsideHandler.failing == step:
            raise Failure(step)

    def run(self, config: Any, trigger_execution: Any, auth_context: Any) -> Any:
        return config.text

    def validate_action_request(self, action: Any, config: Any) -> None:
        self._fail("validate")

    def process_action_request(self, action: Any, config: Any) -> None:
        self._fail("process")
        self.outside[action.name] = config.text

    def validate_action_update(self, action: Any, config: Any, action_update: Any, config_update: Any) -> None:
        self._fail("validate")

    def process_action_update(self, action: Any, config: Any, previous_action: Any, previous_config: Any) -> None:
        self._fail("process")
        self.outside[action.name] = config.text

    def process_action_delete(self, action: Any, config: Any, force: bool) -> None:
        self._fail("process")
        self.outside.pop(action.name, None)

    def extract_resources(self, action_config: Any, hydrate: bool = False) -> Any:
        self._fail("extract")
        return {}


class OutsideFlavor(BaseActionFlavor):
    """Something outside."""

    SUBTYPE = "test"
    FLAVOR = "outside"
    PLUGIN_CLASS = OutsideHandler
    ACTION_CONFIG_CLASS = OutsideConfig


class Lives(RuleBasedStateMachine):
    """Creates, changes and deletes actions; the model is what was acknowledged."""

    triggers = Bundle("triggers")

    def __init__(self) -> None:
        super().__init__()
        OutsideHandler.outside.clear()
        OutsideHandler.failing = None
        self.app = Actium("sqlite://")
        self.app.flavors.register(OutsideFlavor)
        self.account = self.app.accounts.create(ServiceAccountRequest(name="robot"))
        self.model: dict[str, tuple[str, int]] = {}
        self.used: dict[str, set[str]] = {}
        self.made = 0

    def teardown(self) -> None:
        self.app.close()

    @rule(name=NAMES, text=TEXTS, failing=STEPS)
    def create(self, name: str, text: str, failing: str | None) -> None:
        request = ActionRequest(
            name=name,
            plugin_subtype="test",
            flavor="outside",
            configuration={"text": text},
            service_account_id=self.account.id,
        )
        if self._succeeds(
            failing, AlreadyExistsError if name in self.model else None, self.app.actions.create, request
        ):
            self.model[name] = (text, 1)

    @rule(name=NAMES, text=TEXTS, failing=STEPS)
    def update(self, name: str, text: str, failing: str | None) -> None:
        change = ActionUpdate(configuration={"text": text})
        expected = None if name in self.model else NotFoundError
        if self._succeeds(failing, expected, self.app.actions.update, name, change):
            self.model[name] = (text, self.model[name][1] + 1)

    @rule(name=NAMES, failing=STEPS, force=st.booleans(), cascade=st.booleans())
    def delete(self, name: str, failing: str | None, force: bool, cascade: bool) -> None:
        expected: type[Exception] | None = None
        if name not in self.model:
            expected = NotFoundError
        elif self.used.get(name) and not cascade:
            expected = InUseError
        failing = "process" if failing == "process" and not force else None
        if self._succeeds(failing, expected, self.app.actions.delete, name, force=force, cascade=cascade):
            del self.model[name]
            self.used.pop(name, None)

    @rule(target=triggers, name=NAMES)
    def use(self, name: str) -> Any:
        if name not in self.model:
            return multiple()
        self.made += 1
        trigger = f"t{self.made}"
        action = self.app.actions.get(name, hydrate=False)
        self.app.triggers.create(TriggerRequest(name=trigger, action_id=action.id, match_all=True))
        self.used.setdefault(name, set()).add(trigger)
        return trigger

    @rule(trigger=consumes(triggers))
    def stop_using(self, trigger: str) -> None:
        users = [name for name, triggers in self.used.items() if trigger in triggers]
        if users:
            self.app.triggers.delete(trigger)
            self.used[users[0]].discard(trigger)

    @invariant()
    def what_was_acknowledged_is_there_and_nothing_else(self) -> None:
        page = self.app.actions.list(ActionFilter(sort_by="name"), hydrate=True)
        found = {action.name: (action.configuration["text"], action.revision) for action in page.items}
        assert found == self.model
        assert {action.status for action in page.items} <= {ActionStatus.READY}
        assert all(len(self.app.actions.history(action.id)) == action.revision for action in page.items)
        assert {trigger.name for trigger in self.app.triggers.list().items} == set().union(*self.used.values())

    def _succeeds(
        self, failing: str | None, expected: type[Exception] | None, call: Any, *arguments: Any, **named: Any
    ) -> bool:
        """Whether a call did what it was asked; where it may not, it must raise just what the model says."""
        OutsideHandler.failing = failing
        try:
            call(*arguments, **named)
        except Failure:
            assert failing is not None
            return False
        except Exception as error:
            if expected is None or not isinstance(error, expected):
                raise
            return False
        finally:
            OutsideHandler.failing = None
        assert (failing, expected) == (None, None)
        return True


Lives.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestLives = Lives.TestCase
