"""The pytest plugin: its fixtures. Nothing of Actium is imported before a test asks for one of them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from actium import Actium, BaseActionFlavor, Event, TriggerExecutionResponse
    from actium.models import ActionResponse, ServiceAccountResponse
    from pytest_actium.clock import Clock
    from pytest_actium.crash import Crash
    from pytest_actium.hook_record import RecordedCall

pytest.register_assert_rewrite("pytest_actium.stores")

RUN_SECONDS = 30.0
"""How long a test waits for what it has started."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell beside a failure of a conformance suite what its test wants."""
    report = yield
    if report.when == "call" and report.failed:
        from pytest_actium.conformance import wanted

        wants = wanted(item)
        if wants is not None:
            report.sections.append(("What this test wants", wants))
    return report


@pytest.fixture
def actium_url(tmp_path: Path) -> str:
    """The URL of a temporary store."""
    return f"sqlite:///{tmp_path / 'actium.db'}?synchronous=normal"


@pytest.fixture
def actium_hooks() -> Sequence[object]:
    """The hook plugins that `actium_app` enables; override it to enable some."""
    return ()


@pytest.fixture
def actium_app(actium_url: str, actium_hooks: Sequence[object], request: pytest.FixtureRequest) -> Iterator[Actium]:
    """An application on a temporary store. It is closed after the test."""
    from actium import Actium
    from pytest_actium.applications import CLOSE_SECONDS, close

    hooks = list(actium_hooks)
    if "recorded_hooks" in request.fixturenames:
        from pytest_actium.hook_record import RECORDER

        request.getfixturevalue("recorded_hooks")
        hooks.append(RECORDER)
    app = Actium(actium_url, hooks=hooks)
    yield app
    if not close(app, seconds=CLOSE_SECONDS):
        pytest.fail(f"The application does not close within {CLOSE_SECONDS:g} seconds: something in it still runs.")


@pytest.fixture
def service_account(actium_app: Actium) -> ServiceAccountResponse:
    """The account on whose behalf the actions of a test run."""
    from actium.models import ServiceAccountRequest

    return actium_app.accounts.create(ServiceAccountRequest(name="robot"))


@pytest.fixture
def create_action(actium_app: Actium, service_account: ServiceAccountResponse) -> Callable[..., ActionResponse]:
    """Create an action: ``create_action("notify.slack", {"channel": "#data"}, name="tell")``.

    The flavor is a key or a class; a class need not be installed. Further keywords are those of `ActionRequest`.
    """
    from actium.models import ActionRequest

    names = iter(range(1, 1_000_000))

    def create_action(
        flavor: str | type[BaseActionFlavor], configuration: Mapping[str, Any] | None = None, **fields: Any
    ) -> ActionResponse:
        subtype, _, short = known(actium_app, flavor).partition(".")
        given = {"name": f"action-{next(names)}", "service_account_id": service_account.id, **fields}
        return actium_app.actions.create(
            ActionRequest(plugin_subtype=subtype, flavor=short, configuration=dict(configuration or {}), **given)
        )

    return create_action


@pytest.fixture
def run_action(
    actium_app: Actium, create_action: Callable[..., ActionResponse]
) -> Callable[..., TriggerExecutionResponse]:
    """Create an action, run it once and give its execution: ``run_action("notify.slack", {...}, data={"rows": 3})``.

    The flavor may also be an action that was created before. ``event`` is the event to run it with, ``data`` the
    payload of one that is made up; without either it runs without an event.
    """
    from actium import Event

    def run_action(
        flavor: str | type[BaseActionFlavor] | ActionResponse,
        configuration: Mapping[str, Any] | None = None,
        *,
        event: Event | None = None,
        data: Any = None,
        **fields: Any,
    ) -> TriggerExecutionResponse:
        action = create_action(flavor, configuration, **fields) if isinstance(flavor, str | type) else flavor
        if event is None and data is not None:
            event = Event(type="com.example.tested", source="/tests", data=data)
        execution = actium_app.actions.run(action.id, event)
        _run_until_idle(actium_app)
        return actium_app.executions.get(execution.id)

    return run_action


@pytest.fixture
def publish(actium_app: Actium) -> Callable[..., list[TriggerExecutionResponse]]:
    """Publish an event and run what it leads to: ``publish("com.example.arrived", data={"rows": 3})``.

    It takes an `Event`, or the type of one with its fields as keywords, and gives the executions in the order of their
    triggers. Those that wait for their next attempt are pending; move the `clock` and publish, or run, again.
    """
    from actium import Event

    def publish(event: str | Event = "com.example.tested", **fields: Any) -> list[TriggerExecutionResponse]:
        if isinstance(event, str):
            event = Event(**{"type": event, "source": "/tests", **fields})
        published = actium_app.events.publish(event)
        _run_until_idle(actium_app)
        return [actium_app.executions.get(one) for one in published.executions]

    return publish


@dataclass(frozen=True, slots=True)
class RecordedHooks:
    """What the hooks of an application were called with.

    Attributes:
        file: Where it is written down.
    """

    file: Path

    @property
    def calls(self) -> list[RecordedCall]:
        """All calls, first to last."""
        from pytest_actium.hook_record import recorded_in

        return recorded_in(self.file)

    def names(self) -> list[str]:
        """The hooks that were entered or told, first to last."""
        return [call.hook for call in self.calls if call.moment != "left"]


@pytest.fixture
def recorded_hooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RecordedHooks:
    """Which hooks `actium_app` called, in which order and with which outcome."""
    from pytest_actium.hook_record import FILE

    file = tmp_path / "calls.jsonl"
    monkeypatch.setenv(FILE, str(file))
    return RecordedHooks(file)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time as Actium sees it, to be moved: ``clock.advance(timedelta(hours=1))``, or seconds."""
    from pytest_actium.clock import Clock

    clock = Clock()
    clock.install(monkeypatch)
    return clock


@pytest.fixture
def crash(actium_app: Actium, actium_url: str) -> Crash:
    """Does something in another process on the store of `actium_app`, and kills that process at a moment."""
    from pytest_actium.crash import Crash

    return Crash(actium_app, actium_url)


def known(app: Actium, flavor: str | type[BaseActionFlavor]) -> str:
    """The key of a flavor, which the application knows then."""
    if isinstance(flavor, str):
        return flavor
    app.flavors.register(flavor)
    return flavor.key()


def _run_until_idle(app: Actium) -> None:
    from pytest_actium.applications import run_until_idle

    if not run_until_idle(app, seconds=RUN_SECONDS):
        pytest.fail(f"What was started has not ended within {RUN_SECONDS:g} seconds; it was asked to end.")
