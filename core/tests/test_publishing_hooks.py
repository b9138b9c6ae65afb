"""The hook around publishing: what wrappers see and add, whom they can refuse, and that they harm nothing durable."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable
from typing import Any

import pytest

from actium import Actium, Event, action_flavor, hookimpl
from actium.errors import PluginError, StoreClosedError
from actium.event_hub.event_hub import EventHub
from actium.models import ActionRequest, EventFilter, PublishedEvent, ServiceAccountRequest, TriggerRequest

request: contextvars.ContextVar[str] = contextvars.ContextVar("request", default="none")


class Wrapper:
    """A hook plugin that does something before and after its yield.

    Attributes:
        outcomes: What arrived at the yield, by the events' ids.
    """

    def __init__(
        self, before: Callable[[Event, dict[str, Any]], object], after: Callable[[Any], object] = lambda outcome: None
    ) -> None:
        self._before = before
        self._after = after
        self.outcomes: dict[str, Any] = {}

    @hookimpl(wrapper=True)
    def publish_event(self, event: Event, extensions: dict[str, Any]) -> Any:
        self._before(event, extensions)
        try:
            published = yield
        except BaseException as error:
            self.outcomes[event.id] = error
            raise
        self.outcomes[event.id] = published
        self._after(published)
        return published


def arrived(name: str = "1", **fields: Any) -> Event:
    return Event(type="com.example.arrived", source="/bucket/raw", id=name, **fields)


def stored(app: Actium) -> set[str]:
    return {event.name for event in app.events.list(EventFilter()).items}


def add(**extensions: Any) -> Callable[[Event, dict[str, Any]], object]:
    return lambda event, added: added.update(extensions)


def refuse(*names: str) -> Callable[[Event, dict[str, Any]], object]:
    def before(event: Event, extensions: dict[str, Any]) -> None:
        if event.id in names:
            raise PermissionError(f"not {event.id}")

    return before


def test_adds_extension_attributes(url: str) -> None:
    """What a wrapper adds is stored with the event and matched; what the event says itself stays."""
    with Actium(url, hooks=[Wrapper(add(tenant="a", zone=3))]) as app:
        app.events.publish(arrived(tenant="b"))
        assert app.events.get("1").event.extensions() == {"tenant": "b", "zone": 3}


@pytest.mark.parametrize("extensions", [{"subject": "x"}, {"Not-A-Name": "x"}, {"data": 1}, {"zone": 1.5}])
def test_changes_nothing_else(url: str, extensions: dict[str, Any]) -> None:
    """A wrapper that would change what CloudEvents defines, or add what it forbids, is refused with its event."""
    wrapper = Wrapper(add(**extensions))
    with Actium(url, hooks=[wrapper]) as app:
        with pytest.raises(PluginError, match="A hook plugin (adds|changes)"):
            app.events.publish(arrived())
        assert stored(app) == set()
    assert isinstance(wrapper.outcomes["1"], PluginError)


def test_sees_what_became_of_each_event(url: str) -> None:
    """After the yield there is what the publisher gets, for each event of a transaction and for known ones."""
    wrapper = Wrapper(add())
    with Actium(url, hooks=[wrapper]) as app:
        published = app.events.publish_many([arrived("1"), arrived("2")])
        assert [wrapper.outcomes["1"], wrapper.outcomes["2"]] == list(published)
        assert app.events.publish(arrived("1")).duplicate
        assert wrapper.outcomes["1"].duplicate


def test_refuses_an_event_and_those_beside_it(url: str) -> None:
    """Raising before the yield keeps the whole transaction from being stored, and tells those that had begun."""
    wrapper = Wrapper(refuse("2"))
    with Actium(url, hooks=[wrapper]) as app:
        with pytest.raises(PermissionError, match="not 2"):
            app.events.publish_many([arrived("1"), arrived("2"), arrived("3")])
        assert stored(app) == set()
    assert {name: str(error) for name, error in wrapper.outcomes.items()} == {"1": "not 2"}


def test_of_coroutines_refuses_only_its_own(url: str) -> None:
    """Among events that coroutines publish at one time, one that is refused does not keep the others out."""

    async def publish(app: Actium) -> list[Any]:
        return await asyncio.gather(*(app.events.apublish(arrived(each)) for each in "123"), return_exceptions=True)

    with Actium(url, hooks=[Wrapper(refuse("2"))]) as app:
        one, two, three = asyncio.run(publish(app))
        assert stored(app) == {"1", "3"}
    assert isinstance(one, PublishedEvent)
    assert isinstance(two, PermissionError)
    assert isinstance(three, PublishedEvent)


def test_begins_in_the_publishers_context(url: str) -> None:
    """Before the yield a wrapper sees the context variables of the one who publishes, each coroutine its own."""

    async def publish(app: Actium, name: str) -> None:
        request.set(name)
        await app.events.apublish(arrived(name))

    async def all_of_them(app: Actium) -> None:
        await asyncio.gather(*(publish(app, name) for name in "abc"))

    with Actium(url, hooks=[Wrapper(lambda event, extensions: extensions.update(request=request.get()))]) as app:
        asyncio.run(all_of_them(app))
        assert {name: app.events.get(name).event.extensions() for name in "abc"} == {
            name: {"request": name} for name in "abc"
        }


def test_harms_nothing_durable(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """A wrapper that raises after its yield is logged; the publisher gets what became of the event."""

    def fail(published: Any) -> None:
        raise ZeroDivisionError

    with Actium(url, hooks=[Wrapper(add(), fail)]) as app:
        with caplog.at_level(logging.ERROR, "actium.plugins"):
            assert not app.events.publish(arrived()).duplicate
        assert stored(app) == {"1"}
    assert "raised in publish_event, after the event 1" in caplog.text


def test_cannot_pretend(url: str) -> None:
    """A wrapper that catches what another one refuses an event with cannot make it seem published."""

    class Pretending:
        @hookimpl(wrapper=True, tryfirst=True)
        def publish_event(self) -> Any:
            try:
                return (yield)
            except PermissionError:
                return "published"

    with Actium(url, hooks=[Wrapper(refuse("1")), Pretending()]) as app:
        with pytest.raises(PluginError, match="answered publish_event for the event '1', which was not stored"):
            app.events.publish(arrived())
        assert stored(app) == set()


def test_is_told_when_the_store_fails(url: str) -> None:
    """What keeps the event from being stored arrives at the yield, and the publisher gets it."""
    wrapper = Wrapper(add())
    with Actium(url, hooks=[wrapper]) as app:
        app.store.close()
        with pytest.raises(Exception, match="closed") as caught:
            app.events.publish(arrived())
    assert wrapper.outcomes == {"1": caught.value}


class Odd(BaseException):
    """What no hook plugin is expected to raise."""


def odd(name: str) -> Wrapper:
    """A wrapper that raises what nobody expects, when it is told what became of one event."""

    def after(published: PublishedEvent) -> None:
        if wrapper.outcomes[name] is published:
            raise Odd(name)

    wrapper = Wrapper(add(), after)
    wrapper.outcomes[name] = None
    return wrapper


class Refusing:
    """A hook plugin that raises what nobody expects where an event is not stored.

    Attributes:
        told: What has kept the events from being stored, by their ids.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self.told: dict[str, BaseException] = {}

    @hookimpl(wrapper=True)
    def publish_event(self, event: Event) -> Any:
        try:
            return (yield)
        except BaseException as error:
            self.told[event.id] = error
            if event.id == self._name:
                raise Odd(event.id) from error
            raise


