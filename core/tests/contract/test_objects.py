"""Objects: what actions, triggers and executions hold, how they are listed, and how they are found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest

from actium import Actium, Event, ExecutionStatus, hookimpl
from actium.errors import (
    ActiumError,
    AlreadyExistsError,
    AmbiguousReferenceError,
    HydrationError,
    InvalidInputError,
    InvalidQueryError,
    NotFoundError,
    PluginError,
)
from actium.filters.dialects import parse_filters
from actium.models import (
    ActionFilter,
    ActionRequest,
    ActionResponse,
    ActionUpdate,
    EventFilter,
    ServiceAccountFilter,
    ServiceAccountRequest,
    ServiceAccountResponse,
    TriggerExecutionFilter,
    TriggerFilter,
    TriggerRequest,
)
from actium.stores.records import AccountRecord, ActionRecord

CreateAction = Callable[..., ActionResponse]
ARRIVED = [{"exact": {"type": "com.example.arrived"}}]


def arrived(**attributes: Any) -> Event:
    return Event(type="com.example.arrived", source="/raw", **attributes)


class TestActions:
    def test_every_field_is_kept(self, url: str, create: CreateAction, account: ServiceAccountResponse) -> None:
        """All that was given to an action is read again by another application."""
        given = {"description": "Says\nit.", "auth_window": 7, "labels": {"team": "data"}, "enabled": False}
        made = create("greet", configuration={"text": "a", "times": 2}, **given)
        with Actium(url) as other:
            action = other.actions.get(made.id)
        assert {name: getattr(action, name) for name in given} == given
        assert (action.name, action.plugin_subtype, action.flavor, action.project) == (
            "greet",
            "test",
            "echo",
            "default",
        )
        assert (action.configuration, action.service_account_id) == ({"text": "a", "times": 2}, account.id)

    @pytest.mark.parametrize("name", ["x", "ü" * 255])
    def test_the_shortest_and_the_longest_name(self, app: Actium, create: CreateAction, name: str) -> None:
        """Names of 1 and of 255 characters are stored and found; renaming keeps the same limits."""
        assert app.actions.get(create(name).id).name == app.actions.get(name).name == name
        for wrong in ("", "x" * 256):
            with pytest.raises(InvalidInputError, match="name"):
                app.actions.update(name, ActionUpdate(name=wrong))

    def test_a_name_is_unique_in_its_project_only(self, url: str, app: Actium, create: CreateAction) -> None:
        """A name can be taken once in each project, and renaming cannot take one either."""
        create("one")
        two = create("two")
        with pytest.raises(AlreadyExistsError, match="'one'"):
            app.actions.update(two.id, ActionUpdate(name="one", description="lost"))
        kept = app.actions.get(two.id)
        assert (kept.name, kept.description, kept.version) == ("two", "", two.version)
        elsewhere = app.accounts.create(ServiceAccountRequest(name="robot", project="lab"))
        create("one", project="lab", service_account_id=elsewhere.id)
        assert app.actions.list(ActionFilter(project="lab")).items[0].name == "one"

    def test_a_negative_window_is_refused_in_a_change_too(self, app: Actium, create: CreateAction) -> None:
        """An action's window cannot become negative."""
        create(auth_window=7)
        with pytest.raises(InvalidInputError, match="auth_window"):
            app.actions.update("greet", ActionUpdate(auth_window=-1))
        assert app.actions.get("greet").auth_window == 7

    @pytest.mark.parametrize("default, effective", [(0, 0), (5, 5), (None, 60)])
    def test_an_unset_window_is_the_flavors(
        self, app: Actium, create: CreateAction, make_flavor: Any, vault: Any, default: int | None, effective: int
    ) -> None:
        """Unset, at first or by a change, is what the flavor says, also no limit; else the global default."""
        flavor = make_flavor(vault, FLAVOR="other", AUTH_WINDOW=default)
        app.flavors.register(flavor)
        assert create("unset", flavor="test.other").auth_window == effective
        create("set", flavor="test.other", auth_window=9)
        assert app.actions.update("set", ActionUpdate(auth_window=None)).auth_window == effective

    @pytest.mark.parametrize("field", ["flavor", "plugin_subtype", "project"])
    @pytest.mark.parametrize("point", ["validate_request", "process_request"])
    def test_a_flavor_cannot_create_what_was_not_asked_for(
        self, app: Actium, vault: Any, create_vault: CreateAction, point: str, field: str
    ) -> None:
        """A flavor that sets another flavor, subtype or project while it creates is refused, and nothing is left."""
        vault.at[point] = lambda action, config: setattr(getattr(action, "body", action), field, "lab")
        with pytest.raises(PluginError, match=f"test.vault .*{field}"):
            create_vault()
        assert app.actions.list().total == app.actions.list(ActionFilter(project="lab")).total == 0

    @pytest.mark.parametrize("field", ["flavor", "plugin_subtype", "project"])
    def test_a_flavor_cannot_change_what_never_changes(
        self, app: Actium, vault: Any, create_vault: CreateAction, field: str
    ) -> None:
        """Nor can it while it updates: the change is refused, and every field is as it was."""
        before = app.store.get(ActionRecord, create_vault().id)
        vault.at["process_update"] = lambda action, *_: setattr(action.body, field, "lab")
        with pytest.raises(PluginError, match=f"test.vault .*{field}"):
            app.actions.update("keep", ActionUpdate(description="new"))
        after = app.store.get(ActionRecord, before.id)
        assert replace(after, version=before.version, updated=before.updated) == before

    @pytest.mark.parametrize("field, value", [("flavor", "vault"), ("plugin_subtype", "other"), ("project", "lab")])
    def test_a_hook_plugin_cannot_create_what_was_not_asked_for(
        self, url: str, make_flavor: Any, vault: Any, field: str, value: str
    ) -> None:
        """A wrapper that sets another flavor, subtype or project before it yields is refused; a name it may set."""
        asked: list[ActionRequest] = []

        class Meddler:
            changes: ClassVar[dict[str, str]] = {field: value}

            @hookimpl(wrapper=True)
            def create_action(self, action: Any) -> Any:
                for name, changed in self.changes.items():
                    setattr(action, name, changed)
                return (yield)

        with Actium(url, hooks=[Meddler()]) as other:
            for kind in (vault.flavor, make_flavor(vault, FLAVOR="other")):
                other.flavors.register(kind)
            account = other.accounts.create(ServiceAccountRequest(name="robot"))
            request = ActionRequest(
                name="keep", plugin_subtype="test", flavor="other", service_account_id=account.id, project="default"
            )
            asked.append(request.model_copy())
            with pytest.raises(PluginError, match=f"test.other .*{field} '{value}' in place of"):
                other.actions.create(request)
            assert vault.calls == []
            assert other.actions.list().total == other.actions.list(ActionFilter(project="lab")).total == 0
            Meddler.changes = {"name": "safe"}
            assert other.actions.create(request).name == "safe"
            assert [request] == asked


