"""The order in which hook plugins are called: what they may say of each other, and what becomes of it."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Sequence
from typing import Any

import pluggy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actium import ActionConfig, Actium, AuthContext, Event, action_flavor, hookimpl
from actium.errors import InvalidInputError, PluginQuarantinedError
from actium.models import ActionRequest, ServiceAccountRequest, TriggerRequest
from actium.plugins.hookspecs import HOOK_VERSION
from actium.plugins.registry import PluginFlavorRegistry

Called = list[str]
Wishes = dict[str, Any]


def named(name: str, **functions: Callable[..., Any]) -> Any:
    """A plugin made in code, known by a name."""
    plugin = type("Plugin", (), {hook: staticmethod(function) for hook, function in functions.items()})()
    plugin.__name__ = name
    return plugin


def wrapping(name: str, called: Called, hook: str = "run_action", **wishes: Any) -> Any:
    """A plugin that wraps a hook, and tells when it is entered and left."""

    @hookimpl(wrapper=True, **wishes)
    def implementation() -> Any:
        called.append(name)
        try:
            return (yield)
        finally:
            called.append(f"/{name}")

    return named(name, **{hook: implementation})


def observing(name: str, called: Called, **wishes: Any) -> Any:
    """A plugin that is told of events."""

    @hookimpl(**wishes)
    def event_published(event: Any) -> None:
        called.append(name)

    return named(name, event_published=event_published)


def answering(name: str, called: Called, **wishes: Any) -> Any:
    """A plugin that is asked to render configurations, and leaves it to others."""

    @hookimpl(**wishes)
    def render_configuration(configuration: Any, event: Any = None) -> None:
        called.append(name)

    return named(name, render_configuration=render_configuration)


@action_flavor("test.quiet")
def quiet() -> None:
    """Does nothing."""


@action_flavor("test.awaited")
async def awaited() -> None:
    """Does nothing, as a coroutine."""


def run_once(hooks: Sequence[object], flavor: Any = quiet, trace: Any = None) -> None:
    """Publish one event that leads to one run."""
    with Actium("sqlite://", hooks=hooks, trace=trace) as app:
        app.flavors.register(flavor)
        account = app.accounts.create(ServiceAccountRequest(name="robot"))
        request = ActionRequest(
            name="a", plugin_subtype="test", flavor=flavor.FLAVOR, service_account_id=account.id, configuration={}
        )
        action = app.actions.create(request)
        app.triggers.create(TriggerRequest(name="t", action_id=action.id, match_all=True))
        app.events.publish(Event(type="tick", source="/clock"))
        assert app.worker().run_until_idle() == 1


def order_of(hook: str, plugins: Sequence[object]) -> list[str]:
    """What the registry says of the order."""
    return [call.origin.name for call in PluginFlavorRegistry(hooks=plugins).hook_calls(hook)]


class TestOrder:
    @pytest.mark.parametrize("flavor", [quiet, awaited])
    def test_a_wrapper_stands_around_what_it_is_to_be_called_before(self, flavor: Any) -> None:
        """``before`` and ``after`` decide who stands around whom, whichever was enabled first."""
        for number in range(6):
            called: Called = []
            plugins = [
                wrapping("audit", called),
                wrapping("policy", called, before="audit"),
                wrapping("clock", called, after=["audit", "policy"]),
            ]
            run_once(list(itertools.permutations(plugins))[number], flavor)
            assert called == ["policy", "audit", "clock", "/clock", "/audit", "/policy"]

    def test_a_trace_changes_no_order(self) -> None:
        """What is traced is called in the same order as what is not."""
        called: Called = []
        traces: list[Any] = []
        plugins = [
            wrapping("last", called, trylast=True),
            wrapping("audit", called, tryfirst=True),
            wrapping("policy", called, before="audit"),
            wrapping("inside-last", called, after="last"),
        ]
        run_once(plugins, trace=traces.append)
        assert traces
        assert called[:4] == ["policy", "audit", "last", "inside-last"]

    def test_it_overrules_tryfirst_and_trylast(self) -> None:
        """What names a plugin is stronger than what names none; the others stay where they are."""
        called: Called = []
        plugins = [
            wrapping("first", called, tryfirst=True),
            wrapping("other", called),
            wrapping("last", called, trylast=True),
            wrapping("around-first", called, before="first", trylast=True),
            wrapping("inside-last", called, after="last", tryfirst=True),
        ]
        run_once(plugins)
        assert called[:5] == ["around-first", "first", "other", "last", "inside-last"]

    def test_observers_are_told_in_order(self) -> None:
        """Observers have the order of wrappers: ``before`` is told earlier."""
        called: Called = []
        run_once(
            [
                observing("third", called, after="second", tryfirst=True),
                observing("second", called),
                observing("first", called, before="second"),
            ]
        )
        assert called == ["first", "second", "third"]

    def test_answers_are_asked_for_in_order(self) -> None:
        """Where the first answer counts, ``before`` is asked earlier."""
        called: Called = []
        run_once(
            [answering("early", called, before="late", trylast=True), answering("late", called, tryfirst=True)],
        )
        assert called == ["early", "late"]

    def test_each_hook_has_an_order_of_its_own(self) -> None:
        """Of two plugins, either may be the first in another hook."""
        called: Called = []

        @hookimpl(wrapper=True, after="b")
        def run_action() -> Any:
            called.append("a runs")
            return (yield)

        @hookimpl(before="b")
        def event_published() -> None:
            called.append("a is told")

        both = named("a", run_action=run_action, event_published=event_published)
        other = named(
            "b",
            run_action=vars(type(wrapping("b runs", called)))["run_action"].__func__,
            event_published=vars(type(observing("b is told", called)))["event_published"].__func__,
        )
        run_once([both, other])
        assert called == ["a is told", "b is told", "b runs", "a runs", "/b runs"]

    def test_what_is_not_there_is_no_reason_to_fail(self) -> None:
        """A name that no enabled plugin has means nothing."""
        called: Called = []
        run_once([wrapping("audit", called, before="telemetry"), wrapping("policy", called, after=["nothing"])])
        assert called[:2] == ["policy", "audit"]

    def test_a_contradiction_stops_nobody(self, caplog: pytest.LogCaptureFixture) -> None:
        """Plugins that want to stand around each other are told in the log and stand as enabled; others as they say."""
        called: Called = []
        plugins = [
            wrapping("a", called, before="b"),
            wrapping("b", called, before="c"),
            wrapping("c", called, before="a"),
            wrapping("d", called, after="a"),
        ]
        with caplog.at_level(logging.WARNING, "actium.plugins"):
            run_once(plugins)
        assert called[:4] == ["c", "b", "a", "d"]
        (message,) = [record.getMessage() for record in caplog.records]
        assert message.startswith("In run_action, ")
        assert "a before b" in message
        assert "b before c" in message
        assert "c before a" in message

    def test_the_doctor_tells_of_a_contradiction(self) -> None:
        """An examination names the plugins and the hook, and nothing of those whose order can be."""
        called: Called = []
        plugins = [
            wrapping("a", called, before="b"),
            wrapping("b", called, before="a"),
            wrapping("c", called, after="a"),
        ]
        with Actium("sqlite://", hooks=plugins) as app:
            (finding,) = [each for each in app.doctor.examine_plugins() if each.what.startswith("hook plugins")]
        assert finding.what == "hook plugins a, b"
        assert "run_action" in finding.problem
        assert not finding.mended

    def test_a_plugin_cannot_stand_around_itself(self, caplog: pytest.LogCaptureFixture) -> None:
        """Naming oneself is told, and harms nobody."""
        called: Called = []
        with caplog.at_level(logging.WARNING, "actium.plugins"):
            run_once([wrapping("a", called, before="a")])
        assert called == ["a", "/a"]
        assert "a before or after itself" in caplog.text

    def test_a_lost_result_is_kept_in_every_order(self, caplog: pytest.LogCaptureFixture) -> None:
        """A wrapper that was moved is under the same guard as before."""

        @hookimpl(wrapper=True, before="first")
        def create_action() -> Any:
            yield

        called: Called = []
        with Actium(
            "sqlite://",
            hooks=[
                named("losing", create_action=create_action),
                wrapping("first", called, "create_action", tryfirst=True),
            ],
        ) as app:
            app.flavors.register(quiet)
            account = app.accounts.create(ServiceAccountRequest(name="robot"))
            request = ActionRequest(name="a", plugin_subtype="test", flavor="quiet", service_account_id=account.id)
            assert app.actions.create(request).name == "a"
        assert "losing lost the result of create_action" in caplog.text


class TestReasons:
    def test_each_place_has_its_reasons(self) -> None:
        """Of every implementation it is told why it stands where it stands, also what was not heeded."""
        called: Called = []
        registry = PluginFlavorRegistry(
            hooks=[
                wrapping("audit", called, tryfirst=True),
                wrapping("policy", called, before=["audit", "nobody"]),
                wrapping("clock", called),
                wrapping("late", called, trylast=True, after="clock"),
            ]
        )
        told = {call.origin.name: (call.position, *call.reasons) for call in registry.hook_calls("run_action")}
        assert list(told.items()) == [
            ("policy", ("wrapper", "before audit", "enabled 2nd", "before nobody is not heeded")),
            ("audit", ("wrapper", "tryfirst", "enabled 1st")),
            ("clock", ("wrapper", "enabled 3rd")),
            ("late", ("wrapper", "after clock", "trylast", "enabled 4th")),
        ]

    def test_there_is_no_order_of_what_is_no_hook(self) -> None:
        """Asking for a hook that does not exist is refused with the names of those that do."""
        with pytest.raises(InvalidInputError, match="no hook 'run_acton'") as caught:
            PluginFlavorRegistry().hook_calls("run_acton")
        assert "run_action" in str(caught.value.hint)


def with_rank(drawn: dict[str, Any]) -> Wishes:
    rank = drawn.pop("rank", None)
    return drawn if rank is None else {**drawn, rank: True}


wishes = st.fixed_dictionaries(
    {},
    optional={
        "rank": st.sampled_from(["tryfirst", "trylast"]),
        "before": st.lists(st.sampled_from("abcdef"), max_size=2),
        "after": st.lists(st.sampled_from("abcdef"), max_size=2),
    },
).map(with_rank)


@given(drawn=st.lists(wishes, min_size=1, max_size=6))
def test_any_wishes_lead_to_an_order_that_is_kept(drawn: list[Wishes]) -> None:
    """Whatever plugins say: each is called once, in the order that is told, and a wish that is heeded holds."""
    called: Called = []
    plugins = [observing("abcdef"[number], called, **each) for number, each in enumerate(drawn)]
    registry = PluginFlavorRegistry(hooks=plugins)
    calls = registry.hook_calls("event_published")
    registry.observers().event_published("event", ())  # type: ignore[arg-type]
    assert called == [call.origin.name for call in calls]
    assert sorted(called) == sorted("abcdef"[: len(drawn)])
    for call in calls:
        own = called.index(call.origin.name)
        for word, other, *denied in (reason.split() for reason in call.reasons if reason[0] in "ab"):
            if not denied:
                assert own < called.index(other) if word == "before" else own > called.index(other)


@given(drawn=st.lists(wishes, min_size=1, max_size=6))
def test_without_contradictions_every_wish_holds(drawn: list[Wishes]) -> None:
    """Wishes that follow some order of the plugins can all be heeded, and all are."""
    called: Called = []
    kept = []
    for number, each in enumerate(drawn):  # every plugin only wants to be before later ones and after earlier ones
        own = "abcdef"[number]
        before = [name for name in each.get("before", ()) if name > own]
        after = [name for name in each.get("after", ()) if name < own]
        kept.append({**each, "before": before, "after": after})
    plugins = [observing("abcdef"[number], called, **each) for number, each in enumerate(kept)]
    registry = PluginFlavorRegistry(hooks=plugins)
    called = [call.origin.name for call in registry.hook_calls("event_published")]
    assert registry.hook_contradictions() == ()
    for number, each in enumerate(kept):
        own = called.index("abcdef"[number])
        assert all(own < called.index(name) for name in each["before"] if name in called)
        assert all(own > called.index(name) for name in each["after"] if name in called)


@given(drawn=st.lists(wishes, min_size=1, max_size=6))
def test_who_names_nobody_is_called_as_pluggy_calls(drawn: list[Wishes]) -> None:
    """With nothing but tryfirst and trylast the order is that of a bare plugin manager."""
    called: Called = []
    plain = [{name: each[name] for name in ("tryfirst", "trylast") if name in each} for each in drawn]
    plugins = [observing("abcdef"[number], called, **each) for number, each in enumerate(plain)]
    bare = pluggy.PluginManager("actium")
    for plugin in plugins:
        bare.register(plugin)
    bare.hook.event_published(event="event")
    assert called == order_of("event_published", plugins)


class TestVersions:
    @pytest.mark.parametrize("stated", [None, 1, HOOK_VERSION])
    def test_known_versions_are_used(self, stated: int | None) -> None:
        """A plugin for these hooks works, and so does one that does not say."""
        called: Called = []
        plugin = wrapping("audit", called)
        plugin.HOOK_VERSION = stated
        run_once([plugin])
        assert called == ["audit", "/audit"]

    @pytest.mark.parametrize(
        "stated, told",
        [
            (HOOK_VERSION + 1, f"was written for version {HOOK_VERSION + 1} of the hooks"),
            (0, "HOOK_VERSION = 0, which is no version"),
            ("1", "HOOK_VERSION = '1', which is no version"),
            (True, "HOOK_VERSION = True, which is no version"),
        ],
    )
    def test_others_are_refused_with_the_reason(self, stated: object, told: str) -> None:
        """A plugin for newer hooks, or for what is no version, is not used."""
        plugin = wrapping("audit", [])
        plugin.HOOK_VERSION = stated
        with pytest.raises(PluginQuarantinedError, match=told):
            Actium("sqlite://", hooks=[plugin])


class TestMarks:
    def test_a_mark_leaves_the_function_as_it_is(self) -> None:
        """What is marked can still be called by itself."""

        @hookimpl(before="b")
        def event_published(event: object) -> object:
            return event

        assert event_published(3) == 3

    def test_pluggys_own_mark_will_do(self) -> None:
        """A plugin that was marked by pluggy itself works; it can name nobody."""
        called: Called = []

        @pluggy.HookimplMarker("actium")(wrapper=True, tryfirst=True)
        def run_action() -> Any:
            called.append("bare")
            return (yield)

        run_once([named("bare", run_action=run_action), wrapping("audit", called, after="bare")])
        assert called[:2] == ["bare", "audit"]

    @pytest.mark.parametrize(
        "function, told",
        [
            (lambda confg: (yield), "argument 'confg', which that hook does not have"),
            (lambda confg=None: (yield), "argument 'confg', which that hook does not have"),
            (lambda *, config: (yield), "'config' by keyword only"),
            (lambda *, config=None: (yield), "'config' by keyword only"),
            (lambda *, colour: (yield), "'colour' by keyword only"),
        ],
    )
    def test_arguments_that_never_come_are_refused(self, function: Any, told: str) -> None:
        """A misspelled argument, even with a default, and one that a hook cannot give, are told at the door."""
        with pytest.raises(PluginQuarantinedError, match=told) as caught:
            Actium("sqlite://", hooks=[named("p", run_action=hookimpl(wrapper=True)(function))])
        if "confg" in told:
            assert caught.value.hint == "Did you mean 'config'?"

    def test_arguments_of_its_own_are_its_own(self) -> None:
        """A default that no hook has, and what takes anything, are left alone."""
        seen: list[Any] = []

        @hookimpl(wrapper=True)
        def run_action(
            config: ActionConfig, auth_context: AuthContext, *rest: Any, colour: str = "red", **more: Any
        ) -> Any:
            seen.append((type(config), auth_context.service_account.name, rest, colour, more))
            return (yield)

        run_once([named("p", run_action=run_action)])
        assert seen == [(ActionConfig, "robot", (), "red", {})]
