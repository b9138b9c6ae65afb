"""Events to runs: what one event leads to, what reaches the handlers, and what becomes of each execution."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actium import Actium, Event, ExecutionStatus, action_flavor, hookimpl
from actium.errors import InactiveAccountError, InvalidFilterError, InvalidInputError, InvalidTokenError
from actium.models import (
    ActionRequest,
    ActionResponse,
    EventFilter,
    ServiceAccountRequest,
    ServiceAccountResponse,
    ServiceAccountUpdate,
    TriggerExecutionFilter,
    TriggerExecutionResponse,
    TriggerRequest,
    TriggerUpdate,
)
from actium.stores.records import TriggerRecord

CreateAction = Callable[..., ActionResponse]
ARRIVED = [{"exact": {"type": "com.example.arrived"}}]


def arrived(data: Any = None, **attributes: Any) -> Event:
    return Event(type="com.example.arrived", source="/raw", data=data, **attributes)


def trigger(app: Actium, action: ActionResponse, name: str = "on-arrival", **fields: Any) -> Any:
    fields.setdefault("filters", ARRIVED)
    return app.triggers.create(TriggerRequest(name=name, action_id=action.id, **fields))


def run(app: Actium, event: Event) -> list[TriggerExecutionResponse]:
    """Publish an event and run all that it leads to."""
    published = app.events.publish(event)
    app.worker().run_until_idle()
    return [app.executions.get(execution_id) for execution_id in published.executions]


class TestIndependence:
    def test_what_goes_wrong_concerns_its_own_execution_only(
        self, url: str, app: Actium, vault: Any, create: CreateAction, create_vault: CreateAction
    ) -> None:
        """One event with an unreadable filter, a missing flavor, a failing handler, a handler that wants to exit, an
        idle account and a disabled action: each is recorded with its reason, and the sound ones run."""
        idle = app.accounts.create(ServiceAccountRequest(name="idle"))
        odd = trigger(app, create_vault("odd"), "odd")
        trigger(app, create("missing"), "missing")
        for name in ("failing", "exiting", "first", "last"):
            trigger(app, create_vault(name), name)
        trigger(app, create_vault("unpaid", service_account_id=idle.id), "unpaid")
        trigger(app, create_vault("disabled", enabled=False), "disabled")
        app.accounts.update(idle.id, ServiceAccountUpdate(active=False))
        record = app.store.get(TriggerRecord, odd.id)
        app.store.update_trigger(replace(record, filters=[{"regex": {"type": ".*"}}]), expected_version=record.version)

        def act(handler: Any, config: Any, execution: TriggerExecutionResponse, _: Any) -> None:
            if execution.name == "failing":
                raise ValueError("no room")
            if execution.name == "exiting":
                raise SystemExit(3)

        vault.at["run"] = act
        with Actium(url) as other:
            other.flavors.register(vault.flavor)
            outcomes = {item.name: (item.status.value, item.reason) for item in run(other, arrived())}
        for name, status, reason in (
            ("odd", "failed", "'odd' could not be matched: its filter cannot be read"),
            ("missing", "failed", "test.echo"),
            ("failing", "failed", "ValueError: no room"),
            ("exiting", "failed", "SystemExit: 3"),
            ("unpaid", "failed", "'idle' is inactive"),
            ("disabled", "skipped", "the action is disabled"),
        ):
            assert outcomes[name][0] == status, name
            assert reason in str(outcomes[name][1]), name
        assert outcomes["first"] == outcomes["last"] == ("succeeded", None)
        assert len(outcomes) == 8

    def test_what_a_handler_does_to_its_arguments_reaches_no_other(
        self, app: Actium, vault: Any, create_vault: CreateAction
    ) -> None:
        """Each execution gets event and configuration of its own, whatever another one does to its."""
        seen: list[Any] = []

        def spoil(handler: Any, config: Any, execution: Any, _: Any) -> None:
            seen.append((config.size, json.dumps(execution.event.data)))
            config.size = 99
            execution.event.data["rows"].append("spoiled")

        vault.at["run"] = spoil
        for name in ("one", "two"):
            trigger(app, create_vault(name), name)
        event = arrived({"rows": [1]})
        run(app, event)
        run(app, arrived({"rows": [1]}))
        assert seen == [(10, '{"rows": [1]}')] * 4
        assert app.actions.get("one").configuration["size"] == 10
        assert {str(item.event.data) for item in app.executions.list(hydrate=True).items} == {"{'rows': [1]}"}


class TestAsTheyAreNow:
    def test_accounts_are_read_when_an_execution_runs(
        self, url: str, app: Actium, create: CreateAction, account: ServiceAccountResponse
    ) -> None:
        """An account that another application switches off after the event is refused; switched on, it runs again."""
        trigger(app, create())
        with Actium(url) as other:
            waiting = app.events.publish(arrived()).executions[0]
            other.accounts.update(account.id, ServiceAccountUpdate(active=False))
            app.worker().run_until_idle()
            (refused,) = run(app, arrived())
            for execution in (app.executions.get(waiting), refused):
                assert execution.status is ExecutionStatus.FAILED
                assert "The service account 'robot' is inactive" in str(execution.reason)
            other.accounts.update(account.id, ServiceAccountUpdate(active=True))
        (ran,) = run(app, arrived())
        assert ran.status is ExecutionStatus.SUCCEEDED

    def test_a_refused_execution_does_not_reach_the_handler(
        self, app: Actium, vault: Any, create_vault: CreateAction, account: ServiceAccountResponse
    ) -> None:
        """No code of a flavor runs for an account that is switched off."""
        create_vault()
        app.accounts.update(account.id, ServiceAccountUpdate(active=False))
        app.actions.run("keep")
        vault.calls.clear()
        app.worker().run_until_idle()
        assert vault.calls == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


class TestData:
    @settings(max_examples=60, deadline=None)
    @given(data=json_values)
    def test_whatever_json_holds_reaches_the_handler(self, data: Any) -> None:
        """An event's data comes to the handler, into the result and back to callers as it was given."""
        got: list[Any] = []

        def take(trigger_execution: Any) -> Any:
            got.append(trigger_execution.event.data)
            return trigger_execution.event.data

        with Actium("sqlite://") as app:
            app.flavors.register(action_flavor("test.take")(take))
            account = app.accounts.create(ServiceAccountRequest(name="robot"))
            app.actions.create(
                ActionRequest(name="a", plugin_subtype="test", flavor="take", service_account_id=account.id)
            )
            trigger(app, app.actions.get("a"), filters=[], match_all=True)
            (execution,) = run(app, arrived(data, id="e"))
            assert execution.result == got[0] == app.events.get("e").event.data == data
            assert json.dumps(got[0], sort_keys=True) == json.dumps(data, sort_keys=True)

    @pytest.mark.parametrize(
        "given_value, written",
        [
            (date(2026, 1, 31), "2026-01-31"),
            (datetime(2026, 1, 31, 12, 30, tzinfo=UTC), "2026-01-31T12:30:00Z"),
            (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        ],
    )
    def test_dates_and_ids_are_written_in_their_json_form(
        self, app: Actium, create: CreateAction, given_value: Any, written: str
    ) -> None:
        """Dates, times and UUIDs arrive as text, however deep, and as keys."""
        trigger(app, create())
        (execution,) = run(app, arrived({"deep": [{"value": given_value}], given_value: 1}))
        assert execution.result["data"] == {"deep": [{"value": written}], written: 1}

    @pytest.mark.parametrize("data", [float("nan"), [float("inf")], {"a": object()}, {"a": lambda: None}])
    def test_what_json_cannot_hold_is_refused_where_it_is_given(self, app: Actium, data: Any) -> None:
        """Anything else is an error that names the field, and no event."""
        with pytest.raises(InvalidInputError, match="data: must be something JSON can hold"):
            app.events.publish(arrived(data))
        assert app.events.list().total == 0


class TestFilters:
    @pytest.mark.parametrize(
        "wrong, message",
        [
            ([{"exact": {"tpye": "com.example.arrived"}}], "Did you mean 'type'"),
            ([{"exat": {"type": "com.example.arrived"}}], "Did you mean 'exact'"),
            ([{"not": {"exact": {"sorce": "/raw"}}}], "Did you mean 'source'"),
            ([{"any": [{"prefix": {"subjet": "a"}}]}], "Did you mean 'subject'"),
            ([], "nothing or everything"),
        ],
    )
    def test_a_misspelled_key_never_gets_into_a_trigger(
        self, app: Actium, create: CreateAction, wrong: Any, message: str
    ) -> None:
        """A filter with a misspelled key is refused in a new trigger and in a change, which then matches as before."""
        action = create()
        with pytest.raises(InvalidFilterError, match=message):
            trigger(app, action, filters=wrong)
        trigger(app, action)
        with pytest.raises(InvalidFilterError, match=message):
            app.triggers.update("on-arrival", TriggerUpdate(filters=wrong))
        assert app.triggers.get("on-arrival").filters == ARRIVED
        assert len(app.events.publish(arrived()).executions) == 1
        assert app.events.publish(Event(type="com.example.left", source="/raw")).executions == ()

    @pytest.mark.parametrize(
        "model, fields",
        [
            (TriggerRequest, {"name": "t", "action_id": uuid4(), "filter": ARRIVED}),
            (TriggerUpdate, {"filter": ARRIVED}),
            (EventFilter, {"tpye": "com.example.arrived"}),
        ],
        ids=lambda given: getattr(given, "__name__", ""),
    )
    def test_a_misspelled_field_beside_a_filter_is_refused(self, model: Any, fields: dict[str, Any]) -> None:
        """A misspelled key of a request or a listing is refused, so that nothing is meant by its absence."""
        with pytest.raises(InvalidInputError, match="filter|tpye"):
            model(**fields)


class TestTokens:
    @pytest.mark.parametrize("window, minutes", [(None, 60), (7, 7), (0, None)])
    def test_expire_with_the_actions_window(
        self, app: Actium, vault: Any, create_vault: CreateAction, window: int | None, minutes: int | None
    ) -> None:
        """A run's token lasts for the action's window from the run on; 0 is no limit, unset the default."""
        contexts: list[Any] = []
        vault.at["run"] = lambda handler, config, execution, context: contexts.append(context)
        create_vault(auth_window=window)
        app.actions.run("keep")
        before = datetime.now(UTC)
        app.worker().run_until_idle()
        after = datetime.now(UTC)
        (context,) = contexts
        assert app.auth.verify(context.access_token).expires == context.expires
        if minutes is None:
            assert context.expires is None
        else:
            assert before <= context.expires - timedelta(minutes=minutes) <= after

    def test_are_of_one_execution_and_account_each(
        self, app: Actium, vault: Any, create_vault: CreateAction, account: ServiceAccountResponse
    ) -> None:
        """Every run gets a token of its own, bound to execution and account, which can be revoked by itself, and is
        refused as long as the account is inactive."""
        other = app.accounts.create(ServiceAccountRequest(name="other"))
        tokens: dict[UUID, Any] = {}

        def take(handler: Any, config: Any, execution: Any, context: Any) -> None:
            tokens[execution.id] = context.access_token

        vault.at["run"] = take
        create_vault("one")
        create_vault("two", service_account_id=other.id)
        ids = [app.actions.run(name).id for name in ("one", "two", "one")]
        app.worker().run_until_idle()
        verified = [app.auth.verify(tokens[execution_id]) for execution_id in ids]
        assert [token.execution_id for token in verified] == ids
        assert [token.service_account.id for token in verified] == [account.id, other.id, account.id]
        assert app.auth.revoke(execution_id=ids[0]) == 1
        with pytest.raises(InvalidTokenError, match="revoked"):
            app.auth.verify(tokens[ids[0]])
        app.accounts.update(other.id, ServiceAccountUpdate(active=False))
        with pytest.raises(InactiveAccountError, match="'other'"):
            app.auth.verify(tokens[ids[1]])
        assert app.auth.verify(tokens[ids[2]]).service_account.name == "robot"


class TestByHand:
    @pytest.mark.parametrize("outcome", ["succeeded", "failed"])
    def test_differs_from_an_events_in_its_trigger_only(
        self, url: str, vault: Any, create_vault: CreateAction, outcome: str
    ) -> None:
        """A manual run is told to observers, run, recorded and listed like one that an event leads to."""
        told: list[tuple[UUID, str]] = []

        class Watcher:
            @hookimpl
            def execution_changed(self, trigger_execution: Any) -> None:
                told.append((trigger_execution.id, trigger_execution.status.value))

        def act(handler: Any, config: Any, execution: Any, context: Any) -> dict[str, Any]:
            if outcome == "failed":
                raise ValueError("no room")
            return {"data": execution.event.data, "attempt": execution.attempt, "who": context.service_account.name}

        vault.at["run"] = act
        action = create_vault()
        with Actium(url, hooks=[Watcher()]) as app:
            app.flavors.register(vault.flavor)
            trigger(app, action)
            by_event = app.events.publish(arrived({"a": 1}, id="1")).executions[0]
            by_hand = app.actions.run("keep", arrived({"a": 1}, id="2")).id
            app.worker().run_until_idle()
            first, second = app.executions.get(by_event), app.executions.get(by_hand)
            listed = app.executions.list(TriggerExecutionFilter(status=outcome, sort_by="created")).items
        assert [item.id for item in listed] == [by_event, by_hand]
        assert told == [(by_event, "running"), (by_event, outcome), (by_hand, "running"), (by_hand, outcome)]
        assert (first.trigger_id is None, second.trigger_id is None) == (False, True)
        for execution in (first, second):
            assert execution.event is not None
            assert execution.event.data == {"a": 1}
        alike = ("name", "project", "status", "reason", "action_id", "attempt", "result")
        assert [getattr(first, name) for name in alike] == [getattr(second, name) for name in alike]
        assert [attempt.status for attempt in first.attempts] == [attempt.status for attempt in second.attempts]
        assert (first.error is None) == (second.error is None) == (outcome == "succeeded")
