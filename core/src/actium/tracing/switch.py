"""The switch: ``Actium(url, trace=...)``, and ``ACTIUM_TRACE`` for programs that do not say."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from actium.errors import InvalidInputError
from actium.tracing.application import ApplicationTracing, Sink
from actium.tracing.filters import EVERYTHING, TraceFilter, parsed_filter
from actium.tracing.spans import Trace

VARIABLE = "ACTIUM_TRACE"

TraceSwitch = bool | str | Path | Callable[[Trace], object] | None
"""What `Actium` takes as ``trace``, see there."""

_ON = frozenset({"1", "on", "true", "yes"})
_OFF = frozenset({"", "0", "off", "false", "no"})


def application_tracing(asked: TraceSwitch) -> ApplicationTracing:
    """The tracing of an application.

    Args:
        asked: What the program says; None where it leaves it to the environment.

    Raises:
        InvalidInputError: It, or the variable, cannot be understood.
    """
    if asked is None:
        return _traced(*_parsed(os.environ.get(VARIABLE, "")))
    if asked is False:
        return ApplicationTracing()
    if asked is True:
        sink, only = _parsed(os.environ.get(VARIABLE, ""))
        return _traced(sink or _standard_error(), only)
    if isinstance(asked, Path):
        return _traced(_file(asked), EVERYTHING)
    if isinstance(asked, str):
        return _traced(*_parsed(asked))
    return _traced(asked, _parsed(os.environ.get(VARIABLE, ""))[1])


def _traced(sink: Sink | None, only: TraceFilter) -> ApplicationTracing:
    return ApplicationTracing(sink, only)


def _parsed(text: str) -> tuple[Sink | None, TraceFilter]:
    """Read parts that are separated by commas: ``1``, a file's name, and filters such as ``hook=run_action``."""
    parts = [part.strip() for part in text.split(",")]
    if all(part.lower() in _OFF for part in parts):
        return None, EVERYTHING
    filters = [part for part in parts if "=" in part]
    files = [part for part in parts if "=" not in part and part.lower() not in _ON | _OFF]
    if len(files) > 1:
        raise InvalidInputError(
            f"Traces cannot be written to {' and '.join(map(repr, files))} at once.", hint="Name one file."
        )
    return _file(Path(files[0])) if files else _standard_error(), parsed_filter(filters)


def _standard_error() -> Sink:
    from actium.tracing.writing import write_tree

    return write_tree


def _file(path: Path) -> Sink:
    from actium.tracing.writing import TraceFile

    if not path.parent.is_dir():
        raise InvalidInputError(
            f"Traces cannot be written to '{path}': there is no folder '{path.parent}'.", hint="Make it first."
        )
    return TraceFile(path)
