"""`Actium`, the composition root. Nothing is global: two of them in one process share nothing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from actium.actions.base_action import BaseActionHandler
from actium.app.accounts import Accounts
from actium.app.actions import Actions
from actium.app.doctor import Doctor
from actium.app.events import Events
from actium.app.executions import Executions
from actium.app.flavors import Flavors
from actium.app.retention import Retention
from actium.app.triggers import Triggers
from actium.app.workers import Workers
from actium.auth.tokens import Tokens
from actium.event_hub.coroutines import SharedLoop
from actium.event_hub.endings import Endings
from actium.event_hub.event_hub import EventHub
from actium.event_hub.execution import ExecutionRunner
from actium.event_hub.isolated_runs import IsolatedRuns
from actium.event_hub.leases import DEFAULT_LEASE, Leases
from actium.event_hub.strays import Strays
from actium.event_hub.worker import DEFAULT_POLL_INTERVAL, Worker
from actium.models.base import DEFAULT_PROJECT
from actium.plugins.base_plugin_flavor import BasePlugin
from actium.plugins.registry import PluginFlavorRegistry
from actium.plugins.relay import Relay
from actium.plugins.store_plugins import StorePlugins
from actium.stores.urls import open_store
from actium.tracing.switch import TraceSwitch, application_tracing

DEFAULT_STORE = "sqlite:///actium.db"


class Actium:
    """Actions, triggers, events and executions in one store. Use it as a context manager, or call `close`.

    It may be used from several threads.

    Attributes:
        store: The store.
        registry: The plugins.
        hub: The event hub.
        auth: Makes, verifies and revokes tokens.
        accounts: The service accounts.
        actions: The actions.
        triggers: The triggers.
        events: The events.
        executions: The executions.
        flavors: The flavors.
        retention: Deletes what is over and old.
        doctor: Finds and mends what a crash left behind.
    """

    def __init__(
        self,
        url: str = DEFAULT_STORE,
        *,
        project: str = DEFAULT_PROJECT,
        hooks: Sequence[object] = (),
        block: Sequence[str] = (),
        strict_plugins: bool | None = None,
        trace: TraceSwitch = None,
    ) -> None:
        """Open a store.

        Args:
            url: Which store, e.g. ``sqlite:///actium.db``; it is made where it does not exist.
            project: Where names are looked up, and what is listed where a filter does not say.
            hooks: The hook plugins to enable, by entry point name or as objects; ``ACTIUM_HOOKS`` adds to them.
            block: Plugins or distributions not to use, by name; ``ACTIUM_BLOCK`` adds to them.
            strict_plugins: Whether a broken plugin keeps the application from opening; None heeds
                ``ACTIUM_STRICT_PLUGINS=1``.
            trace: Where the traces of everything that is called here go, beside what actions ask to be kept: True for
                standard error, the name of a file (``.json`` for Perfetto, ``.jsonl`` for a line a span, otherwise
                trees), or what is called with each `Trace`. A text may also filter, e.g.
                ``trace.jsonl,hook=run_action,plugin=audit,flavor=notify.*``. None heeds ``ACTIUM_TRACE``, False does
                not.

        Raises:
            InvalidInputError: The URL, or what to trace, cannot be understood, or nothing installed knows its scheme.
            StoreError: The store cannot be opened.
            PluginError: An enabled hook plugin, the plugin that knows the URL's scheme, or with ``strict_plugins`` any
                plugin, is broken.
        """
        self._tracing = application_tracing(trace)
        self.registry = PluginFlavorRegistry.from_environment(
            hooks=hooks, blocked=block, attach=self._attach, tracing=self._tracing
        )
        self.registry.warn_of_unknown_blocks()
        self.registry.hook_plugins()
        if _is_strict() if strict_plugins is None else strict_plugins:
            self._refuse_broken_plugins()
        self.project = project
        self.store = open_store(url, open_other=StorePlugins(blocked=block).open)
        self._coroutines = SharedLoop()
        self._workers = Workers(self.store.place)
        self.auth = Tokens(self.store)
        self.hub = EventHub(
            self.store,
            observers=self.registry.observers,
            find_handler=self.registry.get_relay,
            on_stored=self._workers.wake,
            offer=self._workers.offer,
            expect_more=self._workers.expect_more,
        )
        self._endings = Endings()
        strays = Strays(self.store, in_hand=self._workers.in_hand)
        self._leases = Leases(self.store, on_takeover=self._workers.wake, strays=strays)
        self._isolated_runs = IsolatedRuns(self.store, hooks=hooks, blocked=block)
        self._runner = ExecutionRunner(
            self.store,
            self.hub,
            self.auth,
            observers=self.registry.observers,
            coroutines=self._coroutines,
            tracing=self._tracing,
        )
        self.accounts = Accounts(self.store, project)
        self.actions = Actions(self.store, self.registry, self.hub, project)
        self.triggers = Triggers(self.store, self.hub, project)
        self.events = Events(self.store, self.hub, project)
        self.executions = Executions(self.store, project, endings=self._endings, wake_workers=self._workers.wake)
        self.flavors = Flavors(self.registry)
        self.retention = Retention(self.store)
        self.doctor = Doctor(self.store, self.registry)
        self._tracing.begin()

    def worker(
        self,
        *,
        concurrency: int = 1,
        poll_interval: float = DEFAULT_POLL_INTERVAL,
        lease: float = DEFAULT_LEASE,
    ) -> Worker:
        """Make a worker.

        Args:
            concurrency: How many handlers run at once; coroutines that wait do not count. With 1, they run in
                the thread that calls `Worker.run_until_idle`.
            poll_interval: Seconds between looks for executions that other processes have stored.
            lease: Seconds after which others take over what it runs, when it gives no sign of life.

        Raises:
            InvalidInputError: A number is out of range.
        """
        worker = Worker(
            self._runner,
            leases=self._leases,
            endings=self._endings,
            concurrency=concurrency,
            poll_interval=poll_interval,
            lease=lease,
        )
        self._workers.add(worker)
        return worker

    def close(self) -> None:
        """Stop the workers, wait for what they run, and close the handlers, the event loop and the store.

        Closing twice is harmless.
        """
        with ExitStack() as closing:
            closing.callback(self._tracing.close)
            closing.callback(self.store.close)
            closing.callback(self._leases.close)
            closing.callback(self._coroutines.close)
            closing.callback(self.registry.close)
            closing.callback(self._isolated_runs.close)
            closing.callback(self.events.close)
            self._workers.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _attach(self, plugin: BasePlugin, relay: Relay) -> None:
        plugin.attach(self.store, relay.origin)
        if isinstance(plugin, BaseActionHandler):
            plugin.set_relay(relay)
            plugin.set_event_hub(self.hub)
            plugin.set_isolated_runs(self._isolated_runs)

    def _refuse_broken_plugins(self) -> None:
        for status in self.registry.check():
            if status.state == "quarantined" and status.error is not None:
                raise status.error


def _is_strict() -> bool:
    return os.environ.get("ACTIUM_STRICT_PLUGINS", "") not in {"", "0"}
