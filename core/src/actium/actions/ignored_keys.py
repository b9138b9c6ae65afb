"""Which keys of a configuration were ignored, and what they might have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import AliasChoices, BaseModel
from pydantic.fields import FieldInfo

from actium.models.base import dotted

Location = tuple[str | int, ...]


def ignored_key_warnings(model: type[BaseModel], given: Mapping[str, Any]) -> tuple[str, ...]:
    """Tell each key that no field of the model takes, with the nearest that one does."""
    return tuple(_in_words(location, known) for location, known in _ignored(model, given, ()))


def _in_words(location: Location, known: list[str]) -> str:
    near = difflib.get_close_matches(str(location[-1]), known, n=1)
    suggestion = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(known)) or 'none'}."
    return f"The key {dotted(location)!r} was ignored: {suggestion}"


def _ignored(model: type[BaseModel], given: Mapping[Any, Any], at: Location) -> Iterator[tuple[Location, list[str]]]:
    by_key = {key: field for name, field in model.model_fields.items() for key in _keys(name, field)}
    for key, value in given.items():
        field = by_key.get(key)
        if field is not None:
            yield from _ignored_inside(field.annotation, value, (*at, key))
        elif model.model_config.get("extra", "ignore") == "ignore":
            yield (*at, str(key)), list(by_key)


def _ignored_inside(annotation: object, value: Any, at: Location) -> Iterator[tuple[Location, list[str]]]:
    models = list(_models(annotation))
    if len(models) != 1:  # none, or a union of several: which one took the value is not known
        return
    if isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _ignored_inside(annotation, item, (*at, index))
    elif isinstance(value, Mapping) and _is_mapping_of_models(annotation):
        for key, item in value.items():
            if isinstance(item, Mapping):
                yield from _ignored(models[0], item, (*at, str(key)))
    elif isinstance(value, Mapping):
        yield from _ignored(models[0], value, at)


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _is_mapping_of_models(annotation: object) -> bool:
    if getattr(annotation, "__origin__", None) in {dict, Mapping}:
        return True
    return any(_is_mapping_of_models(argument) for argument in get_args(annotation))


def _keys(name: str, field: FieldInfo) -> Iterator[str]:
    yield name
    yield from (alias for alias in (field.alias, field.validation_alias) if isinstance(alias, str))
    if isinstance(field.validation_alias, AliasChoices):
        yield from (choice for choice in field.validation_alias.choices if isinstance(choice, str))
