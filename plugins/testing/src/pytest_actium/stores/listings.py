"""Rules of finding and listing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actium.errors import (
    InvalidQueryError,
)
from actium.models.page import Condition, LogicalOperator, Operator
from actium.stores.base_store import BaseStore, Query
from actium.stores.records import (
    AccountRecord,
    ResourceRecord,
)
from pytest_actium.stores.subject import (
    NOW,
    StoreSubject,
    account_record,
    resource_record,
    with_store,
)


class FindingRules(StoreSubject):
    """What is found by ids, names and beginnings."""

    def test_finding_exact_wins_over_beginnings(self, store: BaseStore) -> None:
        """An exact id wins over an exact name, that over beginnings; at most 20 are told."""
        accounts = [account_record(name) for name in ("a", "ab", *(f"x{number}" for number in range(30)))]
        for account in accounts:
            store.insert_account(account)

        def found(reference: str) -> list[str]:
            return [item.name for item in store.find(AccountRecord, "default", reference)]

        assert (found("a"), found("ab"), found(str(accounts[0].id))) == (["a"], ["ab"], ["a"])
        assert len(found("x")) == 20
        assert (found(str(accounts[0].id)[:3]), found(str(accounts[0].id)[:4])) == ([], ["a"])
        assert store.find(AccountRecord, "elsewhere", "a") == ()

    @with_store
    @given(
        names=st.lists(st.text("ab%_'", min_size=1, max_size=4), unique=True, max_size=8),
        reference=st.text("ab%_'", min_size=1, max_size=3),
    )
    def test_finding_names_are_taken_literally(self, store: BaseStore, names: list[str], reference: str) -> None:
        """Percent signs, underscores and quotes in names and references mean themselves."""
        project = str(uuid4())
        for name in names:
            # Ids are hexadecimal: these begin with what no reference here can be.
            store.insert_account(account_record(name, project=project, id=UUID(f"f{uuid4().hex[1:]}")))
        found = {item.name for item in store.find(AccountRecord, project, reference)}
        exact = {name for name in names if name == reference}
        assert found == (exact or {name for name in names if name.startswith(reference)})


values = st.sampled_from(["", "a", "A", "ab", "ba", "%", "_", "b%"])
conditions = st.one_of(
    st.builds(
        Condition,
        st.just("name"),
        st.sampled_from([operator for operator in Operator if operator is not Operator.ONEOF]),
        values,
    ),
    st.builds(Condition, st.just("name"), st.just(Operator.ONEOF), st.lists(values, max_size=3).map(tuple)),
    st.builds(
        Condition, st.just("type"), st.sampled_from([Operator.EQUALS, Operator.NOTEQUALS]), st.sampled_from(["p", "q"])
    ),
)
COMPARE: dict[Operator, Callable[[Any, Any], bool]] = {
    Operator.EQUALS: lambda value, wanted: value == wanted,
    Operator.NOTEQUALS: lambda value, wanted: value != wanted,
    Operator.CONTAINS: lambda value, wanted: wanted in value,
    Operator.STARTSWITH: lambda value, wanted: value.startswith(wanted),
    Operator.ENDSWITH: lambda value, wanted: value.endswith(wanted),
    Operator.ONEOF: lambda value, wanted: value in wanted,
    Operator.GT: lambda value, wanted: value > wanted,
    Operator.GTE: lambda value, wanted: value >= wanted,
    Operator.LT: lambda value, wanted: value < wanted,
    Operator.LTE: lambda value, wanted: value <= wanted,
}


class PageRules(StoreSubject):
    """What is listed."""

    @with_store
    @given(
        rows=st.lists(st.tuples(st.sampled_from(["p", "q"]), values.filter(bool)), unique=True, max_size=10),
        asked=st.lists(conditions, max_size=3),
        combine=st.sampled_from(LogicalOperator),
        sort_by=st.sampled_from(["name", "type", "created"]),
        descending=st.booleans(),
        index=st.integers(1, 3),
        max_size=st.integers(1, 4),
    )
    def test_pages_are_what_plain_python_would_give(
        self,
        store: BaseStore,
        rows: list[tuple[str, str]],
        asked: list[Condition],
        combine: LogicalOperator,
        sort_by: str,
        descending: bool,
        index: int,
        max_size: int,
    ) -> None:
        """Conditions, their combination, order and cut equal those of plain Python over the same rows."""
        project = str(uuid4())
        records = [
            resource_record(name, type=kind, project=project, created=NOW + timedelta(seconds=position // 2))
            for position, (kind, name) in enumerate(rows)
        ]
        for record in records:
            store.insert_resource(record)
        store.insert_resource(resource_record(str(uuid4()), project=str(uuid4())))
        every = all if combine is LogicalOperator.AND else any

        def fits(record: ResourceRecord) -> bool:
            return not asked or every(
                COMPARE[item.operator](getattr(record, item.column), item.value) for item in asked
            )

        expected = list(filter(fits, records))
        if descending:
            expected.reverse()
        expected.sort(key=lambda record: getattr(record, sort_by), reverse=descending)
        page = store.page(
            ResourceRecord,
            Query(
                project=project,
                conditions=tuple(asked),
                combine=combine,
                sort_by=sort_by,
                descending=descending,
                index=index,
                max_size=max_size,
            ),
        )
        assert page.total == len(expected)
        assert list(page.records) == expected[(index - 1) * max_size : index * max_size]

    def test_pages_an_unknown_column_is_refused(self, store: BaseStore) -> None:
        """A column that is not there never reaches the database."""
        with pytest.raises(InvalidQueryError, match="'name; DROP TABLE'"):
            store.page(ResourceRecord, Query(sort_by="name; DROP TABLE"))

    def test_pages_conditions_on_other_types(self, store: BaseStore, account: AccountRecord) -> None:
        """Times, truth values and ids are compared as what they are."""
        store.insert_account(account_record("late", active=False, created=NOW + timedelta(days=1)))

        def names(*asked: Condition) -> list[str]:
            return [record.name for record in store.page(AccountRecord, Query(conditions=asked)).records]

        assert names(Condition("created", Operator.GT, NOW)) == ["late"]
        assert names(Condition("active", Operator.EQUALS, True)) == ["robot"]
        assert names(Condition("id", Operator.ONEOF, (account.id,))) == ["robot"]
        assert names(Condition("id", Operator.STARTSWITH, str(account.id)[:8])) == ["robot"]
