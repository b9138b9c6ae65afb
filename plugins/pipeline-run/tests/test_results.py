"""What becomes of a pipeline's result."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actium_pipeline_run.results import MAX_RESULT_BYTES, as_result

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
    lambda values: (
        st.lists(values)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")), values)
    ),
)


@given(plain)
def test_what_json_can_hold_stays_what_it_is(value: Any) -> None:
    """An ordinary result is not touched."""
    assert as_result(value) == value


class Model:
    def __repr__(self) -> str:
        return "Model(" + "x" * 500 + ")"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"accuracy": np.float64(0.5), "count": np.int64(3)}, {"accuracy": 0.5, "count": 3}),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        ((date(2026, 1, 31), float("nan"), b"ab"), ["2026-01-31", "NaN", "YWI="]),
        ({1: {2}}, {"1": [2]}),
        ("a\x00b", "a\ufffdb"),
        ({"\\u0000": "\x00"}, {"\\u0000": "\ufffd"}),
        ("\ud800", "'\\ud800'"),
    ],
)
def test_other_values_are_told_in_the_words_of_json(value: Any, expected: Any) -> None:
    """Numbers and arrays of numerical libraries, dates, and what no text may contain."""
    assert as_result(value) == expected


def test_what_json_has_no_word_for_is_told_as_text() -> None:
    """A pipeline that returns a model has still succeeded."""
    told = as_result({"model": Model(), "score": 1})
    assert told["score"] == 1
    assert told["model"].startswith("Model(xxx")
    assert len(told["model"]) == 201


def test_a_result_that_contains_itself_is_told_as_text() -> None:
    """Nothing that a pipeline returns makes its run fail."""
    loop: list[Any] = []
    loop.append(loop)
    assert as_result(loop) == "[[...]]"


def test_a_result_that_is_too_large_is_left_out_with_its_size() -> None:
    """The store keeps results, not data sets."""
    told = as_result(["x" * 1000] * 1000)
    assert set(told) == {"omitted", "value"}
    assert "1,003,001 bytes of JSON" in told["omitted"]
    assert len(json.dumps(told)) < MAX_RESULT_BYTES
