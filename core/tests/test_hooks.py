"""Hooks: how wrappers stand around a handler, what is refused at the door, and what errors tell."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pluggy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actium import Actium, Event, TriggerExecutionResponse, action_flavor, hookimpl
from actium.errors import PluginError, PluginQuarantinedError
from actium.models import ActionRequest, ServiceAccountRequest, TriggerRequest
from actium.plugins.awaiting_call import call_awaiting
from actium.plugins.hook_plugins import HookPlugin
from actium.plugins.hookspecs import PROJECT_NAME, ActionHooks
from actium.plugins.origin import Origin
from actium.plugins.relay import Observers, Relay

ORIGIN = Origin("test.echo", "actium-echo", "1.2")


class Handler:
    """Answers hooks; a test decides how."""

    def __init__(self, run: Callable[..., Any] = lambda *_: "done") -> None:
        self._run = run

    def run(self, config: Any, trigger_execution: Any, auth_context: Any) -> Any:
        return self._run(config, trigger_execution, auth_context)

    def create_action(self, action: Any) -> Any:
        return ("created", action)

    def update_action(self, action: Any, action_update: Any) -> Any:
        return ("updated", action, action_update)

    def delete_action(self, action: Any, force: bool = False, cascade: bool = False) -> None:
        self.deleted = (action, force, cascade)

    def get_action(self, action: Any, hydrate: bool = False) -> Any:
        return ("got", action, hydrate)

    def extract_resources(self, action_config: Any, hydrate: bool = False) -> Any:
        return {"config": action_config, "hydrate": hydrate}


class AsyncHandler(Handler):
    async def run(self, config: Any, trigger_execution: Any, auth_context: Any) -> Any:
        await asyncio.sleep(0)
        return self._run(config, trigger_execution, auth_context)


def plugin(**functions: Callable[..., Any]) -> HookPlugin:
    """A hook plugin made of functions that are marked already."""
    return HookPlugin(type("Plugin", (), {name: staticmethod(each) for name, each in functions.items()})(), Origin("p"))


def run(relay: Relay) -> Any:
    result = relay.run_action("config", "execution", "auth")  # type: ignore[arg-type]
    return asyncio.run(result) if relay.is_async else result


handlers = pytest.mark.parametrize("kind", [Handler, AsyncHandler])


class TestRelay:
    def test_calls_are_the_handlers(self) -> None:
        """Each hook reaches the handler with its arguments, and its result comes back."""
        handler = Handler(lambda *given: given)
        relay: Any = Relay(handler, ORIGIN)
        assert relay.create_action("a") == ("created", "a")
        assert relay.update_action("a", "u") == ("updated", "a", "u")
        assert relay.get_action("a") == ("got", "a", True)
        assert relay.extract_resources("c", hydrate=False) == {"config": "c", "hydrate": False}
        assert relay.run_action("c", "t", "a") == ("c", "t", "a")
        assert relay.render_configuration({"a": 1}, None) == {"a": 1}
        relay.delete_action("a", force=True, cascade=False)
        assert handler.deleted == ("a", True, False)

    @handlers
    def test_wrappers_stand_in_order(self, kind: type[Handler]) -> None:
        """``tryfirst`` is outermost, ``trylast`` innermost; each sees what those further in left."""
        seen: list[str] = []

        def wrapper(name: str, **options: bool) -> HookPlugin:
            @hookimpl(wrapper=True, **options)
            def run_action() -> Any:
                seen.append(f"into {name}")
                result = yield
                seen.append(f"out of {name} with {result}")
                return f"{result}+{name}"

            return plugin(run_action=run_action)

        relay = Relay(
            kind(), ORIGIN, [wrapper("last", trylast=True), wrapper("plain"), wrapper("first", tryfirst=True)]
        )
        assert run(relay) == "done+last+plain+first"
        assert seen[:3] == ["into first", "into plain", "into last"]
        assert seen[3:] == [
            "out of last with done",
            "out of plain with done+last",
            "out of first with done+last+plain",
        ]

    @handlers
    def test_an_exception_tells_where_it_came_from(self, kind: type[Handler]) -> None:
        """An exception carries the hook, the flavor, its distribution and version as a note."""

        def fail(*_: Any) -> None:
            raise ValueError("no rows")

        with pytest.raises(ValueError, match="no rows") as caught:
            run(Relay(kind(fail), ORIGIN))
        assert caught.value.__notes__ == ["raised in the hook run_action of test.echo (actium-echo 1.2)"]

    @handlers
    def test_a_wrapper_may_deal_with_an_exception(self, kind: type[Handler]) -> None:
        """A wrapper that returns in place of an exception ends it; those further out see the result."""

        @hookimpl(wrapper=True)
        def run_action() -> Any:
            try:
                return (yield)
            except ZeroDivisionError:
                return "rescued"

        assert run(Relay(kind(lambda *_: 1 / 0), ORIGIN, [plugin(run_action=run_action)])) == "rescued"

    @handlers
    def test_a_lost_result_is_kept_and_told(self, kind: type[Handler], caplog: pytest.LogCaptureFixture) -> None:
        """A wrapper that forgets ``return`` loses nothing: the result is kept and the plugin named."""

        @hookimpl(wrapper=True)
        def run_action(config: Any) -> Any:
            yield

        assert run(Relay(kind(), ORIGIN, [plugin(run_action=run_action)])) == "done"
        assert "The hook plugin p lost the result of run_action" in caplog.text

    @handlers
    def test_a_result_of_none_is_no_loss(self, kind: type[Handler], caplog: pytest.LogCaptureFixture) -> None:
        """Where the handler returned None, a wrapper that returns None is not told off."""

        @hookimpl(wrapper=True)
        def run_action() -> Any:
            return (yield)

        with caplog.at_level(logging.WARNING):
            assert run(Relay(kind(lambda *_: None), ORIGIN, [plugin(run_action=run_action)])) is None
        assert caplog.text == ""

    @pytest.mark.parametrize("hook", ["create_action", "update_action", "get_action", "extract_resources"])
    def test_a_lost_failure_is_raised_and_told(self, hook: str, caplog: pytest.LogCaptureFixture) -> None:
        """A wrapper that catches what these hooks raise and returns None loses nothing: the exception goes on."""

        def swallow() -> Any:
            try:
                return (yield)
            except ValueError:
                print("never mind")

        def fail(*_: Any, **__: Any) -> Any:
            raise ValueError("no room")

        handler = Handler()
        setattr(handler, hook, fail)
        relay: Any = Relay(handler, ORIGIN, [plugin(**{hook: hookimpl(wrapper=True)(swallow)})])
        calls: dict[str, Callable[[], Any]] = {
            "create_action": lambda: relay.create_action("a"),
            "update_action": lambda: relay.update_action("a", "u"),
            "get_action": lambda: relay.get_action("a"),
            "extract_resources": lambda: relay.extract_resources("c", hydrate=False),
        }
        with pytest.raises(ValueError, match="no room"):
            calls[hook]()
        assert f"The hook plugin p lost the failure of {hook}" in caplog.text

    @handlers
    def test_a_failed_run_may_end_as_nothing(self, kind: type[Handler], caplog: pytest.LogCaptureFixture) -> None:
        """A run may have no result, so a wrapper may put None in the place of its failure."""

        @hookimpl(wrapper=True)
        def run_action() -> Any:
            try:
                return (yield)
            except ZeroDivisionError:
                return None

        assert run(Relay(kind(lambda *_: 1 / 0), ORIGIN, [plugin(run_action=run_action)])) is None
        assert caplog.text == ""

    @handlers
    def test_a_wrapper_that_yields_twice_is_an_error(self, kind: type[Handler]) -> None:
        """A second yield is an error, not a result."""

        @hookimpl(wrapper=True)
        def run_action() -> Any:
            yield
            yield

        with pytest.raises(RuntimeError, match="exactly once"):
            run(Relay(kind(), ORIGIN, [plugin(run_action=run_action)]))

    @handlers
    def test_a_wrapper_that_does_not_yield_is_an_error(self, kind: type[Handler]) -> None:
        """A wrapper that returns before it yields is an error."""

        @hookimpl(wrapper=True)
        def run_action(config: Any) -> Any:
            if config == "never":
                yield

        with pytest.raises(RuntimeError, match="did not yield"):
            run(Relay(kind(), ORIGIN, [plugin(run_action=run_action)]))

    def test_cancelling_reaches_wrappers(self) -> None:
        """Cancelling a coroutine arrives in wrappers as the exception that it is."""
        seen: list[str] = []

        @hookimpl(wrapper=True)
        def run_action() -> Any:
            try:
                return (yield)
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise

        class Endless(Handler):
            async def run(self, config: Any, trigger_execution: Any, auth_context: Any) -> Any:
                await asyncio.Event().wait()

        async def main() -> None:
            relay = Relay(Endless(), ORIGIN, [plugin(run_action=run_action)])
            task = asyncio.ensure_future(relay.run_action("c", "t", "a"))  # type: ignore[arg-type]
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(main())
        assert seen == ["cancelled"]


async def coroutine() -> None: ...


async def asynchronous_generator() -> Any:
    yield


class TestHookPlugins:
    @pytest.mark.parametrize(
        "name, options, function, message",
        [
            ("run_acton", {"wrapper": True}, lambda: (yield), "Did you mean 'run_action'"),
            ("zzz", {"wrapper": True}, lambda: (yield), "The hooks are"),
            ("run_action", {}, lambda: None, "would keep the flavor from answering"),
            ("run_action", {"hookwrapper": True}, lambda: (yield), "old-style"),
            ("run_action", {"wrapper": True}, lambda: None, "without a yield"),
            ("event_published", {"wrapper": True}, lambda: (yield), "which is not wrapped"),
            ("run_action", {"wrapper": True}, lambda colour: (yield), "colour"),
            (
                "run_action",
                {"wrapper": True, "tryfirst": True, "trylast": True},
                lambda: (yield),
                "both first and last",
            ),
            ("event_published", {}, coroutine, "implements 'event_published' as `async def`"),
            ("execution_changed", {}, coroutine, "implements 'execution_changed' as `async def`"),
            ("render_configuration", {}, coroutine, "implements 'render_configuration' as `async def`"),
            ("run_action", {"wrapper": True}, asynchronous_generator, "implements 'run_action' as `async def`"),
        ],
    )
    def test_what_cannot_work_is_refused_at_the_door(
        self, name: str, options: Any, function: Any, message: str
    ) -> None:
        """Misspelled hooks, wrong kinds and unknown arguments are refused before the first action."""
        with pytest.raises(PluginQuarantinedError, match=message):
            plugin(**{name: hookimpl(**options)(function)})

    def test_nothing_to_do_is_refused(self) -> None:
        """A plugin without hooks, or a class instead of an instance, is refused."""
        with pytest.raises(PluginQuarantinedError, match="implements no hook"):
            HookPlugin(object(), Origin("p"))
        with pytest.raises(PluginQuarantinedError, match="is the class Handler"):
            HookPlugin(Handler, Origin("p"))

    def test_methods_and_static_functions_count(self) -> None:
        """Implementations may be methods, static methods, or functions of a module."""

        class Methods:
            def __init__(self) -> None:
                self.seen: list[str] = []

            @hookimpl
            def event_published(self, event: Any) -> None:
                self.seen.append(event)

        methods = Methods()
        Observers([HookPlugin(methods, Origin("m"))]).event_published("e", ())  # type: ignore[arg-type]
        assert methods.seen == ["e"]

    def test_rendering_takes_the_first_answer(self) -> None:
        """The first hook plugin that gives a configuration decides; None leaves it to others."""
        renders = [
            plugin(render_configuration=hookimpl(function))
            for function in (lambda: None, lambda configuration: {**configuration, "by": "second"})
        ]
        assert Relay(Handler(), ORIGIN, renders).render_configuration({"a": 1}, None) == {"a": 1, "by": "second"}
        assert Relay(Handler(), ORIGIN, renders[:1]).render_configuration({"a": 1}, None) == {"a": 1}

    def test_rendering_into_something_else_is_told(self) -> None:
        """What is no mapping, such as a coroutine that a decorator hides, is refused with the flavor's name."""
        for rendered, told in (([1], r"as \[1\]"), (coroutine, "as <coroutine")):
            function = (lambda: coroutine()) if rendered is coroutine else (lambda: [1])
            relay = Relay(Handler(), ORIGIN, [plugin(render_configuration=hookimpl(function))])
            with pytest.raises(PluginError, match=rf"configuration of test\.echo .* {told}"):
                relay.render_configuration({"a": 1}, None)


