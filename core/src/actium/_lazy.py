"""Names of a package that are imported when first used (PEP 562).

Defining a pydantic model costs about a millisecond, so packages that gather many names do not import the modules
behind them: ``import actium`` stays as fast as importing nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module


def lazy_names(
    package: str, modules: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Make the ``__getattr__`` and ``__dir__`` of a package.

    Args:
        package: The package's ``__name__``.
        modules: For each module, by full name, the names that the package takes from it.
    """
    home = {name: module for module, names in modules.items() for name in names}

    def getattr_(name: str) -> object:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(home[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    def dir_() -> list[str]:
        return sorted(home)

    return getattr_, dir_
