"""The match index: the same answers as evaluating every filter, without evaluating every filter."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from actium.event_hub.matching import Match, MatchIndex
from actium.filters import EventView, Expression, parse_filters
from actium.filters.expressions import AllOf, AnyOf, Exact, Not, Prefix, Suffix

ATTRIBUTES = ("type", "source", "tenant")
texts = st.text("ab", min_size=1, max_size=3)
wanted = st.dictionaries(st.sampled_from(ATTRIBUTES), texts, min_size=1).map(lambda given: tuple(given.items()))
expressions: st.SearchStrategy[Expression] = st.recursive(
    st.builds(Exact, wanted) | st.builds(Prefix, wanted) | st.builds(Suffix, wanted),
    lambda inner: (
        st.builds(Not, inner)
        | st.builds(AllOf, st.lists(inner, min_size=1, max_size=4).map(tuple))
        | st.builds(AnyOf, st.lists(inner, min_size=1, max_size=4).map(tuple))
    ),
    max_leaves=8,
)
views = st.dictionaries(st.sampled_from(ATTRIBUTES), texts).map(EventView)
keys = st.integers(0, 7).map(lambda number: UUID(int=number))


class Counting(Expression):
    """Counts how often it is evaluated; holds always, and so stands first among what must all hold."""

    def __init__(self) -> None:
        self.evaluated = 0

    def matches(self, event: EventView) -> bool:
        self.evaluated += 1
        return True

    def to_json(self) -> dict[str, Any]:
        return {"counting": None}


class Broken(Expression):
    """Raises when it is evaluated."""

    def matches(self, event: EventView) -> bool:
        raise RuntimeError("broken filter")

    def to_json(self) -> dict[str, Any]:
        return {"broken": None}


class LookedUp(Mapping[str, str]):
    """An event's attributes; counts how often they are asked for."""

    def __init__(self, attributes: dict[str, str]) -> None:
        self._attributes = attributes
        self.times = 0

    def __getitem__(self, name: str) -> str:
        self.times += 1
        return self._attributes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._attributes)

    def __len__(self) -> int:
        return len(self._attributes)


class IndexBesideBruteForce(RuleBasedStateMachine):
    """Triggers come, change and go; the index is held against evaluating them all."""

    def __init__(self) -> None:
        super().__init__()
        self.index = MatchIndex()
        self.triggers: dict[UUID, Expression | None] = {}

    @rule(key=keys, expression=expressions)
    def put(self, key: UUID, expression: Expression) -> None:
        self._put(key, expression)

    @rule(key=keys)
    def put_for_every_event(self, key: UUID) -> None:
        self._put(key, None)

    @rule(key=keys)
    def discard(self, key: UUID) -> None:
        self.index.discard(key)
        self.triggers.pop(key, None)

    @rule(view=views)
    def match(self, view: EventView) -> None:
        assert self.index.match(view) == [
            Match(key) for key, expression in self.triggers.items() if expression is None or expression.matches(view)
        ]

    @invariant()
    def only_triggers_for_every_event_match_nothing(self) -> None:
        self.match(EventView({}))

    def _put(self, key: UUID, expression: Expression | None) -> None:
        self.index.put(key, expression)
        self.triggers.pop(key, None)  # what is put again takes its turn behind the others
        self.triggers[key] = expression


TestIndexBesideBruteForce = IndexBesideBruteForce.TestCase
TestIndexBesideBruteForce.settings = settings(max_examples=50, stateful_step_count=25, deadline=None)


