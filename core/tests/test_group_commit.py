"""Group commit: what waits is committed together, and everyone who returns is durable, alone or not."""

from __future__ import annotations

import random
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from actium.errors import StoreBusyError
from actium.stores.sqlite.writer import MOST_TOGETHER, Writer

sys.path.insert(0, str(Path(__file__).parent))
from interrupting import Interruption  # beside this file, as other processes use it too

SECONDS = 30.0


class CountingConnection(sqlite3.Connection):
    """A connection that counts its commits, and fails them, or is interrupted around a statement, when told to."""

    commits = 0
    fails = False
    interrupted_before: str | None = None
    interrupted_after: str | None = None
    ended_at: str | None = None

    def execute(self, sql: str, *arguments: object) -> sqlite3.Cursor:
        if sql == self.interrupted_before:
            self.interrupted_before = None
            raise KeyboardInterrupt
        if sql == self.ended_at:  # as SQLite does where the disk is full
            self.ended_at = None
            super().execute("ROLLBACK")
            raise sqlite3.OperationalError("database or disk is full")
        if sql == "COMMIT":
            if self.fails:
                raise sqlite3.OperationalError("disk I/O error")
            self.commits += 1
        cursor = super().execute(sql, *arguments)  # type: ignore[arg-type]
        if sql == self.interrupted_after:
            self.interrupted_after = None
            raise KeyboardInterrupt
        return cursor


