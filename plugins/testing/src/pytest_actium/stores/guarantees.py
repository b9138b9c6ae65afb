"""Rules of what is promised of every method: it is durable when it returns, and safe from any thread."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from actium.errors import (
    ActiumError,
    StoreClosedError,
    WorkerLostError,
)
from actium.models import ExecutionStatus
from actium.stores.base_store import BaseStore, Query, RecordPage
from actium.stores.claims import Ending, Outcome
from actium.stores.records import AccountRecord, ActionRecord, ExecutionRecord
from pytest_actium.stores.subject import (
    StoreSubject,
    account_record,
    claim,
    finish,
    pending,
    trigger_record,
    work_as,
)


class GuaranteeRules(StoreSubject):
    """What holds for all that a store does."""

    def test_what_was_stored_is_there_after_opening_again(
        self, store: BaseStore, action: ActionRecord, tmp_path: Path
    ) -> None:
        """What a method has stored when it returns is there when the store is closed and opened again."""
        execution = pending(store, action)
        store.close()
        again = self.open_store(tmp_path)
        try:
            assert again.get(ActionRecord, action.id) == action
            assert again.get(ExecutionRecord, execution.id) == execution
            assert [each.number for each in again.revisions(action.id)] == [1]
        finally:
            again.close()

    def test_what_one_has_stored_another_sees(self, store: BaseStore, action: ActionRecord, tmp_path: Path) -> None:
        """Two that have the store open see at once what the other has stored, its triggers included."""
        other = self.open_store(tmp_path)
        try:
            generation = other.trigger_generation()
            trigger = trigger_record(action)
            store.insert_trigger(trigger)
            assert other.trigger_generation() > generation
            assert other.trigger_changes(generation).changed == (trigger,)
        finally:
            other.close()

    def test_one_name_is_given_once(self, store: BaseStore) -> None:
        """Of eight threads that create one name, one succeeds, and seven are told that it exists."""
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda _: _outcome(lambda: store.insert_account(account_record())), range(8)))
        assert sorted(answers) == ["AlreadyExistsError"] * 7 + ["done"]
        assert store.page(AccountRecord, Query()).total == 1

    def test_one_version_is_followed_once(self, store: BaseStore, action: ActionRecord) -> None:
        """Of eight threads that change one version of an action, one succeeds, and seven are told of the conflict."""

        def change(number: int) -> str:
            changed = replace(action, description=str(number))
            return _outcome(lambda: store.update_action(changed, None, expected_version=1, changed_by="ada"))

        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(change, range(8)))
        assert sorted(answers) == ["VersionConflictError"] * 7 + ["done"]
        assert len(store.revisions(action.id)) == 2

    def test_an_execution_is_claimed_once(self, store: BaseStore, action: ActionRecord) -> None:
        """Of workers that claim at once, each gets executions of its own, and together they get all."""
        waiting = {pending(store, action).id for _ in range(12)}
        names = [work_as(store, f"w{number}") for number in range(4)]

        def claimed(name: str) -> list[UUID]:
            return [one.id for one in iter(lambda: claim(store, name), None)]

        with ThreadPoolExecutor(4) as threads:
            taken = [one for own in threads.map(claimed, names) for one in own]
        assert sorted(taken) == sorted(waiting)

    def test_a_lost_worker_loses_its_executions(self, store: BaseStore, action: ActionRecord) -> None:
        """What a removed worker had is pending again and can be claimed by others; it is told when it comes back."""
        execution = pending(store, action)
        claimed = claim(store, work_as(store, "first"))
        assert claimed is not None
        assert store.remove_worker("first", reason="it is gone") == 1
        assert store.remove_worker("first", reason="it is gone") == 0
        assert store.get(ExecutionRecord, execution.id).status is ExecutionStatus.PENDING
        with pytest.raises(WorkerLostError):
            store.beat("first")
        with pytest.raises(WorkerLostError):
            finish(store, claimed, Outcome(status=ExecutionStatus.SUCCEEDED))
        again = claim(store, work_as(store, "second"))
        assert again is not None
        assert (again.id, again.attempt) == (execution.id, 2)
        assert [(each.number, each.worker) for each in store.attempts([execution.id])[execution.id]] == [
            (1, "first"),
            (2, "second"),
        ]

    def test_what_a_worker_has_is_known(self, store: BaseStore, action: ActionRecord) -> None:
        """A worker's executions are told, with the numbers of their attempts, from claim to end."""
        for _ in range(2):
            pending(store, action)
        first, other = claim(store, work_as(store, "first")), claim(store, work_as(store, "second"))
        assert first is not None
        assert other is not None
        assert store.executions_of_worker("first") == {first.id: 1}
        store.remove_worker("first", reason="it is gone")
        finish(store, other, Outcome(status=ExecutionStatus.SUCCEEDED))
        again = claim(store, "second")
        assert again is not None
        assert store.executions_of_worker("first") == {}
        assert store.executions_of_worker("second") == {again.id: 2}

    def test_what_is_lost_twice_is_run_alone(self, store: BaseStore, action: ActionRecord) -> None:
        """What may be lost only once more comes first to a worker that runs nothing, and nothing comes beside it."""
        suspect = pending(store, action)
        for worker in ("first", "second"):
            assert claim(store, work_as(store, worker)) is not None
            store.remove_worker(worker, reason="it is gone")
        others = [pending(store, action).id for _ in range(3)]
        work_as(store, "third")
        assert [claim.execution.id for claim in store.exchange("third", limit=4).claims] == [suspect.id]
        assert store.exchange("third", limit=4).claims == ()
        busy = work_as(store, "busy")
        assert [claim.execution.id for claim in store.exchange(busy, limit=1).claims] == others[:1]
        store.remove_worker("third", reason="it was stopped", counts=False)
        assert store.exchange(busy, limit=4).claims == ()
        assert [claim.execution.id for claim in store.exchange(work_as(store, "idle"), limit=4).claims] == [suspect.id]
        assert [claim.execution.id for claim in store.exchange(busy, limit=4).claims] == others[1:]

    def test_an_old_attempt_cannot_overwrite(self, store: BaseStore, action: ActionRecord) -> None:
        """The ending of an attempt that another has overtaken is not accepted, whoever tells it."""
        pending(store, action)
        claimed = claim(store, work_as(store, "first"))
        assert claimed is not None
        store.remove_worker("first", reason="it is gone")
        again = claim(store, work_as(store, "second"))
        assert again is not None
        late = Ending(claimed=claimed, outcome=Outcome(status=ExecutionStatus.FAILED, reason="late"))
        assert store.exchange("second", [late], limit=0).accepted == (False,)
        assert finish(store, again, Outcome(status=ExecutionStatus.SUCCEEDED))

    def test_workers_are_known_while_they_beat(self, store: BaseStore) -> None:
        """A worker's beats grow, and it is listed until it is removed."""
        work_as(store, "w")
        before = store.workers()[0].beat
        store.beat("w")
        assert [(each.name, each.beat > before) for each in store.workers()] == [("w", True)]
        store.remove_worker("w", reason="done")
        assert store.workers() == ()

    def test_a_closed_store_says_so(self, store: BaseStore) -> None:
        """Every use after close raises StoreClosedError; closing again is harmless."""
        store.close()
        store.close()
        uses = [
            lambda: store.get(AccountRecord, uuid4()),
            lambda: store.page(AccountRecord, Query()),
            lambda: store.insert_account(account_record()),
            lambda: store.exchange("w", limit=1),
            store.check,
            store.mend,
        ]
        for use in uses:
            with pytest.raises(StoreClosedError, match="was closed"):
                use()

    def test_a_sound_store_has_no_problems(self, store: BaseStore, action: ActionRecord) -> None:
        """The self-check of a sound store finds nothing, and there is nothing that mending it changes."""
        execution = pending(store, action)
        assert store.check() == ()
        store.mend()
        assert store.check() == ()
        assert store.page(ExecutionRecord, Query()) == RecordPage(records=(execution,), total=1)


def _outcome(call: Callable[[], object]) -> str:
    try:
        call()
    except ActiumError as error:
        return type(error).__name__
    return "done"
