"""Building blocks of what people read: tables, lists of fields, times, ids and states. For plugins' commands, too."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from actium_cli.context import current_output

if TYPE_CHECKING:
    from rich.console import RenderableType

    from actium import TriggerExecutionResponse
    from actium.models import Page

SHORT_ID = 8
"""Characters of an id in a table on a terminal; commands take any unique beginning of an id."""

_LOOKS_LIKE_A_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

NEVER_WRAPPED = 20
"""Columns whose texts are all at most this long are shown whole, whatever others need."""

_UNITS = (
    ("d", timedelta(days=1)),
    ("h", timedelta(hours=1)),
    ("min", timedelta(minutes=1)),
    ("s", timedelta(seconds=1)),
)

STYLES: Mapping[str, str] = {
    "succeeded": "green",
    "ready": "green",
    "active": "green",
    "loaded": "green",
    "found": "green",
    "true": "green",
    "running": "cyan",
    "pending": "yellow",
    "creating": "yellow",
    "updating": "yellow",
    "deleting": "yellow",
    "failed": "red",
    "quarantined": "red",
    "broken": "red",
    "false": "red",
    "cancelled": "magenta",
    "skipped": "dim",
    "disabled": "dim",
    "inactive": "dim",
    "blocked": "dim",
}
"""The colour of each state."""

Cell = str | Text | None


def table(
    columns: Sequence[str], rows: Iterable[Sequence[Cell]], *, empty: str = "There is nothing to show."
) -> RenderableType:
    """A table without lines. Where the width is short, the columns with long texts share what the others leave.

    Args:
        columns: The heads.
        rows: The cells; None is an empty one.
        empty: What is said when there are no rows.
    """
    filled = [[_cell(cell) for cell in row] for row in rows]
    if not filled:
        return Text(empty, style="dim") if current_output().is_terminal else Text("", end="")
    built = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim", show_edge=False)
    for number, column in enumerate(columns):
        is_long = max(cells[number].cell_len for cells in filled) > NEVER_WRAPPED
        built.add_column(column, no_wrap=not is_long, overflow="fold" if is_long else "ellipsis")
    for cells in filled:
        built.add_row(*cells)
    return built


def fields(pairs: Iterable[tuple[str, RenderableType | None]]) -> RenderableType:
    """Names with their values below each other; those without a value are left out."""
    grid = Table.grid(padding=(0, 3, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in pairs:
        if value is not None and value != "":
            grid.add_row(name, Text(value) if isinstance(value, str) else value)
    return grid


def sections(first: RenderableType, further: Mapping[str, RenderableType | None]) -> RenderableType:
    """One part below another, the further ones with a heading; those without a body are left out."""
    parts: list[RenderableType] = [first]
    for heading, body in further.items():
        if body is not None:
            parts += ["", Text(heading, style="bold"), Padding(body, (0, 0, 0, 2))]
    return Group(*parts)


def paged(page: Page[Any], listing: RenderableType) -> RenderableType:
    """A listing, and below it, on a terminal, how much of the whole it shows."""
    if page.total_pages == 1 or not current_output().is_terminal:
        return listing
    told = f"Page {page.index} of {page.total_pages}, {page.total:,} in all. --page {page.index + 1} shows more."
    if page.index == page.total_pages:
        told = f"Page {page.index} of {page.total_pages}, {page.total:,} in all."
    return Group(listing, "", Text(told, style="dim"))


def short_id(value: UUID | str | None) -> Text | None:
    """An id: its beginning on a terminal, else the whole. Of a text that is no UUID, all is shown."""
    if value is None:
        return None
    whole = str(value)
    is_shown = not current_output().is_terminal or not _LOOKS_LIKE_A_UUID.fullmatch(whole)
    return Text(whole if is_shown else whole[:SHORT_ID], style="dim")


def when(moment: datetime | None) -> str | None:
    """A moment: in local time to the second on a terminal, else as ISO 8601 in UTC."""
    if moment is None:
        return None
    if not current_output().is_terminal:
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def ago(moment: datetime | None) -> str | None:
    """A moment in a table: how long ago it was on a terminal, its local date if that is long, else as `when` does."""
    if moment is None or not current_output().is_terminal:
        return when(moment)
    age = datetime.now(UTC) - moment
    if age >= timedelta(days=30):
        return moment.astimezone().strftime("%Y-%m-%d")
    for unit, length in _UNITS:
        if age >= length:
            return f"{age // length} {unit} ago"
    return "just now"


def ahead(moment: datetime | None) -> str | None:
    """A moment to come in a table: how far off it is on a terminal, else as `when` does; ``now`` once it has come."""
    if moment is None:
        return None
    left = moment - datetime.now(UTC)
    if left <= timedelta(0):
        return "now"
    if not current_output().is_terminal:
        return when(moment)
    unit, length = next(((unit, length) for unit, length in _UNITS if left >= length), _UNITS[-1])
    return f"in {-(-left // length)} {unit}"


def took(seconds: float | None) -> str | None:
    """A length of time, e.g. ``40 ms``, ``0.4 s``, ``2 min 05 s`` or ``3 h 20 min``."""
    if seconds is None:
        return None
    if seconds < 0.1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def counted(count: int, word: str) -> str:
    """A number of things, e.g. ``1 event`` or ``2,000 events``."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def duration(execution: TriggerExecutionResponse) -> float | None:
    """Seconds that an execution ran, or has been running; None where it has not begun, or waits to be tried again."""
    started, finished = execution.body.started, execution.body.finished
    if execution.status.value == "pending":
        return None
    return None if started is None else ((finished or datetime.now(UTC)) - started).total_seconds()


def state(word: str) -> Text:
    """A state in its colour."""
    return Text(word, style=STYLES.get(word, ""))


def structure(data: object) -> RenderableType | None:
    """Data as YAML, coloured on a terminal; None for none."""
    if data is None or data in ({}, [], ""):
        return None
    import yaml

    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, default_flow_style=False, width=1_000_000)
    text = text.removesuffix("...\n").rstrip("\n")
    if not current_output().is_terminal:
        return Text(text)
    from rich.syntax import Syntax

    return Syntax(text, "yaml", theme="ansi_dark", background_color="default", word_wrap=True)


def _cell(cell: Cell) -> Text:
    return cell if isinstance(cell, Text) else Text(cell or "")
