"""Filter expressions: frozen trees that say whether an event matches.

They follow the filter dialects of CloudEvents Subscriptions 1.0
(https://github.com/cloudevents/spec/blob/main/subscriptions/spec.md#324-filters).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple


class EventView(NamedTuple):
    """What filters see of an event. One is made for every event, a tuple in half the time of a dataclass.

    Attributes:
        attributes: The context attributes that are set, in their canonical text form.
        data: The payload, for dialects that look into it.
    """

    attributes: Mapping[str, str]
    data: object = None


class Expression(ABC):
    """A condition on events."""

    __slots__ = ()

    @abstractmethod
    def matches(self, event: EventView) -> bool:
        """Whether an event fulfils the condition."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """The condition as a filter object, which parses to an equal one."""

    @property
    def operands(self) -> tuple[Expression, ...]:
        """The conditions that this one is made of; none for a comparison."""
        return ()


@dataclass(frozen=True, slots=True)
class Comparison(Expression):
    """Attributes compared with texts; every one must fit, and an attribute that is not set never does.

    Attributes:
        wanted: Attribute and text, in the order they were given.
    """

    DIALECT: ClassVar[str]
    VERB: ClassVar[str]

    wanted: tuple[tuple[str, str], ...]

    @staticmethod
    @abstractmethod
    def fits(value: str, text: str) -> bool:
        """Whether an attribute's value fits a text."""

    def matches(self, event: EventView) -> bool:
        """See `Expression.matches`."""
        attributes = event.attributes
        return all((value := attributes.get(name)) is not None and self.fits(value, text) for name, text in self.wanted)

    def to_json(self) -> dict[str, Any]:
        """See `Expression.to_json`."""
        return {self.DIALECT: dict(self.wanted)}


class Exact(Comparison):
    """The attribute is the text."""

    __slots__ = ()
    DIALECT = "exact"
    VERB = "is"

    @staticmethod
    def fits(value: str, text: str) -> bool:
        """See `Comparison.fits`."""
        return value == text


class Prefix(Comparison):
    """The attribute begins with the text."""

    __slots__ = ()
    DIALECT = "prefix"
    VERB = "begins with"

    @staticmethod
    def fits(value: str, text: str) -> bool:
        """See `Comparison.fits`."""
        return value.startswith(text)


class Suffix(Comparison):
    """The attribute ends with the text."""

    __slots__ = ()
    DIALECT = "suffix"
    VERB = "ends with"

    @staticmethod
    def fits(value: str, text: str) -> bool:
        """See `Comparison.fits`."""
        return value.endswith(text)


@dataclass(frozen=True, slots=True)
class Combination(Expression):
    """Several conditions, all or any of which must hold."""

    DIALECT: ClassVar[str]
    HOLDS: ClassVar[Callable[[Any], bool]]

    parts: tuple[Expression, ...]

    def matches(self, event: EventView) -> bool:
        """See `Expression.matches`."""
        return type(self).HOLDS(part.matches(event) for part in self.parts)

    def to_json(self) -> dict[str, Any]:
        """See `Expression.to_json`."""
        return {self.DIALECT: [part.to_json() for part in self.parts]}

    @property
    def operands(self) -> tuple[Expression, ...]:
        """See `Expression.operands`."""
        return self.parts


class AllOf(Combination):
    """All conditions hold."""

    __slots__ = ()
    DIALECT = "all"
    HOLDS = all


class AnyOf(Combination):
    """At least one condition holds."""

    __slots__ = ()
    DIALECT = "any"
    HOLDS = any


@dataclass(frozen=True, slots=True)
class Not(Expression):
    """The condition does not hold."""

    part: Expression

    def matches(self, event: EventView) -> bool:
        """See `Expression.matches`."""
        return not self.part.matches(event)

    def to_json(self) -> dict[str, Any]:
        """See `Expression.to_json`."""
        return {"not": self.part.to_json()}

    @property
    def operands(self) -> tuple[Expression, ...]:
        """See `Expression.operands`."""
        return (self.part,)
