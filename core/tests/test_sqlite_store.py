"""What is particular to the SQLite store: files that are not ours, faults, threads, processes and sudden ends."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from actium import ActionConfig, Actium, Event, action_flavor
from actium.errors import (
    ActiumError,
    AlreadyExistsError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    StoreBusyError,
    StoreClosedError,
    StoreCorruptError,
    StoreError,
    StoreReadOnlyError,
    StoreVersionError,
    VersionConflictError,
)
from actium.models import ActionRequest, ActionUpdate, ServiceAccountFilter, ServiceAccountRequest, TriggerRequest
from actium.models.execution import ExecutionStatus
from actium.stores import SQLiteStore, open_store
from actium.stores.base_store import Query
from actium.stores.records import AccountRecord
from actium.stores.sqlite.database import Database
from actium.stores.sqlite.migrations import MIGRATIONS
from actium.stores.sqlite.schema import prepare


@action_flavor("test.note")
def note(config: ActionConfig) -> None:
    """Does nothing."""


def request(name: str, account_id: Any) -> ActionRequest:
    return ActionRequest(name=name, plugin_subtype="test", flavor="note", service_account_id=account_id)


AN_EXECUTION = (
    "INSERT INTO executions (id, project, action_id, action_name, action_revision, status, created) "
    "VALUES (hex(randomblob(16)), 'default', 'a', 'note', 1, :status, '2026-01-31T12:00:00.000000+00:00')"
)


def denying_changes_of_the_schema(
    action: int, table: str | None, column: str | None, database: str | None, trigger: str | None
) -> int:
    is_denied = (action, table, column) == (sqlite3.SQLITE_UPDATE, "sqlite_master", "sql")
    return sqlite3.SQLITE_DENY if is_denied else sqlite3.SQLITE_OK


class TestUrls:
    def test_relative_absolute_and_memory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Three slashes are a file beside the process, four an absolute path, none a store in memory."""
        monkeypatch.chdir(tmp_path)
        for url, path in (("sqlite:///a.db", tmp_path / "a.db"), (f"sqlite:///{tmp_path}/b.db", tmp_path / "b.db")):
            store = open_store(url)
            store.close()
            assert path.exists()
        for url in ("sqlite://", "sqlite:///:memory:"):
            store = open_store(url)
            assert store.url == "sqlite://"
            store.close()
        assert sorted(file.name for file in tmp_path.iterdir()) == ["a.db", "b.db"]

    def test_a_relative_path_stays_the_same_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A store that was opened by a relative path goes on using its file after the process changes its folder."""
        monkeypatch.chdir(tmp_path)
        store = SQLiteStore(Path("actium.db"))
        (tmp_path / "sub").mkdir()
        monkeypatch.chdir(tmp_path / "sub")
        store.put_setting("a", 1)
        with store._database.reading():  # so that the next reader needs a connection of its own
            assert store.get_setting("a") == 1
        assert list((tmp_path / "sub").iterdir()) == []
        store.close()

    @pytest.mark.parametrize(
        "url, message",
        [
            ("actium.db", "no store URL"),
            ("sqlite://actium.db", "Write three slashes: sqlite:///actium.db"),
            ("sqlite:///a.db?sync=off", "an option that is not known"),
            ("sqlite:///a.db?synchronous=off", "an option that is not known"),
            ("oracle://host/db", "stores of the kind 'oracle'. Known are sqlite"),
        ],
    )
    def test_wrong_ones_are_refused(self, url: Any, message: str) -> None:
        """A URL that cannot be meant is refused with what to write."""
        with pytest.raises(InvalidInputError, match=message):
            open_store(url)

    @pytest.mark.parametrize("name", ["a b.db", "a#b.db", "a?b.db", "100%.db", "größe.db"])
    def test_lead_back_to_where_they_came_from(
        self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A store's URL opens the same file from any folder with the same options, whatever it is called."""
        monkeypatch.chdir(tmp_path)
        store = SQLiteStore(Path(name), synchronous="NORMAL")
        store.put_setting("here", name)
        store.close()
        monkeypatch.chdir("/")
        again = open_store(store.url)
        assert (again.get_setting("here"), again.url) == (name, store.url)
        assert again.url.endswith("?synchronous=normal")
        again.close()

    def test_schemes_are_written_in_any_case(self) -> None:
        """As in every URL, the case of the scheme does not matter."""
        store = open_store("SQLITE://")
        assert store.url == "sqlite://"
        store.close()

    def test_durability_is_full_unless_told(self, tmp_path: Path) -> None:
        """Commits survive a power cut by default; ``synchronous=normal`` gives that up."""
        for query, level in (("", 2), ("?synchronous=normal", 1)):
            store = open_store(f"sqlite:///{tmp_path / 'a.db'}{query}")
            assert isinstance(store, SQLiteStore)
            with store._database.writing() as connection:
                assert connection.execute("PRAGMA synchronous").fetchone() == (level,)
                assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            store.close()


