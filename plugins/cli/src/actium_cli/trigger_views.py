"""Triggers as people read them, and why one matches an event or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.text import Text

from actium_cli import views

if TYPE_CHECKING:
    from rich.console import RenderableType

    from actium.filters import ExplainedNode
    from actium.models import Page, TriggerResponse


def trigger_table(triggers: Page[TriggerResponse]) -> RenderableType:
    """A page of triggers, hydrated."""
    return views.paged(
        triggers,
        views.table(
            ["NAME", "STATE", "ACTION", "ID", "MATCHES"],
            [
                (
                    trigger.name,
                    _state(trigger),
                    trigger.get_resources().action.name,
                    views.short_id(trigger.id),
                    _filters_in_words(trigger),
                )
                for trigger in triggers.items
            ],
            empty="There are no triggers; `actium trigger create NAME --action ACTION --filter FILTER` makes one.",
        ),
    )


def trigger_details(trigger: TriggerResponse) -> RenderableType:
    """One trigger, hydrated."""
    action = trigger.get_resources().action
    return views.sections(
        views.fields(
            [
                ("name", trigger.name),
                ("id", str(trigger.id)),
                ("state", _state(trigger)),
                ("action", Text.assemble(action.name, (f"  {action.id}", "dim"))),
                ("description", trigger.description),
                ("project", trigger.project),
                ("created", views.when(trigger.body.created)),
                ("updated", views.when(trigger.body.updated)),
                ("version", str(trigger.version)),
            ]
        ),
        {"Matches": Text("every event") if trigger.match_all else views.structure(trigger.filters)},
    )


def explanation(trigger: TriggerResponse, explained: ExplainedNode | None) -> RenderableType:
    """Whether a trigger matches an event, and what each part of its filters says."""
    matches = explained is None or explained.outcome
    verdict = Text.assemble((trigger.name, "bold"), " matches." if matches else " does not match.")
    if not trigger.is_active:
        verdict.append(" It is disabled, so it is not asked.", style="yellow")
    if explained is None:
        return Group(verdict, Text("  It matches every event.", style="dim"))
    return Group(verdict, *_lines(explained, "  "))


def _lines(node: ExplainedNode, indent: str) -> list[Text]:
    mark = ("✓ ", "green") if node.outcome else ("✗ ", "red")
    return [
        Text.assemble(indent, mark, node.text),
        *(line for child in node.children for line in _lines(child, f"{indent}  ")),
    ]


def _filters_in_words(trigger: TriggerResponse) -> str:
    if trigger.match_all:
        return "every event"
    return " and ".join(map(_in_words, trigger.filters))


def _in_words(condition: Mapping[str, Any]) -> str:
    """A filter in the words that ``--filter`` takes, as far as it has some."""
    ((dialect, operand),) = condition.items()
    if dialect in {"all", "any"}:
        joined = (" and " if dialect == "all" else " or ").join(map(_in_words, operand))
        return f"({joined})"
    if dialect == "not":
        return f"not:{_in_words(operand)}"
    if isinstance(operand, dict):
        return " and ".join(f"{dialect}:{attribute}={text}" for attribute, text in operand.items())
    return f"{dialect}:{operand}"


def _state(trigger: TriggerResponse) -> Text:
    return views.state("active" if trigger.is_active else "disabled")
