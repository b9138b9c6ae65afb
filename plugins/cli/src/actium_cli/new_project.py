"""Writes the project of a new plugin, from the templates that are shipped with this package."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from email.utils import parseaddr
from importlib import import_module
from pathlib import Path
from types import ModuleType

from actium import __version__
from actium.errors import ActiumError, AlreadyExistsError, InvalidInputError
from actium_cli.new_names import PluginNames

TEMPLATES = Path(__file__).with_name("templates")

LONGEST_TEXT = 100
"""Characters of a description or an author, which stand in a line of code."""

_ELSEWHERE = "Choose another folder with --output."
_NEEDS_NO_QUOTES = re.compile(r"[\w./:+-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewProject:
    """A project that was made.

    Attributes:
        kind: What it is a project of: a flavor, or hooks.
        name: The name of the entry point.
        distribution: What pip calls it.
        package: What Python imports.
        folder: Where it is.
        files: What it consists of, by paths in the folder.
        next: Commands to install it, test it, and see it.
    """

    kind: str
    name: str
    distribution: str
    package: str
    folder: Path
    files: tuple[str, ...]
    next: tuple[str, ...]


def make_project(names: PluginNames, *, description: str, author: str | None, folder: Path | None) -> NewProject:
    """Write the project of a plugin.

    Args:
        names: What it is called.
        description: What it does, in a line.
        author: Who makes it, as ``NAME`` or ``NAME <EMAIL>``.
        folder: Where to write it: empty, or not there yet. None for one that is called as the distribution.

    Raises:
        AlreadyExistsError: Something is there.
        InvalidInputError: A text does not fit where it is to stand.
        ActiumError: Copier is not installed, or the folder cannot be written.
    """
    copier = _copier()
    summary = _line(description.strip().rstrip("."), "description")
    author_name, author_email = _author(author)
    answers = {
        "kind": names.kind,
        "name": names.name,
        "distribution": names.distribution,
        "package": names.package,
        "title": names.title,
        "function": names.function,
        "summary": summary,
        "sentence": summary if summary.endswith(("!", "?")) else f"{summary}.",
        "author_name": author_name,
        "author_email": author_email,
        "actium_version": __version__,
    }
    place = folder or Path(names.distribution)
    try:
        _refuse_what_is_there(place)
        copier.run_copy(str(TEMPLATES), place, data=answers, defaults=True, quiet=True, unsafe=False)
    except OSError as error:
        raise ActiumError(f"{place} cannot be written: {error}.", hint=_ELSEWHERE) from error
    return NewProject(
        kind=names.kind,
        name=names.name,
        distribution=names.distribution,
        package=names.package,
        folder=place,
        files=tuple(sorted(path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file())),
        next=_next_commands(names, place),
    )


def _copier() -> ModuleType:
    try:
        return import_module("copier")
    except ModuleNotFoundError as error:
        if error.name != "copier":
            raise
        raise ActiumError(
            "`actium new` makes projects with Copier, which is not installed.", hint="pip install 'actium-cli[new]'"
        ) from error


def _refuse_what_is_there(place: Path) -> None:
    try:
        is_free = not any(place.iterdir())
    except FileNotFoundError:
        return
    except NotADirectoryError:
        is_free = False
    if not is_free:
        raise AlreadyExistsError(
            f"{place} is there already, and not an empty folder; nothing was written.",
            hint=_ELSEWHERE,
        )


def _author(given: str | None) -> tuple[str, str]:
    """Name and address; either may be empty."""
    if given is None:
        return "", ""
    line = _line(given, "author")
    if "<" not in line and "@" not in line:
        return line, ""
    name, address = parseaddr(line)
    if "@" not in address.strip("@"):
        raise InvalidInputError(f"The author {given!r} has no address that could be one.", hint="Write NAME <EMAIL>.")
    return name, address


def _line(text: str, what: str) -> str:
    """A text that can stand in TOML, in a docstring and in Markdown as it is."""
    stripped = text.strip()
    if stripped and len(stripped) <= LONGEST_TEXT and stripped.isprintable() and not set('"\\') & set(stripped):
        return stripped
    raise InvalidInputError(
        f"The {what} {text!r} cannot stand in a line of code.",
        hint=f'Use 1 to {LONGEST_TEXT} characters in one line, without quotation marks (") and backslashes.',
    )


def _next_commands(names: PluginNames, place: Path) -> tuple[str, ...]:
    where = place.as_posix()
    if not place.is_absolute() and not where.startswith("."):
        where = f"./{where}"  # with extras behind it, only this is a path to pip
    shown = f"actium flavor show {names.name}" if names.kind == "flavor" else f"actium plugin hooks {names.name} --all"
    return (f"python -m pip install -e {_quoted(f'{where}[test]')}", f"python -m pytest {_quoted(where)}", shown)


def _quoted(argument: str) -> str:
    """An argument as any shell takes it, where that is possible."""
    if _NEEDS_NO_QUOTES.fullmatch(argument):
        return argument
    return shlex.quote(argument) if set('"$`!') & set(argument) else f'"{argument}"'