class TestObservers:
    def test_a_hidden_coroutine_is_told(self, caplog: pytest.LogCaptureFixture) -> None:
        """An observer that gives a coroutine after all is logged with its name, and the others are told."""
        seen: list[str] = []
        observers = Observers(
            [
                plugin(event_published=hookimpl(function))
                for function in (lambda event: seen.append(event), lambda: coroutine())
            ]
        )
        observers.event_published("e", ())  # type: ignore[arg-type]
        assert seen == ["e"]
        assert "it returned a coroutine, which nobody awaits" in caplog.text

    def test_observers_change_nothing(self, url: str) -> None:
        """Whatever an observer does to what it is told, handler, store and other observers see what was published."""
        seen: list[Any] = []

        class Spoiler:
            @hookimpl(tryfirst=True)
            def event_published(self, event: Event) -> None:
                seen.append(event.data["deep"][0])
                event.data["deep"][0] = "spoiled"

            @hookimpl(tryfirst=True)
            def execution_changed(self, trigger_execution: TriggerExecutionResponse) -> None:
                trigger_execution.event.data["deep"][0] = "spoiled"
                trigger_execution.body.reason = "spoiled"

        class Watcher:
            @hookimpl
            def execution_changed(self, trigger_execution: TriggerExecutionResponse) -> None:
                seen.append((trigger_execution.event.data["deep"][0], trigger_execution.reason))

        @action_flavor("test.deep")
        def deep(trigger_execution: TriggerExecutionResponse) -> Any:
            return trigger_execution.event.data["deep"][0]

        event = Event(source="/s", type="t", data={"deep": ["whole"]})
        with Actium(url, hooks=[Spoiler(), Watcher()]) as app:
            app.flavors.register(deep)
            account = app.accounts.create(ServiceAccountRequest(name="robot"))
            request = ActionRequest(name="a", plugin_subtype="test", flavor="deep", service_account_id=account.id)
            action = app.actions.create(request)
            app.triggers.create(TriggerRequest(name="t", action_id=action.id, match_all=True))
            app.events.publish(event)
            app.worker().run_until_idle()
            (execution,) = app.executions.list(hydrate=True).items
        assert seen == ["whole", ("whole", None), ("whole", None)]
        assert (execution.result, event.data) == ("whole", {"deep": ["whole"]})