class TestTriggers:
    def test_every_field_is_kept(self, url: str, app: Actium, create: CreateAction) -> None:
        """All that was given to a trigger is read again by another application."""
        action = create()
        given = {"name": "on-data", "description": "As\nit comes.", "filters": ARRIVED, "is_active": False}
        made = app.triggers.create(TriggerRequest(action_id=action.id, **given))
        with Actium(url) as other:
            trigger = other.triggers.get(made.id)
        assert {name: getattr(trigger, name) for name in given} == given
        assert (trigger.action_id, trigger.project) == (action.id, "default")

    def test_one_that_was_made_inactive_matches_nothing(self, app: Actium, create: CreateAction) -> None:
        """A trigger runs nothing until it is active."""
        app.triggers.create(TriggerRequest(name="t", action_id=create().id, match_all=True, is_active=False))
        assert app.events.publish(arrived()).executions == ()
        app.triggers.enable("t")
        assert len(app.events.publish(arrived()).executions) == 1

    def test_a_name_is_unique_in_its_project_only(self, app: Actium, create: CreateAction) -> None:
        """Triggers of two projects may have one name."""
        elsewhere = app.accounts.create(ServiceAccountRequest(name="robot", project="lab"))
        actions = [create(), create(project="lab", service_account_id=elsewhere.id)]
        for action in actions:
            app.triggers.create(TriggerRequest(name="t", action_id=action.id, match_all=True, project=action.project))
            with pytest.raises(AlreadyExistsError, match="'t'"):
                app.triggers.create(
                    TriggerRequest(name="t", action_id=action.id, match_all=True, project=action.project)
                )


