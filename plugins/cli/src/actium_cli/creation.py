"""What creating, updating and deleting have in common: options or a file, and a line that says what was done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from actium_cli.context import current_app, output

if TYPE_CHECKING:
    from rich.console import RenderableType

    from actium_cli.documents import Created

NewName = Annotated[str | None, typer.Argument(metavar="NAME", help="Unique in its project.", show_default=False)]
FromFile = Annotated[
    Path | None, typer.Option("--file", "-f", metavar="FILE", help="Create what a YAML or JSON file describes.")
]


def create(kind: str, file: Path | None, fields: Mapping[str, Any], *, missing: str) -> None:
    """Create what options, or a file, describe, and say so.

    Args:
        kind: What the options describe, and a document that does not say its kind.
        file: The file, None for options.
        fields: What the options gave; None for one that was not given.
        missing: What to say when neither was given.
    """
    from actium_cli.documents import Document, create_all, read_file

    given = changes(**fields)
    if file is not None and given:
        raise typer.BadParameter(f"A file says it all; leave out {', '.join(given)}.", param_hint="--file")
    if file is None and "name" not in given:
        raise typer.BadParameter(missing, param_hint="NAME")
    documents = [Document(kind, given)] if file is None else read_file(file, default_kind=kind)
    with current_app() as actium:
        created = create_all(actium, documents)
    warn_of(created)
    output(
        created[0] if file is None else created,
        lambda: _lines(
            told("Created", document.kind, response) for document, response in zip(documents, created, strict=True)
        ),
    )


def changes(**given: Any) -> dict[str, Any]:
    """What was given of options that say nothing when they are left out."""
    return {name: value for name, value in given.items() if value is not None}


def told(done: str, kind: str, response: Any) -> RenderableType:
    """A line such as ``Created action retrain (0f3a...)``."""
    from rich.text import Text

    return Text.assemble(f"{done} {kind} ", (response.name, "bold"), (f"  {response.id}", "dim"))


def _lines(parts: Any) -> RenderableType:
    from rich.console import Group

    return Group(*parts)


def warn_of(responses: Sequence[Created]) -> None:
    """Tell on standard error what was odd about requests."""
    from rich.text import Text

    from actium_cli.output import stderr_console

    for response in responses:
        for warning in getattr(response, "warnings", ()):
            stderr_console().print(Text.assemble(("Warning: ", "bold yellow"), warning))
