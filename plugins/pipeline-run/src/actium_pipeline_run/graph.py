"""The graph of a pipeline's steps, as frozen records and as text to look at: a tree, or Mermaid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from actium_pipeline_run.errors import PipelineDefinitionError

MAX_RETRIES = 100
"""How often a failed call of a step can be repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterRecord:
    """A parameter that a run can set.

    Attributes:
        name: Its name.
        json_schema: Its type, as JSON schema; empty where anything goes or only Python can tell.
        required: Whether it has no default.
        default: Its default, as JSON.
        given_by: The pipeline's parameter that it gets its value from, unless the run sets it.
    """

    name: str
    json_schema: dict[str, Any]
    required: bool
    default: Any = None
    given_by: str | None = None

    @property
    def type_described(self) -> str | None:
        """Its type in words; None where anything goes."""
        return type_described(self.json_schema)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepNode:
    """A step.

    Attributes:
        name: Unique in its graph.
        function: The function it calls, with its module.
        description: The first paragraph of that function's docstring.
        retries: How often a failed call is repeated.
        parameters: What a run can set; arguments that are outputs of other steps are edges.
    """

    name: str
    function: str
    description: str = ""
    retries: int = 0
    parameters: tuple[ParameterRecord, ...] = ()

    def parameter(self, name: str) -> ParameterRecord | None:
        """A parameter by its name."""
        return next((parameter for parameter in self.parameters if parameter.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One step waits for another.

    Attributes:
        source: The step that comes first.
        target: The step that waits.
        argument: Which argument the output becomes; None where only the order matters.
    """

    source: str
    target: str
    argument: str | None = None


@dataclass(frozen=True)
class StepGraph:
    """Steps in an order in which they can run: every edge leads forward, so there is no cycle.

    Raises:
        PipelineDefinitionError: Two steps have one name, or an edge leads backward or nowhere.
    """

    steps: tuple[StepNode, ...]
    edges: tuple[Edge, ...] = ()

    def __post_init__(self) -> None:
        if len(self._positions) < len(self.steps):
            twice = sorted(name for name, count in Counter(self.names).items() if count > 1)
            raise PipelineDefinitionError(f"Several steps have the same name: {', '.join(twice)}.")
        for edge in self.edges:
            if self._positions.get(edge.source, len(self.steps)) >= self._positions.get(edge.target, -1):
                raise PipelineDefinitionError(
                    f"The edge from {edge.source!r} to {edge.target!r} does not lead forward."
                )

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the steps, in order."""
        return tuple(step.name for step in self.steps)

    def step(self, name: str) -> StepNode | None:
        """A step by its name."""
        position = self._positions.get(name)
        return None if position is None else self.steps[position]

    def before(self, name: str) -> tuple[str, ...]:
        """The steps that a step waits for, in order."""
        return self._before.get(name, ())

    def after(self, name: str) -> tuple[str, ...]:
        """The steps that wait for a step, in order."""
        return self._after.get(name, ())

    @property
    def first(self) -> tuple[str, ...]:
        """The steps that wait for none."""
        return tuple(name for name in self.names if not self.before(name))

    @property
    def last(self) -> tuple[str, ...]:
        """The steps that none waits for."""
        return tuple(name for name in self.names if not self.after(name))

    @cached_property
    def _positions(self) -> Mapping[str, int]:
        return {step.name: position for position, step in enumerate(self.steps)}

    @cached_property
    def _before(self) -> Mapping[str, tuple[str, ...]]:
        return self._neighbours((edge.target, edge.source) for edge in self.edges)

    @cached_property
    def _after(self) -> Mapping[str, tuple[str, ...]]:
        return self._neighbours((edge.source, edge.target) for edge in self.edges)

    def _neighbours(self, pairs: Iterable[tuple[str, str]]) -> Mapping[str, tuple[str, ...]]:
        neighbours: dict[str, set[str]] = {}
        for name, neighbour in pairs:
            neighbours.setdefault(name, set()).add(neighbour)
        return {name: tuple(sorted(found, key=self._positions.__getitem__)) for name, found in neighbours.items()}


def type_described(schema: object) -> str | None:
    """The type that a schema wants, in words."""
    if not isinstance(schema, dict):
        return None
    if "anyOf" in schema:
        choices = [type_described(choice) or "a structure" for choice in schema["anyOf"]]
        return " or ".join(dict.fromkeys(choices))
    if "enum" in schema:
        return f"one of {', '.join(map(repr, schema['enum']))}"
    named = schema.get("format") or schema.get("type")
    return None if named is None else str(named)


def as_tree(graph: StepGraph, *, title: str) -> str:
    """Draw a graph as a tree: below each step those that wait for it.

    A step that waits for several is drawn in whole under the last of them; under the others it ends in an ellipsis.
    So a graph of n steps and m edges has at most 1 + n + m lines.
    """
    lines = [title]
    branches = _branches(graph.first, parent=None, indent="")
    while branches:
        branch = branches.pop()
        before = graph.before(branch.name)
        is_whole = branch.parent is None or branch.parent == before[-1]
        others = ", ".join(name for name in before if name != branch.parent)
        note = "" if not others else f"  (also after {others})" if is_whole else " …"
        lines.append(f"{branch.indent}{'└── ' if branch.is_last else '├── '}{branch.name}{note}")
        if is_whole:
            indent = branch.indent + ("    " if branch.is_last else "│   ")
            branches.extend(_branches(graph.after(branch.name), parent=branch.name, indent=indent))
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class _Branch:
    name: str
    parent: str | None
    indent: str
    is_last: bool


def _branches(names: tuple[str, ...], *, parent: str | None, indent: str) -> list[_Branch]:
    """The branches to one parent, the one to draw first at the end."""
    return [_Branch(name, parent, indent, is_last=name == names[-1]) for name in reversed(names)]


def as_mermaid(graph: StepGraph) -> str:
    """Write a graph as a Mermaid flowchart; an arrow without text means that only the order matters."""
    ids = {name: f"s{position}" for position, name in enumerate(graph.names)}
    lines = ["flowchart TD"]
    lines.extend(f'    {ids[name]}["{_escaped(name)}"]' for name in graph.names)
    for edge in graph.edges:
        arrow = "-.->" if edge.argument is None else f'-->|"{_escaped(edge.argument)}"|'
        lines.append(f"    {ids[edge.source]} {arrow} {ids[edge.target]}")
    return "\n".join(lines)


def _escaped(text: str) -> str:
    return text.replace("#", "#35;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")