class Bench:
    """A writer on a real file, and a view of that file from outside."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.writer = Writer(self.connect, busy_seconds=SECONDS)
        with self.writer.transaction() as connection:
            connection.execute("CREATE TABLE numbers (number INTEGER PRIMARY KEY)")
        self.connection.commits = 0
        self.raised: list[BaseException | None] = []

    def connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.file, factory=CountingConnection, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        return connection

    @property
    def connection(self) -> CountingConnection:
        assert isinstance(self.writer.connection, CountingConnection)
        return self.writer.connection

    def put(self, *numbers: int, fails: bool = False, meanwhile: Callable[[], object] = lambda: None) -> None:
        with self.writer.transaction() as connection:
            for number in numbers:
                connection.execute("INSERT INTO numbers VALUES (?)", (number,))
            meanwhile()
            if fails:
                raise ValueError

    def wait_for_waiting(self) -> None:
        """Wait until somebody waits to write."""
        until = time.monotonic() + SECONDS
        while not self.writer.waiting and time.monotonic() < until:
            time.sleep(0.0005)

    def has(self, number: int) -> bool:
        return number in self.numbers()

    def numbers(self) -> set[int]:
        outside = sqlite3.connect(self.file)
        try:
            return {number for (number,) in outside.execute("SELECT number FROM numbers")}
        finally:
            outside.close()

    def outcomes(self) -> list[tuple[int, BaseException | None]]:
        """The numbers that were put behind another transaction one by one, from 1, and what each has raised so far."""
        return list(enumerate(self.raised, start=1))

    def put_behind(self, batches: list[list[int]]) -> list[BaseException | None]:
        """Write batches in a thread each, all of which wait behind one transaction; what each raised."""
        raised = self.raised = [None] * len(batches)

        def put(index: int) -> None:
            try:
                self.put(*batches[index])
            except BaseException as error:
                raised[index] = error

        threads = [threading.Thread(target=put, args=(index,)) for index in range(len(batches))]
        with self.writer.transaction() as connection:
            connection.execute("INSERT INTO numbers VALUES (-1)")
            for thread in threads:
                thread.start()
            while self.writer.waiting < len(threads):
                threads[0].join(0.001)
        for thread in threads:
            thread.join(SECONDS)
        return raised


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "numbers.db")
    yield bench
    bench.writer.close()


def test_a_lone_caller_commits_for_itself(bench: Bench) -> None:
    """Nobody waits, so each transaction is committed in its own thread, and durable when it returns."""
    for number in range(3):
        bench.put(number)
        assert bench.has(number)
    assert bench.connection.commits == 3


def test_those_that_wait_are_committed_together(bench: Bench) -> None:
    """What waits behind a transaction shares its commit."""
    assert bench.put_behind([[number] for number in range(8)]) == [None] * 8
    assert bench.numbers() == {-1, *range(8)}
    assert bench.connection.commits == 1


def test_a_group_is_bounded(bench: Bench) -> None:
    """However many wait, a group ends after so many, so that the first of them does not wait for all."""
    many = 2 * MOST_TOGETHER
    assert bench.put_behind([[number] for number in range(many)]) == [None] * many
    assert bench.numbers() == {-1, *range(many)}
    assert 3 <= bench.connection.commits <= 4


def test_one_that_fails_takes_back_its_own(bench: Bench) -> None:
    """A transaction that fails in a group is undone whole, and the others are not concerned."""
    raised = bench.put_behind([[1], [2, -1], [3], [4, 4], [5]])
    assert [isinstance(error, sqlite3.IntegrityError) for error in raised] == [False, True, False, True, False]
    assert bench.numbers() == {-1, 1, 3, 5}


def test_a_failing_first_one_lets_the_next_begin(bench: Bench) -> None:
    """When the transaction that others wait behind fails, they are written without it."""
    waiting = threading.Thread(target=bench.put, args=(7,))

    def fail_when_awaited() -> None:
        with bench.writer.transaction() as connection:
            connection.execute("INSERT INTO numbers VALUES (1)")
            waiting.start()
            while not bench.writer.waiting:
                waiting.join(0.001)
            raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        fail_when_awaited()
    waiting.join(SECONDS)
    assert bench.numbers() == {7}


def test_a_commit_that_fails_is_told_to_all(bench: Bench) -> None:
    """When the commit of a group fails, none of it is there, and everyone knows; the next one can be written."""
    bench.connection.fails = True
    outcomes: list[list[BaseException | None]] = []
    with pytest.raises(sqlite3.OperationalError, match="disk I/O error"):
        outcomes.append(bench.put_behind([[1], [2]]))
    bench.connection.fails = False
    bench.put(3)
    assert bench.numbers() == {3}


def test_an_interruption_at_the_beginning_concerns_nobody_else(bench: Bench) -> None:
    """A transaction that was interrupted when it had just begun leaves none open for the next one to fail in."""
    bench.connection.interrupted_after = "BEGIN IMMEDIATE"
    with pytest.raises(KeyboardInterrupt):
        bench.put(1)
    outside = sqlite3.connect(bench.file, timeout=0)
    outside.execute("INSERT INTO numbers VALUES (7)")  # nor does it keep other processes from writing
    outside.commit()
    outside.close()
    bench.put(2)
    assert bench.numbers() == {2, 7}


@pytest.mark.parametrize("statement", ["SAVEPOINT member", "RELEASE member"])
def test_a_transaction_that_sqlite_ends_is_told_to_all_of_its_group(bench: Bench, statement: str) -> None:
    """Where SQLite takes back what others of the group have written, they learn of it, and the next one is written."""
    bench.connection.ended_at = statement
    with pytest.raises(sqlite3.OperationalError):
        bench.put_behind([[1], [2], [3]])
    until = time.monotonic() + SECONDS
    while time.monotonic() < until and any(one is None and not bench.has(number) for number, one in bench.outcomes()):
        time.sleep(0.001)
    bench.put(4)
    told = {number for number, one in bench.outcomes() if one is None}
    assert bench.numbers() == {*told, 4}


def test_an_interruption_after_the_commit_concerns_nobody_else(bench: Bench) -> None:
    """Who commits for others and is interrupted when that is done has committed, and the others are told so."""
    bench.connection.interrupted_after = "COMMIT"
    bench.put_behind([[1], [2]])
    assert sorted(type(one).__name__ for one in bench.raised) == ["KeyboardInterrupt", "NoneType"]
    bench.put(3)
    assert bench.numbers() == {-1, 1, 2, 3}


def test_an_interruption_before_the_commit_is_told_to_the_others_as_a_failure(bench: Bench) -> None:
    """Who is to commit for others and is interrupted takes all of it back; the others learn that it failed."""
    bench.connection.interrupted_before = "COMMIT"
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        bench.put_behind([[1], [2]])
    until = time.monotonic() + SECONDS
    while None in bench.raised and time.monotonic() < until:
        time.sleep(0.001)
    assert sorted(type(one).__name__ for one in bench.raised) == ["KeyboardInterrupt", "OperationalError"]
    bench.put(3)
    assert bench.numbers() == {3}


def test_closing_commits_what_waits_to_be(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who closes the store while a transaction ends is not taken for someone who will commit it."""
    complete, closing = bench.writer._complete, list[threading.Thread]()

    def close_meanwhile(group: object) -> None:
        if not closing:
            closing.append(threading.Thread(target=bench.writer.close))
            closing[0].start()
            while not bench.writer.waiting:
                time.sleep(0.001)
        complete(group)  # type: ignore[arg-type]

    monkeypatch.setattr(bench.writer, "_complete", close_meanwhile)
    putting = threading.Thread(target=bench.put, args=(1, 2), daemon=True)
    putting.start()
    putting.join(SECONDS)
    closing[0].join(SECONDS)
    assert not putting.is_alive()
    assert bench.numbers() == {1, 2}


def test_a_caller_does_not_wait_for_ever(tmp_path: Path) -> None:
    """Behind a transaction that takes too long, a caller is told that the store is busy; nothing is lost of others."""
    bench = Bench(tmp_path / "numbers.db")
    bench.writer.close()
    bench.writer = Writer(bench.connect, busy_seconds=0.05)
    refused: list[BaseException] = []

    def put() -> None:
        try:
            bench.put(2)
        except StoreBusyError as error:
            refused.append(error)

    with bench.writer.transaction() as connection:
        connection.execute("INSERT INTO numbers VALUES (1)")
        thread = threading.Thread(target=put)
        thread.start()
        thread.join(SECONDS)
    assert len(refused) == 1
    assert bench.numbers() == {1}
    bench.writer.close()