class Seeing:
    """A hook plugin that is told of events."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    @hookimpl
    def event_published(self, event: Event) -> None:
        self.seen.append(event.id)
        if event.id == "1":
            raise Odd(event.id)


async def published_together(app: Actium, *names: str) -> list[Any]:
    """Publish in coroutines; what became of each of their events."""
    publishing = [asyncio.ensure_future(app.events.apublish(arrived(each))) for each in names]
    await asyncio.wait(publishing, timeout=30)
    return [one.exception() or one.result() for one in publishing]


def test_what_is_odd_is_told_to_its_own_coroutine_only(url: str) -> None:
    """Whatever a wrapper raises after its yield, the others and their hooks are told what became of their events."""
    wrapper = odd("2")
    with Actium(url, hooks=[wrapper]) as app:
        one, two, three = asyncio.run(published_together(app, "1", "2", "3"))
        assert stored(app) == {"1", "2", "3"}
    assert (one, three) == (wrapper.outcomes["1"], wrapper.outcomes["3"])
    assert isinstance(two, Odd)


def test_what_is_odd_is_raised_when_all_hooks_are_told(url: str) -> None:
    """Of events that are published in one transaction, all hooks and observers are told before the first one counts."""
    wrapper, seeing = odd("2"), Seeing()
    with Actium(url, hooks=[wrapper, seeing]) as app:
        with pytest.raises(Odd, match="1"):
            app.events.publish_many(map(arrived, "123"))
        assert stored(app) == {"1", "2", "3"}
    assert {name: type(became) for name, became in wrapper.outcomes.items()} == dict.fromkeys("123", PublishedEvent)
    assert seeing.seen == ["1", "2", "3"]


def test_what_is_odd_keeps_nobody_from_being_told_of_a_failure(url: str) -> None:
    """Each coroutine gets what keeps its event from being stored, or what its own hook makes of that."""
    refusing = Refusing("2")
    with Actium(url, hooks=[refusing]) as app:
        app.store.close()
        one, two, three = asyncio.run(published_together(app, "1", "2", "3"))
        assert refusing.told == {"1": one, "2": two.__cause__, "3": three}
        assert isinstance(one, StoreClosedError)
        assert isinstance(two, Odd)
        with pytest.raises(Odd, match="2"):
            app.events.publish_many(map(arrived, "123"))
        assert list(refusing.told) == ["1", "2", "3"]


def test_what_is_odd_keeps_nobody_waiting_when_all_is_given_up(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where what coroutines have published may not be stored for what nobody has foreseen, the same holds."""
    refusing = Refusing("2")
    monkeypatch.setattr(EventHub, "store_events", lambda *arguments: None)
    with Actium(url, hooks=[refusing]) as app:
        one, two, three = asyncio.run(published_together(app, "1", "2", "3"))
    assert list(refusing.told) == ["1", "2", "3"]
    assert [type(each) for each in (one, two, three)] == [TypeError, Odd, TypeError]


