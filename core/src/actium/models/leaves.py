"""Walking through everything that a model holds, with the path of each value."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

Location = tuple[str | int, ...]


def wraps(model: type[BaseModel]) -> bool:
    """Whether a model is a root model, which stands for its one value.

    Asked of the class, because importing ``pydantic.RootModel`` makes pydantic search its plugins, which may fail.
    """
    return model.__pydantic_root_model__


def unwrapped(value: object) -> object:
    """What a root model stands for; any other value as it is."""
    while isinstance(value, BaseModel) and wraps(type(value)):
        value = value.__dict__["root"]
    return value


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
    value = unwrapped(value)
    if isinstance(value, BaseModel | dict | list | tuple):
        for key, item in items(value):
            yield from leaves(item, (*location, key))
    else:
        yield location, value
