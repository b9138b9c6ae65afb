"""Service accounts, as callers work with them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

from actium.app.doors import expect
from actium.app.lookup import find_id, find_record, list_page
from actium.errors import VersionConflictError
from actium.models.account import (
    ServiceAccountFilter,
    ServiceAccountRequest,
    ServiceAccountResponse,
    ServiceAccountUpdate,
)
from actium.models.page import Page
from actium.stores.base_store import BaseStore
from actium.stores.records import AccountRecord
from actium.stores.responses import account_response


class Accounts:
    """The service accounts of an application."""

    def __init__(self, store: BaseStore, project: str) -> None:
        self._store = store
        self._project = project

    def create(self, request: ServiceAccountRequest) -> ServiceAccountResponse:
        """Create a service account.

        Raises:
            AlreadyExistsError: The name is taken in its project.
        """
        expect(request, ServiceAccountRequest)
        now = datetime.now(UTC)
        account = AccountRecord(
            id=uuid4(),
            project=request.project or self._project,
            name=request.name,
            description=request.description,
            active=request.active,
            version=1,
            created=now,
            updated=now,
        )
        self._store.insert_account(account)
        return account_response(account)

    def get(self, reference: UUID | str, *, hydrate: bool = True) -> ServiceAccountResponse:
        """Read a service account by id, name, or a unique beginning of either.

        Raises:
            NotFoundError, AmbiguousReferenceError: None, or several fit.
        """
        return account_response(find_record(self._store, AccountRecord, self._project, reference), hydrate=hydrate)

    def list(self, asked: ServiceAccountFilter | None = None, *, hydrate: bool = False) -> Page[ServiceAccountResponse]:
        """List service accounts.

        Raises:
            InvalidQueryError: The filter asks for something that does not exist.
        """
        return list_page(
            self._store,
            AccountRecord,
            ServiceAccountFilter() if asked is None else expect(asked, ServiceAccountFilter),
            lambda found: [account_response(account, hydrate=hydrate) for account in found],
            project=self._project,
        )

    def update(self, reference: UUID | str, update: ServiceAccountUpdate) -> ServiceAccountResponse:
        """Change a service account. Deactivating it takes effect at the next execution, and on its tokens at once.

        Raises:
            NotFoundError, AmbiguousReferenceError: None, or several fit.
            AlreadyExistsError: The new name is taken.
            VersionConflictError: Someone else changed it meanwhile.
        """
        expect(update, ServiceAccountUpdate)
        account = find_record(self._store, AccountRecord, self._project, reference)
        if update.version not in {None, account.version}:
            raise VersionConflictError(
                f"The service account {account.name!r} is at version {account.version}, not {update.version}.",
                hint="Read it again and repeat the change.",
            )
        changed = self._store.update_account(replace(account, **update.changes()), expected_version=account.version)
        return account_response(changed)

    def delete(self, reference: UUID | str) -> None:
        """Delete a service account, its tokens with it.

        Raises:
            NotFoundError, AmbiguousReferenceError: None, or several fit.
            InUseError: Actions use it; their names are told.
        """
        self._store.delete_account(self._id(reference))

    def _id(self, reference: UUID | str) -> UUID:
        return find_id(self._store, AccountRecord, self._project, reference)
