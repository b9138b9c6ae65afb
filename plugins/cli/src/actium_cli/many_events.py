"""``actium event publish --many``: events as lines of JSON, read and stored in groups."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from actium.errors import ActiumError, InvalidInputError
from actium_cli.context import current_app, output
from actium_cli.counts import counting
from actium_cli.views import counted

if TYPE_CHECKING:
    from rich.console import RenderableType

    from actium import Event


@dataclass(slots=True)
class Sums:
    """What has been stored.

    Attributes:
        published: New events.
        duplicates: Events that were known already.
        executions: What the new events led to.
    """

    published: int = 0
    duplicates: int = 0
    executions: int = 0

    def __str__(self) -> str:
        executions = counted(self.executions, "execution")
        return f"{counted(self.published, 'event')} published, {self.duplicates:,} known already, {executions}"


def publish_lines(path: Path) -> None:
    """Publish the events of a file, or of standard input for ``-``, and tell how many.

    Raises:
        InvalidInputError: A line is no event; what stands in the groups before its own is published.
        StoreError: The store refuses a group; those before it are published.
    """
    from actium.event_hub.publisher import PUBLISHED_TOGETHER

    sums = Sums()
    with current_app() as actium, _lines(path) as lines, counting("Publishing …") as tell:
        events = _events(lines, "standard input" if str(path) == "-" else str(path))
        try:
            while group := list(itertools.islice(events, PUBLISHED_TOGETHER)):
                for published in actium.events.publish_many(group):
                    sums.published += not published.duplicate
                    sums.duplicates += published.duplicate
                    sums.executions += 0 if published.duplicate else len(published.executions)
                tell(f"Publishing: {sums}")
        except BaseException as error:
            error.add_note(f"Until then: {sums}. To publish all again is harmless for events with an id of their own.")
            raise
    output(sums, lambda: _told(sums))


def _events(lines: Iterable[str], name: str) -> Iterator[Event]:
    from actium import Event

    try:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                yield Event(**_fields(line))
            except InvalidInputError as error:
                error.add_note(f"This is in {name}, line {number:,}.")
                raise
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{name} is no text in UTF-8: {error}.") from error


def _fields(line: str) -> dict[str, Any]:
    try:
        fields = json.loads(line, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"A line is no JSON: {error}.", hint="Write one event a line.") from error
    if not isinstance(fields, dict):
        raise InvalidInputError(f"A line is no object with fields, but {fields!r:.60}.", hint="Write one event a line.")
    return fields


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is nothing that JSON can hold")


@contextmanager
def _lines(path: Path) -> Iterator[TextIO]:
    if str(path) == "-":
        yield sys.stdin
        return
    try:
        file = path.open(encoding="utf-8-sig")
    except OSError as error:
        raise ActiumError(f"{path} cannot be read: {error.strerror}.") from error
    with file:
        yield file


def _told(sums: Sums) -> RenderableType:
    from rich.text import Text

    return Text(f"{sums}.")
