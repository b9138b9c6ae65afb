"""Killing a process in the middle of a change or a run, and seeing what is left.

The process is a real one, on the same store, and is ended by a signal: nothing in it gets to clean up.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from actium import Actium, BaseActionFlavor
    from actium.models import ActionRequest, ActionUpdate


class Moment(StrEnum):
    """When the process is killed."""

    BEFORE_PROCESSING = "before processing"
    """The change is stored, and the flavor's ``process_...`` point has not been called."""
    AFTER_PROCESSING = "after processing"
    """The flavor's point has returned, and that is not stored."""
    BEFORE_RUN = "before run"
    """A worker has taken the execution, and the handler has not been called."""
    AFTER_RUN = "after run"
    """The handler has returned, and its result is not stored."""


class NotKilledError(Exception):
    """The process came to its end without reaching the moment at which it was to be killed."""


class Crash:
    """Does something in another process, which is killed at a moment.

    A flavor that is given as a class, because it is not installed, has to be in a module that can be imported.
    """

    def __init__(self, app: Actium, url: str) -> None:
        """Prepare for crashes.

        Args:
            app: The application whose store is shared.
            url: The store's URL.
        """
        self._app = app
        self._url = url

    def create(self, request: ActionRequest, at: Moment, *, flavor: type[BaseActionFlavor] | None = None) -> None:
        """Create an action, and be killed.

        Raises:
            NotKilledError: The moment did not come, for example because the flavor does not override the point.
        """
        key = f"{request.plugin_subtype}.{request.flavor}"
        self._crash("create", at, key, flavor, request=request.model_dump(mode="json"))

    def update(
        self, reference: UUID | str, update: ActionUpdate, at: Moment, *, flavor: type[BaseActionFlavor] | None = None
    ) -> None:
        """Change an action, and be killed.

        Raises:
            NotKilledError: As for `create`.
        """
        change = update.model_dump(mode="json", exclude_unset=True)
        self._crash("update", at, self._key(reference), flavor, action=str(reference), update=change)

    def delete(self, reference: UUID | str, at: Moment, *, flavor: type[BaseActionFlavor] | None = None) -> None:
        """Delete an action, and be killed.

        Raises:
            NotKilledError: As for `create`.
        """
        self._crash("delete", at, self._key(reference), flavor, action=str(reference))

    def run(self, reference: UUID | str, at: Moment, *, flavor: type[BaseActionFlavor] | None = None) -> UUID:
        """Run an action once, and be killed; gives the execution, which another worker will take over.

        Raises:
            NotKilledError: As for `create`.
        """
        execution = self._app.actions.run(reference)
        self._crash("run", at, self._key(reference), flavor)
        return execution.id

    def _key(self, reference: UUID | str) -> str:
        action = self._app.actions.get(reference, hydrate=False)
        return f"{action.plugin_subtype}.{action.flavor}"

    def _crash(self, change: str, at: Moment, key: str, flavor: type[BaseActionFlavor] | None, **order: object) -> None:
        from pytest_actium.child import in_child, reference_of
        from pytest_actium.killed import KILLED

        reference = None if flavor is None else reference_of(flavor)
        end = in_child("change", change=change, at=at.value, key=key, url=self._url, reference=reference, **order)
        if end.code == 0 or end.answer is not None:
            raise NotKilledError(
                f"{change} of {key} came to its end without reaching the moment {at.value!r}; {end.answer}."
            )
        if end.code != KILLED:
            raise NotKilledError(f"{change} of {key} ended with {end.code} before it could be killed:\n{end.output}")
