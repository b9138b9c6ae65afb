"""The entry points of installed distributions, read straight from their metadata folders.

The answers are those of ``importlib_metadata.entry_points()``, which builds a path object and asks for the metadata of
every distribution, and fails as a whole when one file is malformed. Here a file is parsed only if it names a group that
is wanted, a malformed one is reported beside the others, and nothing is kept between calls that could go stale.
Archives on the path and importers with a search of their own are still left to importlib_metadata.
"""

# ruff: noqa: PTH118, PTH119, PTH123, PTH208
# A path object for each file, as importlib_metadata makes them, costs more than reading the file.

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from functools import partial, reduce
from importlib import import_module

TYPE_CHECKING = False  # importing typing would cost as much as reading a thousand distributions
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from typing import Any, Protocol, TypeVar

    from importlib_metadata import Distribution, DistributionFinder

    class _Finder(Protocol):
        def find_distributions(self, context: DistributionFinder.Context) -> Iterable[Distribution]: ...

    _Result = TypeVar("_Result")


_REFERENCE = r"(?P<module>[\w.]+)\s*(:\s*(?P<attribute>[\w.]+)\s*)?(\[.*\]\s*)?$"
_METADATA_FOLDERS = (".dist-info", ".egg-info")


@dataclass(frozen=True, slots=True)
class EntryPointRecord:
    """One entry point, as it is written down; nothing of it has been imported.

    Attributes:
        group: E.g. ``actium.action_flavors``.
        name: E.g. ``pipeline_run.builtin``.
        value: What it stands for, ``module:attribute``, perhaps with extras.
        distribution: The distribution's name as ``pip`` spells it: lower case, with hyphens.
        version: The distribution's version, None if it tells none.
        location: The metadata folder, or what else holds the distribution.
    """

    group: str
    name: str
    value: str
    distribution: str
    version: str | None
    location: str

    def load(self) -> object:
        """Import the module that the value names and take the attribute from it.

        Raises:
            ValueError: The value is no reference to an object.
            BaseException: Whatever importing the module raises.
        """
        match = re.match(_REFERENCE, self.value)
        if match is None:
            raise ValueError(f"{self.value!r} is not of the form 'module:attribute'.")
        attributes = filter(None, (match["attribute"] or "").split("."))
        return reduce(getattr, attributes, import_module(match["module"]))


@dataclass(frozen=True, slots=True)
class DiscoveryProblem:
    """A distribution that may have entry points, but whose metadata cannot be understood.

    Attributes:
        location: The metadata folder, or what else holds the distribution.
        distribution: Its name, None where that is part of what cannot be understood.
        version: Its version, None likewise.
        error: What is wrong, in words.
    """

    location: str
    distribution: str | None
    version: str | None
    error: str


@dataclass(frozen=True, slots=True)
class Discovery:
    """What a search found.

    Attributes:
        entry_points: In the order of the path; several may share a group and name.
        problems: What could not be understood, and so has no entry points here.
    """

    entry_points: tuple[EntryPointRecord, ...]
    problems: tuple[DiscoveryProblem, ...]


def find_entry_points(groups: Collection[str], path: Sequence[str] | None = None) -> Discovery:
    """Find the entry points of some groups in all installed distributions, importing none of them.

    Of several distributions with one name, the first on the path hides the others, even if it has no entry points.

    Args:
        groups: The groups that are wanted.
        path: Where to search, ``sys.path`` by default.
    """
    entry_points: list[EntryPointRecord] = []
    problems: list[DiscoveryProblem] = []
    wanted = {group: group.encode() for group in groups}
    for distribution in _visible(_distributions(sys.path if path is None else path, problems)):
        try:
            found = distribution.entry_points(wanted)
        except Exception as error:  # whatever is wrong with it, the others are listed beside the problem
            name, version = distribution.identity()
            problems.append(DiscoveryProblem(distribution.location, name, version, _in_words(error)))
            continue
        if found:
            name, version = distribution.identity()
            entry_points += [EntryPointRecord(*each, name, version, distribution.location) for each in found]
    return Discovery(tuple(entry_points), tuple(problems))


def _visible(distributions: Iterable[_Installed | _Offered]) -> Iterable[_Installed | _Offered]:
    """Of each name, the first distribution that has metadata, else the first: as importlib_metadata chooses."""
    chosen: dict[str, _Installed | _Offered] = {}
    for distribution in distributions:
        first = chosen.setdefault(distribution.key, distribution)
        if first is not distribution and not first.has_metadata() and distribution.has_metadata():
            chosen[distribution.key] = distribution
    return chosen.values()


def _distributions(path: Sequence[str], problems: list[DiscoveryProblem]) -> Iterator[_Installed | _Offered]:
    """Ask every importer for its distributions, in their order."""
    if not all(map(_searches_path, _finders())):
        import_module("importlib_metadata")  # puts its own search of the path last and takes Python's away
    path_is_searched = False
    for finder in _finders():
        if not _searches_path(finder):
            kind = _class_of(finder)
            yield from _offered_by(finder, path, f"{kind.__module__}.{kind.__qualname__}", problems)
        elif not path_is_searched:
            path_is_searched = True
            yield from _on_path(path, problems)


def _finders() -> list[_Finder]:
    finders: list[Any] = [finder for finder in sys.meta_path if hasattr(finder, "find_distributions")]
    return finders


def _searches_path(finder: _Finder) -> bool:
    """Whether it is Python's own finder, or that of importlib_metadata or of a vendored copy."""
    kind = _class_of(finder)
    return kind.__module__ == "_frozen_importlib_external" or (
        kind.__name__ == "MetadataPathFinder" and kind.__module__.endswith("importlib_metadata")
    )


def _class_of(finder: _Finder) -> type:
    return finder if isinstance(finder, type) else type(finder)


