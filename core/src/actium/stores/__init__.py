"""Stores: where everything durable lives. The contract is `BaseStore`; SQLite is the store that comes with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actium._lazy import lazy_names

if TYPE_CHECKING:
    from actium.stores.base_store import BaseStore as BaseStore
    from actium.stores.sqlite.store import SQLiteStore as SQLiteStore
    from actium.stores.urls import open_store as open_store

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "actium.stores.base_store": ("BaseStore",),
        "actium.stores.urls": ("open_store",),
        "actium.stores.sqlite.store": ("SQLiteStore",),
    },
)
