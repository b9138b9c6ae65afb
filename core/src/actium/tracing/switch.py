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

TraceSwitch = bool | str | Path | Callable[[Trace], object] | ApplicationTracing | None
"""What `Actium` takes as ``trace``, see there."""

_ON = frozenset({"1", "on", "true", "yes"})
_OFF = frozenset({"", "0", "off", "false", "no"})
_SUFFIXES = (".json", ".jsonl", ".txt", ".log")
"""By which a text is the name of a file; any other file is named with its folder, e.g. ``./traces``."""


def application_tracing(asked: TraceSwitch) -> ApplicationTracing:
    """The tracing of an application.

    Args:
        asked: What the program says; None where it leaves it to the environment.

    Raises:
        InvalidInputError: It, or the variable, cannot be understood.
    """
    if isinstance(asked, ApplicationTracing):
        return asked
    if asked is None:
        return tracing_as_told(os.environ.get(VARIABLE, ""))
    if asked is False:
        return ApplicationTracing()
    if asked is True:
        sink, only = _parsed(os.environ.get(VARIABLE, ""))
        return ApplicationTracing(sink or write_to_standard_error, only)
    if isinstance(asked, Path):
        return ApplicationTracing(_file(asked), EVERYTHING)
    if isinstance(asked, str):
        return tracing_as_told(asked)
    return ApplicationTracing(asked, _parsed(os.environ.get(VARIABLE, ""))[1])


def tracing_as_told(text: str, *, standard_error: Sink | None = None) -> ApplicationTracing:
    """The tracing that a text asks for, as ``ACTIUM_TRACE`` has it.

    Args:
        text: Parts separated by commas: ``1``, the name of a file, and filters such as ``hook=run_action``.
        standard_error: Who gets traces where the text names no file; None for trees on standard error.

    Raises:
        InvalidInputError: It cannot be understood.
    """
    sink, only = _parsed(text)
    if sink is write_to_standard_error and standard_error is not None:
        sink = standard_error
    return ApplicationTracing(sink, only)


def _parsed(text: str) -> tuple[Sink | None, TraceFilter]:
    parts = [part.strip() for part in text.split(",")]
    if all(part.lower() in _OFF for part in parts):
        return None, EVERYTHING
    filters = [part for part in parts if "=" in part]
    files = [part for part in parts if "=" not in part and part.lower() not in _ON | _OFF]
    for part in files:
        _check_file_name(part)
    if len(files) > 1:
        raise InvalidInputError(
            f"Traces cannot be written to {' and '.join(map(repr, files))} at once.", hint="Name one file."
        )
    return _file(Path(files[0])) if files else write_to_standard_error, parsed_filter(filters)


def write_to_standard_error(trace: Trace) -> None:
    """Write a trace as a tree."""
    from actium.tracing.writing import write_tree

    write_tree(trace)


def _check_file_name(text: str) -> None:
    if Path(text).suffix.lower() not in _SUFFIXES and not {"/", os.sep}.intersection(text):
        raise InvalidInputError(
            f"{text!r:.200} says neither where traces go nor what of them.",
            hint=f"A hook of that name is hook={text:.100}, a plugin plugin={text:.100}, a flavor flavor={text:.100}; "
            f"a file has a folder, as ./{text:.100} has, or ends in {', '.join(_SUFFIXES)}.",
        )


def _file(path: Path) -> Sink:
    from actium.tracing.writing import TraceFile

    if path.is_dir():
        raise InvalidInputError(
            f"Traces cannot be written to '{path}': it is a folder.",
            hint=f"Name a file, e.g. '{path / 'traces.jsonl'}'.",
        )
    if not path.parent.is_dir():
        raise InvalidInputError(
            f"Traces cannot be written to '{path}': there is no folder '{path.parent}'.", hint="Make it first."
        )
    return TraceFile(path)
