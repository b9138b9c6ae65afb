"""From an event to the recorded outcome of every action that it runs."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from actium import ActionConfig, Actium, AuthContext, Event, ExecutionStatus, action_flavor, hookimpl
from actium.errors import (
    AlreadyExistsError,
    AmbiguousReferenceError,
    ConflictError,
    ExecutionCancelled,
    InvalidFilterError,
    InvalidInputError,
    InvalidQueryError,
    InvalidTokenError,
    NotFoundError,
    NotReadyError,
)
from actium.models import (
    ActionResponse,
    ActionStatus,
    ActionUpdate,
    EventFilter,
    ServiceAccountRequest,
    ServiceAccountResponse,
    ServiceAccountUpdate,
    StepProgress,
    TriggerExecutionFilter,
    TriggerExecutionResponse,
    TriggerFilter,
    TriggerRequest,
    TriggerUpdate,
)
from actium.stores.records import ActionRecord, TriggerRecord

CreateAction = Callable[..., ActionResponse]
ARRIVED = [{"exact": {"type": "com.example.arrived"}}]


def arrived(data: Any = None, **attributes: Any) -> Event:
    return Event(type="com.example.arrived", source="/bucket/raw", data=data, **attributes)


def trigger(app: Actium, action: ActionResponse, name: str = "on-arrival", **fields: Any) -> Any:
    fields.setdefault("filters", ARRIVED)
    return app.triggers.create(TriggerRequest(name=name, action_id=action.id, **fields))


def flavor_of(app: Actium, key: str, run: Callable[..., Any], config: type[ActionConfig] = ActionConfig) -> str:
    """Register a flavor made of a function."""
    app.flavors.register(action_flavor(key, config=config)(run))
    return key


def only(app: Actium) -> TriggerExecutionResponse:
    (execution,) = app.executions.list(hydrate=True).items
    return execution


class TestPublishing:
    def test_runs_the_actions_of_all_matching_triggers(self, app: Actium, create: CreateAction) -> None:
        """One event runs each matching trigger's action once, and no other."""
        first, second = create("first", configuration={"text": "a"}), create("second", configuration={"text": "b"})
        trigger(app, first, "one")
        trigger(app, second, "two")
        trigger(app, second, "other", filters=[{"exact": {"type": "com.example.left"}}])
        published = app.events.publish(arrived({"rows": 344}))
        assert len(published.executions) == 2
        assert app.worker().run_until_idle() == 2
        results = {item.name: item.result for item in app.executions.list(hydrate=True).items}
        assert results == {
            "first": {"text": "a", "data": {"rows": 344}},
            "second": {"text": "b", "data": {"rows": 344}},
        }

    def test_an_event_that_nothing_matches_is_kept(self, app: Actium) -> None:
        """An event without a matching trigger is stored all the same, with no executions."""
        published = app.events.publish(arrived())
        assert published.executions == ()
        assert app.events.get(published.id).get_metadata().executions == ()

    def test_the_same_event_again_changes_nothing(self, app: Actium, create: CreateAction) -> None:
        """Publishing a known (source, id) gives the first result and says so; another source is another event."""
        trigger(app, create())
        first = app.events.publish(arrived(id="42"))
        again = app.events.publish(arrived(id="42"))
        assert (again.id, again.executions, again.duplicate) == (first.id, first.executions, True)
        assert not app.events.publish(Event(type="x.y", source="/other", id="42")).duplicate
        assert app.executions.list().total == 1

    def test_an_event_that_an_action_was_tried_with(self, app: Actium, create: CreateAction) -> None:
        """What someone ran an action with by hand is no duplicate when it comes: its triggers run, once, with what it
        says then."""
        tried, triggered, says = create("tried"), create("triggered"), {"rows": 7}
        trigger(app, triggered)
        by_hand = app.actions.run(tried.id, event=arrived({"rows": 344}, id="1"))
        before = app.events.get("1")
        with_others = app.events.publish_many([arrived(says, id="1"), arrived(id="2"), arrived(says, id="1")])
        again = app.events.publish(arrived(says, id="1"))
        assert [one.duplicate for one in (*with_others, again)] == [False, False, True, True]
        assert with_others[0] == with_others[2].model_copy(update={"duplicate": False})
        assert again == with_others[2]
        assert app.worker().run_until_idle() == 3
        found = app.events.get("1")
        assert found.id == before.id == again.id
        assert set(found.get_metadata().executions) == {by_hand.id, *again.executions}
        (execution_id,) = again.executions
        ended = app.executions.get(execution_id)
        assert (ended.name, ended.get_metadata().event) == ("triggered", found.event)
        assert found.event.data == says
        assert found.body.received > before.body.received

    def test_is_durable_when_it_returns(self, url: str, app: Actium, create: CreateAction) -> None:
        """What publish returned is there for another connection at once."""
        trigger(app, create())
        published = app.events.publish(arrived(id="42"))
        with Actium(url) as other:
            assert other.executions.get(published.executions[0]).status is ExecutionStatus.PENDING
            assert other.events.get("42").id == published.id

    def test_what_json_can_hold_arrives_as_it_was(self, app: Actium, create: CreateAction) -> None:
        """An event's data arrives as given; dates and UUIDs in their JSON form."""
        trigger(app, create())
        some_id = uuid4()
        app.events.publish(
            arrived(
                {
                    "null": None,
                    "text": "ünï\u0000code",
                    "deep": [{"a": [1.5, True]}],
                    "big": 2**80,
                    "day": dt.date(2026, 1, 31),
                    "id": some_id,
                }
            )
        )
        app.worker().run_until_idle()
        assert only(app).result["data"] == {
            "null": None,
            "text": "ünï\u0000code",
            "deep": [{"a": [1.5, True]}],
            "big": 2**80,
            "day": "2026-01-31",
            "id": str(some_id),
        }

    def test_projects_are_apart(self, app: Actium, create: CreateAction) -> None:
        """An event runs triggers of its own project only."""
        trigger(app, create())
        assert app.events.publish(arrived(), project="elsewhere").executions == ()
        assert app.events.list(EventFilter(project="elsewhere")).total == 1
        assert app.events.list().total == 0

    def test_an_application_lives_in_its_project(self, url: str) -> None:
        """What an application of another project creates, lists, finds and publishes is of that project."""
        with Actium(url, project="lab") as app:
            key = flavor_of(app, "test.noop", lambda config: None)
            account = app.accounts.create(ServiceAccountRequest(name="a"))
            action = make(app, account, key)
            trigger(app, action)
            app.events.publish(arrived())
            app.worker().run_until_idle()
            assert {app.actions.get("made").project, app.triggers.get("on-arrival").project} == {"lab"}
            assert (
                app.accounts.list().total == app.executions.list(TriggerExecutionFilter(status="succeeded")).total == 1
            )
        with Actium(url) as app:
            assert app.accounts.list().total == app.actions.list().total == app.events.list().total == 0

    def test_observers_are_told_and_cannot_harm(self, url: str, caplog: pytest.LogCaptureFixture) -> None:
        """Observers learn of events and executions; one that raises is logged by name and harms nothing."""
        told: list[str] = []

        class Watcher:
            @hookimpl
            def event_published(self, event: Event, executions: Any) -> None:
                told.append(f"published {event.type} {len(executions)}")

            @hookimpl
            def execution_changed(self, trigger_execution: TriggerExecutionResponse) -> None:
                told.append(trigger_execution.status.value)

        class Broken:
            @hookimpl
            def event_published(self) -> None:
                raise RuntimeError("broken observer")

        with Actium(url, hooks=[Watcher(), Broken()]) as app:
            key = flavor_of(app, "test.noop", lambda config: None)
            account = app.accounts.create(ServiceAccountRequest(name="a"))
            trigger(app, make(app, account, key))
            app.events.publish(arrived())
            app.events.publish(arrived(id="again"))
            app.events.publish(arrived(id="again"))
            app.worker().run_until_idle()
        assert told[:2] == ["published com.example.arrived 1"] * 2
        assert told[2:] == ["running", "succeeded"] * 2
        assert "The hook plugin Broken raised in event_published" in caplog.text