class TestFilesThatAreNotOurs:
    def test_not_a_database(self, tmp_path: Path) -> None:
        """A file that is no database is refused and left as it is."""
        file = tmp_path / "notes.txt"
        file.write_bytes(b"not a database, just some text\n" * 100)
        with pytest.raises(StoreCorruptError, match="no usable SQLite database"):
            SQLiteStore(file)
        assert file.read_bytes() == b"not a database, just some text\n" * 100

    def test_another_programs_database(self, tmp_path: Path) -> None:
        """Another program's database is refused and left as it is."""
        file = tmp_path / "other.db"
        with sqlite3.connect(file) as connection:
            connection.execute("CREATE TABLE songs (title)")
        connection.close()
        before = file.read_bytes()
        with pytest.raises(StoreCorruptError, match="another program's database"):
            SQLiteStore(file)
        assert file.read_bytes() == before

    def test_a_newer_schema(self, tmp_path: Path) -> None:
        """A file of a newer Actium is refused, with both versions and what to do."""
        file = tmp_path / "actium.db"
        SQLiteStore(file).close()
        connection = sqlite3.connect(file)
        connection.execute("PRAGMA user_version = 99")
        connection.close()
        told = rf"version 99; this Actium knows up to {len(MIGRATIONS)}\. Upgrade"
        with pytest.raises(StoreVersionError, match=told):
            SQLiteStore(file)

    def test_no_folder(self, tmp_path: Path) -> None:
        """A file in a folder that is not there is an error that names the folder."""
        with pytest.raises(StoreError, match="no folder"):
            SQLiteStore(tmp_path / "missing" / "actium.db")

    def test_a_folder(self, tmp_path: Path) -> None:
        """A folder where the file should be is an error of ours."""
        with pytest.raises(StoreError):
            SQLiteStore(tmp_path)

    def test_damage_is_found(self, tmp_path: Path) -> None:
        """A row that refers to nothing is found by the self-check."""
        store = SQLiteStore(tmp_path / "actium.db")
        store.close()
        connection = sqlite3.connect(tmp_path / "actium.db")
        row = "(execution_id, number, worker, started) VALUES ('x', 1, 'w', 't')"
        connection.execute(f"INSERT INTO execution_attempts {row}")
        connection.commit()
        connection.close()
        store = SQLiteStore(tmp_path / "actium.db")
        (problem,) = store.check()
        assert (problem.where, "executions" in problem.problem) == ("execution_attempts", True)
        store.close()

    def test_a_damaged_index_is_told_alone(self, tmp_path: Path) -> None:
        """Where the file is damaged, what only looks wrong because of that is not told as well."""
        file = tmp_path / "actium.db"
        with Actium(f"sqlite:///{file}") as app:
            app.flavors.register(action_flavor("test.echo")(lambda config: None))
            account = app.accounts.create(ServiceAccountRequest(name="robot"))
            request = ActionRequest(name="a", plugin_subtype="test", flavor="echo", service_account_id=account.id)
            app.actions.create(request)
        with closing(sqlite3.connect(file)) as connection:
            by_id = "SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_service_accounts_1'"
            (page,) = connection.execute(by_id).fetchone()
            (size,) = connection.execute("PRAGMA page_size").fetchone()
        with file.open("r+b") as stored:
            stored.seek((page - 1) * size)
            stored.write(b"\x0a" + bytes(4) + size.to_bytes(2, "big") + bytes(size - 7))  # a leaf without entries
        store = SQLiteStore(file)
        assert {problem.where for problem in store.check()} == {"file"}
        store.close()


