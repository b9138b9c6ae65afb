"""Event filters: reading, evaluating, explaining, and finding the triggers that match."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actium.errors import InvalidFilterError
from actium.event_hub.matching import Match, MatchIndex
from actium.filters import EventView, Expression, explain, parse_filters
from actium.filters.dialects import MAX_DEPTH, MAX_NODES
from actium.filters.expressions import AllOf

ATTRIBUTES = ("type", "source", "subject", "id", "partitionkey")
texts = st.text("ab.", min_size=1, max_size=4)
comparisons = st.builds(
    lambda dialect, wanted: {dialect: wanted},
    st.sampled_from(["exact", "prefix", "suffix"]),
    st.dictionaries(st.sampled_from(ATTRIBUTES), texts, min_size=1, max_size=2),
)
filters = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.builds(lambda part: {"not": part}, inner),
        st.builds(
            lambda dialect, parts: {dialect: parts},
            st.sampled_from(["all", "any"]),
            st.lists(inner, min_size=1, max_size=3),
        ),
    ),
    max_leaves=6,
)
views = st.dictionaries(st.sampled_from(ATTRIBUTES), texts).map(EventView)


def event(**attributes: str) -> EventView:
    return EventView({"type": "com.example.arrived", "source": "/bucket/raw", "id": "1", **attributes})


class TestDialects:
    @pytest.mark.parametrize(
        "given_filter, outcome",
        [
            ({"exact": {"type": "com.example.arrived"}}, True),
            ({"exact": {"type": "com.example"}}, False),
            ({"exact": {"type": "com.example.arrived", "source": "/elsewhere"}}, False),
            ({"exact": {"subject": "x"}}, False),
            ({"prefix": {"type": "com.example."}}, True),
            ({"prefix": {"type": "example"}}, False),
            ({"suffix": {"source": "/raw"}}, True),
            ({"suffix": {"subject": "x"}}, False),
            ({"all": [{"prefix": {"type": "com."}}, {"suffix": {"source": "/raw"}}]}, True),
            ({"all": [{"prefix": {"type": "com."}}, {"suffix": {"source": "/x"}}]}, False),
            ({"any": [{"prefix": {"type": "org."}}, {"suffix": {"source": "/raw"}}]}, True),
            ({"any": [{"prefix": {"type": "org."}}, {"suffix": {"source": "/x"}}]}, False),
            ({"not": {"exact": {"subject": "x"}}}, True),
            ({"not": {"not": {"exact": {"id": "1"}}}}, True),
        ],
    )
    def test_follow_the_specification(self, given_filter: dict[str, Any], outcome: bool) -> None:
        """Each dialect decides as CloudEvents Subscriptions says; an absent attribute never fits."""
        assert parse_filters([given_filter]).matches(event()) is outcome

    def test_a_list_means_all(self) -> None:
        """Several filters must all hold."""
        both = [{"exact": {"id": "1"}}, {"prefix": {"source": "/bucket"}}]
        assert parse_filters(both).matches(event())
        assert not parse_filters(both).matches(event(id="2"))

    @pytest.mark.parametrize(
        "wrong, message",
        [
            ([], "at least one filter"),
            ("exact", "list of at least one"),
            ([{}], r"filters\[0\] must have exactly one dialect, has none"),
            ([{"exact": {"id": "1"}, "prefix": {"id": "1"}}], "exactly one dialect, has 'exact', 'prefix'"),
            (["x"], r"filters\[0\] must be an object"),
            ([{"exct": {"id": "1"}}], "unknown dialect 'exct'. Did you mean 'exact'"),
            ([{"regex": {"id": "1"}}], "unknown dialect 'regex'. Known are exact, prefix"),
            ([{"exact": {}}], r"filters\[0\].exact must be an object of attributes"),
            ([{"exact": "x"}], "object of attributes and texts"),
            ([{"exact": {"Type": "x"}}], "lower-case letters and digits"),
            ([{"exact": {7: "x"}}], "no event can have"),
            ([{"exact": {"type": ""}}], "not empty"),
            ([{"exact": {"type": 7}}], "text form"),
            ([{"exact": {"type": "a\x00"}}], "without NUL"),
            ([{"prefix": {"type": "a" * 1025}}], "at most 1,024"),
            ([{"all": []}], r"filters\[0\].all must be a list"),
            ([{"any": {"exact": {"id": "1"}}}], "must be a list"),
            ([{"any": [{"exact": {"tpye": "x"}}]}], r"filters\[0\].any\[0\].exact .*'tpye'. Did you mean 'type'"),
            ([{"not": [{"exact": {"id": "1"}}]}], r"filters\[0\].not must be an object"),
        ],
    )
    def test_what_cannot_be_understood_is_refused_with_its_path(self, wrong: Any, message: str) -> None:
        """Wrong filters are refused with the path, the value and the nearest right spelling."""
        with pytest.raises(InvalidFilterError, match=message):
            parse_filters(wrong)

    @pytest.mark.parametrize(
        "name, meant", [("tpye", "type"), ("types", "type"), ("typ", "type"), ("sourze", "source"), ("tome", "time")]
    )
    def test_a_context_attribute_misspelled_by_one_letter_is_refused(self, name: str, meant: str) -> None:
        """One letter left out, added, replaced or swapped is refused with the attribute that was meant."""
        with pytest.raises(InvalidFilterError, match=f"Did you mean '{meant}'"):
            parse_filters([{"exact": {name: "x"}}])

    @pytest.mark.parametrize(
        "name",
        ["traceparent", "partitionkey", "sequence", "correlationid", "causationid", "dataref", "it", "a1", "tyype2"],
    )
    def test_extension_attributes_pass(self, name: str) -> None:
        """Names of extensions, and those further off, are taken as they are."""
        assert parse_filters([{"exact": {name: "x"}}]).matches(event(**{name: "x"}))

    def test_deep_and_huge_filters_are_refused(self) -> None:
        """Nesting and number of filters are bounded."""
        deep: dict[str, Any] = {"exact": {"id": "1"}}
        for _ in range(MAX_DEPTH):
            deep = {"not": deep}
        with pytest.raises(InvalidFilterError, match="nested"):
            parse_filters([deep])
        with pytest.raises(InvalidFilterError, match="several triggers"):
            parse_filters([{"exact": {"id": "1"}}] * (MAX_NODES + 1))

    @given(st.lists(filters, min_size=1, max_size=3))
    def test_written_and_read_again_they_are_the_same(self, given_filters: list[dict[str, Any]]) -> None:
        """An expression's JSON form parses to an equal expression."""
        expression = parse_filters(given_filters)
        assert parse_filters([expression.to_json()]) == expression

    @given(filters, filters, views)
    def test_obey_the_laws_of_logic(self, one: dict[str, Any], other: dict[str, Any], view: EventView) -> None:
        """Double negation, and the duality of all and any, hold for every filter and event."""

        def holds(*given_filters: dict[str, Any]) -> bool:
            return parse_filters(list(given_filters)).matches(view)

        assert holds({"not": {"not": one}}) is holds(one)
        assert holds({"not": {"all": [one, other]}}) is holds({"any": [{"not": one}, {"not": other}]})
        assert holds(one, other) is (holds(one) and holds(other))