def _on_path(path: Sequence[str], problems: list[DiscoveryProblem]) -> Iterator[_Installed | _Offered]:
    for entry in dict.fromkeys(map(os.fspath, path)):
        try:
            children = os.listdir(entry or ".")
        except NotADirectoryError:
            yield from _in_archive(entry, problems)
        except (OSError, ValueError):  # what cannot be listed cannot be imported from either
            continue
        else:
            yield from _in_folder(entry, children)


def _in_folder(entry: str, children: Iterable[str]) -> Iterator[_Installed]:
    prefix = os.path.join(entry, "")
    eggs = []
    for child in children:
        folded = child.lower()
        if folded.endswith(_METADATA_FOLDERS):
            yield _Installed(prefix + child, child)
        elif folded == "egg-info":
            eggs.append(child)
    if os.path.basename(entry).lower().endswith(".egg"):
        yield from (_Installed(prefix + child, child) for child in eggs)


class _Installed:
    """A distribution in a metadata folder, read no further than is needed.

    Attributes:
        location: The folder.
        key: The normalised name, by which distributions hide each other.
    """

    __slots__ = ("_version", "key", "location")

    def __init__(self, location: str, folder: str) -> None:
        self.location = location
        stem, dot, extension = folder.rpartition(".")
        name, _, self._version = stem.partition("-")
        self.key = _normalized(name)
        if not self.key or dot + extension not in _METADATA_FOLDERS:
            self.key, self._version = _normalized(self._headers().get("name", location)), ""

    def has_metadata(self) -> bool:
        return any(map(os.path.isfile, self._metadata_files()))

    def entry_points(self, wanted: dict[str, bytes]) -> list[tuple[str, str, str]]:
        data = _content(f"{self.location}{os.sep}entry_points.txt")
        if not data or not any(group in data for group in wanted.values()):
            return []
        return list(_parsed(data.decode(), wanted))

    def identity(self) -> tuple[str, str | None]:
        """The name as pip spells it, and the version: from the folder's name, unless that is in doubt."""
        version, _, python = self._version.partition("-")
        if version[:1].isdigit() and (not python or python.startswith("py")):
            return _spelled(self.key), version
        headers = self._headers()
        return _spelled(_normalized(headers.get("name", self.key))), headers.get("version")

    def _headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        try:
            data = next(filter(None, map(_content, self._metadata_files())), b"")
        except OSError:  # the folder's name has to do
            return headers
        for line in data.decode(errors="replace").splitlines():
            if not line:
                break
            name, _, value = line.partition(":")
            headers.setdefault(name.lower(), value.strip())
        return headers

    def _metadata_files(self) -> tuple[str, str, str]:
        """Where metadata may stand; the last is that of distutils, a file where others have a folder."""
        return os.path.join(self.location, "METADATA"), os.path.join(self.location, "PKG-INFO"), self.location


def _content(file: str) -> bytes:
    """The file's content, nothing where there is no such file or it may not be read."""
    try:
        with open(file, "rb", buffering=0) as opened:
            return opened.read()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError):
        return b""


def _parsed(text: str, wanted: Collection[str]) -> Iterator[tuple[str, str, str]]:
    group: str | None = None
    for number, line in enumerate(map(str.strip, text.splitlines()), start=1):
        if line.startswith("[") and line.endswith("]"):
            group = line.strip("[]")
        elif group is not None and group in wanted and line and not line.startswith("#"):
            name, equals, value = line.partition("=")
            if not equals:
                raise ValueError(f"Line {number} of entry_points.txt is not of the form 'name = value': {line!r}")
            yield group, name.strip(), value.strip()


class _Offered:
    """A distribution that importlib_metadata reads.

    Attributes:
        location: The archive or the importer that holds it.
        key: The normalised name, by which distributions hide each other.
    """

    __slots__ = ("_distribution", "_version", "key", "location")

    def __init__(self, distribution: Distribution, location: str) -> None:
        metadata = distribution.metadata
        self.location = location
        self.key = _normalized(metadata["Name"])
        self._version = metadata.get("Version")
        self._distribution = distribution

    def has_metadata(self) -> bool:
        return True  # it has a name

    def entry_points(self, wanted: Collection[str]) -> list[tuple[str, str, str]]:
        return [(each.group, each.name, each.value) for each in self._distribution.entry_points if each.group in wanted]

    def identity(self) -> tuple[str, str | None]:
        return _spelled(self.key), self._version


def _in_archive(archive: str, problems: list[DiscoveryProblem]) -> Iterator[_Offered]:
    from importlib_metadata import MetadataPathFinder

    yield from _offered_by(MetadataPathFinder(), [archive], archive, problems)


def _offered_by(
    finder: _Finder, path: Sequence[str], location: str, problems: list[DiscoveryProblem]
) -> Iterator[_Offered]:
    from importlib_metadata import DistributionFinder

    make_context: Callable[..., DistributionFinder.Context] = DistributionFinder.Context  # untyped over there
    context = make_context(path=list(path))
    for distribution in _attempt(lambda: list(finder.find_distributions(context)), location, problems) or ():
        offered = _attempt(partial(_Offered, distribution, location), location, problems)
        if offered is not None:
            yield offered


def _attempt(call: Callable[[], _Result], location: str, problems: list[DiscoveryProblem]) -> _Result | None:
    try:
        return call()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # any importer's code, which must not keep the others from being found
        problems.append(DiscoveryProblem(location, None, None, _in_words(error)))
        return None


def _normalized(name: str) -> str:
    name = name.replace("-", "_").replace(".", "_").lower()
    while "__" in name:
        name = name.replace("__", "_")
    return name


def _spelled(key: str) -> str:
    return key.replace("_", "-")


def _in_words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
