"""Concurrency: what several callers at once, in threads and applications, can rely on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from actium import Actium
from actium.errors import (
    AlreadyExistsError,
    InUseError,
    NotFoundError,
    NotReadyError,
    VersionConflictError,
)
from actium.models import (
    ActionRequest,
    ActionResponse,
    ActionUpdate,
    ServiceAccountRequest,
    ServiceAccountResponse,
    TriggerRequest,
    TriggerUpdate,
)

CreateAction = Callable[..., ActionResponse]


def at_once(*jobs: Callable[[], Any]) -> list[Any]:
    """Do things in one thread each, begun together; what they returned or raised, in their order."""
    begin = threading.Barrier(len(jobs))
    outcomes: list[Any] = [None] * len(jobs)

    def work(position: int) -> None:
        begin.wait()
        try:
            outcomes[position] = jobs[position]()
        except BaseException as error:
            outcomes[position] = error

    threads = [threading.Thread(target=work, args=(position,)) for position in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def failures(outcomes: list[Any]) -> list[BaseException]:
    return [outcome for outcome in outcomes if isinstance(outcome, BaseException)]


def action_request(name: str, like: ActionResponse) -> ActionRequest:
    """A request for an action beside another one."""
    return ActionRequest(
        name=name,
        plugin_subtype=like.plugin_subtype,
        flavor=like.flavor,
        service_account_id=like.service_account_id,
    )


@pytest.fixture
def other(url: str, vault: Any) -> Iterator[Actium]:
    """A second application on the same store."""
    with Actium(url) as other:
        other.flavors.register(vault.flavor)
        yield other


class TestOneName:
    @pytest.mark.parametrize("kind", ["account", "action", "trigger", "renamed action", "renamed trigger"])
    def test_seven_of_eight_get_the_same_error(
        self, app: Actium, other: Actium, vault: Any, create_vault: CreateAction, kind: str
    ) -> None:
        """Eight threads of two applications want one name: one gets it, the others the same error of ours."""
        action = create_vault("used")
        apps = [app, other] * 4
        if kind.startswith("renamed"):
            for number in range(8):
                create_vault(f"a{number}")
                app.triggers.create(TriggerRequest(name=f"t{number}", action_id=action.id, match_all=True))
        request = action_request("same", action)
        named = TriggerRequest(name="same", action_id=action.id, match_all=True)
        jobs = {
            "account": lambda app, number: app.accounts.create(ServiceAccountRequest(name="same")),
            "action": lambda app, number: app.actions.create(request),
            "trigger": lambda app, number: app.triggers.create(named),
            "renamed action": lambda app, number: app.actions.update(f"a{number}", ActionUpdate(name="same")),
            "renamed trigger": lambda app, number: app.triggers.update(f"t{number}", TriggerUpdate(name="same")),
        }
        vault.calls.clear()
        outcomes = at_once(*(partial(jobs[kind], app, number) for number, app in enumerate(apps)))
        errors = failures(outcomes)
        assert [type(error) for error in errors] == [AlreadyExistsError] * 7
        assert len({str(error) for error in errors}) == 1
        assert "'same'" in str(errors[0])
        if kind in {"action", "renamed action"}:
            assert vault.calls.count("process_request" if kind == "action" else "process_update") == 1


class TestChanges:
    def test_nobodys_change_is_lost(self, app: Actium, other: Actium, vault: Any, create_vault: CreateAction) -> None:
        """Of four callers that change what they all have read the first to store succeeds; the others are told."""
        action = create_vault()
        callers = [(other, "second"), (app, "third"), (other, "fourth")]
        refused: list[str] = []

        def let_another_begin(*_: Any) -> None:
            if callers:
                change(*callers.pop(0))

        def change(app: Actium, name: str) -> None:
            try:
                app.actions.update(action.id, ActionUpdate(name=name))
            except VersionConflictError:
                refused.append(name)

        vault.at["validate_update"] = let_another_begin
        change(app, "first")
        assert refused == ["third", "second", "first"]
        assert app.actions.get(action.id).name == "fourth"
        assert [item.fields["name"] for item in app.actions.history(action.id)] == ["keep", "fourth"]


class TestUse:
    def test_an_account_in_use_is_refused_with_the_names(
        self, app: Actium, create: CreateAction, account: ServiceAccountResponse
    ) -> None:
        """Deleting an account names all actions that use it, disabled ones too; once they are gone, it goes."""
        create("one")
        create("two", enabled=False)
        with pytest.raises(InUseError, match="'robot' is used by the actions 'one', 'two'") as caught:
            app.accounts.delete("robot")
        assert caught.value.users == ("one", "two")
        assert app.accounts.get("robot").active
        app.actions.delete("one")
        app.actions.delete("two")
        app.accounts.delete("robot")
        assert app.accounts.list().total == 0

    def test_an_account_that_goes_while_it_is_taken(self, app: Actium, other: Actium, create: CreateAction) -> None:
        """Deleting an account while an action of it is created: one of the two is refused, whichever comes first."""
        like = create("used", flavor="test.vault")
        for number in range(10):
            account = app.accounts.create(ServiceAccountRequest(name=f"robot{number}"))
            request = action_request(f"a{number}", like).model_copy(update={"service_account_id": account.id})
            errors = failures(at_once(partial(other.accounts.delete, account.id), partial(app.actions.create, request)))
            assert len(errors) == 1
            assert isinstance(errors[0], InUseError | NotFoundError), errors
        assert app.store.check() == ()

    def test_an_action_that_goes_while_it_gets_a_trigger(
        self, app: Actium, other: Actium, create_vault: CreateAction
    ) -> None:
        """Deleting an action while it gets a trigger: one of the two is refused, and no trigger is without action."""
        for number in range(10):
            action = create_vault(f"a{number}")
            request = TriggerRequest(name=f"t{number}", action_id=action.id, match_all=True)
            errors = failures(at_once(partial(other.actions.delete, action.id), partial(app.triggers.create, request)))
            assert len(errors) == 1
            assert isinstance(errors[0], InUseError | NotFoundError | NotReadyError), errors
        assert {item.name[1:] for item in app.triggers.list().items} == {
            item.name[1:] for item in app.actions.list().items
        }