def test_whatever_returns_is_there_and_whatever_raises_is_not(bench: Bench) -> None:
    """Eight threads that write, some of them in vain: each finds its own there when it returns, and only then."""
    draws = random.Random(7)
    batches = [[number, number + 1_000, *([number] if draws.random() < 0.3 else [])] for number in range(200)]

    def put(batch: list[int]) -> bool:
        try:
            bench.put(*batch)
        except sqlite3.IntegrityError:
            return False
        assert bench.has(batch[0])
        return True

    with ThreadPoolExecutor(8) as threads:
        has_returned = list(threads.map(put, batches))
    kept = [batch for batch, returned in zip(batches, has_returned, strict=True) if returned]
    assert bench.numbers() == {number for batch in kept for number in batch}
    assert bench.connection.commits <= len(kept)


FILES = "writer.py", "threading.py"


@pytest.mark.parametrize("is_first", [True, False], ids=["others wait behind it", "behind another"])
@pytest.mark.parametrize("fails", [False, True], ids=["as it should", "and fails"])
def test_an_interruption_anywhere_in_a_group(bench: Bench, *, is_first: bool, fails: bool) -> None:
    """Who is interrupted has stored all or nothing, and nothing where it failed; the other is told soon what is so."""
    number, where = 0, "before"
    raised: list[BaseException] = []  # whoever keeps these keeps what is in their tracebacks, too
    while where is not None:
        number += 1
        own, others = (4 * number, 4 * number + 1), (4 * number + 2, 4 * number + 3)
        other = Other(bench, others, is_first=not is_first)
        interruption = Interruption(number, FILES)
        try:
            with interruption.awaited():
                bench.put(*own, fails=fails, meanwhile=other.let_wait if is_first else lambda: None)
        except (KeyboardInterrupt, ValueError) as error:
            raised.append(error)
        where = interruption.where
        assert other.is_over(), where
        there = bench.numbers()
        assert len(there & {*own}) in ({0} if fails else {0, 2}), where
        assert len(there & {*others}) == (2 if other.told == "stored" else 0), (where, other.told)
        bench.put(-1 - number)
        assert (bench.writer.is_at_rest, bench.writer.waiting) == (True, 0), where
    assert number > 10


class Other:
    """Another thread that puts numbers: before this one, which then waits behind it, or as soon as it is let.

    Attributes:
        told: ``stored``, or what was raised.
    """

    def __init__(self, bench: Bench, numbers: tuple[int, ...], *, is_first: bool) -> None:
        self.told = ""
        self._bench = bench
        self._is_let_go = False
        self._may_begin, self._has_begun = threading.Lock(), threading.Lock()  # no interruption leaves these halfway
        self._has_begun.acquire()
        if not is_first:
            self._may_begin.acquire()
        self._thread = threading.Thread(target=self._put, args=[numbers, is_first], daemon=True)
        self._thread.start()
        if is_first:
            assert self._has_begun.acquire(timeout=SECONDS)

    def let_wait(self) -> None:
        self._may_begin.release()
        self._bench.wait_for_waiting()

    def is_over(self) -> bool:
        """Whether it is, at once, be there someone who waits behind it or not."""
        self._is_let_go = True
        if self._may_begin.locked():
            self._may_begin.release()
        self._thread.join(2)
        return not self._thread.is_alive()

    def _put(self, numbers: tuple[int, ...], is_first: bool) -> None:
        def hold() -> None:
            self._has_begun.release()
            while not self._bench.writer.waiting and not self._is_let_go:
                time.sleep(0.0005)

        if not is_first:
            self._may_begin.acquire(timeout=SECONDS)
        try:
            self._bench.put(*numbers, meanwhile=hold if is_first else lambda: None)
        except Exception as error:
            self.told = repr(error)
        else:
            self.told = "stored"


def test_who_waits_for_a_slow_commit_is_told_what_became_of_it(bench: Bench) -> None:
    """However long the others take, nobody is told that it was too long of what is being stored."""
    bench.writer.close()
    bench.writer = Writer(bench.connect, busy_seconds=0.2)
    is_in, told = threading.Event(), []

    def hold() -> None:
        is_in.set()
        bench.wait_for_waiting()

    def first() -> None:
        bench.put(1, meanwhile=hold)
        told.append("stored")

    thread = threading.Thread(target=first, daemon=True)
    thread.start()
    assert is_in.wait(SECONDS)
    bench.put(2, meanwhile=lambda: time.sleep(0.6))
    thread.join(SECONDS)
    assert told == ["stored"]
    assert bench.numbers() >= {1, 2}


def test_who_waits_for_others_that_do_not_end_is_told_at_last(bench: Bench) -> None:
    """Whoever uses the connection for ever keeps nobody for as long who has left a commit to others."""
    bench.writer.close()
    bench.writer = Writer(bench.connect, busy_seconds=0.1)
    other = Other(bench, (1,), is_first=True)
    bench.put(2, meanwhile=other.is_over)
    assert "nobody knows" in other.told
    assert bench.numbers() >= {1, 2}
