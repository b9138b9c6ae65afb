"""What people read: lengths of time, ages, ids, tables and pages, on a terminal and elsewhere."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from actium import TriggerExecutionResponse
from actium.models import Page
from actium.models.execution import TriggerExecutionBody, TriggerExecutionMetadata
from actium_cli import views
from actium_cli.context import answering_on, current_output
from actium_cli.output import Output, console_on, show
from actium_cli.progress_bars import MOST_BARS, ProgressBars

ID = UUID("0f3a9c52-6d1b-4a4e-9a53-2f6d7c1b8e90")


class Terminal(io.StringIO):
    """Something that people read."""

    def isatty(self) -> bool:
        return True

    @property
    def shown(self) -> str:
        """What was written, without styles."""
        return re.sub(r"\x1b\[[0-9;]*m", "", self.getvalue())


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """A terminal of 60 columns, without colours."""
    for name, value in {"COLUMNS": "60", "NO_COLOR": "1", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    stream = Terminal()
    with answering_on(Output(stream, as_json=False)):
        yield stream


@pytest.fixture
def pipe() -> Iterator[io.StringIO]:
    """Something that programs read."""
    stream = io.StringIO()
    with answering_on(Output(stream, as_json=False)):
        yield stream


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (None, None),
        (0, "0 ms"),
        (0.04, "40 ms"),
        (0.44, "0.4 s"),
        (9.94, "9.9 s"),
        (12.4, "12 s"),
        (59.7, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3600, "1 h 00 min"),
        (100_000, "27 h 46 min"),
    ],
)
def test_lengths_of_time(seconds: float | None, told: str | None) -> None:
    """A length of time is told in the units that fit it."""
    assert views.took(seconds) == told


@pytest.mark.parametrize(
    ("age", "told"),
    [
        (timedelta(0), "just now"),
        (timedelta(minutes=5, seconds=9), "5 min ago"),
        (timedelta(hours=3, minutes=59), "3 h ago"),
        (timedelta(days=29, hours=1), "29 d ago"),
        (timedelta(seconds=-30), "just now"),
    ],
)
def test_ages_on_a_terminal(terminal: Terminal, age: timedelta, told: str) -> None:
    """A listing tells how long ago something was; a clock that is ahead does no harm."""
    assert views.ago(datetime.now(UTC) - age) == told


@pytest.mark.parametrize(
    ("wait", "told"),
    [
        (timedelta(seconds=-1), "now"),
        (timedelta(seconds=30), "in 30 s"),
        (timedelta(minutes=4, seconds=30), "in 5 min"),
        (timedelta(hours=30), "in 2 d"),
    ],
)
def test_moments_to_come_on_a_terminal(terminal: Terminal, wait: timedelta, told: str) -> None:
    """A listing tells how far off something is, never less than that."""
    assert views.ahead(datetime.now(UTC) + wait) == told


def test_long_ago_is_a_date(terminal: Terminal) -> None:
    """After a month the date says more than the age."""
    assert views.ago(datetime(2020, 1, 31, 12, tzinfo=UTC)) == "2020-01-31"


def test_programs_get_whole_times_and_ids(pipe: io.StringIO) -> None:
    """Where no person reads, times are ISO 8601 in UTC and ids are whole."""
    moment = datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert views.ago(moment) == views.when(moment) == "2026-01-31T12:00:00Z"
    assert views.ahead(datetime(2999, 1, 31, 12, tzinfo=UTC)) == "2999-01-31T12:00:00Z"
    assert str(views.short_id(ID)) == str(ID)


def test_people_get_short_ids(terminal: Terminal) -> None:
    """On a terminal an id is its first eight characters; other texts are whole."""
    assert str(views.short_id(ID)) == "0f3a9c52"
    assert str(views.short_id(str(ID))) == "0f3a9c52"
    assert str(views.short_id("order-2026-01-31-0001")) == "order-2026-01-31-0001"


def execution(status: str = "running") -> TriggerExecutionResponse:
    """An execution that runs, or another one in some status."""
    return TriggerExecutionResponse(
        id=uuid4(),
        name="retrain",
        body=TriggerExecutionBody.model_validate(
            {
                "project": "p",
                "status": status,
                "action_id": uuid4(),
                "action_revision": 1,
                "created": datetime.now(UTC),
                "started": datetime.now(UTC),
            }
        ),
        metadata=TriggerExecutionMetadata(),
    )


def test_more_runs_than_there_is_room_for(terminal: Terminal) -> None:
    """A dozen executions have bars, the others a number, and one moves up when another ends or is to be tried again."""
    running = [execution() for _ in range(MOST_BARS + 3)]
    with ProgressBars(current_output().console()) as bars:
        for one in running:
            bars.started(one)
        bars.say("All have begun.")
        assert terminal.shown.rpartition("All have begun.")[2].count("retrain") == MOST_BARS
        assert "and 3 more" in terminal.shown
        bars.waits(running[0], "OSError: no route")
        assert "pending" in terminal.shown.rpartition("↻ retrain")[2]
        bars.forget(running[1].id)
        bars.forget(running[-1].id)
        bars.say("Three are gone.")
        rest = terminal.shown.rpartition("Three are gone.")[2]
        assert rest.count("retrain") == MOST_BARS
        assert "more" not in rest


def test_short_columns_stay_whole(terminal: Terminal) -> None:
    """Where the width is short, long texts are wrapped, and short ones are not cut."""
    show(current_output().console(), views.table(["NAME", "STATE", "ID"], [["word " * 30, "succeeded", "0f3a9c52"]]))
    lines = terminal.shown.splitlines()
    assert max(map(len, lines)) <= 60
    assert "succeeded  0f3a9c52" in lines[1]
    assert sum(line.count("word") for line in lines) == 30


def test_names_are_never_markup(terminal: Terminal) -> None:
    """Brackets in names are shown as they are."""
    show(current_output().console(), views.table(["NAME"], [["[bold]x[/bold]"]]))
    assert "[bold]x[/bold]" in terminal.shown


def test_nothing_is_said_in_words_to_people_only(terminal: Terminal) -> None:
    """An empty listing is a sentence on a terminal, and nothing at all elsewhere."""
    show(current_output().console(), views.table(["NAME"], [], empty="There is nothing."))
    assert terminal.shown == "There is nothing.\n"
    stream = io.StringIO()
    with answering_on(Output(stream, as_json=False)):
        show(console_on(stream), views.table(["NAME"], [], empty="There is nothing."))
    assert stream.getvalue() == ""


def test_a_page_tells_how_to_see_more(terminal: Terminal) -> None:
    """Below a page that is not all, a terminal shows which one it is and how to get the next."""
    page = Page[int](index=2, max_size=10, total=25, total_pages=3, items=[])
    show(current_output().console(), views.paged(page, "rows"))
    assert terminal.shown.endswith("Page 2 of 3, 25 in all. --page 3 shows more.\n")