class TestExecutions:
    def test_tells_trigger_revision_event_status_attempts_and_result(self, app: Actium, create: CreateAction) -> None:
        """An execution names its trigger, none by hand, the revision that was current, its event and what became of
        it."""
        action = create(configuration={"text": "old"})
        trigger = app.triggers.create(TriggerRequest(name="t", action_id=action.id, filters=ARRIVED))
        published = app.events.publish(arrived(data=1))
        app.actions.update(action.id, ActionUpdate(configuration={"text": "new"}))
        by_hand = app.actions.run(action.id)
        app.worker().run_until_idle()
        first, second = app.executions.get(published.executions[0]), app.executions.get(by_hand.id)
        assert (first.trigger_id, first.body.action_revision, first.body.event_id) == (trigger.id, 1, published.id)
        assert (second.trigger_id, second.body.action_revision, second.body.event_id) == (None, 2, None)
        assert (first.result, second.result) == ({"text": "old", "data": 1}, {"text": "new", "data": None})
        for execution in (first, second):
            assert (execution.status, execution.attempt) == (ExecutionStatus.SUCCEEDED, 1)
            assert [(attempt.number, attempt.status) for attempt in execution.attempts] == [(1, execution.status)]
        assert first.get_resources().trigger == app.triggers.get(trigger.id, hydrate=False)


@pytest.fixture
def doors(app: Actium, create: CreateAction) -> dict[str, tuple[Any, Any]]:
    """Everything that lists, with its filter; there is one object of each kind."""
    action = create()
    app.triggers.create(TriggerRequest(name="on-data", action_id=action.id, match_all=True))
    app.events.publish(arrived(id="e-1"))
    return {
        "accounts": (app.accounts, ServiceAccountFilter),
        "actions": (app.actions, ActionFilter),
        "triggers": (app.triggers, TriggerFilter),
        "events": (app.events, EventFilter),
        "executions": (app.executions, TriggerExecutionFilter),
    }


KINDS = ["accounts", "actions", "triggers", "events", "executions"]


class TestResponses:
    @pytest.mark.parametrize("kind", KINDS)
    def test_only_the_body_comes_unasked(self, doors: dict[str, tuple[Any, Any]], kind: str) -> None:
        """What is listed has its body; metadata and resources come with hydrating, and their lack is told as that."""
        (listed,) = doors[kind][0].list().items
        assert (listed.body.created if kind != "events" else listed.body.received) is not None
        with pytest.raises(HydrationError, match="hydrate=True"):
            listed.get_metadata()
        with pytest.raises(HydrationError, match="hydrate=True"):
            listed.get_resources()
        (hydrated,) = doors[kind][0].list(hydrate=True).items
        assert hydrated.get_metadata() is not None
        assert hydrated.body == listed.body


