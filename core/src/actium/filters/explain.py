"""Why a filter matched an event, or did not: the whole tree, with the outcome and the value seen at every node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from actium.filters.expressions import Comparison, EventView, Expression


@dataclass(frozen=True, slots=True)
class ExplainedNode:
    """One part of a filter, evaluated.

    Attributes:
        text: The part in words, with what was seen.
        outcome: Whether it holds.
        children: The parts that it is made of, all of them evaluated.
    """

    text: str
    outcome: bool
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
        return ExplainedNode("all of", all(node.outcome for node in compared), compared)
    children = tuple(explain(operand, event) for operand in expression.operands)
    words = {"all": "all of", "any": "any of", "not": "not"}
    (dialect,) = expression.to_json()
    return ExplainedNode(words.get(dialect, dialect), expression.matches(event), children)


def _compared(comparison: Comparison, name: str, text: str, event: EventView) -> ExplainedNode:
    value = event.attributes.get(name)
    if value is None:
        return ExplainedNode(f"{name} {comparison.VERB} {text!r} (the event has no {name})", False)
    fits = comparison.fits(value, text)
    seen = "" if fits and comparison.DIALECT == "exact" else f" (it is {value!r})"
    return ExplainedNode(f"{name} {comparison.VERB} {text!r}{seen}", fits)
