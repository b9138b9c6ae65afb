"""How the field of a model may be spelled in what a caller gives: by its name and by its aliases."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import AliasChoices, AliasPath
from pydantic.fields import FieldInfo


def spellings(name: str, field: FieldInfo) -> Iterator[tuple[str | int, ...]]:
    """The paths from the model to a field's value: usually one key, several where an alias reaches deeper."""
    yield (name,)
    if field.validation_alias is not None:
        yield from _paths(field.validation_alias)


def _paths(alias: str | AliasPath | AliasChoices) -> Iterator[tuple[str | int, ...]]:
    if isinstance(alias, str):
        yield (alias,)
    elif isinstance(alias, AliasPath):
        yield tuple(alias.path)
    else:
        for choice in alias.choices:
            yield from _paths(choice)
