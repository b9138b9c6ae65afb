"""Walking through everything that a model holds, with the path of each value."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, RootModel

Location = tuple[str | int, ...]


def items(value: object) -> Iterator[tuple[str | int, object]]:
    """What a model, mapping or sequence holds, each with its key; nothing for other values."""
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield name, getattr(value, name)
        yield from (value.__pydantic_extra__ or {}).items()
    elif isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list | tuple):
        yield from enumerate(value)


def leaves(value: object, location: Location = ()) -> Iterator[tuple[Location, object]]:
    """Every value inside that holds no further ones, with its location."""
    if isinstance(value, RootModel):
        yield from leaves(value.root, location)
    elif isinstance(value, BaseModel | dict | list | tuple):
        for key, item in items(value):
            yield from leaves(item, (*location, key))
    else:
        yield location, value
