"""Odd values at the doors: each is refused in Actium's words, and nothing of another library gets out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from uuid import uuid4

import pytest

from actium import Actium, ActiumError, Event
from actium.auth.secret_references import RESOLVERS
from actium.errors import (
    InvalidInputError,
    InvalidQueryError,
    InvalidTokenError,
    NotFoundError,
    SecretResolutionError,
)
from actium.models import (
    ActionFilter,
    ActionResponse,
    EventFilter,
    ServiceAccountRequest,
    TriggerExecutionFilter,
)

CreateAction = Callable[..., ActionResponse]
SURROGATE = "half \ud800 a character"
EAST = timezone(timedelta(hours=14))


class TestLookUps:
    def test_of_text_that_cannot_be_a_name(self, app: Actium) -> None:
        """Text with half a character fits nothing, and is told as what it is."""
        for kind in (app.accounts, app.actions, app.triggers, app.events, app.executions):
            with pytest.raises(InvalidInputError, match="surrogates"):
                kind.get(SURROGATE)  # type: ignore[attr-defined]

    def test_stay_within_the_project(self, url: str, app: Actium, create: CreateAction) -> None:
        """An id of another project is not found, whether it is given as text or as an object."""
        action = create()
        event = app.events.publish(Event(type="x", source="/y"))
        execution = app.actions.run(action.id)
        with Actium(url, project="other") as other:
            for kind, found in (
                (other.actions, action.id),
                (other.events, event.id),
                (other.executions, execution.id),
                (other.accounts, action.service_account_id),
            ):
                for reference in (found, str(found)):
                    with pytest.raises(NotFoundError, match="in the project 'other'"):
                        kind.get(reference)  # type: ignore[attr-defined]
            with pytest.raises(NotFoundError):
                other.actions.run(action.id)
            with pytest.raises(NotFoundError):
                other.executions.cancel(execution.id)


class TestFilters:
    def test_of_text_that_cannot_be_stored(self, app: Actium) -> None:
        """Comparing with half a character is refused."""
        with pytest.raises(InvalidInputError, match="surrogates"):
            app.events.list(EventFilter(type=SURROGATE))

    def test_of_labels(self, app: Actium, create: CreateAction) -> None:
        """Actions are listed by their labels, each compared as text is; one that is not there equals nothing."""
        create("a", labels={"team": "data", 'tier 1.5 "x"': "gold"})
        create("b", labels={"team": "data-science"})
        create("c")

        def named(**labels: str) -> list[str]:
            return sorted(action.name for action in app.actions.list(ActionFilter(labels=labels)).items)

        assert named(team="data") == ["a"]
        assert named(team="startswith:data") == ["a", "b"]
        assert named(team="oneof:data,other") == ["a"]
        assert named(team="endswith:science") == ["b"]
        assert named(team="notequals:data") == ["b", "c"]
        assert named(team="contains:ata-s") == ["b"]
        assert named(**{'tier 1.5 "x"': "gold"}) == ["a"]
        assert named(team="data", **{'tier 1.5 "x"': "silver"}) == []
        assert [one.name for one in app.actions.list(ActionFilter(name="b", labels={"team": "gt:data"})).items] == ["b"]

    def test_of_far_pages(self) -> None:
        """A page that no listing can have is refused at once."""
        with pytest.raises(InvalidInputError, match="index"):
            ActionFilter(index=10**30)

    def test_of_a_status_that_does_not_exist(self, app: Actium, create: CreateAction) -> None:
        """A misspelled status is refused with those there are; operators on text go on working."""
        app.actions.run(create().id)
        with pytest.raises(InvalidQueryError, match="'suceeded' does not fit the column 'status': .*'succeeded'"):
            app.executions.list(TriggerExecutionFilter(status="suceeded"))
        with pytest.raises(InvalidQueryError, match="status"):
            app.actions.list(ActionFilter(status=["ready", "red"]))
        assert app.executions.list(TriggerExecutionFilter(status="startswith:pend")).total == 1
        assert app.executions.list(TriggerExecutionFilter(status="oneof:pending,running")).total == 1
        assert app.executions.list(TriggerExecutionFilter(status="notequals:pending")).total == 0


class TestEvents:
    @pytest.mark.parametrize("time", [datetime(1, 1, 1, tzinfo=EAST), datetime.max.replace(tzinfo=timezone.min)])
    def test_beyond_the_calendar(self, time: datetime) -> None:
        """A time that has no date in UTC is refused."""
        with pytest.raises(InvalidInputError, match="years 1 to 9999"):
            Event(type="x", source="/y", time=time)

    def test_are_measured_as_they_travel(self) -> None:
        """The limit of an event's data counts bytes of UTF-8, not how JSON may escape them."""
        assert Event(type="x", source="/y", data="ü" * 500_000).data
        with pytest.raises(InvalidInputError, match="is 1,200,002"):
            Event(type="x", source="/y", data="ü" * 600_000)


class TestTokensAndSecrets:
    def test_a_token_of_half_a_character(self, app: Actium) -> None:
        """A token that nobody can have made is not known."""
        with pytest.raises(InvalidTokenError, match="not known"):
            app.auth.verify(SURROGATE)

    @pytest.mark.parametrize("path", ["a\x00b", "~nosuchuser-of-this-machine/secret", "/nowhere/at/all"])
    def test_a_file_that_cannot_be(self, path: str) -> None:
        """A secret's file that no machine can have is told as a secret that leads nowhere."""
        with pytest.raises(SecretResolutionError, match="cannot be read"):
            RESOLVERS["file"](path)


def test_nothing_else_gets_out(app: Actium) -> None:
    """Whatever is looked up by an odd text, the answer is one of Actium's errors."""
    for odd in ("", " ", "\x00", "%", "_", "'; DROP TABLE actions", "\U0010ffff", "x" * 100_000, str(uuid4())):
        with pytest.raises(ActiumError):
            app.actions.get(odd)
    assert app.accounts.create(ServiceAccountRequest(name="robot")).active