def test_what_is_odd_keeps_nobody_from_being_told_of_a_refusal(url: str) -> None:
    """Nor where another event of the transaction is refused."""
    refusing = Refusing("1")
    with Actium(url, hooks=[refusing, Wrapper(refuse("3"))]) as app, pytest.raises(Odd, match="1"):
        app.events.publish_many(map(arrived, "123"))
    assert set(refusing.told) >= {"1", "2"}


def noop() -> Any:
    return action_flavor("test.noop")(lambda: None)


def action_of(app: Actium) -> Any:
    app.flavors.register(noop())
    account = app.accounts.create(ServiceAccountRequest(name="robot"))
    return app.actions.create(
        ActionRequest(name="noop", plugin_subtype="test", flavor="noop", service_account_id=account.id)
    )


def test_stands_around_events_by_hand(url: str) -> None:
    """An event that is given to an action by hand is wrapped, too, and the handler gets what was added."""
    wrapper = Wrapper(add(zone=3))
    with Actium(url, hooks=[wrapper]) as app:
        action = action_of(app)
        execution = app.actions.run(action.id, arrived())
        assert execution.event is not None
        assert execution.event.extensions() == {"zone": 3}
        assert wrapper.outcomes["1"].executions == (execution.id,)
        assert not wrapper.outcomes["1"].duplicate
        app.actions.run(action.id, arrived())
        assert wrapper.outcomes["1"].duplicate


def test_events_of_coroutines_name_their_cause(url: str) -> None:
    """What an ``async def`` handler publishes with ``apublish`` names its execution as the cause."""
    with Actium(url) as app:

        @action_flavor("test.follow")
        async def follow() -> None:
            """Publishes from a coroutine."""
            await app.events.apublish(arrived("effect"))

        app.flavors.register(follow)
        account = app.accounts.create(ServiceAccountRequest(name="robot"))
        action = app.actions.create(
            ActionRequest(name="follow", plugin_subtype="test", flavor="follow", service_account_id=account.id)
        )
        app.triggers.create(TriggerRequest(name="once", action_id=action.id, filters=[{"exact": {"subject": "cause"}}]))
        (execution_id,) = app.events.publish(arrived("cause", subject="cause")).executions
        app.worker().run_until_idle()
        assert app.events.get("effect").event.extensions()["causationid"] == str(execution_id)


def test_is_wrapped_only() -> None:
    """A plugin that implements the hook without wrapping it is refused when it is enabled."""

    class Plain:
        @hookimpl
        def publish_event(self, event: Event) -> None: ...

    with pytest.raises(PluginError, match="implements 'publish_event' without wrapping it"):
        Actium("sqlite://", hooks=[Plain()])
