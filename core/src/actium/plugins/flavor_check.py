"""What a flavor, and the object that works for it, must be; told where they are registered and first used.

Importing this imports no models: registries list what is installed without them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, get_args

from actium.errors import PluginError

if TYPE_CHECKING:
    from actium.plugins.base_plugin_flavor import BasePlugin, BasePluginFlavor

MAY_BE_AWAITED = "run"
"""The one method of a working object that may be ``async def``."""


def check_flavor(flavor: object) -> None:
    """Refuse what is not a complete flavor class.

    Raises:
        PluginError: It is not, and why.
    """
    from actium.plugins.base_plugin_flavor import BasePlugin, BasePluginFlavor

    if not (isinstance(flavor, type) and issubclass(flavor, BasePluginFlavor)):
        kind = f"the class {flavor.__name__}" if isinstance(flavor, type) else f"an object of {type(flavor).__name__}"
        raise PluginError(f"it is {kind}, not a subclass of BasePluginFlavor")
    missing = [name for name in ("TYPE", "SUBTYPE", "FLAVOR", "PLUGIN_CLASS") if not hasattr(flavor, name)]
    if missing:
        raise PluginError(f"{flavor.__name__} does not set {', '.join(missing)}{_instead(flavor, missing)}")
    plugin: object = flavor.PLUGIN_CLASS
    if not (isinstance(plugin, type) and issubclass(plugin, BasePlugin)):
        raise PluginError(f"PLUGIN_CLASS of {flavor.__name__} is {plugin!r}, not a subclass of BasePlugin")
    check_config(getattr(flavor, "ACTION_CONFIG_CLASS", None))
    check_overrides(plugin)


def check_overrides(plugin: type[BasePlugin]) -> None:
    """Refuse a working object's class that could not answer: what it overrides is called as in Actium's own classes.

    Raises:
        PluginError: It leaves out what it must say, or overrides something so that a call could only fail.
    """
    abstract = sorted(getattr(plugin, "__abstractmethods__", ()))
    if abstract:
        raise PluginError(f"{where(plugin)} does not define {', '.join(abstract)}{_instead(plugin, abstract)}")
    for base in plugin.__mro__:
        if is_own(base):
            for name, overridden in vars(base).items():
                if not name.startswith("_") and inspect.isfunction(overridden):
                    _check_override(plugin, overridden, name)


def _check_override(plugin: type[BasePlugin], overridden: Callable[..., Any], name: str) -> None:
    override = inspect.getattr_static(plugin, name)
    if override is overridden or not inspect.isfunction(override):
        return
    if inspect.isasyncgenfunction(override) or (name != MAY_BE_AWAITED and inspect.iscoroutinefunction(override)):
        told = "an `async def` with a yield" if name == MAY_BE_AWAITED else "`async def`"
        raise PluginError(f"{where(plugin)} implements {name} as {told}, which nobody would await")
    given = [
        parameter.name
        for parameter in inspect.signature(overridden).parameters.values()
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]
    try:
        inspect.signature(override).bind(*given)
    except TypeError as error:
        called = f"{name}({', '.join(given[1:])})"
        raise PluginError(f"{where(plugin)} cannot be called as {called}: {error}") from None


def check_plugin(plugin: BasePlugin, flavor: type[BasePluginFlavor]) -> None:
    """Refuse a working object that takes itself for another flavor's, as when two flavors share one class.

    Raises:
        PluginError: It does.
    """
    named: object = plugin.flavor_class
    if named is not flavor:
        told = where(named) if isinstance(named, type) else repr(named)
        raise PluginError(
            f"its flavor_class is {told}, not {where(flavor)}; each flavor needs a PLUGIN_CLASS of its own"
        )
    check_config(plugin.config_class)


def check_config(config: object) -> None:
    """Refuse a model of configurations that does not write all of its fields.

    Raises:
        PluginError: It does not; with the fields' paths.
    """
    left_out = sorted({".".join(path) for path in _left_out(config, (), frozenset())})
    if left_out and isinstance(config, type):
        raise PluginError(
            f"{where(config)} would lose {', '.join(left_out)}: a field with exclude=True is not stored; "
            "what is derived from other fields is kept in a PrivateAttr"
        )


def is_own(kind: type[Any]) -> bool:
    """Whether a class is one of Actium's own."""
    return kind.__module__.partition(".")[0] == "actium"


def where(kind: type[Any]) -> str:
    """Where a class is defined, as entry points write it."""
    return f"{kind.__module__}:{kind.__qualname__}"


def _instead(kind: type[Any], missing: Sequence[str]) -> str:
    """What a class has that is called nearly as what is missing, in words."""
    given = [name for base in kind.__mro__ if not is_own(base) for name in vars(base) if not name.startswith("_")]
    near = ((name, next(iter(get_close_matches(name, given, n=1)), None)) for name in missing)
    return "".join(f"; is {found} to be {name}?" for name, found in near if found is not None)


def _left_out(annotation: object, path: tuple[str, ...], above: frozenset[object]) -> Iterator[tuple[str, ...]]:
    from pydantic import BaseModel

    if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        for argument in get_args(annotation):
            yield from _left_out(argument, path, above)
    elif annotation not in above:
        for name, field in annotation.model_fields.items():
            if field.exclude:
                yield (*path, name)
            else:
                yield from _left_out(field.annotation, (*path, name), above | {annotation})
