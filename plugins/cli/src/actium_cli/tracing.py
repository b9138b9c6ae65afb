"""Traces on the command line: what ``--trace`` switches on, and what ``execution trace`` shows."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from actium.errors import InvalidInputError
from actium_cli.context import current_output, output

if TYPE_CHECKING:
    from rich.console import Group
    from rich.text import Text

    from actium import TriggerExecutionResponse
    from actium.tracing.application import ApplicationTracing
    from actium.tracing.spans import Trace


def tracing_asked_for(text: str | None) -> ApplicationTracing:
    """What ``--trace``, or else ``ACTIUM_TRACE``, switches on.

    Raises:
        InvalidInputError: It cannot be understood.
    """
    from actium.tracing.switch import VARIABLE, tracing_as_told

    return tracing_as_told(os.environ.get(VARIABLE, "") if text is None else text, standard_error=_show_on_stderr)


def show_or_write(execution: TriggerExecutionResponse, trace: Trace, *, form: str | None, file: Path | None) -> None:
    """Show a trace, or write it to a file.

    Raises:
        InvalidInputError: The file cannot be written.
    """
    form = form or ("tree" if file is None else _FORMS.get(file.suffix, "tree"))
    if file is not None:
        _write(file, _text(trace, form))
        output({"written": str(file), "format": form}, lambda: _written(file, form))
    elif form == "tree":
        from actium.tracing.spans import trace_json

        output(trace_json(trace), lambda: _view(execution, trace))
    else:
        current_output().write(_text(trace, form))


_FORMS = {".json": "chrome", ".jsonl": "json"}


def _text(trace: Trace, form: str) -> str:
    if form == "chrome":
        from actium.tracing.chrome import chrome_trace

        return json.dumps(chrome_trace(trace)) + "\n"
    if form == "json":
        from actium.tracing.json_lines import json_lines

        return "".join(f"{line}\n" for line in json_lines(trace))
    from actium.tracing.tree import tree_text

    return tree_text(trace)


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise InvalidInputError(
            f"The trace cannot be written to '{file}': {error.strerror}.", hint="Choose another file."
        ) from error


def _written(file: Path, form: str) -> Text:
    from rich.text import Text

    return Text(f"Written to {file}." + (" Open it on https://ui.perfetto.dev." if form == "chrome" else ""))


def _view(execution: TriggerExecutionResponse, trace: Trace) -> Group:
    from rich.console import Group
    from rich.text import Text

    lines = [*_lines(trace)]
    if not any(span.kind == "hook" for span in trace.spans):
        hint = f"`actium action update {execution.name} --keep-trace on` has those of the next executions kept."
        lines.append(Text(f"No trace of an attempt was kept. {hint}", style="dim"))
    return Group(*lines)


def _show_on_stderr(trace: Trace) -> None:
    from rich.console import Group

    from actium_cli.output import show, stderr_console

    show(stderr_console(), Group(*_lines(trace)))
    sys.stderr.flush()


def _lines(trace: Trace) -> Iterator[Text]:
    """Lines with colours. On a terminal those that are too long are cut, but for what failed, which is told whole."""
    from rich.text import Text

    from actium.tracing.tree import tree_lines

    for line in tree_lines(trace):
        parts = {piece.part.value for piece in line}
        mark = next((part for part in ("failed", "slow") if part in parts), "name")
        pieces = ((piece.text, _STYLES[mark if piece.part.value == "name" else piece.part.value]) for piece in line)
        is_whole = "failed" in parts
        yield Text.assemble(*pieces, no_wrap=not is_whole, overflow="fold" if is_whole else "ellipsis")


_STYLES = {
    "guide": "dim",
    "kind": "dim",
    "name": "bold",
    "origin": "cyan",
    "time": "green",
    "slow": "bold yellow",
    "failed": "bold red",
    "detail": "dim",
}
"""By the parts of a line; `actium.tracing.tree.Part` tells what they are."""
