"""Flavors that break a rule of an action's life."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import uuid4

from sound import SoundHandler, flavor

from actium import ResourceType
from actium.models import ActionStatus, ResourceResponse


def refused() -> str | None:
    """Which hook is being refused just now."""
    return os.environ.get("PYTEST_ACTIUM_REFUSE")


class KeepsWhileCreating(SoundHandler):
    def process_action_delete(self, action: Any, config: Any, force: bool) -> None:
        if action.status is not ActionStatus.CREATING or action.version > 1:
            super().process_action_delete(action, config, force)


stored_not = flavor("stored_not", KeepsWhileCreating, breaks="test_a_creation_that_cannot_be_stored_leaves_nothing")


class KeepsWhatIsRefused(SoundHandler):
    def process_action_delete(self, action: Any, config: Any, force: bool) -> None:
        if refused() != "create_action":
            super().process_action_delete(action, config, force)


refused_late = flavor("refused_late", KeepsWhatIsRefused, breaks="test_a_creation_that_is_refused_late_leaves_nothing")


class NeverBack(SoundHandler):
    def process_action_update(self, action: Any, config: Any, previous_action: Any, previous_config: Any) -> None:
        if previous_action.status is ActionStatus.READY or previous_action.version > 3:
            super().process_action_update(action, config, previous_action, previous_config)


update_lost = flavor("update_lost", NeverBack, breaks="test_an_update_that_cannot_be_stored_changes_nothing")


class NeverBackWhenRefused(SoundHandler):
    def process_action_update(self, action: Any, config: Any, previous_action: Any, previous_config: Any) -> None:
        if refused() != "update_action" or config.folder == "another":
            super().process_action_update(action, config, previous_action, previous_config)


update_refused = flavor(
    "update_refused", NeverBackWhenRefused, breaks="test_an_update_that_is_refused_late_changes_nothing"
)


class OnlyForth(SoundHandler):
    """It tidies up whenever something failed, and never when all went well."""

    def process_action_update(self, action: Any, config: Any, previous_action: Any, previous_config: Any) -> None:
        super().process_action_update(action, config, previous_action, previous_config)
        if config.folder == "another" and refused() is None:
            Path("another.log").write_text("changed")
        elif previous_action.status is not ActionStatus.READY:
            Path("another.log").unlink(missing_ok=True)


only_forth = flavor("only_forth", OnlyForth, breaks="test_updating_there_and_back_changes_nothing")


class Resetting(SoundHandler):
    def process_action_update(self, action: Any, config: Any, previous_action: Any, previous_config: Any) -> None:
        super().process_action_update(action, config, previous_action, previous_config)
        if action.name == "renamed":
            config.labels = {}


resetting = flavor("resetting", Resetting, breaks="test_renaming_keeps_the_configuration")


class KeepsWhenDeleted(SoundHandler):
    def process_action_delete(self, action: Any, config: Any, force: bool) -> None:
        if force or refused() is not None or config.folder != "kept" or action.name == "lived":
            super().process_action_delete(action, config, force)


never_gives_back = flavor("never_gives_back", KeepsWhenDeleted, breaks="test_deleting_gives_everything_back")


class DeletesOnce(SoundHandler):
    def process_action_delete(self, action: Any, config: Any, force: bool) -> None:
        Path(config.folder).stat()
        super().process_action_delete(action, config, force)


deletes_once = flavor("deletes_once", DeletesOnce, breaks="test_deleting_is_idempotent")


_READ: Counter[Any] = Counter()


class Counting(SoundHandler):
    """It tells how often an action was read, from the second time on."""

    def process_action_response(self, action: Any, config: Any) -> None:
        _READ[action.id] += 1
        if _READ[action.id] > 1:
            action.labels["read"] = str(_READ[action.id])


counting = flavor("counting", Counting, breaks="test_reading_changes_nothing")


class Impure(SoundHandler):
    def extract_resources(self, action_config: Any, hydrate: bool = False) -> Any:
        action_config.labels["extracted"] = "yes"
        return super().extract_resources(action_config, hydrate)


impure = flavor("impure", Impure, breaks="test_extracting_resources_is_pure")


class Unstable(SoundHandler):
    def extract_resources(self, action_config: Any, hydrate: bool = False) -> Any:
        found = super().extract_resources(action_config, hydrate)
        (resource,) = found.values()
        return {ResourceType("folder"): ResourceResponse(id=uuid4(), name="folder", body=resource.body)}


unstable = flavor("unstable", Unstable, breaks="test_extracting_resources_is_stable")


class Remembering(SoundHandler):
    """It knows what it has made, as long as its process lives."""

    def process_action_request(self, action: Any, config: Any) -> None:
        super().process_action_request(action, config)
        own = Path(f"{action.id}.own")
        own.write_text("made")
        config.labels = {**config.labels, "own": own.name}

    def process_action_delete(self, action: Any, config: Any, force: bool) -> None:
        super().process_action_delete(action, config, force)
        if "own" in config.labels:
            Path(config.labels["own"]).unlink(missing_ok=True)


killed_creating = flavor("killed_creating", Remembering, breaks="test_a_creation_that_was_killed_is_undone")


_WENT: set[Any] = set()


class ForgetsTheWayBack(SoundHandler):
    def process_action_update(self, action: Any, config: Any, previous_action: Any, previous_config: Any) -> None:
        if previous_action.status is ActionStatus.READY or action.id in _WENT:
            super().process_action_update(action, config, previous_action, previous_config)
        _WENT.add(action.id)


killed_updating = flavor("killed_updating", ForgetsTheWayBack, breaks="test_an_update_that_was_killed_is_undone")

_MADE: set[Any] = set()


class DeletesItsOwn(SoundHandler):
    def process_action_request(self, action: Any, config: Any) -> None:
        super().process_action_request(action, config)
        _MADE.add(action.id)

    def process_action_delete(self, action: Any, config: Any, force: bool) -> None:
        if action.id in _MADE or action.status is ActionStatus.CREATING:
            super().process_action_delete(action, config, force)


killed_deleting = flavor("killed_deleting", DeletesItsOwn, breaks="test_a_deletion_that_was_killed_is_finished")
