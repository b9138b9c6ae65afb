"""Whose a database is, of which version, and how it is brought to the newest one."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from actium.errors import StoreCorruptError, StoreVersionError
from actium.stores.sqlite.database import Database
from actium.stores.sqlite.migrations import MIGRATIONS, Migration

APPLICATION_ID: Final = 0x41637469
"""``Acti`` in ASCII; says in the file's header whose it is."""


def prepare(database: Database, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring a database to the newest version, in one transaction.

    Raises:
        StoreCorruptError: It is another program's database; it was left as it is.
        StoreVersionError: It was written by a newer Actium; it was left as it is.
    """
    with database.reading() as connection:
        version = _version(database, connection, len(migrations))
    database.write_ahead()
    if version == len(migrations):
        return
    with database.rebuilding(), database.writing() as connection:
        version = _version(database, connection, len(migrations))  # another process may have been faster
        for statements in migrations[version:]:
            for statement in statements:
                if isinstance(statement, str):
                    connection.execute(statement)
                else:
                    statement(connection)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(migrations)}")


def _version(database: Database, connection: sqlite3.Connection, newest: int) -> int:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION_ID and (application or version or tables):
        raise StoreCorruptError(
            f"The file of {database.name} is another program's database.", hint="Choose another file."
        )
    if version > newest:
        raise StoreVersionError(
            f"The file of {database.name} has version {version}; this Actium knows up to {newest}.",
            hint="Upgrade: `pip install --upgrade actium`.",
        )
    return int(version)
