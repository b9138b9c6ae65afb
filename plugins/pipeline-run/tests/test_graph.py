"""The graph of a pipeline's steps, and how it is drawn."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actium_pipeline_run.errors import PipelineDefinitionError
from actium_pipeline_run.graph import Edge, StepGraph, StepNode, as_mermaid, as_tree


@st.composite
def graphs(draw: st.DrawFn) -> StepGraph:
    """Any graph of up to twelve steps: every edge leads from an earlier step to a later one."""
    count = draw(st.integers(1, 12))
    pairs = [(source, target) for target in range(count) for source in range(target)]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    return StepGraph(
        tuple(StepNode(name=f"step-{number}", function="m:f") for number in range(count)),
        tuple(Edge(source=f"step-{source}", target=f"step-{target}", argument="rows") for source, target in chosen),
    )


def nodes(*names: str) -> tuple[StepNode, ...]:
    return tuple(StepNode(name=name, function="m:f") for name in names)


@given(graphs())
def test_tree_shows_each_step_whole_exactly_once(graph: StepGraph) -> None:
    """However steps depend on each other, each is drawn with what follows it once, and short everywhere else."""
    lines = as_tree(graph, title="p").splitlines()
    assert len(lines) == 1 + len(graph.first) + len(graph.edges)
    whole = [re.split(r"── |  \(", line)[1] for line in lines[1:] if not line.endswith(" …")]
    assert sorted(whole) == sorted(graph.names)


@given(graphs())
def test_mermaid_has_a_line_for_each_step_and_edge(graph: StepGraph) -> None:
    """The flowchart holds all steps and all edges, and nothing else."""
    assert len(as_mermaid(graph).splitlines()) == 1 + len(graph.steps) + len(graph.edges)


@given(graphs())
def test_before_and_after_are_two_views_of_the_edges(graph: StepGraph) -> None:
    """A step is before another exactly when that one is after it, and the first and last have none."""
    for name in graph.names:
        assert all(name in graph.after(other) for other in graph.before(name))
        assert all(name in graph.before(other) for other in graph.after(name))
        assert (name in graph.first) == (not graph.before(name))
        assert (name in graph.last) == (not graph.after(name))


def test_tree_of_a_diamond() -> None:
    """A step that waits for two is drawn whole under the last of them, with a note, and short under the other."""
    graph = StepGraph(
        nodes("load", "left", "right", "join"),
        (
            Edge(source="load", target="left", argument="rows"),
            Edge(source="load", target="right", argument="rows"),
            Edge(source="left", target="join", argument="a"),
            Edge(source="right", target="join", argument="b"),
        ),
    )
    assert as_tree(graph, title="p").splitlines() == [
        "p",
        "└── load",
        "    ├── left",
        "    │   └── join …",
        "    └── right",
        "        └── join  (also after left)",
    ]


def test_mermaid_escapes_what_has_a_meaning_there() -> None:
    """Quotes and angle brackets in names are shown, not obeyed; an edge for order only is dotted."""
    graph = StepGraph(nodes('a"<b>#', "c"), (Edge(source='a"<b>#', target="c"),))
    assert as_mermaid(graph).splitlines() == [
        "flowchart TD",
        '    s0["a#quot;#lt;b#gt;#35;"]',
        '    s1["c"]',
        "    s0 -.-> s1",
    ]


def test_a_chain_of_thousands_of_steps_can_be_drawn() -> None:
    """Depth is no limit: drawing does not recurse."""
    names = [f"s{number}" for number in range(3_000)]
    edges = tuple(Edge(source=a, target=b) for a, b in pairwise(names))
    assert len(as_tree(StepGraph(nodes(*names), edges), title="p").splitlines()) == 3_001


@pytest.mark.parametrize("edge", [("b", "a"), ("a", "a"), ("x", "a"), ("a", "x")])
def test_an_edge_that_leads_backward_or_nowhere_is_refused(edge: tuple[str, str]) -> None:
    """A graph that was read from somewhere can hold no cycle and no unknown step."""
    with pytest.raises(PipelineDefinitionError, match="does not lead forward"):
        StepGraph(nodes("a", "b"), (Edge(source=edge[0], target=edge[1]),))


def test_two_steps_of_one_name_are_refused() -> None:
    """Configurations name steps, so a name stands for one of them."""
    with pytest.raises(PipelineDefinitionError, match="same name: a"):
        StepGraph(nodes("a", "b", "a"))
