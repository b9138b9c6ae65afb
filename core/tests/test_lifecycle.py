"""The life of a stored action, with a failure at every step of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest
from pydantic import ConfigDict, SecretStr, field_validator

from actium import ActionConfig, Actium, BaseActionFlavor, BaseActionHandler, ResourceType, action_flavor, hookimpl
from actium.errors import (
    AlreadyExistsError,
    FlavorNotFoundError,
    InactiveAccountError,
    InUseError,
    InvalidConfigurationError,
    InvalidInputError,
    NotFoundError,
    NotReadyError,
    PluginError,
    StoreError,
    VersionConflictError,
)
from actium.models import (
    ActionFilter,
    ActionRequest,
    ActionResponse,
    ActionStatus,
    ActionUpdate,
    ResourceResponse,
    ServiceAccountRequest,
    ServiceAccountResponse,
    ServiceAccountUpdate,
    TriggerRequest,
)
from actium.models.resource import ResourceBody
from actium.stores.records import ActionRecord

CreateAction = Callable[..., ActionResponse]


class BucketConfig(ActionConfig):
    bucket: str
    size: int = 10
    secret: SecretStr | None = None
    provisioned: str | None = None


class BucketHandler(BaseActionHandler):
    """Provisions what its actions need; a test makes it fail at a step, or act at one."""

    at: ClassVar[dict[str, Callable[..., Any]]] = {}
    calls: ClassVar[list[str]] = []

    @property
    def config_class(self) -> type[ActionConfig]:
        return BucketConfig

    @property
    def flavor_class(self) -> type[BaseActionFlavor]:
        return BucketFlavor

    def _step(self, name: str, *arguments: Any) -> Any:
        self.calls.append(name)
        return self.at.get(name, lambda *_: None)(*arguments)

    def run(self, config: Any, trigger_execution: Any, auth_context: Any) -> Any:
        return config.size

    def validate_action_request(self, action: Any, config: Any) -> None:
        self._step("validate_request", action, config)

    def process_action_request(self, action: Any, config: Any) -> None:
        self._step("process_request", action, config)

    def validate_action_update(self, action: Any, config: Any, action_update: Any, config_update: Any) -> None:
        self._step("validate_update", action, config, action_update, config_update)

    def process_action_update(self, action: Any, config: Any, previous_action: Any, previous_config: Any) -> None:
        self._step("process_update", action, config, previous_action, previous_config)

    def process_action_delete(self, action: Any, config: Any, force: bool) -> None:
        self._step("process_delete", action, config, force)

    def process_action_response(self, action: Any, config: Any) -> None:
        self._step("process_response", action, config)

    def extract_resources(self, action_config: Any, hydrate: bool = False) -> Any:
        given = self._step("extract", action_config)
        return given if given is not None else {ResourceType("bucket"): bucket(action_config.bucket)}


class BucketFlavor(BaseActionFlavor):
    """Keeps buckets."""

    SUBTYPE = "test"
    FLAVOR = "bucket"
    PLUGIN_CLASS = BucketHandler
    ACTION_CONFIG_CLASS = BucketConfig
    AUTH_WINDOW = 5


def bucket(name: str) -> ResourceResponse:
    from datetime import UTC, datetime
    from uuid import NAMESPACE_DNS, uuid5

    now = datetime.now(UTC)
    body = ResourceBody(type=ResourceType("bucket"), project="default", created=now, updated=now)
    return ResourceResponse(id=uuid5(NAMESPACE_DNS, name), name=name, body=body)


class Boom(Exception):
    """What a test makes a step raise."""


def boom(*_: Any) -> None:
    raise Boom("step failed")


@pytest.fixture(autouse=True)
def steps(app: Actium) -> Iterator[dict[str, Callable[..., Any]]]:
    app.flavors.register(BucketFlavor)
    BucketHandler.at.clear()
    BucketHandler.calls.clear()
    yield BucketHandler.at
    BucketHandler.at.clear()


@pytest.fixture
def create_bucket(create: CreateAction) -> CreateAction:
    def create_bucket(name: str = "keep", **fields: Any) -> Any:
        fields.setdefault("configuration", {"bucket": "raw"})
        return create(name, flavor="test.bucket", **fields)

    return create_bucket


def fail_once(monkeypatch: pytest.MonkeyPatch, app: Actium, method: str, *, on_call: int = 1) -> None:
    """Make one call of a store's method fail, as a full disk would."""
    real = getattr(app.store, method)
    calls = iter(range(1, 1000))

    def faulty(*arguments: Any, **named: Any) -> Any:
        if next(calls) == on_call:
            raise StoreError("There is no room left.")
        return real(*arguments, **named)

    monkeypatch.setattr(app.store, method, faulty)


