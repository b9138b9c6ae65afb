"""Flavors of one function: what they take, how they run, and what is refused where they are written."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actium import (
    ActionConfig,
    Actium,
    AuthContext,
    BaseActionHandler,
    ExecutionStatus,
    action_flavor,
    hookimpl,
)
from actium.errors import ExecutionCancelled, InvalidInputError
from actium.models import (
    ActionRequest,
    ActionResponse,
    ServiceAccountRequest,
    StepProgress,
    TriggerExecutionResponse,
)
from actium.stores.records import ActionRecord

CreateAction = Callable[..., ActionResponse]


class Numbered(ActionConfig):
    """Takes a number."""

    number: int = 1


def run(app: Actium, create: CreateAction, flavor: Any, **configuration: Any) -> TriggerExecutionResponse:
    """Run an action of a flavor once."""
    app.flavors.register(flavor)
    create("once", flavor=flavor.key(), configuration=configuration)
    app.actions.run("once")
    app.worker().run_until_idle()
    return app.executions.list(hydrate=True).items[0]


def test_take_what_they_want_by_name(app: Actium, create: CreateAction) -> None:
    """A function names any of the arguments, in any order, also with defaults and beside ones of its own."""

    @action_flavor("test.picky", config=Numbered)
    def picky(auth_context: AuthContext, config: Any = None, *, flag: bool = True) -> list[Any]:
        """Picks what it wants.

        And says more about it here.
        """
        return [auth_context.service_account.name, config.number, flag]

    assert run(app, create, picky, number=7).result == ["robot", 7, True]
    assert app.flavors.get("test.picky").get_metadata().description == "Picks what it wants."


@pytest.mark.parametrize("is_async", [False, True])
def test_reach_what_a_handler_reaches(app: Actium, create: CreateAction, is_async: bool) -> None:
    """A function that names ``handler`` gets the one around it: it reports progress, asks whether it is to end, and
    reads the store."""

    def report(trigger_execution: TriggerExecutionResponse, handler: BaseActionHandler) -> str:
        handler.report_progress(trigger_execution, [StepProgress(name="load", status="succeeded")])
        assert not handler.cancel_requested(trigger_execution)
        app.executions.cancel(trigger_execution.id)
        if handler.cancel_requested(trigger_execution):
            raise ExecutionCancelled(handler.store.get(ActionRecord, trigger_execution.action_id).name)
        return "ran on"

    async def report_async(trigger_execution: TriggerExecutionResponse, handler: BaseActionHandler) -> str:
        await asyncio.sleep(0)
        return report(trigger_execution, handler)

    execution = run(app, create, action_flavor("test.reporting")(report_async if is_async else report))
    assert (execution.status, execution.reason) == (ExecutionStatus.CANCELLED, "once")
    assert [(step.name, step.status) for step in execution.get_metadata().progress] == [("load", "succeeded")]


def test_need_no_argument_and_no_config(app: Actium, create: CreateAction) -> None:
    """A function without arguments is a flavor; its configuration is empty."""

    @action_flavor("test.bare")
    def bare() -> str:
        return "ran"

    assert run(app, create, bare).result == "ran"
    assert app.actions.get("once").configuration == {}


def test_keep_the_functions_identity() -> None:
    """The flavor that takes the function's place has its name, module, docstring and key."""

    @action_flavor("test.named", config=Numbered, auth_window=0)
    def named(config: Numbered) -> None:
        """Says what it does."""

    assert (named.__name__, named.__module__, named.__doc__) == ("named", __name__, "Says what it does.")
    assert named.__qualname__ == "test_keep_the_functions_identity.<locals>.named"
    assert (named.key(), named.AUTH_WINDOW, named.ACTION_CONFIG_CLASS) == ("test.named", 0, Numbered)
    assert named.PLUGIN_CLASS().flavor_class is named


def test_coroutines_are_awaited(app: Actium, create: CreateAction) -> None:
    """An ``async def`` function runs on the event loop, and its result is the execution's."""

    @action_flavor("test.slow", config=Numbered)
    async def slow(config: Numbered) -> int:
        await asyncio.sleep(0)
        return config.number + 1

    assert run(app, create, slow, number=1).result == 2


