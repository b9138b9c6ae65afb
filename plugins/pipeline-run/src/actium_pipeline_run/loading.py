"""Imports a pipeline's Python. Only child processes do this: what a pipeline imports never enters Actium's process."""

from __future__ import annotations

import importlib
import importlib.util
import linecache
import os
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from actium_pipeline_run.errors import SourceNotFoundError
from actium_pipeline_run.pipelines import PipelineFunction
from actium_pipeline_run.source import Source, SourceFile, SourceKind, SourceReference, hash_of, read_unchanged
from actium_pipeline_run.step_task import said

_FILE_MODULE_PREFIX = "actium_pipeline_file_"
_NEVER_OWN = frozenset({"__main__", "__mp_main__", "actium", "actium_pipeline_run"})


@dataclass(frozen=True, slots=True)
class LoadedPipeline:
    """A pipeline that was imported.

    Attributes:
        pipeline: The pipeline.
        source: What it was loaded from.
        modules: The modules of its own files; other processes may not be able to import these.
    """

    pipeline: PipelineFunction[..., Any]
    source: Source
    modules: tuple[ModuleType, ...]


def load_named(reference: SourceReference, *, directory: Path) -> LoadedPipeline:
    """Import a pipeline that a person named, and hash its files.

    Raises:
        SourceNotFoundError: There is no such file, module or attribute, or it cannot be imported.
    """
    if reference.kind is SourceKind.FILE:
        path = Path(os.path.normpath(directory.absolute() / reference.place))
        module, content = _import_file(path)
        return _loaded(module, content, path, reference.kind, reference.attribute, root=path.parent)
    _put_last_on_path(directory)
    path = _find(reference.place)
    content = path.read_bytes()
    root = path.parents[reference.place.count(".") + (path.name == "__init__.py")]
    return _loaded(_import(reference.place), content, path, reference.kind, reference.attribute, root=root)


def load_unchanged(source: Source) -> LoadedPipeline:
    """Import the pipeline of a snapshot.

    Raises:
        SourceChangedError: One of its files is no longer what it was; nothing was executed.
        SourceNotFoundError: It is not there, or it cannot be imported.
    """
    root = Path(source.directory)
    if source.kind is SourceKind.MODULE:
        _put_last_on_path(root)
        path = _find(source.module.partition(".")[0])
        root = path.parents[1] if path.name == "__init__.py" else path.parent
    content, *_ = [read_unchanged(file, directory=root) for file in source.files]
    path = root / source.file.path
    if source.kind is SourceKind.FILE:
        module, content = _import_file(path, content)
    else:
        module = _import(source.module)
    return _loaded(module, content, path, source.kind, source.attribute, root=root)


def _loaded(
    module: ModuleType, content: bytes, path: Path, kind: SourceKind, attribute: str, *, root: Path
) -> LoadedPipeline:
    found = getattr(module, attribute, None)
    if not isinstance(found, PipelineFunction):
        raise _not_a_pipeline(module, path, attribute)
    own = {name: other for name, other in _own_modules(root, module.__name__.partition(".")[0]) if other is not module}
    files = sorted({Path(str(other.__file__)) for other in own.values()} - {path})
    source = Source(
        kind=kind,
        module=module.__name__,
        attribute=attribute,
        directory=str(root),
        files=(
            SourceFile(path=path.relative_to(root).as_posix(), sha256=hash_of(content)),
            *(SourceFile.read(file, directory=root) for file in files),
        ),
    )
    return LoadedPipeline(found, source, (module, *own.values()))


def _not_a_pipeline(module: ModuleType, path: Path, attribute: str) -> SourceNotFoundError:
    pipelines = sorted(name for name, value in vars(module).items() if isinstance(value, PipelineFunction))
    what = f"has no {attribute!r}" if not hasattr(module, attribute) else f"has a {attribute!r} that is no pipeline"
    return SourceNotFoundError(
        f"{path} {what}.",
        hint=f"Its pipelines are: {', '.join(pipelines)}." if pipelines else "Decorate a function with @pipeline.",
    )


def _import_file(path: Path, content: bytes | None = None) -> tuple[ModuleType, bytes]:
    """Execute a file like a script's imports would find it: with its own directory first on the path."""
    if content is None:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise SourceNotFoundError(f"{path} cannot be read: {error.strerror}.") from error
    sys.path.insert(0, str(path.parent))
    name = _FILE_MODULE_PREFIX + "".join(letter if letter.isalnum() else "_" for letter in path.stem)
    module = ModuleType(name)
    module.__file__ = str(path)
    module.__spec__ = ModuleSpec(name, loader=None, origin=str(path))
    sys.modules[name] = module
    linecache.checkcache(str(path))
    try:
        exec(compile(content, str(path), "exec"), vars(module))  # noqa: S102 - what is loaded was named to be run
    except (Exception, SystemExit) as error:
        raise _cannot_import(str(path), error) from error
    return module, content


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise _cannot_import(f"the module {name!r}", error) from error


def _cannot_import(what: str, error: BaseException) -> SourceNotFoundError:
    return SourceNotFoundError(
        f"{what[:1].upper()}{what[1:]} cannot be imported: {type(error).__name__}: {said(error)}.",
        hint="Import it with Python, in the same environment, to see where that comes from.",
    )


def _find(name: str) -> Path:
    try:
        spec = importlib.util.find_spec(name)
    except (Exception, SystemExit) as error:  # finding a submodule imports the packages above it
        raise _cannot_import(f"the module {name!r}", error) from error
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        raise SourceNotFoundError(
            f"There is no module {name!r} with Python source in this environment.",
            hint="Run this in the directory that holds it, or install the distribution that provides it.",
        )
    return Path(spec.origin).absolute()


def _put_last_on_path(directory: Path) -> None:
    if str(directory) not in sys.path:
        sys.path.append(str(directory))


def _own_modules(root: Path, package: str) -> Iterator[tuple[str, ModuleType]]:
    """The imported modules that belong to a pipeline: its package's, and its directory's that are not installed."""
    installed = {Path(path) for path in sysconfig.get_paths().values()}
    for name, module in sorted(sys.modules.items()):
        file = Path(getattr(module, "__file__", None) or "")
        top = name.partition(".")[0]
        if file.suffix != ".py" or not file.is_relative_to(root) or top in _NEVER_OWN:
            continue
        if top == package or not (installed.intersection(file.parents) or "site-packages" in file.parts):
            yield name, module
