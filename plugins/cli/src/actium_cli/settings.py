"""``--set run_config.parameters.lr=0.1``: paths into a configuration with values, as YAML writes them.

A path is made of keys separated by dots and of places in lists, ``steps[0].retries``; a backslash before ``.``, ``[``,
``=`` or another backslash makes it part of a key. The place after a list's end adds an item.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from actium_cli.yaml_text import NotReadableError, read_value

Path = tuple[str | int, ...]

_SPECIAL = "\\.[="


class SettingError(ValueError):
    """A setting cannot be read, or does not fit what is there."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A value and where it goes.

    Attributes:
        path: Keys and places in lists.
        value: Anything made of JSON types.
    """

    path: Path
    value: Any


def parse_setting(text: str) -> Setting:
    """Read ``path=value``.

    Raises:
        SettingError: It is not of that form.
    """
    path, rest = _read_path(text)
    if not rest.startswith("="):
        raise SettingError(f"{text!r} has no value; write path=value, e.g. run_config.parameters.lr=0.1.")
    try:
        return Setting(path, read_value(rest[1:]))
    except NotReadableError as error:
        raise SettingError(f"the value of {text!r} cannot be read: {error}.") from error


def parse_path(text: str) -> Path:
    """Read a path.

    Raises:
        SettingError: It is none.
    """
    path, rest = _read_path(text)
    if rest:
        raise SettingError(f"{text!r} is no path; expected a dot or a [ before {rest!r}.")
    return path


def path_text(path: Path) -> str:
    """Write a path so that `parse_path` reads it."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            key = "".join(f"\\{letter}" if letter in _SPECIAL else letter for letter in part)
            text += f".{key}" if text else key
    return text


def with_settings(configuration: Mapping[str, Any], settings: Iterable[Setting]) -> dict[str, Any]:
    """A configuration with values set, later ones over earlier ones; what was given stays as it is.

    Raises:
        SettingError: A path goes through something that is neither an object nor a list.
    """
    changed = copy.deepcopy(dict(configuration))
    for setting in settings:
        parent = _parent(changed, setting.path, make=True)
        _put(parent, setting)
    return changed


def without(configuration: Mapping[str, Any], paths: Iterable[Path]) -> dict[str, Any]:
    """A configuration without some of its fields.

    Raises:
        SettingError: There is nothing at a path.
    """
    changed = copy.deepcopy(dict(configuration))
    for path in paths:
        parent = _parent(changed, path, make=False)
        try:
            del parent[path[-1]]
        except (KeyError, IndexError, TypeError):
            raise SettingError(f"there is nothing at {path_text(path)!r} to take away.") from None
    return changed


def _read_path(text: str) -> tuple[Path, str]:
    """The path that a text begins with, and the rest of the text."""
    parts: list[str | int] = []
    rest = text
    while True:
        key, rest = _read_key(rest)
        if not key:
            raise SettingError(f"{text!r} has an empty key; write path=value, e.g. run_config.parameters.lr=0.1.")
        parts.append(key)
        while rest.startswith("["):
            index, bracket, rest = rest[1:].partition("]")
            if not bracket or not (index.isascii() and index.isdigit()):
                raise SettingError(f"{text!r} has {'[' + index!r} where a place in a list, such as [0], is expected.")
            parts.append(int(index))
        if not rest.startswith("."):
            return tuple(parts), rest
        rest = rest[1:]


def _read_key(text: str) -> tuple[str, str]:
    key, place = "", 0
    while place < len(text) and text[place] not in ".[=":
        if text[place] == "\\" and text[place + 1 : place + 2] in {*_SPECIAL}:
            place += 1
        key += text[place]
        place += 1
    return key, text[place:]


def _parent(top: dict[str, Any], path: Path, *, make: bool) -> Any:
    """What holds the last part of a path; objects and lists on the way are made."""
    holder: Any = top
    for depth, (part, following) in enumerate(pairwise(path)):
        fresh: Any = [] if isinstance(following, int) else {}
        holder = _step(holder, part, path[: depth + 1], fresh if make else None)
    return holder


def _step(holder: Any, part: str | int, path: Path, fresh: Any) -> Any:
    _check_holder(holder, path)
    missing = part not in holder if isinstance(holder, dict) else int(part) >= len(holder)
    if missing or holder[part] is None:
        if fresh is None:
            raise SettingError(f"there is nothing at {path_text(path)!r}.")
        _put(holder, Setting(path, fresh))
    return holder[part]


def _put(holder: Any, setting: Setting) -> None:
    _check_holder(holder, setting.path)
    part = setting.path[-1]
    if isinstance(part, int) and part == len(holder):
        holder.append(setting.value)
    elif isinstance(part, int) and part > len(holder):
        raise SettingError(f"{path_text(setting.path)!r} is beyond the list's end; its next place is [{len(holder)}].")
    else:
        holder[part] = setting.value


def _check_holder(holder: Any, path: Path) -> None:
    """Refuse a key into what is no object, and a place in what is no list."""
    wanted, word = (list, "list") if isinstance(path[-1], int) else (dict, "object")
    if not isinstance(holder, wanted):
        parent = path_text(path[:-1]) or "the whole"
        raise SettingError(f"{path_text(path)!r} does not fit: {parent!r} is no {word}, but {holder!r:.60}.")
