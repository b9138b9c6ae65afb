"""Which keys of a configuration were ignored, and what they might have meant."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from actium.models.base import dotted
from actium.models.leaves import wraps
from actium.models.spellings import spellings

Location = tuple[str | int, ...]


def ignored_key_warnings(model: type[BaseModel], given: Mapping[str, Any]) -> tuple[str, ...]:
    """Tell each key that no field of the model takes, with the nearest that one does."""
    return tuple(_in_words(location, known) for location, known in _ignored(model, given, ()))


def _in_words(location: Location, known: list[str]) -> str:
    near = difflib.get_close_matches(str(location[-1]), known, n=1)
    suggestion = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(known)) or 'none'}."
    return f"The key {dotted(location)!r} was ignored: {suggestion}"


def _ignored(model: type[BaseModel], given: Mapping[Any, Any], at: Location) -> Iterator[tuple[Location, list[str]]]:
    fields = _fields_by_key(model)
    for key, value in given.items():
        if key in fields:
            yield from _ignored_inside(fields[key], value, (*at, key))
        elif model.model_config.get("extra", "ignore") == "ignore":
            yield (*at, str(key)), list(fields)


def _fields_by_key(model: type[BaseModel]) -> dict[str, object]:
    """What stands under each key that the model takes; anything, where an alias reaches deeper."""
    fields: dict[str, object] = {}
    for name, field in model.model_fields.items():
        for key, *deeper in spellings(name, field):
            fields.setdefault(str(key), Any if deeper else field.annotation)
    return fields


def _ignored_inside(annotation: object, value: object, at: Location) -> Iterator[tuple[Location, list[str]]]:
    annotation = _annotation_for(annotation, value)
    arguments = get_args(annotation)
    if isinstance(value, Mapping):
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from _ignored(annotation, value, at)
        elif _is_class(annotation, Mapping) and len(arguments) == 2:
            for key, item in value.items():
                yield from _ignored_inside(arguments[1], item, (*at, str(key)))
    elif isinstance(value, list | tuple) and _is_class(annotation, Collection) and arguments:
        several = get_origin(annotation) is tuple and arguments[-1] is not Ellipsis
        for index, item in enumerate(value[: len(arguments)] if several else value):
            yield from _ignored_inside(arguments[index if several else 0], item, (*at, index))


def _annotation_for(annotation: object, value: object) -> object:
    """The annotation that takes a value: what wrappers wrap, and of a union the one member of the value's shape.

    Which of several members took it is not known without repeating pydantic's choice; nothing is said of those.
    """
    if get_origin(annotation) is Annotated:
        return _annotation_for(get_args(annotation)[0], value)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and wraps(annotation):
        return _annotation_for(annotation.model_fields["root"].annotation, value)
    if get_origin(annotation) in {Union, UnionType}:
        fitting = [member for member in get_args(annotation) if _may_take(_annotation_for(member, value), value)]
        return _annotation_for(fitting[0], value) if len(fitting) == 1 else Any
    return annotation


def _may_take(annotation: object, value: object) -> bool:
    if not isinstance(get_origin(annotation) or annotation, type):
        return True
    if isinstance(value, Mapping):
        return not _is_scalar(annotation) and (_is_class(annotation, Mapping) or not _is_class(annotation, Collection))
    return _is_class(annotation, Collection) and not _is_class(annotation, Mapping)


def _is_class(annotation: object, kind: type) -> bool:
    """Whether an annotation is a class of a kind, with or without arguments."""
    given = get_origin(annotation) or annotation
    return isinstance(given, type) and issubclass(given, kind)


def _is_scalar(annotation: object) -> bool:
    return annotation in {str, bytes, bool, int, float, type(None)}
