"""Event filters: reading, evaluating and explaining them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from actium import Event
from actium.errors import InvalidFilterError
from actium.filters import EventView, ExplainedNode, Expression, explain, parse_filters
from actium.filters.dialects import CONTEXT_ATTRIBUTES, MAX_CONDITIONS, MAX_DEPTH, MAX_TEXT
from actium.filters.expressions import Exact, Prefix
from actium.models.event import ContextAttributes

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
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["exact", "prefix", "suffix", "all", "any", "not", "type", "x"]) | st.text(max_size=3),
            inner,
            max_size=2,
        )
    ),
    max_leaves=8,
)


def assert_sees_the_same(expression: Expression, published: Event) -> None:
    """Hold what a filter says of a published event against what it says of all its attributes."""
    at_once = EventView(published.attributes())
    when_asked = EventView(ContextAttributes(published))
    assert expression.matches(when_asked) == expression.matches(at_once)
    assert explain(expression, when_asked) == explain(expression, at_once)


def event(**attributes: str) -> EventView:
    return EventView({"type": "com.example.arrived", "source": "/bucket/raw", "id": "1", **attributes})


class TestPublishedEvents:
    @given(filters, st.dictionaries(st.sampled_from(ATTRIBUTES), texts))
    def test_every_dialect_sees_attributes_that_are_written_when_asked_for(
        self, given_filter: dict[str, Any], attributes: dict[str, str]
    ) -> None:
        """Any filter, of any dialects, says the same of a published event as of the texts of all its attributes."""
        published = Event(**{"type": "a", "source": "b", **attributes})
        assert_sees_the_same(parse_filters([given_filter]), published)

    @pytest.mark.parametrize("dialect", ["exact", "prefix", "suffix"])
    @pytest.mark.parametrize(
        "name, text",
        [("time", "2026-01-31T12:00:00Z"), ("specversion", "1.0"), ("urgent", "true"), ("sequence", "7")],
    )
    def test_what_is_no_text_is_compared_as_its_text(self, dialect: str, name: str, text: str) -> None:
        """A time, a truth value and a number are compared in their canonical text form."""
        published = Event(type="a", source="b", time="2026-01-31T13:00:00+01:00", urgent=True, sequence=7)
        expression = parse_filters([{dialect: {name: text}}])
        assert expression.matches(EventView(ContextAttributes(published)))
        assert_sees_the_same(expression, published)


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
            ([{"Exact": {"id": "1"}}], "unknown dialect 'Exact'. Did you mean 'exact'"),
            ([{"regex": {"id": "1"}}], "unknown dialect 'regex'. Known are exact, prefix"),
            ([{7: {"id": "1"}}], "unknown dialect 7. Known are exact, prefix"),
            ([{"type": "com.example"}], "unknown dialect 'type'. An attribute stands under a dialect: .*'exact'"),
            ([{"exact": {}}], r"filters\[0\].exact must be an object of attributes"),
            ([{"exact": "x"}], "object of attributes and texts"),
            ([{"exact": {"a-b": "x"}}], "lower-case letters and digits"),
            ([{"exact": {"a" * 65: "x"}}], "1 to 64"),
            ([{"exact": {"Type": "x"}}], "'Type', which no event can have. Did you mean 'type'"),
            ([{"exact": {"data_schema": "x"}}], "Did you mean 'dataschema'"),
            ([{"exact": {"data": "x"}}], r"filters\[0\].exact.data looks for the payload"),
            ([{"exact": {7: "x"}}], "no event can have"),
            ([{"exact": {"type": ""}}], r"filters\[0\].exact.type must be a text that is not empty, got ''"),
            ([{"exact": {"type": 7}}], "got 7. Attributes are compared in their text form"),
            ([{"exact": {"type": None}}], "got None"),
            ([{"exact": {"type": "a\x00"}}], "NUL byte"),
            ([{"exact": {"type": "a\ud800"}}], "unpaired surrogate"),
            ([{"prefix": {"type": "a" * 1025}}], "at most 1,024 characters, has 1,025"),
            ([{"all": []}], r"filters\[0\].all must be a list"),
            ([{"any": {"exact": {"id": "1"}}}], "must be a list"),
            ([{"any": [{"exact": {"tpye": "x"}}]}], r"filters\[0\].any\[0\].exact.tpye is .*Did you mean 'type'"),
            ([{"not": [{"exact": {"id": "1"}}]}], r"filters\[0\].not must be an object"),
        ],
    )
    def test_what_cannot_be_understood_is_refused_with_its_path(self, wrong: Any, message: str) -> None:
        """Wrong filters are refused with the path, the value and the nearest right spelling."""
        with pytest.raises(InvalidFilterError, match=message):
            parse_filters(wrong)

    @pytest.mark.parametrize(
        "name, meant",
        [
            ("tpye", "type"),
            ("types", "type"),
            ("xtype", "type"),
            ("typ", "type"),
            ("tyoe", "type"),
            ("ytpe", "type"),
            ("tyep", "type"),
            ("sorce", "source"),
            ("time2", "time"),
            ("dataschem", "dataschema"),
        ],
    )
    def test_a_context_attribute_misspelled_by_one_letter_is_refused(self, name: str, meant: str) -> None:
        """One letter left out, added, replaced or swapped is refused with the attribute that was meant."""
        with pytest.raises(InvalidFilterError, match=f"Did you mean '{meant}'"):
            parse_filters([{"exact": {name: "x"}}])

    @pytest.mark.parametrize(
        "name",
        [
            *("traceparent", "tracestate", "partitionkey", "sequence", "sequencetype", "correlationid", "causationid"),
            *("dataref", "sampledrate", "expirytime", "recordedtime", "it", "a1", "eytp", "tyype2"),
        ],
    )
    def test_extension_attributes_pass(self, name: str) -> None:
        """Names of extensions, and those further off, are taken as they are."""
        assert parse_filters([{"exact": {name: "x"}}]).matches(event(**{name: "x"}))

    @given(st.sampled_from([name for name in CONTEXT_ATTRIBUTES if len(name) >= 4]), st.data())
    def test_every_misspelling_by_one_letter_is_known(self, meant: str, data: st.DataObject) -> None:
        """Whichever letter is left out, added, replaced or swapped, the name is refused with an attribute's."""
        at = data.draw(st.integers(0, len(meant) - 1))
        letter = data.draw(st.sampled_from("aetz7"))
        misspelled = data.draw(
            st.sampled_from(
                [
                    meant[:at] + meant[at + 1 :],
                    meant[:at] + letter + meant[at:],
                    meant[:at] + letter + meant[at + 1 :],
                    meant[:at] + meant[at : at + 2][::-1] + meant[at + 2 :],
                ]
            )
        )
        assume(misspelled not in CONTEXT_ATTRIBUTES)
        with pytest.raises(InvalidFilterError, match=f"Did you mean '({'|'.join(CONTEXT_ATTRIBUTES)})'"):
            parse_filters([{"exact": {misspelled: "x"}}])

    @pytest.mark.parametrize("conditions", [MAX_CONDITIONS, MAX_CONDITIONS + 1])
    def test_conditions_are_bounded(self, conditions: int) -> None:
        """So many conditions are taken, however they are written, and not one more."""
        spellings: tuple[Any, ...] = (
            [{"exact": {"id": "1"}}] * conditions,
            [{"exact": {f"a{number}": "1" for number in range(conditions)}}],
            [{"any": [{"exact": {"id": "1", "source": "2"}}] * ((conditions - 1) // 2)}, {"suffix": {"id": "1"}}],
        )
        for many in spellings:
            if conditions <= MAX_CONDITIONS:
                assert isinstance(parse_filters(many), Expression)
                continue
            with pytest.raises(InvalidFilterError, match=f"more than {MAX_CONDITIONS} conditions. Use several"):
                parse_filters(many)

    def test_depth_and_length_are_bounded(self) -> None:
        """The deepest filter and the longest text are taken; one deeper and one longer are refused."""
        longest: dict[str, Any] = {"suffix": {"id": "1" * MAX_TEXT}}
        deep = longest
        for _ in range(MAX_DEPTH - 1):
            deep = {"not": deep}
        assert parse_filters([deep]).matches(EventView({"id": "1" * MAX_TEXT})) is False
        with pytest.raises(InvalidFilterError, match="nested more than 16 deep. Flatten"):
            parse_filters([{"not": deep}])

    def test_what_is_refused_is_shown_shortened(self) -> None:
        """A huge or bottomless value is named in a message that can be read."""
        bottomless: list[Any] = []
        bottomless.append(bottomless)
        deep: list[Any] = []
        for _ in range(5_000):
            deep = [deep]
        names: dict[str, Any] = {"x" * 100_000 + str(number): {} for number in range(100)}
        wrong: list[Any] = [[bottomless], [deep], [names], [{"x" * 100_000: {}}], [{"exact": {"X" * 100_000: "1"}}]]
        for given_filters in wrong:
            with pytest.raises(InvalidFilterError) as refused:
                parse_filters(given_filters)
            assert len(str(refused.value)) < 1_000

    @given(anything)
    def test_nothing_else_comes_of_nonsense(self, nonsense: Any) -> None:
        """Whatever JSON is given becomes an expression or is refused with our error and a path."""
        refusal = None
        try:
            assert isinstance(parse_filters(nonsense), Expression)
        except InvalidFilterError as error:
            refusal = error
        if refusal is not None:
            assert re.match(r"filters[\[. ]", refusal.message)
            assert refusal.hint

    @given(st.lists(filters, min_size=1, max_size=3))
    def test_written_and_read_again_they_are_the_same(self, given_filters: list[dict[str, Any]]) -> None:
        """An expression's JSON form parses to an equal expression."""
        expression = parse_filters(given_filters)
        assert parse_filters([expression.to_json()]) == expression

    def test_equal_only_where_they_mean_the_same(self) -> None:
        """Expressions are values: equal by dialect and content, and usable as keys."""
        wanted = (("type", "a"),)
        assert Exact(wanted) == Exact((("type", "a"),))
        assert len({Exact(wanted), Exact((("type", "a"),)), Prefix(wanted), Exact((("type", "b"),))}) == 3

    @given(filters, filters, views)
    def test_obey_the_laws_of_logic(self, one: dict[str, Any], other: dict[str, Any], view: EventView) -> None:
        """Double negation, and the duality of all and any, hold for every filter and event."""

        def holds(*given_filters: dict[str, Any]) -> bool:
            return parse_filters(list(given_filters)).matches(view)

        assert holds({"not": {"not": one}}) is holds(one)
        assert holds({"not": {"all": [one, other]}}) is holds({"any": [{"not": one}, {"not": other}]})
        assert holds({"not": {"any": [one, other]}}) is holds({"all": [{"not": one}, {"not": other}]})
        assert holds(one, other) is (holds(one) and holds(other))


def nodes(node: ExplainedNode) -> Iterator[ExplainedNode]:
    yield node
    for child in node.children:
        yield from nodes(child)


def conditions(given_filter: Any) -> int:
    """How many comparisons of one attribute there are in a filter."""
    ((dialect, operand),) = given_filter.items()
    if dialect == "not":
        return conditions(operand)
    return sum(map(conditions, operand)) if dialect in {"all", "any"} else len(operand)


class TestExplaining:
    @given(filters, views)
    def test_tells_the_same_as_evaluating(self, given_filter: dict[str, Any], view: EventView) -> None:
        """The explanation's outcome is that of the evaluation, for every filter and event."""
        expression = parse_filters([given_filter])
        assert explain(expression, view).outcome is expression.matches(view)

    @given(filters, views)
    def test_every_condition_is_evaluated_and_shown(self, given_filter: dict[str, Any], view: EventView) -> None:
        """Each comparison is there with the event's value, one line each, also where it decides nothing."""
        explained = explain(parse_filters([given_filter]), view)
        compared = [node for node in nodes(explained) if not node.children]
        assert len(compared) == conditions(given_filter)
        for node in compared:
            attribute = node.text.split(maxsplit=1)[0]
            assert node.seen == view.attributes.get(attribute)
            assert ("the event has no" in node.text) is (node.seen is None)
        assert len(str(explained).splitlines()) == len(list(nodes(explained)))

    @given(filters, views)
    def test_each_outcome_follows_from_those_below(self, given_filter: dict[str, Any], view: EventView) -> None:
        """A reader can check the tree: every node's outcome is what its words say about its children."""
        combined: dict[str, Callable[[list[bool]], bool]] = {
            "all of": all,
            "any of": any,
            "not": lambda outcomes: not outcomes[0],
        }
        for node in nodes(explain(parse_filters([given_filter]), view)):
            if node.children:
                assert node.outcome is combined[node.text]([child.outcome for child in node.children])

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

    def test_an_unknown_dialect_is_shown_as_it_is_written(self) -> None:
        """An expression of a dialect that has no words of its own is shown with what stands under it."""

        class Payload(Expression):
            """Looks into the payload."""

            def matches(self, event: EventView) -> bool:
                return event.data == {"rows": 344}

            def to_json(self) -> dict[str, Any]:
                return {"data": {"path": "rows", "op": "eq", "value": 344}}

        explained = explain(Payload(), EventView({}, data={"rows": 344}))
        assert str(explained) == "true   data {'path': 'rows', 'op': 'eq', 'value': 344}"
        assert Payload().operands == ()
