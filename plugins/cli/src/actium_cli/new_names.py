"""What a new plugin is called: its entry point, and the distribution, package and class that follow from it."""

from __future__ import annotations

import builtins
import keyword
import re
from dataclasses import dataclass
from typing import Literal

from actium.errors import InvalidInputError

RESERVED = frozenset(
    {
        "actium-cli",
        "actium-command",
        "actium-http",
        "actium-otel",
        "actium-pipeline-run",
        "actium-python",
    }
)
"""The names of Actium's own distributions."""

LONGEST_NAME = 63
"""Characters of a whole name, so that the lines of code that it stands in stay short."""

_FLAVOR_HALF = re.compile(r"[a-z][a-z0-9_]*")
_HOOKS = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_TAKEN_IN_THE_MODULE = frozenset({"action_flavor", "annotations"})
_SEPARATORS = re.compile(r"[-_.\s]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginNames:
    """The names of a new plugin.

    Attributes:
        kind: What it is.
        name: The name of its entry point: a flavor's key, or what a hook plugin is enabled by.
        distribution: What pip calls it.
        package: What Python imports.
        title: The beginning of the names of its classes.
        function: The function that the flavor is made of; empty for hooks.
    """

    kind: Literal["flavor", "hooks"]
    name: str
    distribution: str
    package: str
    title: str
    function: str = ""


def flavor_names(given: str) -> PluginNames:
    """The names of a flavor.

    Args:
        given: Its key; capitals and hyphens become what keys are made of.

    Raises:
        InvalidInputError: It cannot be a key, or Python could not take it.
    """
    name = given.strip().lower().replace("-", "_")
    halves = name.split(".")
    if len(halves) != 2:
        raise InvalidInputError(
            f"{given!r} is no flavor's key: that is a subtype and a flavor, with one dot between them.",
            hint=f"Write it as SUBTYPE.FLAVOR, for example `actium new flavor example.{_last_word(name) or 'greet'}`.",
        )
    for half in halves:
        if not _FLAVOR_HALF.fullmatch(half):
            raise InvalidInputError(
                f"{half!r} of {given!r} cannot be part of a flavor's key.",
                hint="Use letters, digits and underscores on either side of the dot, beginning with a letter.",
            )
        _refuse_keyword(half, given)
    flavor = halves[1]
    is_taken = hasattr(builtins, flavor) or flavor in _TAKEN_IN_THE_MODULE
    return _named("flavor", name, function=f"{flavor}_" if is_taken else flavor)


def hooks_names(given: str) -> PluginNames:
    """The names of a hook plugin.

    Args:
        given: What it is enabled by; capitals, underscores and spaces become what such names are made of.

    Raises:
        InvalidInputError: It cannot be a name, or Python could not take it.
    """
    name = re.sub(r"[_\s]+", "-", given.strip().lower())
    if not _HOOKS.fullmatch(name):
        raise InvalidInputError(
            f"{given!r} cannot be the name of a hook plugin.",
            hint="Use letters, digits and single hyphens, beginning with a letter, as in `working-hours`.",
        )
    _refuse_keyword(name, given)
    return _named("hooks", name)


def _named(kind: Literal["flavor", "hooks"], name: str, *, function: str = "") -> PluginNames:
    if len(name) > LONGEST_NAME:
        raise InvalidInputError(
            f"{name!r} has {len(name)} characters, which is too long for a name.",
            hint=f"Use up to {LONGEST_NAME}.",
        )
    words = [word for word in _SEPARATORS.split(name) if word]
    distribution = "-".join(["actium", *words])
    if distribution in RESERVED:
        raise InvalidInputError(
            f"The distribution of {name!r} would be called {distribution}, which is one of Actium's own.",
            hint="Choose another name.",
        )
    return PluginNames(
        kind=kind,
        name=name,
        distribution=distribution,
        package=distribution.replace("-", "_"),
        title="".join(word.capitalize() for word in words),
        function=function,
    )


def _refuse_keyword(word: str, given: str) -> None:
    if keyword.iskeyword(word):
        raise InvalidInputError(
            f"{given!r} cannot be a name: {word} is a keyword of Python.",
            hint=f"Add a word, for example {word}_data.",
        )


def _last_word(name: str) -> str:
    """What of a name without a dot, or with too many, could be the flavor."""
    last = name.rpartition(".")[2]
    return last if _FLAVOR_HALF.fullmatch(last) and not keyword.iskeyword(last) else ""
