"""Open sets of names: plugins add members of their own, which an enum would not let them."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Self

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from actium.errors import InvalidInputError

_PATTERN = re.compile(r"[a-z][a-z0-9_]{0,62}")


class OpenName(str):
    """A lower-case word such as ``action`` or ``pipeline_snapshot``, equal to the same plain string."""

    __slots__ = ()

    def __new__(cls, value: str) -> Self:
        """Check the word.

        Raises:
            InvalidInputError: It is not 1 to 63 lower-case letters, digits and underscores.
        """
        if not _PATTERN.fullmatch(value):
            raise InvalidInputError(
                f"{value!r} is not a lower-case word.",
                hint="Use 1 to 63 lower-case letters, digits and underscores, beginning with a letter.",
            )
        return super().__new__(cls, value)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            cls, core_schema.str_schema(), serialization=core_schema.to_string_ser_schema()
        )


class PluginType(OpenName):
    """What kind of thing a plugin is. ``PluginType("event_source")`` makes a further one."""

    __slots__ = ()
    ACTION: ClassVar[PluginType]


PluginType.ACTION = PluginType("action")


class ResourceType(OpenName):
    """What kind of thing a resource is. ``ResourceType("pipeline_snapshot")`` makes a further one."""

    __slots__ = ()
    ACTION: ClassVar[ResourceType]
    SERVICE_ACCOUNT: ClassVar[ResourceType]
    TRIGGER: ClassVar[ResourceType]


ResourceType.ACTION = ResourceType("action")
ResourceType.SERVICE_ACCOUNT = ResourceType("service_account")
ResourceType.TRIGGER = ResourceType("trigger")
