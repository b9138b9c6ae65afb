"""Runs that end roughly: what they raise, leave behind or do to the process concerns them, and nobody else."""

from __future__ import annotations

import asyncio
import errno
import logging
import multiprocessing
import os
import re
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from actium import ActionConfig, Actium, Event, ExecutionStatus, action_flavor, hookimpl
from actium.auth.secret_references import MASK, masked
from actium.errors import ConflictError, InvalidInputError, StoreBusyError, StoreError
from actium.models import ActionRequest, ActionResponse, ServiceAccountRequest, StepProgress, TriggerRequest
from actium.running import RunningAttempt, running_attempt
from actium.stores.claims import Ending, Exchange
from actium.stores.records import ActionRecord
from actium.stores.sqlite.store import SQLiteStore

CreateAction = Callable[..., ActionResponse]


def flavor_of(app: Actium, key: str, run: Callable[..., Any], config: type[ActionConfig] = ActionConfig) -> str:
    """Register a flavor made of a function."""
    app.flavors.register(action_flavor(key, config=config)(run))
    return key


class KeyConfig(ActionConfig):
    key: SecretStr


class TestTheSharedLoop:
    @pytest.mark.parametrize("fatal", [SystemExit, KeyboardInterrupt])
    def test_goes_on_when_a_handler_wants_to_end_it(
        self, app: Actium, create: CreateAction, fatal: type[BaseException]
    ) -> None:
        """An async handler that raises what ends a loop ends itself; the next one runs as ever."""

        async def run(config: ActionConfig, trigger_execution: Any) -> str:
            if trigger_execution.event.data == "fatal":
                raise fatal("enough")
            return "well"

        action = create(flavor=flavor_of(app, "test.fatal", run))
        first = app.actions.run(action.id, event=Event(type="x", source="/y", data="fatal"))
        worker = app.worker()
        worker.run_until_idle()
        assert app.executions.get(first.id).status is ExecutionStatus.FAILED
        second = app.actions.run(action.id, event=Event(type="x", source="/y", data="well"))
        worker.run_until_idle()
        assert app.executions.get(second.id).result == "well"

    def test_goes_on_when_a_task_that_was_left_behind_ends_it(
        self, app: Actium, create: CreateAction, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A task that outlives its handler and raises SystemExit is told of, and harms no other handler."""

        async def leave() -> None:
            raise SystemExit(3)

        async def run(config: ActionConfig, trigger_execution: Any) -> str:
            if trigger_execution.event is not None:
                task = asyncio.get_running_loop().create_task(leave())
                await asyncio.wait([task])
                task.exception()
            return "well"

        action = create(flavor=flavor_of(app, "test.leaving", run))
        app.actions.run(action.id, event=Event(type="x", source="/y"))
        app.worker().run_until_idle()
        after = app.actions.run(action.id)
        app.worker().run_until_idle()
        assert app.executions.get(after.id).result == "well"
        assert "raised SystemExit; the loop goes on" in caplog.text

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
    def test_is_made_anew_after_a_fork(self, url: str, app: Actium, create: CreateAction) -> None:
        """A child of an application that has run coroutines runs its own, on its own connections, and closes."""

        async def run(config: ActionConfig) -> int:
            return os.getpid()

        action = create(flavor=flavor_of(app, "test.pid", run))
        app.actions.run(action.id)
        app.worker().run_until_idle()
        inherited = app.actions.run(action.id)

        def in_child() -> None:
            app.worker().run_until_idle()
            app.close()

        child = multiprocessing.get_context("fork").Process(target=in_child)
        child.start()
        child.join(30)
        assert child.exitcode == 0
        assert app.executions.get(inherited.id).result == child.pid
        again = app.actions.run(action.id)
        app.worker().run_until_idle()
        assert app.executions.get(again.id).result == os.getpid()


class TestSecrets:
    def test_are_masked_in_progress_from_any_thread(
        self, app: Actium, create: CreateAction, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What a handler reports of its steps holds no resolved secret, in whichever thread it is reported."""
        monkeypatch.setenv("PROGRESS_KEY", "s3cr3t-key")

        def run(config: KeyConfig, trigger_execution: Any, handler: Any = None) -> str:
            step = StepProgress(name="load", status="failed", error=f"401 for {config.key.get_secret_value()}")
            plugin = app.registry.get_plugin("action", "test", "telling")
            thread = threading.Thread(target=plugin.report_progress, args=(trigger_execution, [step]))
            thread.start()
            thread.join()
            return "done"

        action = create(
            flavor=flavor_of(app, "test.telling", run, KeyConfig), configuration={"key": "env:PROGRESS_KEY"}
        )
        execution = app.actions.run(action.id)
        app.worker().run_until_idle()
        told = app.executions.get(execution.id).get_metadata()
        assert told.progress[0].error == f"401 for {MASK}"

    @pytest.mark.parametrize("thread", [True, False])
    def test_are_not_cut_in_halves_where_progress_is_shortened(
        self, app: Actium, create: CreateAction, monkeypatch: pytest.MonkeyPatch, thread: bool
    ) -> None:
        """However long what a handler reports is, little of it is kept, and no part of a secret."""
        monkeypatch.setenv("PROGRESS_KEY", "s3cr3t-key")

        def run(config: KeyConfig, trigger_execution: Any, handler: Any = None) -> None:
            name = "".join((*["x" * 995, config.key.get_secret_value()] * 10_000, "end"))
            step = StepProgress(name=name, status="running")
            plugin = app.registry.get_plugin("action", "test", "verbose")
            report = partial(plugin.report_progress, trigger_execution, [step])
            if thread:
                other = threading.Thread(target=report)
                other.start()
                other.join()
            else:
                report()

        action = create(
            flavor=flavor_of(app, "test.verbose", run, KeyConfig), configuration={"key": "env:PROGRESS_KEY"}
        )
        execution = app.actions.run(action.id)
        app.worker().run_until_idle()
        (step,) = app.executions.get(execution.id).progress
        assert len(step.name) < 2_100
        assert ("characters left out" in step.name, step.name[-3:]) == (True, "end")
        assert not re.search("s3c|ret|key", step.name)

    @pytest.mark.parametrize(
        "secret",
        ["tab\tand \"quotes\" and 'both'", "line one\nline two", "ümläut-key", "sla/sh & space"],
        ids=["escaped", "lines", "umlaut", "url"],
    )
    def test_are_masked_however_they_are_written(self, secret: str) -> None:
        """A secret is found in a repr, in JSON, in a URL, and where only one of its lines is shown."""
        import json
        from urllib.parse import quote, quote_plus

        written = [secret, repr(secret), json.dumps(secret), json.dumps(secret, ensure_ascii=False)]
        written += [quote(secret, safe=""), quote_plus(secret), *secret.splitlines()]
        for text in masked(written, [secret]):
            assert text.strip("'\"") == MASK

    def test_are_forgotten_when_the_run_ends(self, app: Actium, create: CreateAction) -> None:
        """What is known of a running attempt is known in any thread, and no longer than it runs."""
        seen: list[object] = []

        def run(config: ActionConfig, trigger_execution: Any) -> None:
            thread = threading.Thread(target=lambda: seen.append(running_attempt(trigger_execution.id)))
            thread.start()
            thread.join()

        execution = app.actions.run(create(flavor=flavor_of(app, "test.looking", run)).id)
        app.worker().run_until_idle()
        (attempt,) = seen
        assert isinstance(attempt, RunningAttempt)
        assert running_attempt(execution.id) is None

    def test_of_an_interrupted_run_are_not_kept(
        self, app: Actium, create: CreateAction, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The text of what interrupts a worker is not stored, as nobody knows what it holds."""
        monkeypatch.setenv("INTERRUPTED_KEY", "s3cr3t-key")

        def run(config: KeyConfig) -> None:
            raise KeyboardInterrupt(config.key.get_secret_value())

        action = create(
            flavor=flavor_of(app, "test.stop", run, KeyConfig), configuration={"key": "env:INTERRUPTED_KEY"}
        )
        execution = app.actions.run(action.id)
        with pytest.raises(KeyboardInterrupt):
            app.worker().run_until_idle()
        ended = app.executions.get(execution.id)
        assert ended.status is ExecutionStatus.FAILED
        assert "s3cr3t" not in ended.model_dump_json()


class TestRecording:
    def test_an_observer_that_exits_changes_nothing(self, url: str) -> None:
        """A hook plugin that raises SystemExit while it is told of executions does not leave them running."""

        class Exiting:
            @hookimpl
            def execution_changed(self, trigger_execution: Any) -> None:
                sys.exit(4)

        with Actium(url, hooks=[Exiting()]) as app:
            flavor_of(app, "test.plain", lambda config: "done")
            account = app.accounts.create(ServiceAccountRequest(name="robot"))
            action = app.actions.create(
                ActionRequest(name="a", plugin_subtype="test", flavor="plain", service_account_id=account.id)
            )
            execution = app.actions.run(action.id)
            app.worker().run_until_idle()
            assert app.executions.get(execution.id).status is ExecutionStatus.SUCCEEDED

    @pytest.mark.parametrize("concurrency", [1, 2])
    def test_a_worker_is_idle_when_observers_know_of_all_ends(self, url: str, concurrency: int) -> None:
        """``run_until_idle`` returns when the last observer was told, however long that takes in whichever thread."""
        told = list[ExecutionStatus]()

        class Slow:
            @hookimpl
            def execution_changed(self, trigger_execution: Any) -> None:
                if trigger_execution.status.is_final:
                    time.sleep(0.2)
                    told.append(trigger_execution.status)

        with Actium(url, hooks=[Slow()]) as app:
            flavor_of(app, "test.plain", lambda config: None)
            account = app.accounts.create(ServiceAccountRequest(name="robot"))
            action = app.actions.create(
                ActionRequest(name="a", plugin_subtype="test", flavor="plain", service_account_id=account.id)
            )
            app.actions.run(action.id)
            app.worker(concurrency=concurrency).run_until_idle()
            assert told == [ExecutionStatus.SUCCEEDED]

    def test_an_outcome_waits_for_a_busy_store(
        self, app: Actium, create: CreateAction, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A store that is busy when a run ends is asked again: the outcome is all that is left of the run."""
        real, refused = SQLiteStore.exchange, []

        def busy_twice(self: SQLiteStore, worker: str, endings: Sequence[Ending] = (), **named: Any) -> Exchange:
            if endings and len(refused) < 2:
                refused.append(endings)
                raise StoreBusyError("Another process wrote for long.")
            return real(self, worker, endings, **named)

        monkeypatch.setattr(SQLiteStore, "exchange", busy_twice)
        execution = app.actions.run(create().id)
        app.worker(poll_interval=0.01).run_until_idle()
        assert len(refused) == 2
        assert app.executions.get(execution.id).status is ExecutionStatus.SUCCEEDED
        assert "tries again" in caplog.text

    @pytest.mark.parametrize("concurrency", [1, 2])
    def test_a_store_that_breaks_before_the_handler_is_called_fails_the_attempt(
        self, app: Actium, create: CreateAction, monkeypatch: pytest.MonkeyPatch, concurrency: int
    ) -> None:
        """An error that no store should raise, before the handler is called, is the attempt's; the worker goes on."""
        action = create(run_policy={"deadline": 60})  # which has it looked at once more before it begins
        first, real = app.actions.run(action.id), SQLiteStore.get

        def broken(self: SQLiteStore, kind: type[Any], record_id: Any) -> Any:
            if kind is ActionRecord:
                raise RuntimeError("no store raises this")
            return real(self, kind, record_id)

        worker = app.worker(concurrency=concurrency)
        with monkeypatch.context() as while_broken:
            while_broken.setattr(SQLiteStore, "get", broken)
            worker.run_until_idle()
        ended = app.executions.get(first.id)
        assert (ended.status, "no store raises this" in (ended.reason or "")) == (ExecutionStatus.FAILED, True)
        second = app.actions.run(action.id)
        worker.run_until_idle()
        assert app.executions.get(second.id).status is ExecutionStatus.SUCCEEDED

    @pytest.mark.parametrize("concurrency", [1, 2])
    def test_a_log_filter_that_raises_does_not_keep_an_end_from_being_told(
        self, app: Actium, create: CreateAction, concurrency: int
    ) -> None:
        """Whatever fails while an end is told: the attempt has failed, is not running for ever, and others run."""

        class Raising(logging.Filter):
            def filter(self, record: logging.LogRecord) -> bool:
                raise ValueError("a filter of the program's")

        def run(config: ActionConfig) -> None:
            raise ConnectionError("no line")

        executions, raising = logging.getLogger("actium.executions"), Raising()
        executions.addFilter(raising)
        try:
            execution = app.actions.run(create(flavor=flavor_of(app, "test.fails", run)).id)
            worker = app.worker(concurrency=concurrency)
            assert worker.run_until_idle() == 1
        finally:
            executions.removeFilter(raising)
        ended = app.executions.get(execution.id)
        assert (ended.status, "nothing more can be told" in (ended.reason or "")) == (ExecutionStatus.FAILED, True)

    def test_closing_waits_for_what_runs(self, url: str, app: Actium, create: CreateAction) -> None:
        """Closing an application stops its workers, and lets what they run end and be recorded."""
        started, may_end = threading.Event(), threading.Event()

        def run(config: ActionConfig) -> str:
            started.set()
            assert may_end.wait(30)
            return "done"

        execution = app.actions.run(create(flavor=flavor_of(app, "test.slow", run)).id)
        working = threading.Thread(target=app.worker().run)
        working.start()
        assert started.wait(30)
        closing = threading.Thread(target=app.close)
        closing.start()
        may_end.set()
        closing.join(30)
        working.join(30)
        with Actium(url) as other:
            assert other.executions.get(execution.id).result == "done"

    @pytest.mark.parametrize("interval", [0, -1, float("nan"), float("inf")])
    def test_a_worker_needs_an_interval(self, app: Actium, interval: float) -> None:
        """An interval that cannot be waited for is refused when the worker is made."""
        with pytest.raises(InvalidInputError, match="cannot look every"):
            app.worker(poll_interval=interval)


class TestEventsByHand:
    def test_a_known_event_is_run_as_it_is_stored(self, app: Actium, create: CreateAction) -> None:
        """The answer to a manual run tells of the event that the handler gets, which is the stored one."""
        stored = Event(type="x", source="/y", id="7", data=1)
        app.events.publish(stored)
        again = Event(type="x", source="/y", id="7", data=1)
        execution = app.actions.run(create().id, event=again)
        assert execution.event == app.events.get("7").event
        assert execution.event.time == stored.time

    def test_another_event_of_the_same_name_is_refused(self, app: Actium, create: CreateAction) -> None:
        """A manual run whose event is known with another content says so, and runs nothing."""
        app.events.publish(Event(type="x", source="/y", id="7", data=1))
        with pytest.raises(ConflictError, match="known with another type and data"):
            app.actions.run(create().id, event=Event(type="z", source="/y", id="7", data=2))
        assert app.executions.list().total == 0


class TestTriggersOfAnEarlierState:
    def test_are_matched_from_then_on(self, app: Actium, create: CreateAction, tmp_path: Path) -> None:
        """A store that was put back to a backup is matched with the triggers of the backup."""
        action = create()
        triggers = [
            app.triggers.create(TriggerRequest(name=name, action_id=action.id, match_all=True)) for name in "ab"
        ]
        assert len(app.events.publish(Event(type="x", source="/y")).executions) == 2
        with sqlite3.connect(tmp_path / "actium.db") as store:
            store.execute("DELETE FROM triggers WHERE id = ?", (str(triggers[1].id),))
            store.execute("DELETE FROM trigger_changes WHERE trigger_id = ?", (str(triggers[1].id),))
        store.close()
        published = app.events.publish(Event(type="x", source="/y"))
        assert [app.executions.get(one).trigger_id for one in published.executions] == [triggers[0].id]


class TestOpening:
    def test_that_fails_once_does_not_make_a_store_read_only(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A process without a free descriptor fails to open a store, and can write to it once it has some again."""
        SQLiteStore(tmp_path / "actium.db").close()
        resource = pytest.importorskip("resource")
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        held = []
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(64, soft), hard))
        try:
            with pytest.raises(OSError, match=os.strerror(errno.EMFILE)):
                while True:
                    held.append(os.open(os.devnull, os.O_RDONLY))
            with pytest.raises(StoreError, match="unable to open"):
                SQLiteStore(tmp_path / "actium.db")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for descriptor in held:
                os.close(descriptor)
        store = SQLiteStore(tmp_path / "actium.db")
        store.put_setting("a", 1)
        assert store.get_setting("a") == 1
        store.close()

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
    def test_a_store_in_memory_is_not_inherited(self) -> None:
        """A child of a process with a store in memory is told that it has none, and the parent keeps its own."""
        with Actium("sqlite://") as app:
            app.accounts.create(ServiceAccountRequest(name="robot"))

            def in_child() -> None:
                with pytest.raises(StoreError, match="stays with the process"):
                    app.accounts.get("robot")

            child = multiprocessing.get_context("fork").Process(target=in_child)
            child.start()
            child.join(30)
            assert child.exitcode == 0
            assert app.accounts.get("robot").active
