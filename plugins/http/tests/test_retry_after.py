"""How long an endpoint asks to wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actium_http.answers import LONGEST_WAIT, retry_after

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@given(seconds=st.integers(-100_000, 100_000))
def test_a_date_is_as_good_as_seconds(seconds: int) -> None:
    """Seconds and a date mean the same wait: none that is negative, none of more than a day."""
    expected = min(max(seconds, 0), LONGEST_WAIT)
    assert retry_after(format_datetime(NOW + timedelta(seconds=seconds), usegmt=True), now=NOW) == expected
    if seconds >= 0:
        assert retry_after(str(seconds), now=NOW) == expected


@given(text=st.text(max_size=40))
def test_nothing_that_it_says_is_an_error(text: str) -> None:
    """Whatever stands there, it is a wait within the bounds, or none."""
    seconds = retry_after(text, now=NOW)
    assert seconds is None or 0 <= seconds <= LONGEST_WAIT


@pytest.mark.parametrize("value", [None, "", "soon", "-5", "1.5", "Sun, 99 Nov"])
def test_what_cannot_be_understood_is_none(value: str | None) -> None:
    """A header that is missing or cannot be understood leaves the wait to the run policy."""
    assert retry_after(value, now=NOW) is None


def test_a_number_beyond_all_bounds_is_a_day() -> None:
    """Even a number that no float can hold is no error."""
    assert retry_after("9" * 400, now=NOW) == LONGEST_WAIT
