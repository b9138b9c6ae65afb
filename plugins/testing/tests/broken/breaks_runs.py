"""Flavors that break a rule of runs."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from sound import SoundHandler, flavor, pause

from actium.errors import ExecutionCancelled, VersionConflictError
from actium.stores.records import ActionRecord

_HERE: set[str] = set()


class Failing(SoundHandler):
    def run(self, config: Any, trigger_execution: Any, auth_context: Any) -> Any:
        if config.ends == "well":
            raise ValueError("nothing works")
        return super().run(config, trigger_execution, auth_context)


failing = flavor("failing", Failing, breaks="test_a_run_succeeds")


class NoJson(SoundHandler):
    def run(self, config: Any, trigger_execution: Any, auth_context: Any) -> Any:
        super().run(config, trigger_execution, auth_context)
        return object()


no_json = flavor("no_json", NoJson, breaks="test_its_result_is_json")


class Twice(SoundHandler):
    def run(self, config: Any, trigger_execution: Any, auth_context: Any) -> Any:
        done = super().run(config, trigger_execution, auth_context)
        Path(config.folder, f"{uuid4()}.txt").write_text("ran")
        return done


twice = flavor("twice", Twice, breaks="test_a_run_may_be_repeated")


class Alone(SoundHandler):
    _is_busy = False

    def run(self, config: Any, trigger_execution: Any, auth_context: Any) -> Any:
        if self._is_busy:
            raise RuntimeError("another run is under way")
        self._is_busy = True
        try:
            if config.ends == "well":
                pause(0.2)
            return super().run(config, trigger_execution, auth_context)
        finally:
            self._is_busy = False


alone = flavor("alone", Alone, breaks="test_runs_side_by_side")


class Rewriting(SoundHandler):
    def run(self, config: Any, trigger_execution: Any, auth_context: Any) -> Any:
        action = self.store.get(ActionRecord, trigger_execution.body.action_id)
        if action.description == "":
            changed = replace(action, description="ran")
            with suppress(VersionConflictError):
                self.store.update_action(changed, None, expected_version=action.version, changed_by="run")
        return super().run(config, trigger_execution, auth_context)


rewriting = flavor("rewriting", Rewriting, breaks="test_running_leaves_the_action_as_it_is")


class OnlyHere(SoundHandler):
    def process_action_request(self, action: Any, config: Any) -> None:
        super().process_action_request(action, config)
        _HERE.add(config.folder)

    def run(self, config: Any, trigger_execution: Any, auth_context: Any) -> Any:
        if config.folder not in _HERE:
            raise LookupError("who are you?")
        return super().run(config, trigger_execution, auth_context)


only_here = flavor("only_here", OnlyHere, breaks="test_it_works_in_another_process")


class Smooth(SoundHandler):
    def run(self, config: Any, trigger_execution: Any, auth_context: Any) -> Any:
        try:
            return super().run(config, trigger_execution, auth_context)
        except ValueError as error:
            return {"error": str(error)}


smooth = flavor("smooth", Smooth, breaks="test_failure_is_a_status")


class DeafToPeople(SoundHandler):
    def wait(self, trigger_execution: Any) -> None:
        for _ in range(80):
            pause(0.1)
            if self.cancel_requested(trigger_execution) and not self.store.cancel_requested(trigger_execution.id):
                raise ExecutionCancelled("time is over")


deaf = flavor("deaf", DeafToPeople, breaks="test_a_run_ends_when_it_is_cancelled")


class DeafToTime(SoundHandler):
    def wait(self, trigger_execution: Any) -> None:
        for _ in range(80):
            pause(0.1)
            if self.store.cancel_requested(trigger_execution.id):
                raise ExecutionCancelled("cancelled")


timeless = flavor("timeless", DeafToTime, breaks="test_a_run_ends_when_its_time_is_over")


class Unhooked(SoundHandler):
    """It answers the hooks' own call in its own way."""

    def delete_action(self, action: Any, force: bool = False, cascade: bool = False) -> None:  # type: ignore[misc]
        super().delete_action(action, force=force, cascade=cascade)
        self.relay.get_action(action)


unhooked = flavor("unhooked", Unhooked, breaks="test_hooks_keep_their_order")
