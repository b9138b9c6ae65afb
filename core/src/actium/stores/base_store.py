"""The contract of stores. One suite of tests runs against every store that claims it.

Every method is one transaction: all of it is durable when the method returns, or nothing of it happened. Methods may
be called from any thread, and from several processes on one store. No database error ever leaves a store: callers see
the errors of `actium.errors` only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic
from uuid import UUID

from actium.errors import ConflictError
from actium.models.base import DEFAULT_PROJECT
from actium.models.execution import ExecutionStatus
from actium.models.page import DEFAULT_PAGE_SIZE, Condition, LogicalOperator
from actium.stores.claims import Along, Ending, Exchange
from actium.stores.publications import EventDraft, Recorded, TriggerChanges
from actium.stores.records import (
    AccountRecord,
    ActionRecord,
    AttemptRecord,
    EventRecord,
    ExecutionRecord,
    Record,
    Reference,
    ResourceRecord,
    RevisionRecord,
    TokenRecord,
    TraceRecord,
    TriggerRecord,
    WorkerRecord,
)
from actium.stores.upkeep import Pruned, StoreProblem

SHORTEST_ID_PREFIX = 4
"""Characters that the beginning of an id needs; with fewer, a mistyped name would be taken for somebody else's id."""

MOST_FOUND = 20
"""How many objects a look-up gives at most; more than a few are no use to whoever is told of them."""


class StaleTriggersError(ConflictError):
    """The triggers have changed since they were matched; match again with `BaseStore.trigger_changes`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which records to list.

    Attributes:
        project: Always applies; None for all projects.
        conditions: What else must hold.
        combine: Whether all conditions must hold or any.
        sort_by: The column to sort by; equal ones are in the order in which they were stored.
        descending: Whether the largest comes first.
        index: Which page, from 1.
        max_size: Records on a page.
    """

    project: str | None = DEFAULT_PROJECT
    conditions: tuple[Condition, ...] = ()
    combine: LogicalOperator = LogicalOperator.AND
    sort_by: str = "created"
    descending: bool = True
    index: int = 1
    max_size: int = DEFAULT_PAGE_SIZE


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPage(Generic[Record]):
    """One page of records, and how many there are on all pages."""

    records: tuple[Record, ...]
    total: int


