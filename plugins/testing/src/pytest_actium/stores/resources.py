"""Rules of tokens, resources and settings."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from actium.errors import (
    AlreadyExistsError,
    InUseError,
    InvalidInputError,
    NotFoundError,
    VersionConflictError,
)
from actium.stores.base_store import BaseStore
from actium.stores.records import (
    AccountRecord,
    Reference,
    ResourceRecord,
    TokenRecord,
)
from pytest_actium.stores.subject import (
    NOW,
    StoreSubject,
    action_record,
    resource_record,
)


class TokenRules(StoreSubject):
    """What becomes of tokens."""

    def test_tokens_are_known_by_their_hash_and_revoked(self, store: BaseStore, account: AccountRecord) -> None:
        """Tokens are found by hash; revoking counts those that were still valid."""
        execution_id = uuid4()

        def token(digest: str, expires: datetime | None = None) -> TokenRecord:
            return TokenRecord(
                digest=digest,
                service_account_id=account.id,
                execution_id=execution_id,
                created=NOW,
                expires=expires,
            )

        for item in (token("a"), token("b"), token("c", NOW - timedelta(hours=1))):
            store.insert_token(item)
        assert store.get_token("a") == token("a")
        assert store.revoke_tokens(when=NOW, digest="a") == 1
        assert store.revoke_tokens(when=NOW, execution_id=execution_id, service_account_id=account.id) == 1
        assert store.get_token("a") == replace(token("a"), revoked=NOW)
        with pytest.raises(InvalidInputError, match="which tokens"):
            store.revoke_tokens(when=NOW)


class ResourceRules(StoreSubject):
    """What becomes of the resources of plugins, and of settings."""

    def test_resources_are_kept_changed_and_deleted(self, store: BaseStore, account: AccountRecord) -> None:
        """A plugin's resources have names of their own for each type; one in use is not deleted."""
        resource = resource_record()
        store.insert_resource(resource)
        store.insert_resource(resource_record(type="snapshot"))
        with pytest.raises(AlreadyExistsError, match="'penguins'"):
            store.insert_resource(resource_record())
        changed = store.update_resource(replace(resource, body={"a": [1]}))
        assert store.get(ResourceRecord, resource.id) == changed
        assert changed.version == 2
        with pytest.raises(VersionConflictError):
            store.update_resource(resource, expected_version=1)
        used = Reference(type="pipeline", id=resource.id, name="penguins")
        action = store.insert_action(action_record(account), [used], changed_by="ada")
        with pytest.raises(InUseError, match="'greet'"):
            store.delete_resource(resource.id)
        store.remove_action(action.id, expected_version=1, changed_by="ada")
        store.delete_resource(resource.id)
        with pytest.raises(NotFoundError):
            store.delete_resource(resource.id)

    def test_resources_settings(self, store: BaseStore) -> None:
        """Settings hold any JSON, and None before they are set."""
        assert store.get_setting("hooks") is None
        store.put_setting("hooks", ["otel"])
        store.put_setting("hooks", ["otel", "audit"])
        assert store.get_setting("hooks") == ["otel", "audit"]