def make(app: Actium, account: ServiceAccountResponse, key: str, name: str = "made", **fields: Any) -> ActionResponse:
    from actium.models import ActionRequest

    subtype, _, flavor = key.partition(".")
    return app.actions.create(
        ActionRequest(name=name, plugin_subtype=subtype, flavor=flavor, service_account_id=account.id, **fields)
    )


class TestTriggers:
    def test_deactivating_takes_effect_at_the_next_event(self, url: str, app: Actium, create: CreateAction) -> None:
        """A trigger that is switched off or on, also by another application, counts from the next event on."""
        trigger(app, create())
        assert len(app.events.publish(arrived()).executions) == 1
        app.triggers.disable("on-arrival")
        assert app.events.publish(arrived()).executions == ()
        with Actium(url) as other:
            assert other.events.publish(arrived()).executions == ()
            other.triggers.enable("on-arrival")
            assert other.triggers.enable("on-arrival").is_active
        assert len(app.events.publish(arrived()).executions) == 1

    def test_a_changed_filter_counts_from_the_next_event_on(self, app: Actium, create: CreateAction) -> None:
        """Updating and deleting a trigger takes effect at the next event."""
        made = trigger(app, create())
        app.events.publish(arrived())
        app.triggers.update(made.id, TriggerUpdate(filters=[{"prefix": {"source": "/other"}}]))
        assert app.events.publish(arrived()).executions == ()
        app.triggers.update(made.id, TriggerUpdate(filters=[], match_all=True, description="every one"))
        assert len(app.events.publish(arrived()).executions) == 1
        app.triggers.delete(made.id)
        assert app.events.publish(arrived()).executions == ()

    @pytest.mark.parametrize(
        "fields, message",
        [
            ({"filters": []}, "match nothing or everything"),
            ({"filters": ARRIVED, "match_all": True}, "cannot have filters and match all"),
            ({"filters": [{"exact": {"tpye": "x"}}]}, "Did you mean 'type'"),
        ],
    )
    def test_filters_that_cannot_be_meant_are_refused(
        self, app: Actium, create: CreateAction, fields: dict[str, Any], message: str
    ) -> None:
        """No filters, both, or a misspelled attribute are refused: a trigger never matches everything by mistake."""
        with pytest.raises(InvalidFilterError, match=message):
            trigger(app, create(), **fields)

    def test_an_unknown_action_is_refused(self, app: Actium) -> None:
        """A trigger's action must exist, in its project."""
        with pytest.raises(NotFoundError, match="no action"):
            app.triggers.create(TriggerRequest(name="t", action_id=uuid4(), match_all=True))

    def test_an_action_of_another_project_is_refused(self, app: Actium, create: CreateAction) -> None:
        """A trigger cannot reach into another project."""
        with pytest.raises(NotFoundError, match="no action"):
            app.triggers.create(TriggerRequest(name="t", action_id=create().id, match_all=True, project="elsewhere"))

    def test_names_are_unique(self, app: Actium, create: CreateAction) -> None:
        """A second trigger of one name is refused, also by renaming."""
        action = create()
        trigger(app, action, "a")
        trigger(app, action, "b")
        with pytest.raises(AlreadyExistsError, match="'a'"):
            trigger(app, action, "a")
        with pytest.raises(AlreadyExistsError, match="'a'"):
            app.triggers.update("b", TriggerUpdate(name="a"))

    def test_explains_why_it_fired_or_not(self, app: Actium, create: CreateAction) -> None:
        """A stored event is evaluated again, with the outcome of every part."""
        action = create()
        trigger(app, action, filters=[*ARRIVED, {"not": {"suffix": {"source": "/raw"}}}])
        trigger(app, action, "every", filters=[], match_all=True)
        app.events.publish(arrived(id="42"))
        assert str(app.triggers.explain("on-arrival", "42")).splitlines() == [
            "false  all of",
            "true     type is 'com.example.arrived'",
            "false    not",
            "true       source ends with '/raw' (it is '/bucket/raw')",
        ]
        assert app.triggers.explain("every", "42") is None

    def test_a_filter_that_cannot_be_read_concerns_its_execution_only(self, app: Actium, create: CreateAction) -> None:
        """A stored filter of an unknown dialect is told as a failed execution; other triggers run."""
        action = create()
        odd = trigger(app, action, "odd")
        trigger(app, action, "even")
        record = app.store.get(TriggerRecord, odd.id)
        app.store.update_trigger(replace(record, filters=[{"regex": {"type": ".*"}}]), expected_version=record.version)
        app.events.publish(arrived())
        app.worker().run_until_idle()
        outcomes = {item.trigger_id: item for item in app.executions.list().items}
        assert outcomes[odd.id].status is ExecutionStatus.FAILED
        assert "'odd' could not be matched" in str(outcomes[odd.id].reason)
        assert [item.status.value for item in outcomes.values()].count("succeeded") == 1
        for latest in (False, True):
            with pytest.raises(ConflictError, match="nobody knows whether it should"):
                app.executions.retry(outcomes[odd.id].id, latest=latest)
        app.triggers.update(odd.id, TriggerUpdate(filters=ARRIVED))
        app.events.publish(arrived())
        assert app.executions.list(TriggerExecutionFilter(status="pending")).total == 2

    def test_reading_and_listing(self, app: Actium, create: CreateAction) -> None:
        """Triggers are read by name with their action, and listed by columns."""
        action = create()
        trigger(app, action, "a")
        trigger(app, action, "b", is_active=False)
        assert app.triggers.get("a").get_resources().action.name == "greet"
        assert [item.name for item in app.triggers.list(TriggerFilter(is_active=False)).items] == ["b"]


