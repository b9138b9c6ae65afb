"""The flavor that a suite is held against: what its author says of it, and what all tests do with it."""

from __future__ import annotations

import copy
import os
import re
import secrets as randomness
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from actium import Actium, BaseActionFlavor, BaseActionHandler, Event, ExecutionStatus, TriggerExecutionResponse
from actium.auth.secret_references import dump_with_references
from actium.models import ActionRequest, ActionResponse, ServiceAccountRequest
from actium.stores.base_store import Query
from actium.stores.records import ResourceRecord
from pytest_actium import applications
from pytest_actium.discovery import DiscoveryRules
from pytest_actium.hook_record import FILE, INNER, OUTER, REFUSER, REPEATER, RecordedCall, recorded_in
from pytest_actium.plugin import known
from pytest_actium.verdicts import fail

_ENVIRONMENT_REFERENCE = re.compile(r"env:(\w+)")

Configuration = dict[str, Any]


class Bench:
    """An application with the flavor in it, and what tests do with both.

    Attributes:
        app: The application.
        key: The flavor's key.
        configuration: A valid configuration.
        event: What the flavor's runs are given.
        seconds: How long a run may take.
    """

    def __init__(
        self, app: Actium, *, key: str, configuration: Configuration, event: Event, seconds: float, calls: Path
    ) -> None:
        self.app = app
        self.key = key
        self.configuration = configuration
        self.event = event
        self.seconds = seconds
        self._calls = calls
        self._account = app.accounts.create(ServiceAccountRequest(name="conformance"))

    @property
    def handler(self) -> BaseActionHandler:
        """The flavor's handler."""
        subtype, _, flavor = self.key.partition(".")
        plugin = self.app.registry.get_plugin("action", subtype, flavor)
        if not isinstance(plugin, BaseActionHandler):
            fail(f"The handler of {self.key} is {plugin!r}.", mend="derive it from BaseActionHandler.")
        return plugin

    @property
    def calls(self) -> list[RecordedCall]:
        """What the recording hook plugins saw."""
        return recorded_in(self._calls)

    def request(self, configuration: Mapping[str, Any] | None = None, **fields: Any) -> ActionRequest:
        """A request to create an action of the flavor."""
        subtype, _, flavor = self.key.partition(".")
        given = self.configuration if configuration is None else configuration
        return ActionRequest(
            **{
                "name": "conformance",
                "service_account_id": self._account.id,
                "plugin_subtype": subtype,
                "flavor": flavor,
                "configuration": copy.deepcopy(dict(given)),
                **fields,
            }
        )

    def create(self, configuration: Mapping[str, Any] | None = None, **fields: Any) -> ActionResponse:
        """Create an action of the flavor."""
        return self.app.actions.create(self.request(configuration, **fields))

    def created(self, **fields: Any) -> ActionResponse:
        """Create an action with the valid configuration; the test is left out where that fails, which has its own."""
        try:
            return self.create(**fields)
        except Exception as error:
            pytest.skip(f"the valid configuration is not taken: {error}")

    def run(
        self, configuration: Mapping[str, Any] | None = None, *, times: int = 1, **fields: Any
    ) -> list[TriggerExecutionResponse]:
        """Create an action of the flavor, run it and give its executions, each at its end."""
        action = self.created(**fields) if configuration is None else self.create(configuration, **fields)
        return self.run_again(action, times=times)

    def run_again(self, action: ActionResponse, *, times: int = 1) -> list[TriggerExecutionResponse]:
        """Run an action and give its executions, each at its end."""
        started = [self.app.actions.run(action.id, self.event).id for _ in range(times)]
        if not applications.run_until_idle(self.app, seconds=self.seconds, concurrency=times):
            fail(
                f"A run of {self.key} has not ended within {self.seconds:g} seconds.",
                mend="let `run` return, or name a configuration that ends sooner; RUN_SECONDS sets how long to wait.",
            )
        return [self.app.executions.get(one) for one in started]

    def succeeded(self) -> TriggerExecutionResponse:
        """Run the flavor once; the test is left out where that does not succeed, which has a test of its own."""
        (execution,) = self.run()
        if execution.status is not ExecutionStatus.SUCCEEDED:
            pytest.skip(f"its run does not succeed: {execution.reason}")
        return execution

    def survives_storage(self) -> bool:
        """Whether the valid configuration, if it is taken, is the same after it was stored and read."""
        try:
            stored = dump_with_references(self.handler.validate_action_configuration(self.configuration))
        except Exception:
            return True  # it is not even taken
        try:
            return stored == dump_with_references(self.handler.validate_action_configuration(stored))
        except Exception:
            return False

    def overrides(self, point: str) -> bool:
        """Whether the flavor overrides an override point."""
        return getattr(type(self.handler), point) is not getattr(BaseActionHandler, point)

    def resources(self) -> list[tuple[str, str]]:
        """The resources in the store, whoever keeps them."""
        page = self.app.store.page(ResourceRecord, Query(project=None, max_size=1_000, descending=False))
        return [(record.type, record.name) for record in page.records]


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What was seen of an action that was created, run once, read and deleted.

    Attributes:
        created: The action as it was created.
        execution: Its execution, at its end.
        after: The action as it was read after the run.
        calls: What the recording hook plugins saw.
    """

    created: ActionResponse
    execution: TriggerExecutionResponse
    after: ActionResponse
    calls: tuple[RecordedCall, ...]


class FlavorSubject(DiscoveryRules):
    """What an author says of a flavor.

    Attributes:
        FLAVOR: Its key, ``subtype.flavor``, or its class.
        VALID: A configuration that works; a secret in it is a reference such as ``env:NAME``, for which a value is
            made up unless the variable is set. Override the fixture ``configuration`` where it is known only at
            run time.
        OTHER: Another one that works and differs (fixture ``other_configuration``); None where there is none.
        INVALID: Configurations that do not work, each by the path of the field that is wrong (fixture
            ``invalid_configurations``); the path is empty where the whole is wrong.
        LASTING: A configuration whose run lasts until it is asked to end (fixture ``lasting_configuration``); None for
            a flavor that has none, whose tests of cancelling and of time limits are skipped.
        FAILING: A valid configuration whose run fails (fixture ``failing_configuration``); None likewise.
        EVENT_DATA: The payload of the event that runs are given (fixture ``event``).
        RUN_SECONDS: How long a run of ``VALID`` may take.
        RECORD_TYPES: The types of resources that are kept of each attempt, as a history; they are not compared.
        NOT_SECRET: The names of fields that are named like secrets and are none.
    """

    _lives: ClassVar[dict[type, Life]] = {}

    FLAVOR: ClassVar[str | type[BaseActionFlavor]]
    VALID: ClassVar[Mapping[str, Any]] = {}
    OTHER: ClassVar[Mapping[str, Any] | None] = None
    INVALID: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    LASTING: ClassVar[Mapping[str, Any] | None] = None
    FAILING: ClassVar[Mapping[str, Any] | None] = None
    EVENT_DATA: ClassVar[Any] = {}
    RUN_SECONDS: ClassVar[float] = 10.0
    RECORD_TYPES: ClassVar[Collection[str]] = ()
    NOT_SECRET: ClassVar[Collection[str]] = ()

    # What an author may override

    def provisioned(self, app: Actium) -> object:
        """What the flavor has made outside of the application's store and of the test's folder; anything comparable.

        Resources in the store, and files in the working folder, are compared without being named here.
        """
        return None

    def essence(self, result: Any) -> Any:
        """What of a result is the same whenever the same execution is run again; leave out times and the like."""
        return result

    @pytest.fixture
    def configuration(self) -> Configuration:
        """A configuration that works."""
        return copy.deepcopy(dict(self.VALID))

    @pytest.fixture
    def other_configuration(self) -> Configuration | None:
        """Another one that works and differs."""
        return None if self.OTHER is None else copy.deepcopy(dict(self.OTHER))

    @pytest.fixture
    def invalid_configurations(self) -> Mapping[str, Mapping[str, Any]]:
        """Configurations that do not work, by the path of the field that is wrong."""
        return self.INVALID

    @pytest.fixture
    def lasting_configuration(self) -> Configuration | None:
        """A configuration whose run lasts until it is asked to end."""
        return None if self.LASTING is None else copy.deepcopy(dict(self.LASTING))

    @pytest.fixture
    def failing_configuration(self) -> Configuration | None:
        """A valid configuration whose run fails."""
        return None if self.FAILING is None else copy.deepcopy(dict(self.FAILING))

    @pytest.fixture
    def event(self) -> Event:
        """What runs are given."""
        return Event(type="com.example.conformance", source="/conformance", data=copy.deepcopy(self.EVENT_DATA))

    # What the suite makes of it

    @pytest.fixture
    def actium_hooks(self) -> Sequence[object]:
        """Two plugins that record; and one that has attempts made again and one that refuses, both when asked."""
        return (INNER, REPEATER, REFUSER, OUTER)

    @pytest.fixture
    def secrets(self, configuration: Configuration, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
        """The values of the secrets that the valid configuration refers to, by the names of their variables."""
        for other in filter(None, (self.OTHER, self.LASTING)):
            made_up_secrets(other, monkeypatch)
        return made_up_secrets(configuration, monkeypatch)

    @pytest.fixture
    def bench(
        self,
        actium_app: Actium,
        configuration: Configuration,
        secrets: dict[str, str],
        event: Event,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> Bench:
        """An application with the flavor in it."""
        calls = tmp_path / "calls.jsonl"
        monkeypatch.setenv(FILE, str(calls))
        return Bench(
            actium_app,
            key=known(actium_app, self.FLAVOR),
            configuration=configuration,
            event=event,
            seconds=self.RUN_SECONDS,
            calls=calls,
        )

    @pytest.fixture
    def life(self, request: pytest.FixtureRequest) -> Life:
        """An ordinary life of an action, which several tests look at; it is lived once."""
        if type(self) not in self._lives:
            bench: Bench = request.getfixturevalue("bench")
            created = bench.created()
            (execution,) = bench.run_again(created)
            after = bench.app.actions.get(created.id)
            with suppress(Exception):  # deleting has tests of its own
                bench.app.actions.delete(created.id)
            self._lives[type(self)] = Life(created=created, execution=execution, after=after, calls=tuple(bench.calls))
        return self._lives[type(self)]

    @pytest.fixture
    def lived(self, life: Life) -> Life:
        """The same, where the run has succeeded; that it does has a test of its own."""
        if life.execution.status is not ExecutionStatus.SUCCEEDED:
            pytest.skip(f"its run does not succeed: {life.execution.reason}")
        return life

    def world(self, bench: Bench) -> dict[str, object]:
        """All that a flavor could have provisioned, to be compared before and after."""
        return {
            "provisioned": self.provisioned(bench.app),
            "resources": [each for each in bench.resources() if each[0] not in self.RECORD_TYPES],
            "files": files_below(Path.cwd()),
        }

    @property
    def key(self) -> str:
        """The flavor's key."""
        return self.FLAVOR if isinstance(self.FLAVOR, str) else self.FLAVOR.key()


def made_up_secrets(configuration: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Set the variables that a configuration refers to, where they are not set; gives all of them with their values."""
    names = sorted(set(_referred(configuration)))
    for name in names:
        if name not in os.environ:
            monkeypatch.setenv(name, f"made-up-{randomness.token_hex(12)}")
    return {name: os.environ[name] for name in names}


def _referred(value: object) -> Iterator[str]:
    if isinstance(value, str):
        match = _ENVIRONMENT_REFERENCE.fullmatch(value)
        if match is not None:
            yield match[1]
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _referred(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _referred(item)


def files_below(folder: Path) -> dict[str, bytes | None]:
    """Every file and folder below a folder, with what is in it."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def differences(before: Mapping[str, object], after: Mapping[str, object]) -> str:
    """What differs between two worlds, in words; empty where nothing does."""
    return "; ".join(
        f"{name} was {before[name]!r:.300} and is {after[name]!r:.300}"
        for name in before
        if before[name] != after[name]
    )