class TestCreate:
    def test_goes_through_its_steps_in_order(self, create_bucket: CreateAction) -> None:
        """Creating validates, stores, processes and extracts, in this order."""
        action = create_bucket()
        assert BucketHandler.calls == ["validate_request", "process_request", "extract"]
        assert (action.status, action.version, action.revision) == (ActionStatus.READY, 2, 1)

    def test_defaults_are_made_explicit(self, create_bucket: CreateAction) -> None:
        """The stored configuration is the config model's dump, with its defaults."""
        assert create_bucket().configuration == {
            "bucket": "raw",
            "size": 10,
            "secret": None,
            "provisioned": None,
        }

    def test_validation_may_change_request_and_configuration(
        self, create_bucket: CreateAction, steps: dict[str, Any]
    ) -> None:
        """What validate_action_request changes is what is stored, and the caller's request is left as it was."""

        def change(action: ActionRequest, config: BucketConfig) -> None:
            action.description, action.labels["by"] = "set by the flavor", "flavor"
            config.size = 99

        steps["validate_request"] = change
        labels: dict[str, str] = {}
        action = create_bucket(labels=labels)
        assert (action.description, action.labels, action.configuration["size"]) == (
            "set by the flavor",
            {"by": "flavor"},
            99,
        )
        assert labels == {}

    def test_validation_cannot_make_the_request_invalid(
        self, app: Actium, create_bucket: CreateAction, steps: dict[str, Any]
    ) -> None:
        """A flavor that sets an impossible name is refused, and nothing is stored."""
        steps["validate_request"] = lambda action, config: setattr(action, "name", "")
        with pytest.raises(InvalidInputError, match="name"):
            create_bucket()
        assert app.actions.list().total == 0

    def test_processing_sees_the_action_being_created(
        self, app: Actium, create_bucket: CreateAction, steps: dict[str, Any]
    ) -> None:
        """While process_action_request runs, the row is there and says ``creating``, without a revision."""
        seen: list[Any] = []
        steps["process_request"] = lambda action, config: seen.append(app.actions.get(action.id, hydrate=False))
        create_bucket()
        assert (seen[0].status, seen[0].revision) == (ActionStatus.CREATING, 0)

    def test_what_processing_changed_is_stored(
        self, app: Actium, create_bucket: CreateAction, steps: dict[str, Any]
    ) -> None:
        """Changes of response and configuration by process_action_request are stored too."""

        def provision(action: Any, config: BucketConfig) -> None:
            action.metadata.labels["arn"] = "b-1"
            config.provisioned = "b-1"

        steps["process_request"] = provision
        stored = app.actions.get(create_bucket().id)
        assert (stored.labels, stored.configuration["provisioned"]) == ({"arn": "b-1"}, "b-1")

    @pytest.mark.parametrize("step", ["validate_request", "process_request", "extract"])
    def test_a_failing_step_leaves_nothing(
        self, app: Actium, create_bucket: CreateAction, steps: dict[str, Any], step: str
    ) -> None:
        """Whatever step fails: the original exception is raised, the row is gone, and the name is free again."""
        steps[step] = boom
        with pytest.raises(Boom, match="step failed"):
            create_bucket()
        assert app.actions.list().total == 0
        steps.clear()
        assert create_bucket().name == "keep"

    @pytest.mark.parametrize("method", ["insert_action", "update_action"])
    def test_a_failing_store_leaves_nothing(
        self, app: Actium, create_bucket: CreateAction, monkeypatch: pytest.MonkeyPatch, method: str
    ) -> None:
        """When storing fails, before or after processing, no row stays."""
        fail_once(monkeypatch, app, method)
        with pytest.raises(StoreError, match="no room"):
            create_bucket()
        assert app.actions.list().total == 0

    def test_an_interruption_while_processing_leaves_nothing(
        self, app: Actium, create_bucket: CreateAction, steps: dict[str, Any]
    ) -> None:
        """Ctrl-C in the middle of provisioning removes the row as any failure does."""

        def interrupt(*_: Any) -> None:
            raise KeyboardInterrupt

        steps["process_request"] = interrupt
        with pytest.raises(KeyboardInterrupt):
            create_bucket()
        assert app.actions.list().total == 0

    def test_a_failing_removal_is_a_note(
        self, app: Actium, create_bucket: CreateAction, steps: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """When the removal fails as well, the original exception is raised and the second one is added as a note."""
        steps["process_request"] = boom
        fail_once(monkeypatch, app, "remove_action")
        with pytest.raises(Boom) as caught:
            create_bucket()
        assert any("could not remove the action" in note for note in caught.value.__notes__)
        assert app.actions.list().items[0].status is ActionStatus.CREATING

    def test_a_taken_name_is_refused_before_provisioning(self, create_bucket: CreateAction) -> None:
        """A duplicate name is refused by the store, before anything is provisioned."""
        create_bucket()
        BucketHandler.calls.clear()
        with pytest.raises(AlreadyExistsError, match="'keep'"):
            create_bucket()
        assert BucketHandler.calls == ["validate_request"]

    def test_an_unknown_account_is_refused(self, create_bucket: CreateAction) -> None:
        """A service account that does not exist is refused."""
        with pytest.raises(NotFoundError, match="service account"):
            create_bucket(service_account_id=uuid4())

    def test_an_account_of_another_project_is_refused(self, app: Actium, create_bucket: CreateAction) -> None:
        """A service account of another project does not exist for an action."""
        other = app.accounts.create(ServiceAccountRequest(name="other", project="elsewhere"))
        with pytest.raises(NotFoundError, match="service account"):
            create_bucket(service_account_id=other.id)

    def test_an_inactive_account_is_refused(
        self, app: Actium, account: ServiceAccountResponse, create_bucket: CreateAction
    ) -> None:
        """An action cannot be given an inactive service account."""
        app.accounts.update(account.id, ServiceAccountUpdate(active=False))
        with pytest.raises(InactiveAccountError, match="robot"):
            create_bucket()

    def test_an_unknown_flavor_is_refused_with_the_nearest(self, create: CreateAction) -> None:
        """A misspelled flavor is refused with the nearest one there is."""
        with pytest.raises(FlavorNotFoundError, match=r"Did you mean 'test\.bucket'"):
            create(flavor="test.buckte")

    def test_the_wrong_type_is_told_with_path_value_and_type(self, create_bucket: CreateAction) -> None:
        """A value of the wrong type is refused with its path, the value and the expected type."""
        with pytest.raises(InvalidConfigurationError) as caught:
            create_bucket(configuration={"bucket": "raw", "size": "many"})
        (problem,) = caught.value.problems
        assert (problem.path, problem.value, problem.expected) == ("size", "'many'", "int")

    def test_a_huge_configuration_is_refused(self, app: Actium, create_bucket: CreateAction) -> None:
        """A configuration of a megabyte is refused, with its size and the limit."""
        with pytest.raises(InvalidConfigurationError, match="262,144"):
            create_bucket(configuration={"bucket": "x" * 1_000_000})
        assert app.actions.list().total == 0

    def test_what_json_cannot_hold_is_refused(self, create: CreateAction, app: Actium) -> None:
        """A configuration that holds infinity or an arbitrary object is refused."""

        class Loose(ActionConfig):
            anything: Any = None

        @action_flavor("test.loose", config=Loose)
        def loose(config: Loose) -> None:
            """Takes anything."""

        app.flavors.register(loose)
        for value in (float("inf"), float("nan"), object(), {"deep": [float("-inf")]}):
            with pytest.raises(InvalidConfigurationError, match="JSON"):
                create(flavor="test.loose", configuration={"anything": value})
        assert app.actions.list().total == 0

    @pytest.mark.parametrize("window, effective", [(None, 5), (0, 0), (7, 7)])
    def test_the_auth_window_defaults_to_the_flavors(
        self, create_bucket: CreateAction, window: int | None, effective: int
    ) -> None:
        """Unset means the flavor's window; 0 and others are kept."""
        assert create_bucket(auth_window=window).auth_window == effective

    def test_the_auth_window_of_a_flavor_without_one_is_the_global_default(self, create: CreateAction) -> None:
        """A flavor that has no window of its own gets an hour."""
        assert create().auth_window == 60

    def test_a_negative_auth_window_is_refused(self, create: CreateAction) -> None:
        """A negative window is refused at the door."""
        with pytest.raises(InvalidInputError, match="auth_window"):
            create(auth_window=-1)

    def test_ignored_keys_are_reported_with_the_nearest(self, create_bucket: CreateAction) -> None:
        """An unknown key is dropped, and the response says so with the nearest known one."""
        action = create_bucket(configuration={"bucket": "raw", "sise": 3})
        assert action.warnings == ("The key 'sise' was ignored: did you mean 'size'?",)
        assert "sise" not in action.configuration

    def test_a_flavor_may_forbid_extra_keys(self, app: Actium, create: CreateAction) -> None:
        """A flavor whose model forbids extras refuses them with their path."""

        class Strict(ActionConfig):
            model_config = ConfigDict(extra="forbid")

        @action_flavor("test.strict", config=Strict)
        def strict(config: Strict) -> None:
            """Takes nothing."""

        app.flavors.register(strict)
        with pytest.raises(InvalidConfigurationError, match="surplus"):
            create(flavor="test.strict", configuration={"surplus": 1})

    def test_resources_are_kept_with_the_action(self, app: Actium, create_bucket: CreateAction) -> None:
        """What extract_resources reports fills the response, and answers which actions use it."""
        action = create_bucket()
        reference = action.get_resources().referenced["bucket"]
        assert reference.name == "raw"
        assert [user.name for user in app.actions.using("bucket", reference.id)] == ["keep"]
        assert action.get_resources().service_account.name == "robot"

    def test_wrong_resources_are_the_flavors_fault(
        self, app: Actium, create_bucket: CreateAction, steps: dict[str, Any]
    ) -> None:
        """A flavor whose extract_resources returns something else is told so, and nothing is stored."""
        steps["extract"] = lambda config: ["raw"]
        with pytest.raises(PluginError, match="extract_resources of test.bucket"):
            create_bucket()
        assert app.actions.list().total == 0

    def test_hook_plugins_wrap_the_creation(self, url: str) -> None:
        """A hook plugin may change the request, and refuse it, before the flavor sees it."""

        class Policy:
            @hookimpl(wrapper=True)
            def create_action(self, action: ActionRequest) -> Any:
                if action.labels.get("team") is None:
                    raise PermissionError("no team")
                action.description = f"by {action.labels['team']}"
                return (yield)

        with Actium(url, hooks=[Policy()]) as app:
            app.flavors.register(BucketFlavor)
            account = app.accounts.create(ServiceAccountRequest(name="a"))
            request = ActionRequest(
                name="n",
                plugin_subtype="test",
                flavor="bucket",
                configuration={"bucket": "b"},
                service_account_id=account.id,
            )
            with pytest.raises(PermissionError, match="no team") as caught:
                app.actions.create(request)
            assert any("create_action of test.bucket" in note for note in caught.value.__notes__)
            request.labels["team"] = "data"
            assert app.actions.create(request).description == "by data"


class TestUpdate:
    def test_the_configuration_is_replaced_whole(self, app: Actium, create_bucket: CreateAction) -> None:
        """A new configuration replaces the old one; what it leaves out has its default again."""
        action = create_bucket(configuration={"bucket": "raw", "size": 3})
        updated = app.actions.update(action.id, ActionUpdate(configuration={"bucket": "new"}))
        assert (updated.configuration["bucket"], updated.configuration["size"]) == ("new", 10)
        assert updated.get_resources().referenced["bucket"].name == "new"

    def test_absent_stays_and_none_clears(self, app: Actium, create_bucket: CreateAction) -> None:
        """Absent fields stay; an explicit None clears what can be empty."""
        action = create_bucket(description="old", labels={"a": "b"}, auth_window=9)
        updated = app.actions.update(action.id, ActionUpdate(name="renamed", auth_window=None, description=None))
        assert (updated.name, updated.description, updated.labels, updated.auth_window) == (
            "renamed",
            "",
            {"a": "b"},
            5,
        )

    @pytest.mark.parametrize("field", ["name", "configuration", "service_account_id", "enabled"])
    def test_none_is_refused_where_nothing_may_be_empty(self, field: str) -> None:
        """An explicit None for a field that cannot be empty is refused at the door."""
        with pytest.raises(InvalidInputError, match=f"{field} cannot be empty"):
            ActionUpdate(**{field: None})

    @pytest.mark.parametrize("field", ["flavor", "plugin_subtype", "project"])
    def test_identity_never_changes(self, field: str) -> None:
        """Flavor, subtype and project are no fields of an update."""
        with pytest.raises(InvalidInputError, match=field):
            ActionUpdate(**{field: "x"})

    def test_the_new_configuration_is_validated(
        self, app: Actium, create_bucket: CreateAction, steps: dict[str, Any]
    ) -> None:
        """validate_action_update gets the old and the new configuration, and may refuse the new one."""

        def validate(action: Any, config: BucketConfig, update: Any, new: BucketConfig) -> None:
            if new.size < config.size:
                raise InvalidConfigurationError("A bucket cannot shrink.")

        steps["validate_update"] = validate
        action = create_bucket()
        with pytest.raises(InvalidConfigurationError, match="shrink"):
            app.actions.update(action.id, ActionUpdate(configuration={"bucket": "raw", "size": 1}))
        assert app.actions.get(action.id).version == action.version

    def test_processing_gets_both_sides_and_may_change_the_new(
        self, app: Actium, create_bucket: CreateAction, steps: dict[str, Any]
    ) -> None:
        """process_action_update sees the action and configuration before and after; its changes are stored."""

        def process(action: Any, config: BucketConfig, previous: Any, previous_config: BucketConfig) -> None:
            config.provisioned = f"{previous_config.bucket}->{config.bucket}"
            action.metadata.description = f"was {previous.name}"

        steps["process_update"] = process
        action = create_bucket()
        app.actions.update(action.id, ActionUpdate(name="moved", configuration={"bucket": "new"}))
        stored = app.actions.get(action.id)
        assert (stored.configuration["provisioned"], stored.description) == ("raw->new", "was keep")

    @pytest.mark.parametrize("step", ["validate_update", "process_update", "extract"])
    def test_a_failing_step_puts_every_field_back(
        self, app: Actium, create_bucket: CreateAction, steps: dict[str, Any], step: str
    ) -> None:
        """Whatever step fails: every field is as it was, and no revision was added."""
        action = create_bucket(description="old", labels={"a": "b"})
        before = app.store.get(ActionRecord, action.id)
        steps[step] = boom
        change = ActionUpdate(
            name="new", description="new", labels={}, enabled=False, auth_window=1, configuration={"bucket": "new"}
        )
        with pytest.raises(Boom):
            app.actions.update(action.id, change)
        after = app.store.get(ActionRecord, action.id)
        for field in ("name", "description", "labels", "enabled", "auth_window", "configuration", "status"):
            assert getattr(after, field) == getattr(before, field), field
        assert len(app.actions.history(action.id)) == 1
        assert app.store.action_resources(action.id)[0].name == "raw"

    @pytest.mark.parametrize("on_call", [1, 2])
    def test_a_failing_store_puts_every_field_back(
        self, app: Actium, create_bucket: CreateAction, monkeypatch: pytest.MonkeyPatch, on_call: int
    ) -> None:
        """When storing fails, before or after processing, the action is as it was."""
        action = create_bucket()
        fail_once(monkeypatch, app, "update_action", on_call=on_call)
        with pytest.raises(StoreError):
            app.actions.update(action.id, ActionUpdate(name="new"))
        assert app.actions.get(action.id).name == "keep"
        assert app.actions.get(action.id).status is ActionStatus.READY

    def test_what_the_flavor_does_to_the_previous_action_is_not_stored(
        self, app: Actium, create_bucket: CreateAction, steps: dict[str, Any]
    ) -> None:
        """A flavor that changes the previous action in place, and then fails, leaves no trace of that."""
        action = create_bucket(labels={"a": "b"})

        def spoil_and_fail(_: Any, __: Any, previous: Any, ___: Any) -> None:
            previous.metadata.configuration["bucket"] = "spoiled"
            previous.metadata.labels["a"] = "spoiled"
            raise Boom

        steps["process_update"] = spoil_and_fail
        with pytest.raises(Boom):
            app.actions.update(action.id, ActionUpdate(description="new"))
        after = app.store.get(ActionRecord, action.id)
        assert (after.configuration["bucket"], after.labels) == ("raw", {"a": "b"})

    def test_nobody_elses_change_is_undone(
        self, app: Actium, create_bucket: CreateAction, steps: dict[str, Any]
    ) -> None:
        """When someone else changed the action while processing failed, their change stays, and a note says so."""
        action = create_bucket()

        def intervene(*_: Any) -> None:
            present = app.store.get(ActionRecord, action.id)
            app.store.restore_action(
                replace(present, description="someone else", status=ActionStatus.READY),
                expected_version=present.version,
            )
            raise Boom

        steps["process_update"] = intervene
        with pytest.raises(Boom) as caught:
            app.actions.update(action.id, ActionUpdate(name="mine"))
        assert app.actions.get(action.id).description == "someone else"
        assert any("could not put the action back" in note for note in caught.value.__notes__)

    def test_a_stale_version_is_refused(self, app: Actium, create_bucket: CreateAction) -> None:
        """An update made for an older version is refused, and says both versions."""
        action = create_bucket()
        app.actions.update(action.id, ActionUpdate(description="first", version=action.version))
        with pytest.raises(VersionConflictError, match=rf"not {action.version}"):
            app.actions.update(action.id, ActionUpdate(description="second", version=action.version))
        assert app.actions.get(action.id).description == "first"

    def test_a_change_in_between_is_not_lost(
        self, app: Actium, create_bucket: CreateAction, steps: dict[str, Any]
    ) -> None:
        """A change that another caller makes between read and write makes the later write fail."""
        action = create_bucket()

        def sneak(*_: Any) -> None:
            steps.clear()
            app.actions.update(action.id, ActionUpdate(description="sneaked in"))

        steps["validate_update"] = sneak
        with pytest.raises(VersionConflictError):
            app.actions.update(action.id, ActionUpdate(description="mine"))
        assert app.actions.get(action.id).description == "sneaked in"

    def test_an_action_in_change_is_not_ready(
        self, app: Actium, create_bucket: CreateAction, steps: dict[str, Any]
    ) -> None:
        """While one update is being processed, another one is refused."""
        action = create_bucket()
        refused: list[NotReadyError] = []

        def second(*_: Any) -> None:
            with pytest.raises(NotReadyError, match="updating") as caught:
                app.actions.update(action.id, ActionUpdate(description="second"))
            refused.append(caught.value)

        steps["process_update"] = second
        app.actions.update(action.id, ActionUpdate(description="first"))
        assert len(refused) == 1

    def test_an_update_mends_what_does_not_validate_any_more(self, app: Actium, create_bucket: CreateAction) -> None:
        """A stored configuration that its flavor's model refuses does not block the update that mends it."""
        action = create_bucket()
        spoil(app, action.id, {"size": "not a number"})
        renamed = app.actions.update(action.id, ActionUpdate(name="renamed"))
        assert renamed.name == "renamed"
        mended = app.actions.update(action.id, ActionUpdate(configuration={"bucket": "whole"}))
        assert mended.configuration["bucket"] == "whole"

    def test_an_update_mends_what_makes_its_model_raise(
        self, app: Actium, create: CreateAction, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A model whose validator raises whatever it likes on what is stored does not block the update either; the
        response and the log say that the former configuration could not be read."""

        class Coded(ActionConfig):
            code: str = "a"

            @field_validator("code")
            @classmethod
            def known(cls, code: str) -> str:
                return {"a": "a", "b": "b"}[code]

        app.flavors.register(action_flavor("test.coded", config=Coded)(lambda: None))
        action = create(flavor="test.coded")
        spoil(app, action.id, {"code": "gone"})
        for change in (ActionUpdate(name="renamed"), ActionUpdate(configuration={"code": "b"})):
            updated = app.actions.update(action.id, change)
            assert updated.warnings == ("The configuration that was stored before cannot be read: KeyError: 'gone'",)
        assert (updated.name, updated.configuration) == ("renamed", {"code": "b"})
        assert "cannot be read" in caplog.text
        assert app.actions.update(action.id, ActionUpdate(description="whole")).warnings == ()

    def test_history_tells_who_changed_what(self, app: Actium, create_bucket: CreateAction) -> None:
        """Every change leaves a revision: who, when, and the fields before and after."""
        from actium.auth import acting_as

        action = create_bucket()
        with acting_as("ada"):
            app.actions.update(action.id, ActionUpdate(description="new"))
        first, second = app.actions.history("keep")
        assert (first.change, second.change, second.changed_by) == ("created", "updated", "ada")
        assert (second.before["description"], second.fields["description"]) == ("", "new")


class TestDelete:
    def test_removes_the_action_and_keeps_its_history(self, app: Actium, create_bucket: CreateAction) -> None:
        """A deleted action is gone; its history is found by its id."""
        action = create_bucket()
        app.actions.delete("keep")
        assert app.actions.list().total == 0
        assert [revision.change for revision in app.actions.history(action.id)] == ["created", "deleted"]
        assert "process_delete" in BucketHandler.calls

    def test_one_in_use_is_refused_before_anything_is_given_back(
        self, app: Actium, create_bucket: CreateAction
    ) -> None:
        """Deleting an action that triggers use names them, and deprovisions nothing."""
        action = create_bucket()
        app.triggers.create(TriggerRequest(name="on-data", action_id=action.id, match_all=True))
        with pytest.raises(InUseError, match="'on-data'"):
            app.actions.delete(action.id)
        assert "process_delete" not in BucketHandler.calls
        assert app.actions.get(action.id).status is ActionStatus.READY
        app.actions.delete(action.id, cascade=True)
        assert (app.actions.list().total, app.triggers.list().total) == (0, 0)

    def test_a_failing_flavor_keeps_the_action(
        self, app: Actium, create_bucket: CreateAction, steps: dict[str, Any]
    ) -> None:
        """When the flavor cannot give back what it provisioned, the action stays, ready."""
        action = create_bucket()
        steps["process_delete"] = boom
        with pytest.raises(Boom):
            app.actions.delete(action.id)
        assert app.actions.get(action.id).status is ActionStatus.READY
        assert len(app.actions.history(action.id)) == 1

    def test_force_overrules_a_failing_flavor_and_records_it(
        self, app: Actium, create_bucket: CreateAction, steps: dict[str, Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        """With force the row goes, and the failure is logged and kept in the history."""
        action = create_bucket()
        steps["process_delete"] = boom
        app.actions.delete(action.id, force=True)
        assert "deleted by force although Boom: step failed" in str(app.actions.history(action.id)[-1].problem)
        assert "deleted by force" in caplog.text

    def test_force_deletes_what_does_not_validate_any_more(self, app: Actium, create_bucket: CreateAction) -> None:
        """A configuration that its flavor refuses keeps the action from being deleted, unless by force."""
        action = create_bucket()
        spoil(app, action.id, {})
        with pytest.raises(InvalidConfigurationError):
            app.actions.delete(action.id)
        app.actions.delete(action.id, force=True)
        assert app.actions.list().total == 0

    def test_force_deletes_without_the_flavor(self, url: str, app: Actium, create_bucket: CreateAction) -> None:
        """An action whose flavor is not installed any more can be deleted by force only."""
        create_bucket()
        with Actium(url) as other:
            with pytest.raises(FlavorNotFoundError, match="test.bucket"):
                other.actions.delete("keep")
            other.actions.delete("keep", force=True)
            assert other.actions.list().total == 0

    def test_a_failing_removal_can_be_repeated(
        self, app: Actium, create_bucket: CreateAction, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """When removing the row fails after the flavor gave everything back, deleting again by force finishes it."""
        action = create_bucket()
        fail_once(monkeypatch, app, "remove_action")
        with pytest.raises(StoreError):
            app.actions.delete(action.id)
        assert app.actions.get(action.id, hydrate=False).status is ActionStatus.DELETING
        with pytest.raises(NotReadyError, match="by force"):
            app.actions.delete(action.id)
        app.actions.delete(action.id, force=True)
        assert app.actions.list().total == 0

    @pytest.mark.parametrize(
        "step, change",
        [
            ("process_request", lambda app: None),
            ("process_update", lambda app: app.actions.update("keep", ActionUpdate(configuration={"bucket": "new"}))),
        ],
    )
    def test_one_in_change_is_deleted_by_force_only(
        self, app: Actium, create_bucket: CreateAction, steps: dict[str, Any], step: str, change: Callable[..., Any]
    ) -> None:
        """An action that is just being created or updated is not deleted; nothing is given back, and its change ends
        well."""

        def intrude(*_: Any) -> None:
            with pytest.raises(NotReadyError, match="creating|updating"):
                app.actions.delete("keep")

        steps[step] = intrude
        create_bucket()
        change(app)
        assert "process_delete" not in BucketHandler.calls
        assert app.actions.get("keep").status is ActionStatus.READY

    def test_an_interrupted_deletion_of_one_in_change_leaves_it_in_change(
        self, app: Actium, create_bucket: CreateAction, steps: dict[str, Any]
    ) -> None:
        """Ctrl-C while a half-updated action is deleted by force never makes its configuration count as ready."""
        action = create_bucket()
        present = app.store.get(ActionRecord, action.id)
        half_made = replace(present, configuration={"bucket": "half"}, status=ActionStatus.UPDATING)
        app.store.restore_action(half_made, expected_version=present.version)

        def interrupt(*_: Any) -> None:
            raise KeyboardInterrupt

        steps["process_delete"] = interrupt
        with pytest.raises(KeyboardInterrupt):
            app.actions.delete(action.id, force=True)
        after = app.store.get(ActionRecord, action.id)
        assert (after.status, after.configuration) == (ActionStatus.UPDATING, {"bucket": "half"})

    def test_a_second_deletion_does_not_take_a_trigger_along(
        self, app: Actium, create_bucket: CreateAction, steps: dict[str, Any]
    ) -> None:
        """Of two deletions at once one is refused, so that an action that stays keeps the triggers it gets."""
        action = create_bucket()

        def another_and_fail(*_: Any) -> None:
            with pytest.raises(NotReadyError, match="deleting"):
                app.actions.delete(action.id)
            raise Boom

        steps["process_delete"] = another_and_fail
        with pytest.raises(Boom):
            app.actions.delete(action.id)
        app.triggers.create(TriggerRequest(name="on-data", action_id=action.id, match_all=True))
        assert app.actions.get(action.id).status is ActionStatus.READY

    def test_one_that_someone_else_saved_meanwhile_is_not_removed(
        self, app: Actium, create_bucket: CreateAction, steps: dict[str, Any]
    ) -> None:
        """An action that was put back and got a trigger while its flavor gave everything back stays, with it."""
        action = create_bucket()

        def save(*_: Any) -> None:
            present = app.store.get(ActionRecord, action.id)
            app.store.restore_action(replace(present, status=ActionStatus.READY), expected_version=present.version)
            app.triggers.create(TriggerRequest(name="on-data", action_id=action.id, match_all=True))

        steps["process_delete"] = save
        with pytest.raises(VersionConflictError, match="someone else changed it"):
            app.actions.delete(action.id)
        assert (app.actions.list().total, app.triggers.list().total) == (1, 1)


class TestRead:
    def test_without_hydration_no_plugin_code_runs(self, app: Actium, create_bucket: CreateAction) -> None:
        """get and list without hydration call neither handler nor hooks."""
        action = create_bucket()
        BucketHandler.calls.clear()
        app.actions.get(action.id, hydrate=False)
        app.actions.list()
        assert BucketHandler.calls == []

    def test_hydration_lets_the_flavor_complete_it(
        self, app: Actium, create_bucket: CreateAction, steps: dict[str, Any]
    ) -> None:
        """Reading hydrated calls process_action_response, whose changes are shown and not stored."""
        steps["process_response"] = lambda action, config: setattr(action.metadata, "description", "completed")
        action = create_bucket()
        assert app.actions.get(action.id).description == "completed"
        assert app.store.get(ActionRecord, action.id).description == ""

    def test_a_row_with_a_problem_never_breaks_the_page(
        self, url: str, app: Actium, create: CreateAction, create_bucket: CreateAction
    ) -> None:
        """A missing flavor or a configuration that fits no more is shown with its problem, beside the others."""
        broken = create_bucket("broken")
        create_bucket("whole")
        create("absent")
        spoil(app, broken.id, {"size": "many"})
        with Actium(url) as other:
            other.flavors.register(BucketFlavor)
            problems = {
                item.name: item.problem for item in other.actions.list(ActionFilter(sort_by="name"), hydrate=True).items
            }
        assert problems["whole"] is None
        assert "size" in str(problems["broken"])
        assert "test.echo" in str(problems["absent"])

    def test_a_flavor_that_raises_while_completing_is_a_problem(
        self, app: Actium, create_bucket: CreateAction, steps: dict[str, Any]
    ) -> None:
        """A flavor that raises in process_action_response does not break reading; its failure is shown."""
        action = create_bucket()
        steps["process_response"] = boom
        assert "step failed" in str(app.actions.get(action.id).problem)


def spoil(app: Actium, action_id: UUID, configuration: dict[str, Any]) -> None:
    """Store a configuration that the flavor would refuse, as an older version of it may have."""
    present = app.store.get(ActionRecord, action_id)
    app.store.update_action(
        replace(present, configuration=configuration),
        None,
        expected_version=present.version,
        changed_by="an older version",
    )