class TestRunning:
    def test_the_handler_gets_everything(self, app: Actium, account: ServiceAccountResponse) -> None:
        """A handler gets configuration, whole event, execution id, attempt, and a valid token of its account."""
        seen: dict[str, Any] = {}

        def run(config: ActionConfig, trigger_execution: Any, auth_context: AuthContext) -> None:
            verified = app.auth.verify(auth_context.access_token)
            seen.update(
                event=trigger_execution.event,
                id=trigger_execution.id,
                attempt=trigger_execution.attempt,
                status=trigger_execution.status,
                bearer=verified.service_account.name,
                bound=verified.execution_id,
            )

        trigger(app, make(app, account, flavor_of(app, "test.look", run)))
        event = arrived({"a": 1}, partitionkey="7")
        (execution_id,) = app.events.publish(event).executions
        app.worker().run_until_idle()
        assert seen == {
            "event": event,
            "id": execution_id,
            "attempt": 1,
            "status": ExecutionStatus.RUNNING,
            "bearer": "robot",
            "bound": execution_id,
        }

    def test_a_coroutine_is_awaited_and_wrappers_see_its_outcome(self, url: str) -> None:
        """An ``async def`` handler's result and exception arrive in wrappers, and in the record."""
        seen: list[Any] = []

        class Watcher:
            @hookimpl(wrapper=True)
            def run_action(self) -> Any:
                try:
                    result = yield
                except ValueError as error:
                    seen.append(repr(error))
                    raise
                seen.append(result)
                return result

        async def run(config: ActionConfig, trigger_execution: Any) -> str:
            await asyncio.sleep(0)
            if trigger_execution.event.data == "bad":
                raise ValueError("bad data")
            return "done"

        with Actium(url, hooks=[Watcher()]) as app:
            account = app.accounts.create(ServiceAccountRequest(name="a"))
            trigger(app, make(app, account, flavor_of(app, "test.slow", run)))
            app.events.publish(arrived("good"))
            app.events.publish(arrived("bad"))
            app.worker().run_until_idle()
            by_data = {item.event.data: item for item in app.executions.list(hydrate=True).items if item.event}
        assert seen == ["done", "ValueError('bad data')"]
        assert (by_data["good"].result, by_data["bad"].reason) == ("done", "ValueError: bad data")

    @pytest.mark.parametrize(
        "raised, reason",
        [
            (ValueError("no rows"), "ValueError: no rows"),
            (SystemExit(3), "SystemExit: 3"),
            (RecursionError("deep"), "RecursionError: deep"),
        ],
    )
    def test_what_is_raised_is_recorded(
        self, app: Actium, account: ServiceAccountResponse, raised: BaseException, reason: str
    ) -> None:
        """Whatever a handler raises makes the execution failed, with reason, traceback and attempt."""

        def run(config: ActionConfig) -> None:
            raise raised

        trigger(app, make(app, account, flavor_of(app, "test.fails", run)))
        app.events.publish(arrived())
        assert app.worker().run_until_idle() == 1
        failed = only(app)
        assert (failed.status, failed.reason) == (ExecutionStatus.FAILED, reason)
        assert failed.error is not None
        assert "in run" in str(failed.error.traceback)
        assert "hook run_action of test.fails" in str(failed.error.traceback)
        assert (failed.attempts[0].number, failed.attempts[0].status) == (1, ExecutionStatus.FAILED)

    def test_an_error_with_unpaired_surrogates_is_recorded(self, app: Actium, account: ServiceAccountResponse) -> None:
        """An error text that a store cannot keep, as odd file names make it, is recorded written out."""

        def run(config: ActionConfig) -> None:
            raise ValueError("no file \udc80")

        make(app, account, flavor_of(app, "test.surrogate", run))
        app.actions.run("made")
        app.worker().run_until_idle()
        assert only(app).reason == "ValueError: no file \\udc80"

    def test_an_error_that_cannot_be_shown_is_recorded(self, app: Actium, account: ServiceAccountResponse) -> None:
        """An exception whose text raises does not break the recording."""

        class Hostile(Exception):
            def __str__(self) -> str:
                raise RuntimeError("no text")

        def run(config: ActionConfig) -> None:
            raise Hostile

        make(app, account, flavor_of(app, "test.hostile", run))
        app.actions.run("made")
        app.worker().run_until_idle()
        assert "cannot be shown" in str(only(app).reason)

    def test_the_end_of_the_process_is_recorded_and_goes_on(self, app: Actium, account: ServiceAccountResponse) -> None:
        """Ctrl-C while a handler runs records a failed execution, and is not swallowed."""

        def run(config: ActionConfig) -> None:
            raise KeyboardInterrupt

        make(app, account, flavor_of(app, "test.stopped", run))
        app.actions.run("made")
        with pytest.raises(KeyboardInterrupt):
            app.worker().run_until_idle()
        assert "the worker was interrupted" in str(only(app).reason)

    @pytest.mark.parametrize("result", [object(), float("nan"), {1, object()}, lambda: None])
    def test_a_result_that_json_cannot_hold_is_told(
        self, app: Actium, account: ServiceAccountResponse, result: Any
    ) -> None:
        """A result that is nothing for JSON makes the execution failed, and says that the action ran."""
        make(app, account, flavor_of(app, "test.odd", lambda config: result))
        app.actions.run("made")
        app.worker().run_until_idle()
        assert only(app).status is ExecutionStatus.FAILED
        assert "the action ran, but its result" in str(only(app).reason)

    def test_one_failure_does_not_concern_the_others(self, app: Actium, account: ServiceAccountResponse) -> None:
        """Of three actions of one event, the failing one does not keep the others from running."""

        def fail(config: ActionConfig) -> None:
            raise ValueError

        for name, run in (("a", lambda config: 1), ("b", fail), ("c", lambda config: 2)):
            trigger(app, make(app, account, flavor_of(app, f"test.{name}", run), name), name)
        app.events.publish(arrived())
        app.worker().run_until_idle()
        statuses = {item.name: item.status.value for item in app.executions.list().items}
        assert statuses == {"a": "succeeded", "b": "failed", "c": "succeeded"}

    def test_a_missing_flavor_is_the_executions_reason(self, url: str, app: Actium, create: CreateAction) -> None:
        """An execution whose flavor is not installed here fails with that reason."""
        create()
        app.actions.run("greet")
        with Actium(url) as other:
            other.worker().run_until_idle()
            assert "FlavorNotFoundError" in str(only(other).reason)

    def test_a_disabled_action_is_skipped(self, app: Actium, create: CreateAction) -> None:
        """Executions of a disabled action are skipped with that reason, by event and by hand alike."""
        trigger(app, create(enabled=False))
        app.events.publish(arrived())
        app.actions.run("greet")
        app.worker().run_until_idle()
        assert {(item.status.value, item.reason) for item in app.executions.list().items} == {
            ("skipped", "the action is disabled")
        }

    def test_a_deleted_action_is_skipped(self, app: Actium, create: CreateAction) -> None:
        """An execution that outlives its action is skipped with that reason, and is still shown."""
        create()
        app.actions.run("greet")
        app.actions.delete("greet")
        app.worker().run_until_idle()
        assert (only(app).reason, only(app).get_resources().action) == ("the action was deleted", None)

    def test_an_inactive_account_is_refused(
        self, app: Actium, create: CreateAction, account: ServiceAccountResponse
    ) -> None:
        """An execution whose service account was deactivated fails with that reason."""
        create()
        app.actions.run("greet")
        app.accounts.update(account.id, ServiceAccountUpdate(active=False))
        app.worker().run_until_idle()
        assert "'robot' is inactive" in str(only(app).reason)

    def test_runs_the_revision_that_was_current_at_the_event(self, app: Actium, create: CreateAction) -> None:
        """A change between event and run does not change what the execution runs."""
        action = create(configuration={"text": "old"})
        trigger(app, action)
        app.events.publish(arrived())
        app.actions.update(action.id, ActionUpdate(configuration={"text": "new"}))
        app.worker().run_until_idle()
        assert only(app).result["text"] == "old"
        app.actions.run(action.id)
        app.worker().run_until_idle()
        assert {item.result["text"] for item in app.executions.list(hydrate=True).items} == {"old", "new"}

    def test_a_configuration_that_fits_no_more_is_the_reason(self, app: Actium, create: CreateAction) -> None:
        """A stored configuration that the flavor now refuses fails the execution with the field's path."""
        action = create()
        record = app.store.get(ActionRecord, action.id)
        app.store.update_action(
            replace(record, configuration={"times": "often"}),
            None,
            expected_version=record.version,
            changed_by="an older version",
        )
        app.actions.run(action.id)
        app.worker().run_until_idle()
        assert "times" in str(only(app).reason)

    def test_hook_plugins_may_fill_a_configuration_from_the_event(self, url: str, create: CreateAction) -> None:
        """The first hook plugin that renders a configuration decides what is run; the stored one stays."""

        class Renderer:
            @hookimpl
            def render_configuration(self, configuration: Any, event: Event | None) -> Any:
                return None if event is None else {**configuration, "text": event.data["name"]}

        create()
        with Actium(url, hooks=[Renderer()]) as app:
            from actium import action_flavor

            class TextConfig(ActionConfig):
                text: str = ""

            app.flavors.register(
                action_flavor("test.echo", config=TextConfig)(lambda config: config.text)  # the same key, elsewhere
            )
            app.actions.run("greet", arrived({"name": "Ada"}))
            app.actions.run("greet")
            app.worker().run_until_idle()
            assert {item.result for item in app.executions.list(hydrate=True).items} == {"Ada", "hello"}

    def test_secrets_are_resolved_for_the_run_and_masked_in_its_record(
        self, app: Actium, account: ServiceAccountResponse, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A handler gets the secret itself; what it returns or raises with it is recorded masked."""

        class Secretive(ActionConfig):
            password: SecretStr

        def run(config: Secretive, trigger_execution: Any, auth_context: AuthContext) -> dict[str, str]:
            secret, token = config.password.get_secret_value(), auth_context.access_token.get_secret_value()
            if trigger_execution.event is not None:
                raise ValueError(f"login with {secret} and {token} failed")
            return {"echo": secret, "token": token}

        monkeypatch.setenv("BUCKET_PASSWORD", "correct horse")
        key = flavor_of(app, "test.secretive", run, Secretive)
        make(app, account, key, configuration={"password": "env:BUCKET_PASSWORD"})
        app.actions.run("made")
        app.actions.run("made", arrived())
        app.worker().run_until_idle()
        failed, succeeded = sorted(app.executions.list(hydrate=True).items, key=lambda item: item.status.value)
        assert succeeded.result == {"echo": "**********", "token": "**********"}
        assert failed.reason == "ValueError: login with ********** and ********** failed"
        assert "correct horse" not in str(failed.error)
        monkeypatch.delenv("BUCKET_PASSWORD")
        again = app.actions.run("made")
        app.worker().run_until_idle()
        assert "BUCKET_PASSWORD" in str(app.executions.get(again.id).reason)


class TestByHand:
    def test_is_an_execution_like_any_other(self, app: Actium, create: CreateAction) -> None:
        """A manual run is pending first, has no trigger, and may be given an event."""
        create()
        pending = app.actions.run("greet", arrived({"a": 1}, id="7"))
        assert (pending.status, pending.trigger_id) == (ExecutionStatus.PENDING, None)
        finished = app.worker().run_one(pending.id)
        assert finished is not None
        assert finished.result["data"] == {"a": 1}
        assert app.worker().run_one(pending.id) is None
        assert app.actions.run("greet", arrived({"a": 1}, id="7")).event is not None
        assert app.events.list().total == 1

    def test_an_action_that_is_not_usable_is_refused(self, app: Actium, create: CreateAction) -> None:
        """An action that is being deleted takes no new executions and no new triggers."""
        action = create()
        app.store.begin_delete(action.id, cascade=False)
        with pytest.raises(NotReadyError, match="deleting"):
            app.actions.run(action.id)
        with pytest.raises(NotReadyError, match="deleting"):
            trigger(app, action)
        assert app.actions.get(action.id).status is ActionStatus.DELETING


class TestCancelling:
    def test_a_pending_execution_is_cancelled_at_once(self, app: Actium, create: CreateAction) -> None:
        """Cancelling what has not begun ends it; no worker takes it."""
        create()
        cancelled = app.executions.cancel(app.actions.run("greet").id)
        assert (cancelled.status, cancelled.reason) == (
            ExecutionStatus.CANCELLED,
            "it was cancelled before it began",
        )
        assert app.worker().run_until_idle() == 0
        with pytest.raises(ConflictError, match="cancelled already"):
            app.executions.cancel(cancelled.id)

    def test_a_running_execution_ends_when_its_handler_heeds(
        self, app: Actium, account: ServiceAccountResponse
    ) -> None:
        """A handler sees the request and raises ExecutionCancelled; the execution is cancelled."""

        def run(config: ActionConfig, trigger_execution: Any) -> None:
            app.executions.cancel(trigger_execution.id)
            if app.store.cancel_requested(trigger_execution.id):
                raise ExecutionCancelled("stopped as asked")

        make(app, account, flavor_of(app, "test.patient", run))
        app.actions.run("made")
        app.worker().run_until_idle()
        assert (only(app).status, only(app).reason) == (ExecutionStatus.CANCELLED, "stopped as asked")

    def test_a_late_outcome_does_not_overwrite(
        self, app: Actium, account: ServiceAccountResponse, caplog: pytest.LogCaptureFixture
    ) -> None:
        """When the execution was ended meanwhile, the worker's outcome is dropped with a warning."""

        def run(config: ActionConfig) -> str:
            (worker,) = app.store.workers()
            app.store.remove_worker(worker.name, reason="declared dead")
            return "late"

        make(app, account, flavor_of(app, "test.late", run))
        execution = app.actions.run("made")
        app.worker().run_one(execution.id)
        first, *_ = app.executions.get(execution.id).attempts
        assert str(first.reason).startswith("declared dead")
        assert first.result is None


class TestProgress:
    def test_steps_are_recorded_while_it_runs(self, app: Actium, account: ServiceAccountResponse) -> None:
        """A handler's progress is there for others while it runs, and stays afterwards."""
        seen: list[Any] = []

        def run(config: ActionConfig, trigger_execution: Any) -> None:
            handler = app.registry.get_plugin("action", "test", "steps")
            handler.report_progress(  # type: ignore[attr-defined]
                trigger_execution, [StepProgress(name="clean", status="succeeded", seconds=0.5)]
            )
            seen.append(app.executions.get(trigger_execution.id).progress)
            assert not handler.cancel_requested(trigger_execution)  # type: ignore[attr-defined]

        make(app, account, flavor_of(app, "test.steps", run))
        app.actions.run("made")
        app.worker().run_until_idle()
        assert seen[0][0].name == "clean"
        assert only(app).progress[0].seconds == 0.5


class TestWorkers:
    def test_a_waiting_worker_starts_what_is_published(self, app: Actium, create: CreateAction) -> None:
        """A worker that waits is woken by an execution of its process, and stops when told."""
        action = create()
        trigger(app, action)
        worker = app.worker(poll_interval=3600)
        done = threading.Event()

        def run() -> None:
            worker.run()
            done.set()

        thread = threading.Thread(target=run)
        thread.start()
        published = app.events.publish(arrived())
        wait_for(lambda: app.executions.get(published.executions[0]).status is ExecutionStatus.SUCCEEDED)
        worker.stop()
        assert done.wait(10)
        thread.join()

    def test_several_workers_never_run_one_execution_twice(self, app: Actium, account: ServiceAccountResponse) -> None:
        """Four workers share 40 executions; each runs exactly once."""
        ran: list[UUID] = []
        make(
            app,
            account,
            flavor_of(app, "test.once", lambda config, trigger_execution: ran.append(trigger_execution.id)),
        )
        for _ in range(40):
            app.actions.run("made")
        threads = [threading.Thread(target=app.worker().run_until_idle) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(ran) == len(set(ran)) == 40
        assert app.executions.list(TriggerExecutionFilter(status="succeeded")).total == 40


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until something holds; fails after ten seconds."""
    waiting = threading.Event()
    for _ in range(1000):
        if condition():
            return
        waiting.wait(0.01)
    raise AssertionError("it did not happen within ten seconds")


class TestLookUp:
    def test_by_id_name_and_unique_beginning(self, app: Actium, create: CreateAction) -> None:
        """Objects are found by id, by name, and by a beginning of either that is unique."""
        action = create("nightly-train")
        for reference in (
            action.id,
            str(action.id),
            str(action.id).upper(),
            "nightly-train",
            "night",
            str(action.id)[:8],
        ):
            assert app.actions.get(reference).id == action.id

    def test_an_ambiguous_beginning_names_the_candidates(self, app: Actium, create: CreateAction) -> None:
        """A beginning that fits several is refused with all of them; an exact name wins over longer ones."""
        create("train")
        create("train-more")
        with pytest.raises(AmbiguousReferenceError) as caught:
            app.actions.get("trai")
        assert [candidate.partition(" ")[0] for candidate in caught.value.candidates] == ["train", "train-more"]
        assert app.actions.get("train").name == "train"

    @pytest.mark.parametrize("reference", ["nope", "", "%", "_", "' OR 1=1 --", "\x00"])
    def test_what_is_not_there_is_told(self, app: Actium, create: CreateAction, reference: str) -> None:
        """A name that fits nothing, however odd, is an error that names it and the project."""
        create("train")
        with pytest.raises(NotFoundError, match="in the project 'default'"):
            app.actions.get(reference)

    def test_executions_are_found_by_their_id_alone(self, app: Actium, create: CreateAction) -> None:
        """An execution is found by the beginning of its id."""
        create()
        execution = app.actions.run("greet")
        assert app.executions.get(str(execution.id)[:13]).id == execution.id
        with pytest.raises(NotFoundError):
            app.executions.get("greet")


class TestPages:
    def test_pages_cut_a_listing(self, app: Actium, create: CreateAction) -> None:
        """A listing comes in pages with its totals; one beyond the end is an error."""
        for number in range(5):
            create(f"a{number}")
        from actium.models import ActionFilter

        page = app.actions.list(ActionFilter(index=2, max_size=2, sort_by="name"))
        assert ([item.name for item in page.items], page.total, page.total_pages) == (["a2", "a3"], 5, 3)
        with pytest.raises(InvalidQueryError, match="no page 4"):
            app.actions.list(ActionFilter(index=4, max_size=2))
        with pytest.raises(InvalidQueryError, match="Sort by one of"):
            app.actions.list(ActionFilter(sort_by="desc:colour"))
        with pytest.raises(InvalidInputError, match="max_size"):
            ActionFilter(max_size=10_001)

    def test_an_empty_listing_is_one_empty_page(self, app: Actium) -> None:
        """Nothing is one page without items, not an error."""
        page = app.executions.list()
        assert (page.items, page.total, page.total_pages) == ([], 0, 1)


class TestTokens:
    def test_revoking_an_account_ends_its_tokens(self, app: Actium, account: ServiceAccountResponse) -> None:
        """A token is refused once it was revoked, and once its account is inactive."""
        tokens: list[SecretStr] = []
        make(app, account, flavor_of(app, "test.take", lambda auth_context: tokens.append(auth_context.access_token)))
        for _ in range(2):
            app.actions.run("made")
        app.worker().run_until_idle()
        assert app.auth.revoke(tokens[0]) == 1
        with pytest.raises(InvalidTokenError, match="revoked"):
            app.auth.verify(tokens[0])
        assert app.auth.verify(tokens[1]).service_account.name == "robot"
