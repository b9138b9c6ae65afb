"""``actium new``: the projects of plugins."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from actium_cli.context import output

if TYPE_CHECKING:
    from rich.console import RenderableType

    from actium_cli.new_project import NewProject

PANEL = "Write plugins"
app = typer.Typer(help="Make the project of a new plugin, with tests that pass.", no_args_is_help=True)

Author = Annotated[
    str | None, typer.Option(metavar="AUTHOR", help="Who makes it: NAME, or NAME <EMAIL>.", show_default=False)
]
Folder = Annotated[
    Path | None,
    typer.Option(
        "--output",
        metavar="DIR",
        help="Where to make it: a folder that is empty or not there yet. One that is called as the distribution if "
        "not given.",
        show_default=False,
    ),
]


@app.command("flavor")
def new_flavor(
    name: Annotated[str, typer.Argument(metavar="SUBTYPE.FLAVOR", help="The flavor's key, e.g. example.greet.")],
    description: Annotated[
        str, typer.Option(metavar="TEXT", help="What it does, in a line.")
    ] = "Greets whom its configuration names",
    author: Author = None,
    folder: Folder = None,
) -> None:
    """Make the distribution of a flavor: code, conformance tests, CI, and all that a release needs.

    Nothing is asked, nothing is fetched, and nothing that is there is overwritten. Needs `actium-cli[new]`.
    """
    from actium_cli.new_names import flavor_names
    from actium_cli.new_project import make_project

    made = make_project(flavor_names(name), description=description, author=author, folder=folder)
    output(made, lambda: _told(made))


@app.command("hooks")
def new_hooks(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is enabled by, e.g. working-hours.")],
    description: Annotated[
        str, typer.Option(metavar="TEXT", help="What it does, in a line.")
    ] = "Logs what runs, how long it takes and how it ends",
    author: Author = None,
    folder: Folder = None,
) -> None:
    """Make the distribution of a hook plugin: code, conformance tests, CI, and all that a release needs.

    Nothing is asked, nothing is fetched, and nothing that is there is overwritten. Needs `actium-cli[new]`.
    """
    from actium_cli.new_names import hooks_names
    from actium_cli.new_project import make_project

    made = make_project(hooks_names(name), description=description, author=author, folder=folder)
    output(made, lambda: _told(made))


def _told(made: NewProject) -> RenderableType:
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    what = "flavor" if made.kind == "flavor" else "hook plugin"
    return Group(
        Text.assemble(f"Made the {what} ", (made.name, "bold"), " in ", (str(made.folder), "bold"), ":"),
        *(Padding(Text(file, style="dim"), (0, 0, 0, 2)) for file in made.files),
        "",
        Text("Install it, test it, and see it:"),
        *(Padding(Text(command, style="cyan"), (0, 0, 0, 2)) for command in made.next),
    )