class TestPages:
    def test_hold_twenty_unless_told(self, app: Actium) -> None:
        """A page holds 20 items by default, and as many as 10,000."""
        for number in range(21):
            app.accounts.create(ServiceAccountRequest(name=f"a{number}"))
        page = app.accounts.list()
        assert (page.index, page.max_size, len(page.items), page.total, page.total_pages) == (1, 20, 20, 21, 2)
        page = app.accounts.list(ServiceAccountFilter(max_size=10_000))
        assert (page.max_size, len(page.items), page.total_pages) == (10_000, 21, 1)

    @pytest.mark.parametrize("kind", KINDS)
    def test_every_listing_refuses_what_is_not_there(self, doors: dict[str, tuple[Any, Any]], kind: str) -> None:
        """A page beyond the end, an unknown column to sort by or to compare, and an impossible size are errors."""
        door, asked = doors[kind]
        assert door.list(asked(index=1, max_size=1)).total_pages == 1
        with pytest.raises(InvalidQueryError, match="no page 2"):
            door.list(asked(index=2, max_size=1))
        with pytest.raises(InvalidQueryError, match="Cannot sort by 'colour'"):
            door.list(asked(sort_by="colour"))
        with pytest.raises(InvalidInputError, match="colour"):
            asked(colour="red")
        for size in (0, 10_001):
            with pytest.raises(InvalidInputError, match="max_size"):
                asked(max_size=size)

    @pytest.mark.parametrize(
        "condition, names",
        [
            ("equals:beta", "beta"),
            ("notequals:beta", "alpha alpine gamma"),
            ("contains:lp", "alpha alpine"),
            ("startswith:al", "alpha alpine"),
            ("endswith:a", "alpha beta gamma"),
            ("oneof:alpha,gamma", "alpha gamma"),
            ("gt:beta", "gamma"),
            ("gte:beta", "beta gamma"),
            ("lt:alpine", "alpha"),
            ("lte:alpine", "alpha alpine"),
            (["startswith:al", "endswith:a"], "alpha"),
        ],
    )
    def test_each_operator_compares(self, app: Actium, create: CreateAction, condition: Any, names: str) -> None:
        """Every operator lists what it says, in the order that was asked for."""
        for name in ("gamma", "alpine", "beta", "alpha"):
            create(name)
        listed = app.actions.list(ActionFilter(name=condition, sort_by="name"))
        assert [item.name for item in listed.items] == names.split()
        backwards = app.actions.list(ActionFilter(name=condition, sort_by="desc:name"))
        assert [item.name for item in backwards.items] == names.split()[::-1]

    def test_the_project_always_applies(self, app: Actium, create: CreateAction) -> None:
        """Conditions are combined by and, or by or; neither shows anything of another project."""
        elsewhere = app.accounts.create(ServiceAccountRequest(name="robot", project="lab"))
        create("on")
        create("off", enabled=False)
        create("other", enabled=False)
        create("on", project="lab", service_account_id=elsewhere.id, enabled=False)

        def names(**asked: Any) -> list[str]:
            listed = app.actions.list(ActionFilter(name="on", enabled=False, sort_by="name", **asked))
            return [f"{item.project}/{item.name}" for item in listed.items]

        assert names() == []
        assert names(logical_operator="or") == ["default/off", "default/on", "default/other"]
        assert names(logical_operator="or", project="lab") == ["lab/on"]


class TestLookUp:
    @pytest.mark.parametrize("kind, name", [("accounts", "robot"), ("triggers", "on-data"), ("events", "e-1")])
    def test_every_object_is_found_by_id_name_or_beginning(
        self, doors: dict[str, tuple[Any, Any]], kind: str, name: str
    ) -> None:
        """Accounts, triggers and events are found as actions are."""
        door = doors[kind][0]
        (there,) = door.list().items
        for reference in (there.id, str(there.id), str(there.id)[:8], name, name[:2]):
            assert door.get(reference).id == there.id

    def test_a_beginning_of_ids_and_names_may_be_ambiguous(self, app: Actium, account: ServiceAccountResponse) -> None:
        """A beginning that fits two ids, or one's id and another's name, names the candidates; more of it finds one."""
        record = app.store.get(AccountRecord, account.id)
        ids = [UUID(int=(0xBEEF0000 + number << 96) + uuid4().int % 2**96) for number in (1, 2)]
        for name, account_id in zip(("one", "two"), ids, strict=True):
            app.store.insert_account(replace(record, id=account_id, name=name))
        app.accounts.create(ServiceAccountRequest(name="beef stew"))
        for reference, names in {"beef": {"one", "two", "beef stew"}, "beef0": {"one", "two"}}.items():
            with pytest.raises(AmbiguousReferenceError) as caught:
                app.accounts.get(reference)
            assert {candidate.rpartition(" (")[0] for candidate in caught.value.candidates} == names
            assert all(name in str(caught.value) for name in names)
        assert app.accounts.get("beef0002").name == "two"
        assert app.accounts.get("beef ").name == "beef stew"

    def test_what_is_ambiguous_is_not_touched(self, app: Actium, create: CreateAction) -> None:
        """Changing, running or deleting by an ambiguous beginning does nothing."""
        create("train-a")
        create("train-b")
        for attempt in (
            lambda: app.actions.delete("train", force=True),
            lambda: app.actions.update("train", ActionUpdate(enabled=False)),
            lambda: app.actions.run("train"),
        ):
            with pytest.raises(AmbiguousReferenceError, match=r"train-a .* train-b"):
                attempt()
        assert [item.enabled for item in app.actions.list().items] == [True, True]
        assert app.executions.list().total == 0

    def test_names_are_looked_up_in_the_project(self, url: str, create: CreateAction) -> None:
        """What is of another project is not found by its name."""
        create("train")
        with Actium(url, project="lab") as lab, pytest.raises(NotFoundError, match="in the project 'lab'"):
            lab.actions.get("train")