class BaseStore(ABC):
    """Where accounts, actions, triggers, events, executions, tokens and the resources of plugins are kept."""

    # Life

    @property
    @abstractmethod
    def url(self) -> str:
        """Where this store is, without secrets."""

    @property
    def place(self) -> str | None:
        """Where it is, as one text for all stores of a process that hold the same; None where no other one does."""
        return None

    @abstractmethod
    def close(self) -> None:
        """Give back all connections. Closing twice is harmless; any other use afterwards raises StoreClosedError."""

    @abstractmethod
    def check(self) -> tuple[StoreProblem, ...]:
        """Check the store's integrity; empty when all is well."""

    @abstractmethod
    def mend(self) -> None:
        """Put right what `check` tells with a remedy; where there is nothing of that kind, nothing changes."""

    # Any record

    @abstractmethod
    def get(self, kind: type[Record], record_id: UUID) -> Record:
        """Read one record.

        Raises:
            NotFoundError: There is none with this id.
        """

    @abstractmethod
    def get_many(self, kind: type[Record], record_ids: Collection[UUID]) -> dict[UUID, Record]:
        """Read records of one kind, all of one moment; those that are not there are left out.

        Others may get the same records: nothing in them may be changed.
        """

    @abstractmethod
    def find(self, kind: type[Record], project: str, reference: str) -> tuple[Reference, ...]:
        """Find what a person means by an id, a name, or the beginning of either.

        An exact id wins over an exact name, that over beginnings; of an id, at least `SHORTEST_ID_PREFIX` characters.
        Executions are found by id only, events also by their CloudEvents id.

        Returns:
            All that fit, at most `MOST_FOUND`; the caller decides what none or several mean.
        """

    @abstractmethod
    def page(self, kind: type[Record], query: Query) -> RecordPage[Record]:
        """List records. A page beyond the end is empty: the caller knows the total and decides what that means."""

    # Service accounts

    @abstractmethod
    def insert_account(self, account: AccountRecord) -> None:
        """Store a new account.

        Raises:
            AlreadyExistsError: The name is taken in its project.
        """

    @abstractmethod
    def update_account(self, account: AccountRecord, *, expected_version: int) -> AccountRecord:
        """Replace an account, with the next version.

        Raises:
            NotFoundError, AlreadyExistsError: As their names say.
            VersionConflictError: It is no longer at the expected version.
        """

    @abstractmethod
    def delete_account(self, account_id: UUID) -> None:
        """Delete an account, its tokens with it.

        Raises:
            NotFoundError: There is none.
            InUseError: Actions use it; their names are told.
        """

    # Actions

    @abstractmethod
    def insert_action(self, action: ActionRecord, resources: Sequence[Reference], *, changed_by: str) -> ActionRecord:
        """Store a new action at version 1. One that is ``ready`` gets revision 1, any other revision 0.

        Raises:
            AlreadyExistsError: The name is taken in its project.
            NotFoundError: There is no such service account in the action's project.
            InactiveAccountError: The service account is switched off.
        """

    @abstractmethod
    def update_action(
        self,
        action: ActionRecord,
        resources: Sequence[Reference] | None,
        *,
        expected_version: int,
        changed_by: str,
    ) -> ActionRecord:
        """Replace an action's row, with the next version; when it is ``ready``, with the next revision as well.

        Args:
            action: The row as it should be; ``version``, ``revision`` and ``updated`` are set by the store.
            resources: What it refers to now, or None to leave that as it is.
            expected_version: The version that the change was made for.
            changed_by: Who is told in the revision.

        Raises:
            NotFoundError: There is no such action, or no such service account.
            InactiveAccountError: The service account is another than before, and switched off.
            AlreadyExistsError: The new name is taken.
            VersionConflictError: It is no longer at the expected version.
        """

    @abstractmethod
    def restore_action(self, action: ActionRecord, *, expected_version: int) -> ActionRecord:
        """Put every field of an action's row back, as the next version, without a new revision.

        Raises:
            NotFoundError, VersionConflictError: As for `update_action`.
        """

    @abstractmethod
    def begin_delete(
        self, action_id: UUID, *, cascade: bool, take_over: bool = False
    ) -> tuple[ActionRecord, ActionRecord]:
        """Mark an action as ``deleting``, so that nothing new can refer to it.

        Args:
            action_id: Which action.
            cascade: Whether triggers may use it.
            take_over: Whether it may be in the middle of being created, updated or deleted, which then fails.

        Returns:
            The row as it was, and as it is now, with the next version.

        Raises:
            NotFoundError: There is none.
            InUseError: Triggers use it and ``cascade`` is false; their names are told.
            NotReadyError: It is not ``ready`` and ``take_over`` is false.
        """

    @abstractmethod
    def remove_action(
        self, action_id: UUID, *, expected_version: int, changed_by: str, problem: str | None = None
    ) -> None:
        """Remove an action's row, its triggers and its references. Its revisions and executions stay.

        A ``deleted`` revision is added where there are revisions, with the problem that was overruled, if any.

        Raises:
            NotFoundError: There is none.
            VersionConflictError: It is no longer at the expected version; it stays then.
        """

    @abstractmethod
    def action_resources(self, action_id: UUID) -> tuple[Reference, ...]:
        """What an action refers to, as it was stored with it."""

    @abstractmethod
    def actions_using(self, resource_type: str, resource_id: UUID) -> tuple[Reference, ...]:
        """Which actions refer to a resource."""

    @abstractmethod
    def revisions(self, action_id: UUID) -> tuple[RevisionRecord, ...]:
        """All revisions of an action, first to last; also of a deleted one."""

    @abstractmethod
    def revision(self, action_id: UUID, number: int) -> RevisionRecord:
        """One revision of an action.

        Raises:
            NotFoundError: There is none.
        """

    @abstractmethod
    def provider_of(self, plugin_subtype: str, flavor: str) -> tuple[str, str] | None:
        """Which distribution and version provided a flavor when an action of it was last stored, if any was."""

    # Triggers

    @abstractmethod
    def insert_trigger(self, trigger: TriggerRecord) -> None:
        """Store a new trigger.

        Raises:
            AlreadyExistsError: The name is taken in its project.
            NotFoundError: There is no such action in the trigger's project.
            NotReadyError: The action is being created or deleted.
        """

    @abstractmethod
    def update_trigger(self, trigger: TriggerRecord, *, expected_version: int) -> TriggerRecord:
        """Replace a trigger, with the next version.

        Raises:
            NotFoundError, AlreadyExistsError, VersionConflictError: As their names say.
        """

    @abstractmethod
    def delete_trigger(self, trigger_id: UUID) -> None:
        """Delete a trigger; its executions stay.

        Raises:
            NotFoundError: There is none.
        """

    @abstractmethod
    def trigger_generation(self) -> int:
        """A number that grows with every change to any trigger, by any process."""

    @abstractmethod
    def trigger_changes(self, since: int) -> TriggerChanges:
        """What happened to triggers after a generation, all of one moment; 0 gives all triggers there are.

        A generation that has not come yet gives nothing, and the present generation.
        """

    # Events and executions

    @abstractmethod
    def record_events(
        self,
        drafts: Sequence[EventDraft],
        *,
        worker: str | None = None,
        limit: int = 0,
        along: Along | None = None,
    ) -> Recorded:
        """Store events and their executions, all together or none; each once for its (project, source, event_id).

        An event that is there only since `insert_execution` stored it with one of its own is not known yet: it gets the
        executions, was received now, and says from now on what it says here.

        How the run policy of an action bears on an execution that is stored is told by ``actium.stores.drafts``.

        Args:
            drafts: What to store.
            worker: Who claims new executions in the same transaction, as `exchange` would, where nothing that was
                stored before waits for a worker. A store may leave that to `exchange`.
            limit: How many that worker takes at most.
            along: What that worker has to record, as `exchange` would; a store may leave that to `exchange`, and has to
                where the worker is not registered.

        Returns:
            What became of each; of one that was known, what it led to when it was stored.

        Raises:
            StaleTriggersError: Triggers have changed since one was matched; nothing was stored.
            NotFoundError: An event that is replayed is not there (any more); nothing was stored.
            StoreBusyError: Others have written for longer than the time limit; nothing was stored.
        """

    @abstractmethod
    def insert_execution(
        self,
        execution_id: UUID,
        action_id: UUID,
        *,
        project: str,
        event: EventRecord | None,
        cause: UUID | None = None,
    ) -> ExecutionRecord:
        """Store an execution by hand, and the event it is given if that is new.

        Args:
            execution_id: What is to be its id.
            action_id: What to run.
            project: The action's project.
            event: What it is given; None for nothing.
            cause: The execution that asks for it; None for none.

        Raises:
            NotFoundError: There is no such action in the project.
            NotReadyError: The action has no usable revision yet, or is being deleted.
            ConflictError: The event is known, and differs in its type, subject, data or attributes. Those that say how
                it came about (``actium.models.attributes.ORIGIN_ATTRIBUTES``) make no difference.
        """

    @abstractmethod
    def executions_of_event(self, event_id: UUID) -> tuple[UUID, ...]:
        """The executions that an event led to."""

    @abstractmethod
    def prune(self, *, before: datetime, keep: Collection[ExecutionStatus], limit: int) -> Pruned:
        """Delete executions that ended before a time, and events and tokens that nothing needs any more.

        One transaction, of bounded size: call it until it has pruned nothing.

        Args:
            before: What has ended, expired or, for events that led to nothing, was received before this.
            keep: The statuses of executions that stay whatever their age.
            limit: How many of each to delete at most.
        """

    # Workers

    @abstractmethod
    def register_worker(self, worker: WorkerRecord) -> None:
        """Make a worker known; from now on it must beat within its lease."""

    @abstractmethod
    def beat(self, worker: str) -> None:
        """Give a sign of life: everything that a worker has claimed stays its own for another lease.

        Raises:
            WorkerLostError: It was removed; what it had is being tried again by others.
        """

    @abstractmethod
    def workers(self) -> tuple[WorkerRecord, ...]:
        """All workers that were not removed, the oldest first."""

    @abstractmethod
    def lost_workers(self) -> tuple[str, ...]:
        """The names of workers that are gone, while executions still say that they run them."""

    @abstractmethod
    def remove_worker(self, worker: str, *, reason: str, counts: bool = True, beat: int | None = None) -> int:
        """Forget a worker and end the attempts that it has; the executions become pending, and are tried again.

        One that was lost `actium.models.run_policy.MAX_LOSSES` times fails instead. Removing twice is harmless.

        Args:
            worker: Its name.
            reason: Why, in a sentence, as the attempts record it.
            counts: Whether the executions were lost with it; not so where it ends in good order.
            beat: Only where it has this beat still; it has shown itself alive otherwise, and nothing is done.

        Returns:
            How many attempts it had.
        """

    @abstractmethod
    def exchange(
        self, worker: str, endings: Sequence[Ending] = (), *, limit: int, execution_id: UUID | None = None
    ) -> Exchange:
        """Record how attempts ended, and claim what to run next, in one transaction.

        Claimed is what is pending, due and not held, the longest due first; it becomes ``running``, and its next
        attempt begins. One that may be lost with its worker only once more, see
        `actium.models.run_policy.MAX_LOSSES`, comes first and alone, to a worker that runs nothing; while a worker
        runs it, that worker claims nothing, and while it waits for one, no worker does that runs anything, for up to
        `actium.models.run_policy.ROOM_WITHIN`.

        Args:
            worker: Who does this.
            endings: What has ended. One that another attempt has overtaken is not accepted; the others are.
            limit: How many to claim at most.
            execution_id: The only one to claim, even before its time; None for any.

        Raises:
            WorkerLostError: The worker is not registered (any more); nothing was recorded or claimed.
        """

    @abstractmethod
    def next_due(self) -> datetime | None:
        """When the next execution may be claimed, now where that is past; None where none is pending and not held."""

    @abstractmethod
    def executions_of_worker(self, worker: str) -> dict[UUID, int]:
        """Which executions a worker has claimed that have not ended, and the numbers of their attempts."""

    @abstractmethod
    def cancel_requests(self, worker: str) -> tuple[UUID, ...]:
        """Which of a worker's running executions someone has asked to end."""

    @abstractmethod
    def retry_execution(self, execution_id: UUID, *, latest: bool = False) -> ExecutionRecord:
        """Make an execution that has ended without success pending again, with new attempts and its old ones kept.

        Args:
            execution_id: Which one.
            latest: Whether it runs the action's present revision and account, in place of those it was stored with.

        Raises:
            NotFoundError: There is no such execution.
            ConflictError: It has not ended, or has succeeded; or it failed without an attempt, since its trigger
                could not be matched; or its run policy cannot be read.
            NotReadyError: Its action is, or is being, deleted.
        """

    @abstractmethod
    def request_cancel(self, execution_id: UUID) -> ExecutionRecord:
        """Cancel a ``pending`` execution at once; mark a ``running`` one so that its handler can end it.

        Raises:
            NotFoundError: There is no such execution.
            ConflictError: It has ended already.
        """

    @abstractmethod
    def cancel_requested(self, execution_id: UUID) -> bool:
        """Whether someone asked for the end of an execution."""

    @abstractmethod
    def record_progress(
        self, execution_id: UUID, progress: Sequence[dict[str, Any]], *, attempt: int | None = None
    ) -> None:
        """Replace what is known of an execution's steps; ignored once it has ended.

        What is kept of them is bounded: see ``actium.stores.steps``.

        Args:
            execution_id: Of which execution.
            progress: All of its steps.
            attempt: Who says so, by its number; ignored where another has taken over. None for whichever runs.
        """

    @abstractmethod
    def attempts(self, execution_ids: Collection[UUID]) -> dict[UUID, tuple[AttemptRecord, ...]]:
        """All attempts of executions, first to last; those that never began are not in it."""

    @abstractmethod
    def traces(self, execution_id: UUID) -> tuple[TraceRecord, ...]:
        """What was kept of how an execution's attempts went, first to last; not every attempt has a trace."""

    # Tokens

    @abstractmethod
    def insert_token(self, token: TokenRecord) -> None:
        """Store a token's hash."""

    @abstractmethod
    def get_token(self, digest: str) -> TokenRecord | None:
        """Find a token by its hash."""

    @abstractmethod
    def revoke_tokens(
        self,
        *,
        when: datetime,
        digest: str | None = None,
        execution_id: UUID | None = None,
        service_account_id: UUID | None = None,
    ) -> int:
        """Revoke the tokens that fit all that is given (at least one must be); says how many were still valid."""

    # Resources of plugins

    @abstractmethod
    def insert_resource(self, resource: ResourceRecord) -> None:
        """Store a new resource.

        Raises:
            AlreadyExistsError: The name is taken for its type and project.
        """

    @abstractmethod
    def update_resource(self, resource: ResourceRecord, *, expected_version: int | None = None) -> ResourceRecord:
        """Replace a resource's name and body, with the next version.

        Args:
            resource: The resource as it should be; ``version`` and ``updated`` are set by the store.
            expected_version: The version that the change was made for; None to overwrite whatever is there.

        Raises:
            NotFoundError, AlreadyExistsError, VersionConflictError: As their names say.
        """

    @abstractmethod
    def delete_resource(self, resource_id: UUID) -> None:
        """Delete a resource.

        Raises:
            NotFoundError: There is none.
            InUseError: Actions refer to it; their names are told.
        """

    # Settings

    @abstractmethod
    def get_setting(self, name: str) -> Any:
        """A setting of this store, as JSON; None when it was never set."""

    @abstractmethod
    def put_setting(self, name: str, value: Any) -> None:
        """Set a setting of this store."""