def test_methods_are_functions(app: Actium, create: CreateAction) -> None:
    """A bound method is as good as a function."""

    class Counter:
        count = 0

        def add(self, config: Numbered) -> int:
            self.count += config.number
            return self.count

    assert run(app, create, action_flavor("test.count", config=Numbered)(Counter().add), number=3).result == 3


def test_one_function_may_be_several_flavors(app: Actium, create: CreateAction) -> None:
    """Decorating a function does not change it, so that it serves several keys."""

    def shared(config: Numbered) -> int:
        return config.number

    first, second = (action_flavor(f"test.{name}", config=Numbered)(shared) for name in ("first", "second"))
    assert first is not second
    assert run(app, create, first, number=1).result == shared(Numbered(number=1))
    app.flavors.register(second)


def test_a_coroutine_from_a_plain_function_is_told(app: Actium, create: CreateAction) -> None:
    """A decorator that hides an ``async def`` is told; hook plugins never get a coroutine in place of its outcome."""
    seen: list[Any] = []

    class Watching:
        @hookimpl(wrapper=True)
        def run_action(self) -> Any:
            try:
                return (yield)
            except Exception as error:
                seen.append(type(error).__name__)
                raise

    async def work() -> str:
        return "done"

    @functools.wraps(work)
    def hidden() -> Any:
        return work()

    with Actium("sqlite://", hooks=[Watching()]) as watched:
        watched.flavors.register(action_flavor("test.hidden")(hidden))
        account = watched.accounts.create(ServiceAccountRequest(name="robot"))
        request = ActionRequest(name="a", plugin_subtype="test", flavor="hidden", service_account_id=account.id)
        watched.actions.create(request)
        watched.actions.run("a")
        watched.worker().run_until_idle()
        (execution,) = watched.executions.list(hydrate=True).items
    assert execution.status is ExecutionStatus.FAILED
    assert "test.hidden returned a coroutine, but is no coroutine function" in str(execution.reason)
    assert seen == ["PluginError"]


words = st.from_regex(r"[a-z][a-z0-9_]{0,62}", fullmatch=True)


@given(words, words)
def test_two_words_are_a_key(subtype: str, flavor: str) -> None:
    """Any two lower-case words joined by a dot are a key, and come back from the flavor."""
    made = action_flavor(f"{subtype}.{flavor}")(lambda: None)
    assert (made.SUBTYPE, made.FLAVOR, made.key()) == (subtype, flavor, f"{subtype}.{flavor}")


@pytest.mark.parametrize("key", ["nodot", "A.b", "a.B", "a.", ".b", ".", "a.b.c", "a b.c", "1a.b", lambda: None, None])
def test_a_wrong_key_is_refused(key: Any) -> None:
    """A key that is not two lower-case words is refused where it is written; so is a forgotten one."""
    with pytest.raises(InvalidInputError, match=r"no flavor key|not a lower-case word"):
        action_flavor(key)


def wants_colour(config: Any, colour: str) -> None: ...
def by_position(config: Any, /) -> None: ...
def any_number(*config: Any) -> None: ...
def any_name(**config: Any) -> None: ...


@pytest.mark.parametrize(
    "function, told",
    [
        (wants_colour, "wants_colour wants colour, which a run does not give it"),
        (by_position, "by_position wants config"),
        (any_number, "any_number wants config"),
        (any_name, "any_name wants config"),
        (functools.partial(wants_colour, colour="red"), "is no function"),
        (Numbered, "is no function"),
        ("wants_colour", "'wants_colour' is no function"),
    ],
)
def test_what_a_run_cannot_call_is_refused(function: Any, told: str) -> None:
    """A function that wants something else, or cannot take it by name, is refused where it is defined."""
    with pytest.raises(InvalidInputError, match=told):
        action_flavor("test.wrong")(function)


@pytest.mark.parametrize("config", [int, dict, Numbered(), None])
def test_a_config_that_is_no_model_is_refused(config: Any) -> None:
    """So is a config that is no ActionConfig."""
    with pytest.raises(InvalidInputError, match=r"The config of test\.wrong is"):
        action_flavor("test.wrong", config=config)


def test_an_impossible_window_is_refused() -> None:
    """So is a window that no action could have."""
    with pytest.raises(InvalidInputError, match="AUTH_WINDOW of wrong is -5"):

        @action_flavor("test.wrong", auth_window=-5)
        def wrong() -> None: ...