behaviours = st.sampled_from(["pass", "change", "swallow", "raise before", "raise after", "replace exception"])


def wrapper_that(behaviour: str, number: int, log: list[str]) -> Any:
    class Plugin:
        @hookimpl(wrapper=True, tryfirst=number % 3 == 0, trylast=number % 3 == 1)
        def run_action(self, config: Any) -> Any:
            log.append(f"in {number}")
            if behaviour == "raise before":
                raise ValueError(f"before {number}")
            try:
                result = yield
            except ValueError as error:
                log.append(f"error {number}: {error}")
                if behaviour == "swallow":
                    return f"swallowed {number}"
                if behaviour == "replace exception":
                    raise ValueError(f"replaced {number}") from error
                raise
            log.append(f"out {number}: {result}")
            if behaviour == "raise after":
                raise ValueError(f"after {number}")
            return f"{result}+{number}" if behaviour == "change" else result

    return Plugin()


def implementation_that(result: Any, number: int, log: list[str], *, is_async: bool) -> Any:
    def answer() -> Any:
        log.append(f"call {number}")
        if result == "raise":
            raise ValueError(f"raised {number}")
        return result

    class Plain:
        @hookimpl(tryfirst=number % 2 == 0)
        def run_action(self, config: Any, auth_context: Any = "default") -> Any:
            return answer()

    class Coroutine:
        @hookimpl(tryfirst=number % 2 == 0)
        async def run_action(self, config: Any, auth_context: Any = "default") -> Any:
            await asyncio.sleep(0)
            return answer()

    return Coroutine() if is_async else Plain()


def outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception as error:
        return (type(error), str(error))


@given(
    st.lists(behaviours, max_size=4),
    st.lists(st.sampled_from([None, 0, "result", "raise"]), max_size=3),
    st.lists(st.booleans(), min_size=3, max_size=3),
)
def test_the_awaiting_call_is_pluggys_own_call(
    wrappers: list[str], results: list[Any], asynchronous: list[bool]
) -> None:
    """Whatever wrappers and implementations do: awaiting them gives the outcome and the order of pluggy's own call."""
    outcomes, logs = [], []
    for awaiting in (False, True):
        log: list[str] = []
        manager = pluggy.PluginManager(PROJECT_NAME)
        manager.add_hookspecs(ActionHooks)
        for number, result in enumerate(results):
            is_async = awaiting and asynchronous[number]
            manager.register(implementation_that(result, number, log, is_async=is_async))
        for number, behaviour in enumerate(wrappers):
            manager.register(wrapper_that(behaviour, number, log))
        caller = manager.hook.run_action
        arguments = {"config": 1, "trigger_execution": 2, "auth_context": 3}
        if awaiting:
            outcomes.append(outcome(lambda: asyncio.run(call_awaiting(caller, arguments))))  # noqa: B023 - called at once
        else:
            outcomes.append(outcome(lambda: caller(**arguments)))  # noqa: B023 - called at once
        logs.append(log)
    assert outcomes[0] == outcomes[1]
    assert logs[0] == logs[1]