class Mute:
    """A value that cannot be written."""

    def __repr__(self) -> str:
        raise RuntimeError("not for your eyes")


class TestWrongValuesThatCannotBeShown:
    @pytest.mark.parametrize(
        "ask",
        [
            lambda app: Event(type="a.b", source="/x", data=10**5000),
            lambda app: Event(type="a.b", source="/x", partitionkey=10**5000),
            lambda app: Event(type=Mute(), source="/x"),
            lambda app: ActionUpdate(auth_window=10**5000),
            lambda app: ActionUpdate(name=Mute()),
            lambda app: ActionUpdate(version=10**5000),
            lambda app: ActionFilter(name=10**5000),
            lambda app: ActionFilter(created=Mute()),
            lambda app: ActionFilter(index=10**5000),
            lambda app: app.actions.list(ActionFilter(index=10**12)),
            lambda app: app.actions.update("greet", ActionUpdate(configuration={"times": Mute()})),
            lambda app: app.actions.update("greet", ActionUpdate(configuration={"times": 10**5000})),
            lambda app: app.actions.update("greet", ActionUpdate(configuration={"text": 10**5000})),
            lambda app: app.triggers.create(TriggerRequest(name="t", action_id=uuid4(), filters=10**5000)),
            lambda app: app.triggers.create(
                TriggerRequest(name="t", action_id=app.actions.get("greet").id, filters=[{"exact": {"type": 10**5000}}])
            ),
            lambda app: parse_filters([{"exact": {"type": 10**5000}}]),
            lambda app: parse_filters([{"prefix": {10**5000: "x"}}]),
            lambda app: parse_filters([{10**5000: {}}]),
        ],
    )
    def test_are_refused_like_any_other(
        self, app: Actium, create: CreateAction, ask: Callable[[Actium], object]
    ) -> None:
        """A number too long to be written, or an object that cannot be, is told as wrong input, never by its error."""
        create()
        with pytest.raises(ActiumError) as caught:
            ask(app)
        assert "not for your eyes" not in caught.value.message

    def test_are_told_by_their_type_and_why(self) -> None:
        """In place of the value stands its type, with the reason why it is not there."""
        with pytest.raises(InvalidInputError) as caught:
            ActionUpdate(name=Mute(), auth_window=10**5000)
        told = {problem.path: problem.value for problem in caught.value.problems}
        assert told["name"] == "Mute that cannot be shown (RuntimeError: not for your eyes)"
        assert str(told["auth_window"]).startswith("int that cannot be shown (ValueError: Exceeds the limit")

    @pytest.mark.parametrize(
        "number, is_taken", [(2**31 - 1, True), (-(2**31), True), (2**31, False), (-(2**31) - 1, False)]
    )
    def test_whole_numbers_of_extension_attributes_have_32_bits(self, number: int, is_taken: bool) -> None:
        """CloudEvents knows no others, and those that it knows are compared in their text form."""
        if is_taken:
            assert arrived(priority=number).attributes()["priority"] == str(number)
        else:
            with pytest.raises(InvalidInputError, match="32 bits of CloudEvents"):
                arrived(priority=number)
