"""How long what is over is kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from actium.errors import InvalidInputError
from actium.models.execution import ExecutionStatus
from actium.stores.base_store import BaseStore
from actium.stores.upkeep import Pruned

BATCH = 500
"""How many rows of a table are deleted in one transaction; workers and publishers go on between two of them."""


class Retention:
    """Prunes a store."""

    def __init__(self, store: BaseStore) -> None:
        self._store = store

    def prune(
        self,
        older_than: timedelta,
        *,
        keep_failed: bool = False,
        on_batch: Callable[[Pruned], object] = lambda pruned: None,
    ) -> Pruned:
        """Delete executions that ended longer ago, with their attempts, and events and tokens that are not needed.

        An event goes with its last execution. Publishing an event again that was pruned is a new publication.

        Args:
            older_than: How old is old enough.
            keep_failed: Whether failed executions stay.
            on_batch: Called with the sum so far after each transaction.

        Returns:
            How much was deleted.

        Raises:
            InvalidInputError: The age is negative, or reaches to before there were dates.
            StoreBusyError: Others have written for too long; what was told to ``on_batch`` is deleted.
        """
        if older_than < timedelta(0):
            raise InvalidInputError(f"An age of {older_than} is in the future.", hint="Give an age of 0 or more.")
        try:
            before = datetime.now(UTC) - older_than
        except OverflowError as error:
            raise InvalidInputError(f"An age of {older_than} is too long.", hint="Give some years at most.") from error
        keep = {ExecutionStatus.FAILED} if keep_failed else set()
        total = Pruned()
        while pruned := self._store.prune(before=before, keep=keep, limit=BATCH):
            total += pruned
            on_batch(total)
        return total