class TestExplaining:
    @given(filters, views)
    def test_tells_the_same_as_evaluating(self, given_filter: dict[str, Any], view: EventView) -> None:
        """The explanation's outcome is that of the evaluation, for every filter and event."""
        expression = parse_filters([given_filter])
        assert explain(expression, view).outcome is expression.matches(view)

    def test_shows_every_part_with_what_was_seen(self) -> None:
        """The tree has the outcome and the value at every node, also where it no longer matters."""
        expression = parse_filters(
            [
                {"any": [{"exact": {"type": "com.example.arrived"}}, {"prefix": {"source": "/other"}}]},
                {"not": {"exact": {"subject": "x", "id": "1"}}},
            ]
        )
        assert str(explain(expression, event())).splitlines() == [
            "true   all of",
            "true     any of",
            "true       type is 'com.example.arrived'",
            "false      source begins with '/other' (it is '/bucket/raw')",
            "true     not",
            "false      all of",
            "false        subject is 'x' (the event has no subject)",
            "true         id is '1'",
        ]


class Counting(Expression):
    """Counts how often it is evaluated."""

    def __init__(self) -> None:
        self.evaluated = 0

    def matches(self, event: EventView) -> bool:
        self.evaluated += 1
        return True

    def to_json(self) -> dict[str, Any]:
        return {"counting": None}


