"""Actions as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from actium_cli import views
from actium_cli.run_policies import policy_view

if TYPE_CHECKING:
    from rich.console import RenderableType

    from actium.models import ActionResponse, ActionRevisionResponse, Page

_SHOWN_VALUE = 60
_KEPT_BY_THE_STORE = frozenset({"version", "revision", "updated", "status"})
"""Fields that change with every change."""


def action_table(actions: Page[ActionResponse]) -> RenderableType:
    """A page of actions; the problems only where there are some."""
    problems = any(action.problem for action in actions.items)
    return views.paged(
        actions,
        views.table(
            ["NAME", "FLAVOR", "STATE", "UPDATED", "ID", *(["PROBLEM"] if problems else [])],
            [
                (
                    action.name,
                    _key(action),
                    _state(action),
                    views.ago(action.body.updated),
                    views.short_id(action.id),
                    *([action.problem] if problems else []),
                )
                for action in actions.items
            ],
            empty="There are no actions; `actium action create NAME --flavor FLAVOR --account ACCOUNT` makes one.",
        ),
    )


def action_details(action: ActionResponse) -> RenderableType:
    """One action, hydrated."""
    metadata, resources = action.get_metadata(), action.get_resources()
    window = {None: "the flavor's default", 0: "no limit"}.get(metadata.auth_window, f"{metadata.auth_window} min")
    provider = None if metadata.distribution is None else f" ({metadata.distribution} {metadata.distribution_version})"
    return views.sections(
        views.fields(
            [
                ("name", action.name),
                ("id", str(action.id)),
                ("flavor", f"{_key(action)}{provider or ''}"),
                ("state", _state(action)),
                ("problem", None if action.problem is None else Text(action.problem, style="red")),
                ("description", metadata.description),
                ("account", resources.service_account.name),
                ("auth window", window),
                ("traces kept", metadata.trace.value.replace("_", " ")),
                ("labels", ", ".join(f"{name}={text}" for name, text in metadata.labels.items())),
                ("project", action.project),
                ("created", views.when(action.body.created)),
                ("updated", views.when(action.body.updated)),
                ("version", f"{action.version} (revision {action.revision})"),
            ]
        ),
        {
            "Configuration": views.structure(metadata.configuration),
            "Run policy": policy_view(metadata.run_policy),
            "Refers to": views.fields(
                (kind, Text.assemble(resource.name, (f"  {resource.id}", "dim")))
                for kind, resource in resources.referenced.items()
            )
            if resources.referenced
            else None,
        },
    )


def history_table(revisions: Sequence[ActionRevisionResponse]) -> RenderableType:
    """The revisions of an action, first to last, each with what it changed."""
    return views.table(
        ["NO", "CHANGE", "WHEN", "BY", "WHAT"],
        [
            (
                str(revision.number),
                revision.change,
                views.ago(revision.changed),
                revision.changed_by,
                _what_changed(revision),
            )
            for revision in revisions
        ],
    )


def _what_changed(revision: ActionRevisionResponse) -> str:
    told = [
        f"{path}: {_short(old)} → {_short(new)}"
        for name, before in revision.before.items()
        if name not in _KEPT_BY_THE_STORE
        for path, old, new in _differences(name, before, revision.fields.get(name))
    ]
    return "; ".join(told if revision.problem is None else [*told, f"forced: {revision.problem}"])


def _differences(path: str, old: Any, new: Any) -> list[tuple[str, Any, Any]]:
    """Where two values differ, down to the fields of objects."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            difference
            for key in [*old, *(key for key in new if key not in old)]
            for difference in _differences(f"{path}.{key}", old.get(key), new.get(key))
        ]
    return [] if old == new else [(path, old, new)]


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= _SHOWN_VALUE else f"{text[:_SHOWN_VALUE]}…"


def _key(action: ActionResponse) -> str:
    return f"{action.plugin_subtype}.{action.flavor}"


def _state(action: ActionResponse) -> Text:
    if action.problem is not None:
        return views.state("broken")
    return views.state(action.status.value if action.enabled else "disabled")
