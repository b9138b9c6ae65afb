"""Why a filter matched an event, or did not: the whole tree, with the outcome and the value seen at every node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from actium.filters.expressions import Comparison, EventView, Expression

_WORDS: Final = {"all": "all of", "any": "any of", "not": "not"}


@dataclass(frozen=True, slots=True)
class ExplainedNode:
    """One part of a filter, evaluated.

    Attributes:
        text: The part in words, with what was seen.
        outcome: Whether it holds.
        seen: The event's value that was compared; None where it has none, or where the part compares nothing itself.
        children: The parts that it is made of, all of them evaluated.
    """

    text: str
    outcome: bool
    seen: str | None = None
    children: tuple[ExplainedNode, ...] = ()

    def lines(self, indent: str = "") -> Iterator[str]:
        """The tree as lines of text, each beginning with ``true`` or ``false``."""
        yield f"{'true ' if self.outcome else 'false'}  {indent}{self.text}"
        for child in self.children:
            yield from child.lines(f"{indent}  ")

    def __str__(self) -> str:
        return "\n".join(self.lines())


def explain(expression: Expression, event: EventView) -> ExplainedNode:
    """Evaluate every part of a filter, also those that the outcome does not depend on."""
    if isinstance(expression, Comparison):
        compared = tuple(_compared(expression, name, text, event) for name, text in expression.wanted)
        if len(compared) == 1:
            return compared[0]
        return ExplainedNode(_WORDS["all"], all(node.outcome for node in compared), children=compared)
    children = tuple(explain(operand, event) for operand in expression.operands)
    return ExplainedNode(_in_words(expression), expression.matches(event), children=children)


def _compared(comparison: Comparison, name: str, text: str, event: EventView) -> ExplainedNode:
    value = event.attributes.get(name)
    wanted = f"{name} {comparison.VERB} {text!r}"
    if value is None:
        return ExplainedNode(f"{wanted} (the event has no {name})", outcome=False)
    fits = comparison.fits(value, text)
    seen = "" if value == text else f" (it is {value!r})"
    return ExplainedNode(f"{wanted}{seen}", fits, seen=value)


def _in_words(expression: Expression) -> str:
    ((dialect, operand),) = expression.to_json().items()
    words = _WORDS.get(dialect)
    return f"{dialect} {operand!r}" if words is None else words
