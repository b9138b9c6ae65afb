"""Looks for a function without importing its module, by finding and reading the source.

Importing would run code of others where actions are created, which may be a web server or a command line. What cannot
be known without that is known at the run: C extensions, decorated functions, classes, modules that build their names.
"""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from inspect import Parameter, Signature
from pathlib import Path

_MOST_HOPS = 10
_MAX_SOURCE_BYTES = 5_000_000
_BUILDS_NAMES = frozenset({"exec", "eval", "globals", "vars", "locals", "setattr", "__dict__", "modules"})

_Function = ast.FunctionDef | ast.AsyncFunctionDef


class NotThereError(LookupError):
    """There certainly is no such module or attribute."""


@dataclass(frozen=True, slots=True)
class _Source:
    """A module's source.

    Attributes:
        package: What its relative imports are relative to.
        is_package: Whether it may have submodules.
        tree: Its syntax tree.
    """

    package: str
    is_package: bool
    tree: ast.Module


def signature_of(module: str, attribute: str) -> Signature | None:
    """What a function takes; None where that cannot be known without importing it.

    Raises:
        NotThereError: There is no such module, its source is no Python, or it has no such attribute.
    """
    importlib.invalidate_caches()  # the module may have been installed a moment ago
    spec = _spec(module)
    if spec is None:
        raise NotThereError(f"there is no module {module!r} in this environment")
    return _signature(module, spec, attribute, hops=_MOST_HOPS)


def _signature(module: str, spec: ModuleSpec, attribute: str, *, hops: int) -> Signature | None:
    source = _source(module, spec)
    if source is None:
        return None
    name, _, within = attribute.partition(".")
    bindings = list(_bindings(source.tree.body, name))
    if not bindings:
        if source.is_package or _may_build_names(source.tree):
            return None
        raise NotThereError(f"the module {module!r} has no {name!r}")
    if within or len(bindings) > 1:
        return None
    (binding,) = bindings
    if isinstance(binding, _Function):
        return None if binding.decorator_list else _signature_of_definition(binding.args)
    if isinstance(binding, ast.ImportFrom) and hops:
        return _followed(source, binding, name, hops=hops - 1)
    return None


def _followed(source: _Source, binding: ast.ImportFrom, name: str, *, hops: int) -> Signature | None:
    """What is imported from elsewhere. That it is not there might be what a ``try`` around the import is for."""
    module = binding.module or ""
    if binding.level:
        parts = source.package.split(".")
        above = parts[: len(parts) - binding.level + 1]
        module = ".".join([*above, module] if module else above)
    (original,) = [alias.name for alias in binding.names if (alias.asname or alias.name) == name]
    spec = _spec(module)
    try:
        return None if spec is None else _signature(module, spec, original, hops=hops)
    except NotThereError:
        return None


def _source(module: str, spec: ModuleSpec) -> _Source | None:
    if spec.origin is None or not spec.origin.endswith(".py") or not spec.has_location:
        return None
    try:
        content = Path(spec.origin).read_bytes()
        if len(content) > _MAX_SOURCE_BYTES:
            return None
        tree = ast.parse(content)
    except SyntaxError as error:
        raise NotThereError(f"the module {module!r} is no Python: {error.msg} (line {error.lineno})") from error
    except (OSError, ValueError, RecursionError, MemoryError):  # in an archive, or beyond what can be parsed
        return None
    is_package = spec.submodule_search_locations is not None
    return _Source(module if is_package else module.rpartition(".")[0], is_package, tree)


def _spec(module: str) -> ModuleSpec | None:
    """Find a module like ``importlib.util.find_spec``, which would import the packages above it."""
    path: list[str] | None = None
    spec: ModuleSpec | None = None
    parts = module.split(".")
    for length in range(1, len(parts) + 1):
        spec = _found(".".join(parts[:length]), path)
        if spec is None:
            return None
        path = _locations(spec)
        if path is None and length < len(parts):
            return None
    return spec


def _found(name: str, path: list[str] | None) -> ModuleSpec | None:
    loaded = getattr(sys.modules.get(name), "__spec__", None)
    if loaded is not None:
        return loaded if isinstance(loaded, ModuleSpec) else None
    for finder in sys.meta_path:
        try:
            spec = finder.find_spec(name, path)
        except KeyError:  # a namespace within another, which asks for the one above it
            return _namespace(name, path or [])
        except (ImportError, ValueError):
            continue
        if spec is not None:
            return spec
    return None


def _namespace(name: str, path: list[str]) -> ModuleSpec:
    spec = ModuleSpec(name, None, is_package=True)
    folders = [Path(folder, name.rpartition(".")[2]) for folder in path]
    spec.submodule_search_locations = [str(folder) for folder in folders if folder.is_dir()]
    return spec


def _locations(spec: ModuleSpec) -> list[str] | None:
    locations = spec.submodule_search_locations
    if locations is None:
        return None
    held = getattr(locations, "_path", None)  # of a namespace; to ask it would import what is above it
    return list(locations) if held is None else list(held)


def _bindings(body: list[ast.stmt], name: str) -> Iterator[ast.AST]:
    """Where a module gives a name a value: also within ``if``, ``try`` and ``with``, not within functions."""
    for node in body:
        if isinstance(node, _Function | ast.ClassDef):
            if node.name == name:
                yield node
        elif isinstance(node, ast.Import | ast.ImportFrom):
            bound = {alias.asname or alias.name.partition(".")[0] for alias in node.names}
            if name in bound:
                yield node
        else:
            yield from _bindings([child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)], name)
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.ExceptHandler | ast.match_case):
                    yield from _bindings(child.body, name)
                elif not isinstance(child, ast.stmt):
                    yield from _names(child, name)


def _names(node: ast.AST, name: str) -> Iterator[ast.AST]:
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and part.id == name and isinstance(part.ctx, ast.Store):
            yield part


def _may_build_names(tree: ast.Module) -> bool:
    """Whether a module may have names that its source does not show."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            return True
        if isinstance(node, ast.Global):
            return True
        if isinstance(node, _Function) and node.name == "__getattr__":
            return True
        if isinstance(node, ast.Assign) and any(_is_named(target, "__getattr__") for target in node.targets):
            return True
        if isinstance(node, ast.Name) and node.id in _BUILDS_NAMES:
            return True
        if isinstance(node, ast.Attribute) and node.attr in _BUILDS_NAMES:
            return True
    return False


def _is_named(target: ast.expr, name: str) -> bool:
    return any(isinstance(part, ast.Name) and part.id == name for part in ast.walk(target))


def _signature_of_definition(arguments: ast.arguments) -> Signature:
    """The signature of a ``def``; what the defaults are does not matter, only that there are some."""
    by_position = [
        *((argument, Parameter.POSITIONAL_ONLY) for argument in arguments.posonlyargs),
        *((argument, Parameter.POSITIONAL_OR_KEYWORD) for argument in arguments.args),
    ]
    required = len(by_position) - len(arguments.defaults)
    parameters = [
        Parameter(argument.arg, kind, default=Parameter.empty if index < required else None)
        for index, (argument, kind) in enumerate(by_position)
    ]
    if arguments.vararg is not None:
        parameters.append(Parameter(arguments.vararg.arg, Parameter.VAR_POSITIONAL))
    parameters += [
        Parameter(argument.arg, Parameter.KEYWORD_ONLY, default=Parameter.empty if default is None else None)
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    ]
    if arguments.kwarg is not None:
        parameters.append(Parameter(arguments.kwarg.arg, Parameter.VAR_KEYWORD))
    return Signature(parameters)