class TestMigrations:
    def test_an_older_file_is_brought_forward(self, tmp_path: Path) -> None:
        """A file of version 1 gets what later versions added, and keeps its rows."""
        store = SQLiteStore(tmp_path / "actium.db")
        app = Actium(f"sqlite:///{tmp_path / 'actium.db'}")
        app.accounts.create(ServiceAccountRequest(name="robot"))
        app.close()
        store.close()
        database = Database(tmp_path / "actium.db")
        prepare(database, [*MIGRATIONS, ["ALTER TABLE service_accounts ADD COLUMN colour TEXT"]])
        with database.reading() as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS) + 1,)
            assert connection.execute("SELECT name, colour FROM service_accounts").fetchall() == [("robot", None)]
        database.close()

    def test_a_file_of_the_first_version_keeps_its_executions(self, tmp_path: Path) -> None:
        """What the first version stored goes on: pending ones run, lost ones are tried again, attempts are kept."""
        database = Database(tmp_path / "actium.db")
        prepare(database, MIGRATIONS[:1])
        account, action = str(uuid4()), str(uuid4())
        ids = {status: str(uuid4()) for status in ("pending", "running", "failed")}
        fields = json.dumps(
            {
                "plugin_subtype": "test",
                "flavor": "note",
                "configuration": {},
                "auth_window": 60,
                "service_account_id": account,
            }
        )
        now = "2026-01-31T12:00:00.000000+00:00"
        with database.writing() as connection:
            connection.execute(
                "INSERT INTO service_accounts VALUES (?, 'default', 'robot', '', 1, 1, ?, ?)", (account, now, now)
            )
            connection.execute(
                "INSERT INTO actions VALUES (?, 'default', 'note', '', 'test', 'note', '{}', ?, 60, '{}', 1, 'ready', "
                "1, 1, NULL, NULL, ?, ?)",
                (action, account, now, now),
            )
            connection.execute(
                "INSERT INTO action_revisions VALUES (?, 1, 'created', ?, 'ada', ?, NULL)", (action, now, fields)
            )
            for status, execution in ids.items():
                began, event = status != "pending", str(uuid4())
                connection.execute(
                    "INSERT INTO events VALUES (?, 'default', ?, '/old', 'x', NULL, ?, ?, "
                    "'{\"specversion\": \"1.0\"}', 'null')",
                    (event, status, now, "2026-01-31T11:59:59.999000+00:00"),
                )
                connection.execute(
                    "INSERT INTO executions (id, project, action_id, action_name, action_revision, trigger_id, "
                    "event_id, status, attempt, created, started, finished) "
                    "VALUES (?, 'default', ?, 'note', 1, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        execution,
                        action,
                        str(uuid4()),
                        event,
                        status,
                        int(began),
                        now,
                        now if began else None,
                        now if status == "failed" else None,
                    ),
                )
                if began:
                    connection.execute(
                        "INSERT INTO execution_attempts (execution_id, number, worker, started, status) "
                        "VALUES (?, 1, 'elsewhere:1:1', ?, ?)",
                        (execution, now, None if status == "running" else status),
                    )
        database.close()
        with Actium(f"sqlite:///{tmp_path / 'actium.db'}") as app:
            app.flavors.register(note)
            assert app.executions.list().total == 3
            assert app.worker().run_until_idle() == 2
            ended = {status: app.executions.get(execution) for status, execution in ids.items()}
            assert {status: one.status.value for status, one in ended.items()} == {
                "pending": "succeeded",
                "running": "succeeded",
                "failed": "failed",
            }
            assert [attempt.worker for attempt in ended["failed"].attempts] == ["elsewhere:1:1"]
            lost, made = ended["running"].attempts
            assert (lost.worker, lost.number, made.number) == ("elsewhere:1:1", 1, 2)
            again = app.events.publish(Event(type="x", source="/old", id="failed"))
            assert ([str(one) for one in again.executions], again.duplicate) == ([ids["failed"]], True)
            assert app.store.check() == ()

    def test_events_that_an_earlier_version_was_only_given_are_not_known(self, tmp_path: Path) -> None:
        """Those that were stored with an execution by hand are published as new ones, those of a trigger are not."""
        file = tmp_path / "actium.db"
        with Actium(f"sqlite:///{file}") as app:
            app.flavors.register(note)
            account = app.accounts.create(ServiceAccountRequest(name="robot"))
            action = app.actions.create(
                ActionRequest(name="note", plugin_subtype="test", flavor="note", service_account_id=account.id)
            )
            app.triggers.create(TriggerRequest(name="all", action_id=action.id, match_all=True))
            events = {name: Event(type="x", source="/old", id=name) for name in ("given", "published", "both")}
            app.actions.run(action.id, events["given"])
            app.events.publish(events["published"])
            app.actions.run(action.id, events["published"])
            app.actions.run(action.id, events["both"])
            app.events.publish(events["both"])
        with closing(sqlite3.connect(file)) as connection, connection:  # as a file of version 13 may say
            connection.execute("UPDATE events SET given = 0")
            connection.execute("PRAGMA user_version = 13")
        with Actium(f"sqlite:///{file}") as app:
            known = {name: app.events.publish(event).duplicate for name, event in events.items()}
            assert known == {"given": False, "published": True, "both": True}

    @pytest.mark.parametrize("is_refused", [False, True], ids=["changed", "refused"])
    def test_statuses_are_checked_whichever_way_sqlite_allows(self, tmp_path: Path, *, is_refused: bool) -> None:
        """A SQLite that lets nobody change a check, as that of macOS, keeps the one that was there, as strict."""
        database = Database(tmp_path / "actium.db")
        prepare(database, MIGRATIONS[:7])
        with database.writing() as connection:
            connection.execute(AN_EXECUTION, {"status": "pending"})
        with database.writing() as connection:
            connection.set_authorizer(denying_changes_of_the_schema if is_refused else None)
        prepare(database, MIGRATIONS[:8])
        with database.writing() as connection:  # it keeps ALTER TABLE from its work as well, which no SQLite does
            connection.set_authorizer(None)
        prepare(database)
        with database.writing() as connection:
            (checked,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'executions'").fetchone()
            assert ("status IN ('pending'" in checked, "status = 'pending' OR" in checked) == (
                is_refused,
                not is_refused,
            )
            connection.execute("DROP TRIGGER executions_beginnings")
            with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
                connection.execute(AN_EXECUTION, {"status": "nonsense"})
            for status in ExecutionStatus:
                connection.execute(AN_EXECUTION, {"status": status.value})
        with database.reading() as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("SELECT count(*) FROM executions").fetchone() == (1 + len(ExecutionStatus),)
        database.close()

    def test_what_changes_everything_is_undone_from_a_file(self, tmp_path: Path) -> None:
        """Statements keep what undoes them in memory, but for those of a migration: a million rows may be too much."""
        database = Database(tmp_path / "actium.db")
        database.write_ahead()
        stores = []
        for keeping in (nullcontext(), database.rebuilding(), nullcontext()):
            with keeping, database.writing() as connection:
                stores += connection.execute("PRAGMA temp_store").fetchone()
        database.close()
        in_file, in_memory = 1, 2
        assert stores == [in_memory, in_file, in_memory]

    def test_a_failing_migration_changes_nothing(self, tmp_path: Path) -> None:
        """A migration that fails in the middle leaves the file as it was."""
        SQLiteStore(tmp_path / "actium.db").close()
        database = Database(tmp_path / "actium.db")
        with pytest.raises(StoreError, match="no such table"):
            prepare(database, [*MIGRATIONS, ["CREATE TABLE half (a)", "DROP TABLE nowhere"]])
        database.close()
        store = SQLiteStore(tmp_path / "actium.db")
        assert store.check() == ()
        store.close()


class TestFaults:
    def test_a_read_only_file_can_be_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A store on a read-only place is read as it is; writing says what is in the way."""
        app = Actium(f"sqlite:///{tmp_path / 'actium.db'}")
        app.accounts.create(ServiceAccountRequest(name="robot"))
        app.close()
        real = sqlite3.connect

        def on_a_read_only_disk(database: str, *arguments: Any, **named: Any) -> sqlite3.Connection:
            # What a read-only file system does, also for a superuser whom permissions do not stop.
            return real(f"{database}{'&' if '?' in database else '?'}mode=ro", *arguments, **named)

        monkeypatch.setattr(sqlite3, "connect", on_a_read_only_disk)
        monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
        for file in tmp_path.glob("*-wal"):
            file.unlink()
        with Actium(f"sqlite:///{tmp_path / 'actium.db'}") as app:
            assert app.accounts.get("robot").active
            with pytest.raises(StoreReadOnlyError, match="permissions"):
                app.accounts.create(ServiceAccountRequest(name="second"))

    def test_another_writer_that_never_ends(self, tmp_path: Path) -> None:
        """A store that another process holds for longer than the limit says so."""
        store = SQLiteStore(tmp_path / "actium.db", busy_seconds=0.05)
        other = sqlite3.connect(tmp_path / "actium.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusyError, match=r"more than 0\.05 s"):
            store.put_setting("a", 1)
        assert store.get_setting("a") is None
        other.execute("ROLLBACK")
        other.close()
        store.put_setting("a", 1)
        store.close()

    @pytest.mark.parametrize(
        "text, error",
        [
            ("database or disk is full", StoreError),
            ("disk I/O error", StoreError),
            ("database disk image is malformed", StoreCorruptError),
        ],
    )
    def test_a_failing_commit_leaves_nothing(self, tmp_path: Path, text: str, error: type[Exception]) -> None:
        """A commit that fails is an error of ours, nothing of it is there, and the store goes on working."""
        store = SQLiteStore(tmp_path / "actium.db")
        with pytest.raises(error), store._database.writing() as connection:
            connection.execute("INSERT INTO settings VALUES ('a', '1')")
            raise sqlite3.OperationalError(text)
        assert store.get_setting("a") is None
        store.put_setting("b", 2)
        assert store.get_setting("b") == 2
        store.close()

    def test_illegal_ways_of_executions_are_impossible(self, tmp_path: Path) -> None:
        """Even plain SQL cannot move an execution out of a final status, or into one that does not exist."""
        with Actium(f"sqlite:///{tmp_path / 'actium.db'}") as app:
            app.flavors.register(note)
            account = app.accounts.create(ServiceAccountRequest(name="robot"))
            app.actions.create(request("a", account.id))
            app.actions.run("a")
            app.worker().run_until_idle()
        connection = sqlite3.connect(tmp_path / "actium.db")
        for status in ("pending", "running", "failed", "nonsense"):
            with pytest.raises(sqlite3.IntegrityError):
                connection.execute("UPDATE executions SET status = ?", (status,))
        connection.close()

    def test_what_the_database_refuses_is_a_conflict(self, tmp_path: Path) -> None:
        """A violated constraint that no method foresees is a conflict of ours, not a database error."""
        store = SQLiteStore(tmp_path / "actium.db")
        with pytest.raises(ConflictError, match="NOT NULL"), store._database.writing() as connection:
            connection.execute("INSERT INTO settings VALUES ('a', NULL)")
        store.close()

    def test_closing_while_others_work(self, tmp_path: Path) -> None:
        """Threads that use a store while it is closed finish, or get StoreClosedError; nothing else."""
        store = SQLiteStore(tmp_path / "actium.db")
        odd: list[BaseException] = []
        begun = threading.Barrier(5)

        def work() -> None:
            begun.wait()
            try:
                while True:
                    store.put_setting("a", 1)
                    store.get_setting("a")
            except StoreClosedError:
                return
            except BaseException as error:
                odd.append(error)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        begun.wait()
        store.close()
        for thread in threads:
            thread.join(30)
        assert odd == []
        assert not any(thread.is_alive() for thread in threads)


class TestThreads:
    def test_eight_threads_creating_one_name(self, tmp_path: Path) -> None:
        """Of eight threads that create one name, one succeeds and seven get the same error of ours."""
        with Actium(f"sqlite:///{tmp_path / 'actium.db'}") as app:
            app.flavors.register(note)
            account = app.accounts.create(ServiceAccountRequest(name="robot"))
            outcomes = in_threads(8, lambda _: app.actions.create(request("same", account.id)))
            errors = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
            assert [type(error) for error in errors] == [AlreadyExistsError] * 7
            assert app.actions.list().total == 1

    def test_sixteen_threads_lose_nothing(self, tmp_path: Path) -> None:
        """Sixteen threads that create, update and delete lose nothing and never meet a locked database."""
        with Actium(f"sqlite:///{tmp_path / 'actium.db'}") as app:
            app.flavors.register(note)
            account = app.accounts.create(ServiceAccountRequest(name="robot"))
            shared = app.actions.create(request("shared", account.id))

            def live(number: int) -> int:
                increments = 0
                for turn in range(8):
                    name = f"a{number}-{turn}"
                    app.actions.create(request(name, account.id))
                    app.actions.update(name, ActionUpdate(description="changed"))
                    if turn % 2:
                        app.actions.delete(name)
                    try:
                        present = app.actions.get(shared.id)
                        count = int(present.description or 0) + 1
                        app.actions.update(shared.id, ActionUpdate(description=str(count), version=present.version))
                        increments += 1
                    except VersionConflictError:
                        continue
                return increments

            outcomes = in_threads(16, live)
            assert [outcome for outcome in outcomes if isinstance(outcome, BaseException)] == []
            assert int(app.actions.get(shared.id).description) == sum(outcomes)
            assert app.actions.list().total == 16 * 4 + 1
            assert app.store.check() == ()


def in_threads(count: int, work: Callable[[int], Any]) -> list[Any]:
    """What each of some threads returns or raises, all begun at once."""
    outcomes: list[Any] = [None] * count
    begin = threading.Barrier(count)

    def run(number: int) -> None:
        begin.wait()
        try:
            outcomes[number] = work(number)
        except BaseException as error:
            outcomes[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


WRITER = textwrap.dedent(
    """
    import sys
    from actium import ActionConfig, Actium, action_flavor
    from actium.models import ActionRequest, ActionUpdate

    @action_flavor("test.note")
    def note(config): ...

    url, prefix, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with Actium(url) as app:
        app.flavors.register(note)
        account = app.accounts.get("robot")
        print("ready", flush=True)
        for number in range(count):
            name = f"{prefix}{number}"
            app.actions.create(
                ActionRequest(name=name, plugin_subtype="test", flavor="note", service_account_id=account.id)
            )
            app.actions.update(name, ActionUpdate(description="changed"))
            print(name, flush=True)
    """
)


def start_writer(url: str, prefix: str, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", WRITER, url, prefix, str(count)], stdout=subprocess.PIPE, text=True)


class TestProcesses:
    def test_two_processes_on_one_file_lose_nothing(self, url: str, tmp_path: Path) -> None:
        """Two processes that write to one file at once lose nothing."""
        with Actium(url) as app:
            app.accounts.create(ServiceAccountRequest(name="robot"))
            writers = [start_writer(url, prefix, 60) for prefix in ("a", "b")]
            for writer in writers:
                output, _ = writer.communicate(timeout=120)
                assert (writer.returncode, len(output.split())) == (0, 61)
            assert app.actions.list().total == 120

    def test_processes_that_open_a_new_file_at_once_all_succeed(self, tmp_path: Path) -> None:
        """A store that several processes make at the same moment is made once, and all of them can use it."""
        for turn in range(4):
            url = f"sqlite:///{tmp_path / f'{turn}.db'}"
            code = f"from actium.stores import open_store; open_store({url!r}).put_setting('a', 1)"
            openers = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(6)]
            assert [opener.wait(60) for opener in openers] == [0] * 6

    def test_whoever_comes_first_changes_the_journal(self, tmp_path: Path) -> None:
        """Of several that find a new file at one moment none is told that the others write for too long."""

        def mode_after(turn: int, here: threading.Barrier) -> str:
            database = Database(tmp_path / f"{turn}.db")
            with database._writer.held():  # so that nobody is late for having to open it
                here.wait()
            database.write_ahead()
            with database.reading() as connection:
                (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
            database.close()
            return str(mode)

        with ThreadPoolExecutor(6) as threads:
            for turn in range(150):
                here = threading.Barrier(6)
                changing = [threads.submit(mode_after, turn, here) for _ in range(6)]
                assert [one.result() for one in changing] == ["wal"] * 6

    @pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
    def test_a_killed_process_leaves_nothing_half_written(self, url: str) -> None:
        """A process that is killed while it writes leaves a sound store with all that it had told of."""
        with Actium(url) as app:
            app.accounts.create(ServiceAccountRequest(name="robot"))
        for kill in range(6):
            writer = start_writer(url, f"k{kill}-", 10_000)
            assert writer.stdout is not None
            told = [writer.stdout.readline().strip() for _ in range(3 + 4 * kill)][1:]
            writer.send_signal(signal.SIGKILL)
            writer.communicate()
            with Actium(url) as app:
                assert app.store.check() == ()
                for name in told:
                    action = app.actions.get(name, hydrate=False)
                    assert (action.version, action.revision) == (2, 2)

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
    @pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
    def test_a_forked_child_may_use_the_store(self, url: str) -> None:
        """A child process uses connections of its own; the parent's go on working."""
        with Actium(url) as app:
            app.accounts.create(ServiceAccountRequest(name="parent"))
            child = os.fork()
            if child == 0:
                try:
                    app.accounts.create(ServiceAccountRequest(name="child"))
                    os._exit(0 if app.accounts.list().total == 2 else 2)
                except BaseException:
                    os._exit(1)
            assert os.waitpid(child, 0)[1] == 0
            app.accounts.create(ServiceAccountRequest(name="again"))
            assert app.accounts.list(ServiceAccountFilter(sort_by="name")).total == 3


def test_every_error_is_ours(tmp_path: Path) -> None:
    """Whatever SQLite raises while a statement runs arrives as an ActiumError."""
    store = SQLiteStore(tmp_path / "actium.db")
    for kind in (sqlite3.OperationalError, sqlite3.DatabaseError, sqlite3.InterfaceError, sqlite3.ProgrammingError):
        with pytest.raises(ActiumError), store._database.reading():
            raise kind("something unforeseen")
    store.close()


def test_reading_without_a_row(tmp_path: Path) -> None:
    """Looking for what is not there is an error that names the id."""
    store = SQLiteStore(tmp_path / "actium.db")
    missing = uuid4()
    with pytest.raises(NotFoundError, match=str(missing)):
        store.get(AccountRecord, missing)
    assert store.page(AccountRecord, Query()).records == ()
    store.close()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
def test_its_files_are_as_private_as_the_process_makes_files(tmp_path: Path) -> None:
    """Whoever leaves others nothing by umask has a file, two beside it and traces that nobody else can read."""
    program = """
    import os
    from pathlib import Path

    os.umask(0o077)
    from actium import Actium, action_flavor
    from actium.models import ActionRequest, ServiceAccountRequest

    with Actium("sqlite:///actium.db", trace="traces.jsonl") as app:
        app.flavors.register(action_flavor("test.nothing")(lambda: None))
        robot = app.accounts.create(ServiceAccountRequest(name="robot"))
        app.actions.create(
            ActionRequest(name="n", plugin_subtype="test", flavor="nothing", service_account_id=robot.id)
        )
        print({path.name: oct(path.stat().st_mode & 0o777) for path in sorted(Path.cwd().glob("*"))})
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    files = ("actium.db", "actium.db-shm", "actium.db-wal", "traces.jsonl")
    assert done.stdout.strip() == str(dict.fromkeys(files, "0o600"))