class TestMatchIndex:
    @given(
        st.lists(filters, max_size=12),
        st.lists(st.integers(0, 11), max_size=4),
        st.lists(views, min_size=1, max_size=4),
    )
    def test_finds_what_evaluating_all_would(
        self, given_filters: list[dict[str, Any]], discarded: list[int], events: list[EventView]
    ) -> None:
        """Whatever was put, replaced and discarded: matches are exactly those of evaluating every filter."""
        index, expressions = MatchIndex(), {}
        keys = [UUID(int=number) for number in range(len(given_filters))]
        for key, given_filter in zip(keys, given_filters, strict=True):
            index.put(key, None)
            index.put(key, parse_filters([given_filter]))
            expressions[key] = parse_filters([given_filter])
        for number in discarded:
            index.discard(UUID(int=number))
            expressions.pop(UUID(int=number), None)
        for view in events:
            found = index.match(view)
            assert {match.key for match in found} == {
                key for key, expression in expressions.items() if expression.matches(view)
            }
            assert len(found) == len({match.key for match in found})

    def test_does_not_look_at_what_cannot_match(self) -> None:
        """Of 10,000 triggers on other types, none is evaluated for an event."""
        index, counting = MatchIndex(), Counting()
        for number in range(10_000):
            exact = parse_filters([{"exact": {"type": f"com.example.{number}"}}])
            index.put(UUID(int=number), AllOf((exact, counting)))
        matches = index.match(EventView({"type": "com.example.77"}))
        assert matches == [Match(UUID(int=77))]
        assert counting.evaluated == 1

    def test_prefixes_and_alternatives_are_indexed(self) -> None:
        """A common prefix, and any of several exact texts, are looked up instead of evaluated."""
        index, counting = MatchIndex(), Counting()
        for number in range(1_000):
            prefix = parse_filters([{"prefix": {"type": f"com.example{number}."}}])
            either = parse_filters([{"any": [{"exact": {"id": f"a{number}"}}, {"exact": {"id": f"b{number}"}}]}])
            index.put(uuid4(), AllOf((prefix, counting)))
            index.put(uuid4(), AllOf((either, counting)))
        assert len(index.match(EventView({"type": "com.example7.arrived", "id": "b9"}))) == 2
        assert counting.evaluated == 2

    def test_none_matches_everything(self) -> None:
        """A trigger without an expression matches every event."""
        index = MatchIndex()
        index.put(UUID(int=1), None)
        assert index.match(EventView({})) == [Match(UUID(int=1))]

    def test_a_filter_that_raises_concerns_itself_only(self) -> None:
        """A filter that raises is reported with its problem; the others match."""

        class Broken(Counting):
            def matches(self, event: EventView) -> bool:
                raise RuntimeError("broken filter")

        index = MatchIndex()
        index.put(UUID(int=1), Broken())
        index.put(UUID(int=2), None)
        assert set(index.match(event())) == {
            Match(UUID(int=1), problem="RuntimeError: broken filter"),
            Match(UUID(int=2)),
        }

    def test_forgets_what_is_discarded(self) -> None:
        """Triggers that come and go leave nothing behind in the index."""
        index = MatchIndex()
        for number in range(100):
            key = UUID(int=number)
            index.put(key, parse_filters([{"exact": {"type": str(number)}}]))
            index.put(key, parse_filters([{"prefix": {"type": str(number)}}]))
            index.discard(key)
            index.discard(key)
        assert index._shapes == {}
