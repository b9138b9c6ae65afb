"""What commands answer with: JSON for programs, tables for people."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

WIDE = 10_000
"""Columns of what is no terminal: nothing is cut off or wrapped there."""


class Output:
    """Where one command answers.

    Attributes:
        as_json: Whether the answer is JSON.
    """

    def __init__(self, stream: TextIO, *, as_json: bool) -> None:
        self._stream = stream
        self.as_json = as_json

    @property
    def is_terminal(self) -> bool:
        """Whether a person reads it right now."""
        return self._stream.isatty()

    @property
    def progress_stream(self) -> TextIO:
        """Where to show how far something is: standard output, or standard error where JSON is wanted there."""
        return sys.stderr if self.as_json else self._stream

    def write(self, text: str) -> None:
        """Print a text as it is."""
        self._stream.write(text)
        self._stream.flush()

    def console(self) -> Console:
        """A console on standard output."""
        return console_on(self._stream)

    def answer(self, data: object, view: Callable[[], RenderableType]) -> None:
        """Print data: as JSON if that was asked for, else as people read it.

        Args:
            data: Anything made of JSON types, responses, dataclasses, dates and ids.
            view: Makes what Rich prints; not called when JSON was asked for.
        """
        if self.as_json:
            self._stream.write(json_text(data, ascii_only=not _speaks_unicode(self._stream)) + "\n")
        else:
            show(self.console(), view())
        self._stream.flush()


def console_on(stream: TextIO) -> Console:
    """A console that cuts nothing off where no terminal limits it."""
    from rich.console import Console

    return Console(file=stream, width=None if stream.isatty() else WIDE, highlight=False, soft_wrap=False)


def show(console: Console, renderable: RenderableType) -> None:
    """Print something without the spaces that fill up its lines where no terminal needs them."""
    if console.is_terminal:
        console.print(renderable)
        return
    with console.capture() as captured:
        console.print(renderable)
    if text := captured.get().rstrip():
        console.file.writelines(f"{line.rstrip()}\n" for line in text.splitlines())


def json_text(data: object, *, ascii_only: bool = False) -> str:
    """Write data as JSON."""
    return json.dumps(data, default=_plain, indent=2, ensure_ascii=ascii_only)


def _plain(value: object) -> object:
    dump = getattr(value, "model_dump", None)
    if dump is not None:
        return dump(mode="json")
    if isinstance(value, datetime):
        return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return str(value)


def _speaks_unicode(stream: TextIO) -> bool:
    return (stream.encoding or "").lower().replace("-", "") in {"utf8", "utf16", "utf32"}


def stderr_console() -> Console:
    """A console on standard error, for errors and warnings."""
    return console_on(sys.stderr)
