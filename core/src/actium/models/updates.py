"""Updates: what is absent stays, and an explicit None clears a field that can be empty."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, model_validator

from actium.models.base import BaseRequest

_MAX_VERSION = 2**63 - 1
"""The highest version that a store can count to."""


class BaseUpdate(BaseRequest):
    """Base of updates.

    Attributes:
        version: The version that the change was made for; when the object has moved on, the update is refused.
    """

    CLEARABLE: ClassVar[dict[str, object]] = {}
    """Fields that can be empty, with the value that stands for empty."""

    version: int | None = Field(default=None, ge=1, le=_MAX_VERSION)

    @model_validator(mode="after")
    def _refuse_clearing_what_cannot_be_empty(self) -> BaseUpdate:
        for name in self.model_fields_set - {"version"}:
            if getattr(self, name) is None and name not in self.CLEARABLE:
                raise ValueError(f"{name} cannot be empty; leave it out to keep what it is")
        return self

    def changes(self) -> dict[str, Any]:
        """The fields to change, with their new values; cleared ones hold the value that stands for empty."""
        return {
            name: self.CLEARABLE[name] if (value := getattr(self, name)) is None else value
            for name in self.model_fields_set - {"version"}
        }