class TestMatchIndex:
    @given(st.lists(expressions, max_size=12), st.lists(views, min_size=1, max_size=4))
    def test_finds_what_evaluating_all_would(
        self, given_expressions: list[Expression], events: list[EventView]
    ) -> None:
        """The matches are exactly those of evaluating every filter, each once, in the order they were put."""
        index = MatchIndex()
        for number, expression in enumerate(given_expressions):
            index.put(UUID(int=number), expression)
        for view in events:
            assert index.match(view) == [
                Match(UUID(int=number))
                for number, expression in enumerate(given_expressions)
                if expression.matches(view)
            ]

    @given(st.lists(expressions, max_size=8), st.lists(views, max_size=6))
    def test_several_events_are_matched_as_each_alone(
        self, given_expressions: list[Expression], events: list[EventView]
    ) -> None:
        """What is matched together gets the same answers, in the same order."""
        index = MatchIndex()
        for number, expression in enumerate(given_expressions):
            index.put(UUID(int=number), expression)
        attributes, data = [view.attributes for view in events], [view.data for view in events]
        assert list(map(list, index.match_each(attributes, data))) == [index.match(view) for view in events]

    @pytest.mark.parametrize(
        "filters, times",
        [
            pytest.param([{"exact": {"type": "t"}}], 1, id="exact"),
            pytest.param([{"prefix": {"type": "t"}}], 1, id="prefix"),
            pytest.param([{"exact": {"type": "t"}}, {"prefix": {"source": "/a"}}], 2, id="both"),
            pytest.param([{"any": [{"exact": {"type": "t"}}, {"prefix": {"source": "/b"}}]}], 2, id="either"),
            pytest.param(
                [{"any": [{"exact": {"type": "t"}}, {"exact": {"type": "u"}}]}, {"prefix": {"source": "/"}}],
                2,
                id="either, and one more",
            ),
        ],
    )
    def test_what_names_all_it_asks_for_is_not_asked_again(self, filters: list[dict[str, Any]], times: int) -> None:
        """Where an event has all that a filter names, and it asks for no more, it matches once that is looked up."""
        index = MatchIndex()
        index.put(UUID(int=1), parse_filters(filters))
        attributes = LookedUp({"type": "t", "source": "/a/b"})
        assert index.match(EventView(attributes)) == [Match(UUID(int=1))]
        assert attributes.times == times

    @pytest.mark.parametrize("also", [{"suffix": {"type": "x"}}, {"not": {"exact": {"type": "t"}}}])
    def test_what_asks_for_more_than_it_names_is_evaluated(self, also: dict[str, Any]) -> None:
        """A part that cannot be looked up is evaluated, however deep it stands among those that can."""
        index = MatchIndex()
        index.put(UUID(int=1), parse_filters([{"exact": {"type": "t"}}, also]))
        index.put(UUID(int=2), parse_filters([{"all": [{"any": [{"exact": {"type": "t"}}]}, {"all": [also]}]}]))
        index.put(UUID(int=3), parse_filters([{"any": [{"all": [{"exact": {"type": "t"}}, also]}, also]}]))
        assert index.match(EventView({"type": "t"})) == []

    @pytest.mark.parametrize(
        "filters_of",
        [
            pytest.param(lambda n: [{"exact": {"type": f"t{n}"}}], id="a type each"),
            pytest.param(lambda n: [{"exact": {"type": "t", "source": f"/{n}"}}], id="one type, a source each"),
            pytest.param(lambda n: [{"exact": {"type": f"t{n}"}}, {"exact": {"source": "/"}}], id="one source"),
            pytest.param(lambda n: [{"exact": {"type": "t"}}, {"exact": {"tenant": f"{n}"}}], id="an extension each"),
            pytest.param(lambda n: [{"exact": {"type": "t"}}, {"prefix": {"source": f"/{n}/"}}], id="a folder each"),
            pytest.param(
                lambda n: [{"prefix": {"type": "com.example.of.many."}}, {"prefix": {"source": f"/{n}/"}}],
                id="a long prefix in common",
            ),
            pytest.param(lambda n: [{"prefix": {"type": f"com.example{n}."}}], id="a prefix each"),
            pytest.param(lambda n: [{"any": [{"exact": {"id": f"a{n}"}}, {"exact": {"id": f"b{n}"}}]}], id="either"),
            pytest.param(
                lambda n: [
                    {"exact": {"type": "t"}},
                    {"any": [{"exact": {"id": f"a{n}"}}, {"prefix": {"tenant": f"{n}."}}]},
                ],
                id="one type, and either",
            ),
            pytest.param(
                lambda n: [{"exact": {"type": f"t{n}"}}, {"suffix": {"id": "1"}}, {"not": {"exact": {"id": "x"}}}],
                id="with what cannot be looked up",
            ),
        ],
    )
    def test_only_what_fits_is_evaluated(self, filters_of: Callable[[int], list[dict[str, Any]]]) -> None:
        """Of 10,000 triggers that ask for different things, only the one that fits is evaluated."""
        index, counting = MatchIndex(), Counting()
        for number in range(10_000):
            index.put(UUID(int=number), AllOf((counting, parse_filters(filters_of(number)))))
        events = [
            {"type": "t77", "source": "/", "id": "1"},
            {"type": "t", "source": "/77", "id": "1"},
            {"type": "t", "source": "/", "tenant": "77", "id": "1"},
            {"type": "t", "source": "/77/raw", "id": "1"},
            {"type": "com.example.of.many.x", "source": "/77/raw", "id": "1"},
            {"type": "com.example77.x", "source": "/", "id": "1"},
            {"type": "t", "source": "/", "id": "b77"},
            {"type": "t", "source": "/", "id": "1", "tenant": "77.x"},
            {"type": "t77", "source": "/raw", "id": "1"},
        ]
        matches = [match for attributes in events for match in index.match(EventView(attributes))]
        assert {match.key for match in matches} == {UUID(int=77)}
        assert counting.evaluated == len(matches)

    def test_as_many_are_evaluated_as_match(self) -> None:
        """Of 10,000 triggers of which 100 match, 100 are evaluated."""
        index, counting = MatchIndex(), Counting()
        for number in range(10_000):
            exact = parse_filters([{"exact": {"type": f"t{number % 100}"}}])
            index.put(UUID(int=number), AllOf((counting, exact)))
        assert len(index.match(EventView({"type": "t7"}))) == 100
        assert counting.evaluated == 100

    def test_looking_up_does_not_grow_with_the_triggers(self) -> None:
        """An event is looked up once for each shape of filters, however many triggers have it."""
        index = MatchIndex()
        asked = []
        for number in range(1_000):
            index.put(UUID(int=number), parse_filters([{"exact": {"type": f"t{number}", "source": "/"}}]))
            attributes = LookedUp({"type": "t", "source": "/"})
            index.match(EventView(attributes))
            asked.append(attributes.times)
        assert set(asked) == {2}

    def test_any_of_many_texts_is_looked_up(self) -> None:
        """Any of as many texts as a filter may have is indexed under each."""
        index, counting = MatchIndex(), Counting()
        either = AnyOf(tuple(Exact((("id", f"{number}"),)) for number in range(255)))
        index.put(UUID(int=1), AllOf((counting, either)))
        assert index.match(EventView({"id": "x"})) == []
        assert counting.evaluated == 0
        assert index.match(EventView({"id": "254"})) == [Match(UUID(int=1))]

    def test_alternatives_to_what_cannot_be_looked_up_are_not_looked_up(self) -> None:
        """Any of several texts or something else is evaluated for every event, and the texts cost no look-up."""
        index = MatchIndex()
        exact = tuple(Exact(((f"a{number}", "x"),)) for number in range(10))
        either = AnyOf((*exact, Suffix((("type", "x"),))))
        index.put(UUID(int=1), either)
        others = {f"a{number}": "y" for number in range(10)} | {"type": "x"}
        attributes, evaluating = LookedUp(others), LookedUp(others)
        assert index.match(EventView(attributes)) == [Match(UUID(int=1))]
        assert either.matches(EventView(evaluating))
        assert attributes.times == evaluating.times

    def test_alternatives_do_not_multiply_without_end(self) -> None:
        """All of many alternatives is looked up by a few of its attributes, and found all the same."""
        index = MatchIndex()
        names = ("type", "source", "subject", "id", "tenant", "region", "stage", "team")
        expression = AllOf(tuple(AnyOf(tuple(Exact(((name, f"{number}"),)) for number in range(8))) for name in names))
        index.put(UUID(int=1), expression)
        assert index.match(EventView(dict.fromkeys(names, "7"))) == [Match(UUID(int=1))]
        assert index.match(EventView(dict.fromkeys(names, "8"))) == []
        attributes = LookedUp(dict.fromkeys(names, "8"))
        index.match(EventView(attributes))
        assert attributes.times == 2

    def test_few_alternatives_are_looked_up_before_many(self) -> None:
        """Where not all alternatives can be combined, the shorter lists decide where a filter is looked up."""
        index, counting = MatchIndex(), Counting()
        many = AnyOf(tuple(Exact((("type", f"{number}"),)) for number in range(60)))
        few = AnyOf((Exact((("source", "a"),)), Exact((("source", "b"),))))
        index.put(UUID(int=1), AllOf((counting, many, few)))
        assert index.match(EventView({"type": "7", "source": "c"})) == []
        assert counting.evaluated == 0
        assert index.match(EventView({"type": "7", "source": "b"})) == [Match(UUID(int=1))]

    def test_what_contradicts_itself_never_matches(self) -> None:
        """An attribute cannot be two texts; such a filter is not even evaluated."""
        index, counting = MatchIndex(), Counting()
        index.put(UUID(int=1), AllOf((counting, Exact((("type", "a"),)), Exact((("type", "b"),)))))
        assert index.match(EventView({"type": "a"})) == []
        assert counting.evaluated == 0

    def test_none_matches_everything(self) -> None:
        """A trigger without an expression matches every event, also one without attributes."""
        index = MatchIndex()
        index.put(UUID(int=1), None)
        assert index.match(EventView({})) == [Match(UUID(int=1))]

    def test_a_filter_that_raises_concerns_itself_only(self) -> None:
        """A filter that raises is reported with its problem, in its turn; the others match."""
        index = MatchIndex()
        index.put(UUID(int=2), None)
        index.put(UUID(int=1), Broken())
        index.put(UUID(int=3), AllOf((Exact((("type", "a"),)), Broken())))
        index.put(UUID(int=4), None)
        problem = "RuntimeError: broken filter"
        assert index.match(EventView({"type": "b"})) == [
            Match(UUID(int=2)),
            Match(UUID(int=1), problem),
            Match(UUID(int=4)),
        ]
        assert Match(UUID(int=3), problem) in index.match(EventView({"type": "a"}))

    def test_forgets_what_is_discarded(self) -> None:
        """Triggers that come and go leave nothing behind that an event would be looked up in."""
        index = MatchIndex()
        for number in range(100):
            key = UUID(int=number)
            index.put(key, parse_filters([{"exact": {f"a{number}": "x"}}]))
            index.put(key, parse_filters([{"prefix": {"type": "x" * (number + 1)}}]))
            index.discard(key)
            index.discard(key)
        attributes = LookedUp({"type": "x" * 100, "a7": "x"})
        assert index.match(EventView(attributes)) == []
        assert attributes.times == 0

    def test_threads_see_whole_triggers(self) -> None:
        """While threads put, replace and discard, what others match is never half a change, and nothing is lost."""
        index, together, stop = MatchIndex(), threading.Barrier(6), threading.Event()
        index.put(UUID(int=1_000), None)
        left, right = Exact((("type", "left"),)), Exact((("type", "right"),))
        problems: list[BaseException] = []

        def change(first: int) -> None:
            try:
                together.wait()
                for turn in range(400):
                    key = UUID(int=first + turn % 5)
                    index.put(key, left if turn % 2 else right)
                    index.put(UUID(int=first), AnyOf((left, right)))
                    if turn % 3 == 0:
                        index.discard(UUID(int=first + 1 + turn % 4))
            except BaseException as error:
                problems.append(error)

        def match() -> None:
            try:
                together.wait()
                while not stop.is_set():
                    found = [match.key for match in index.match(EventView({"type": "left"}))]
                    assert UUID(int=1_000) in found
                    assert len(found) == len(set(found))
            except BaseException as error:
                problems.append(error)

        changing = [threading.Thread(target=change, args=(number * 10,)) for number in range(4)]
        matching = [threading.Thread(target=match) for _ in range(2)]
        for thread in [*changing, *matching]:
            thread.start()
        for thread in changing:
            thread.join()
        stop.set()
        for thread in matching:
            thread.join()
        assert not problems
        assert {UUID(int=number * 10) for number in range(4)} <= {
            match.key for match in index.match(EventView({"type": "right"}))
        }
