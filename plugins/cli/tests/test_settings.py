"""``--set``: paths and values, read, applied and taken away."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from actium_cli.settings import (
    Path,
    Setting,
    SettingError,
    parse_path,
    parse_setting,
    path_text,
    with_settings,
    without,
)

keys = st.text(min_size=1, max_size=8)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8
)


@st.composite
def paths(draw: st.DrawFn) -> Path:
    """Paths as `parse_path` makes them; a place of a list is never first."""
    return (draw(keys), *draw(st.lists(keys | st.integers(0, 99), max_size=4)))


def leaves(value: Any, path: Path = ()) -> list[Setting]:
    """The settings that build a value: one for each scalar and each empty container."""
    if isinstance(value, dict) and value:
        return [leaf for key, item in value.items() for leaf in leaves(item, (*path, key))]
    if isinstance(value, list) and value:
        return [leaf for index, item in enumerate(value) for leaf in leaves(item, (*path, index))]
    return [Setting(path, value)]


@given(path=paths(), value=values)
def test_what_is_written_is_read_again(path: Path, value: Any) -> None:
    """Any path and any JSON value come back from their written form."""
    assert parse_setting(f"{path_text(path)}={json.dumps(value)}") == Setting(path, value)


undecided = st.text(st.characters(exclude_categories=["Nd", "Cs"], exclude_characters="\x85\u2028\u2029"))
"""Texts without digits: a writer of YAML 1.1 leaves the quotes off ``1e5``, which is a number in YAML 1.2. And without
what ends a line in YAML 1.1: this writer loses that where it may write all letters."""


@given(path=paths(), value=undecided | st.integers() | st.booleans() | st.none() | st.lists(undecided, max_size=3))
def test_values_are_yaml_too(path: Path, value: Any) -> None:
    """A value that a YAML writer wrote comes back."""
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**6)
    assert parse_setting(f"{path_text(path)}={text}").value == value


@given(st.dictionaries(keys, st.recursive(scalars, lambda x: st.lists(x) | st.dictionaries(keys, x)), min_size=1))
def test_a_configuration_is_built_of_its_leaves(configuration: dict[str, Any]) -> None:
    """Setting every leaf of a configuration in an empty one makes the same configuration."""
    written = [f"{path_text(leaf.path)}={json.dumps(leaf.value)}" for leaf in leaves(configuration)]
    assert with_settings({}, map(parse_setting, written)) == configuration


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    """No text makes the reader fail in another way than its own error."""
    with suppress(SettingError):
        setting = parse_setting(text)
        assert parse_path(path_text(setting.path)) == setting.path


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("x=0.1", 0.1),
        ("x=1e-3", 0.001),
        ("x=-7", -7),
        ("x=0x1f", 31),
        ("x=true", True),
        ("x=null", None),
        ("x=", None),
        ("x=''", ""),
        ("x=no", "no"),
        ("x=on", "on"),
        ("x=12:30", "12:30"),
        ("x=2026-01-31", "2026-01-31"),
        ("x=NaN", "NaN"),
        ("x=.inf", ".inf"),
        ("x=a=b", "a=b"),
        ("x=[1, two, {three: 3}]", [1, "two", {"three": 3}]),
        ('x={"a": "\\ud83d\\ude00"}', {"a": "😀"}),
    ],
)
def test_values_have_the_types_of_yaml_1_2(text: str, value: object) -> None:
    """Numbers with exponents are numbers; no, dates and times are text."""
    read = parse_setting(text).value
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("lr", "has no value"),
        ("=3", "empty key"),
        ("a..b=3", "empty key"),
        ("a[x]=3", "a place in a list"),
        ("a[0=3", "a place in a list"),
        ("a[-1]=3", "a place in a list"),
        ("a=[1", "cannot be read"),
        ("a={x: 1, x: 2}", "the key 'x' is twice"),
        ('a={"x": 1, "x": 2}', "the key 'x' is twice"),
        ("a={1: 2}", "the key 1 is no text"),
        ("a=!!python/name:os.system x", "cannot be read"),
        ("a=" + "[" * 5000, "nested too deeply"),
        ("a=1\n---\n2", "several documents"),
    ],
)
def test_a_wrong_setting_says_what_is_wrong(text: str, told: str) -> None:
    """What cannot be read is refused with a reason."""
    with pytest.raises(SettingError, match=told):
        parse_setting(text)


def test_lists_grow_by_their_next_place_only() -> None:
    """The place after the end adds an item; one beyond it is refused, with the place that would do."""
    assert with_settings({"a": [1]}, [Setting(("a", 1, "b"), 2)]) == {"a": [1, {"b": 2}]}
    with pytest.raises(SettingError, match=r"its next place is \[1\]"):
        with_settings({"a": [1]}, [Setting(("a", 2), 2)])


@pytest.mark.parametrize("text", ["a.b=1", "l.x=1", "d[0]=1", "t[0]=1"])
def test_a_path_through_something_else_is_refused(text: str) -> None:
    """A key needs an object and a place needs a list; what is there is never replaced by another kind."""
    with pytest.raises(SettingError, match="does not fit"):
        with_settings({"a": 1, "l": [], "d": {}, "t": "text"}, [parse_setting(text)])


def test_later_settings_win_and_the_original_stays() -> None:
    """Settings apply in their order, to a copy."""
    original = {"a": {"b": [1]}}
    assert with_settings(original, map(parse_setting, ["a.b[0]=2", "a.b[0]=3"])) == {"a": {"b": [3]}}
    assert original == {"a": {"b": [1]}}


def test_fields_are_taken_away() -> None:
    """A path that leads somewhere is taken away; one that leads nowhere is refused."""
    assert without({"a": {"b": 1, "c": [1, 2]}}, map(parse_path, ["a.b", "a.c[0]"])) == {"a": {"c": [2]}}
    for text in ("x", "a.x", "a.c[9]", "a.b.c"):
        with pytest.raises(SettingError):
            without({"a": {"b": 1, "c": [1, 2]}}, [parse_path(text)])
