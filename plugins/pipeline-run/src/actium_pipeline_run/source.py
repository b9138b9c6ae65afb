"""Where a pipeline's Python is, and what it was when its snapshot was made: paths and SHA-256 hashes of its files."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from actium.errors import InvalidInputError
from actium_pipeline_run.errors import SourceChangedError, SourceNotFoundError


class SourceKind(StrEnum):
    """How a pipeline is found."""

    FILE = "file"
    """A file of its own: ``pipelines/penguins.py:penguins``."""
    MODULE = "module"
    """A module that Python can import: ``company.pipelines:penguins``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReference:
    """How a person names a pipeline: ``path/file.py:attribute`` or ``module:attribute``.

    Attributes:
        kind: Which of the two.
        place: The file or the module.
        attribute: The pipeline's name within it.
    """

    kind: SourceKind
    place: str
    attribute: str

    @classmethod
    def parse(cls, text: str) -> SourceReference:
        """Read a reference.

        Raises:
            InvalidInputError: It is neither of the two.
        """
        place, _, attribute = text.rpartition(":")
        is_file = place.endswith(".py") or "/" in place or os.sep in place
        is_module = bool(place) and all(part.isidentifier() for part in place.split("."))
        if not attribute.isidentifier() or not (is_file or is_module):
            raise InvalidInputError(
                f"{text!r} does not name a pipeline.",
                hint="Write path/to/file.py:pipeline or package.module:pipeline.",
            )
        return cls(kind=SourceKind.FILE if is_file else SourceKind.MODULE, place=place, attribute=attribute)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file with its content's hash.

    Attributes:
        path: From the source's directory, with forward slashes.
        sha256: The hash of its content, as hexadecimal text.
    """

    path: str
    sha256: str

    @classmethod
    def read(cls, path: Path, *, directory: Path) -> SourceFile:
        """Hash a file as it is now."""
        return cls(path=path.relative_to(directory).as_posix(), sha256=hash_of(path.read_bytes()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A pipeline's Python as it was when the snapshot was made.

    Attributes:
        kind: How it is found.
        module: The module that holds it; for a file, the name that it is given when it is loaded.
        attribute: Its name within the module.
        directory: The absolute directory of the file, or that from which Python imported the module.
        files: The pipeline's own file, then the files of that directory which it imported.
    """

    kind: SourceKind
    module: str
    attribute: str
    directory: str
    files: tuple[SourceFile, ...]

    @property
    def file(self) -> SourceFile:
        """The pipeline's own file."""
        return self.files[0]

    @property
    def described(self) -> str:
        """How a person would name it."""
        place = self.module if self.kind is SourceKind.MODULE else str(Path(self.directory, self.file.path))
        return f"{place}:{self.attribute}"


def hash_of(content: bytes) -> str:
    """The SHA-256 of a file's content, as hexadecimal text."""
    return hashlib.sha256(content).hexdigest()


def read_unchanged(file: SourceFile, *, directory: Path) -> bytes:
    """Read a file that must be what it was.

    Raises:
        SourceChangedError: It is not, or it is gone.
        SourceNotFoundError: It cannot be read.
    """
    path = directory / file.path
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise SourceChangedError(path=str(path), recorded=file.sha256, found=None) from error
    except OSError as error:
        raise SourceNotFoundError(f"{path} cannot be read: {error.strerror}.") from error
    found = hash_of(content)
    if found != file.sha256:
        raise SourceChangedError(path=str(path), recorded=file.sha256, found=found)
    return content
