"""``--filter exact:type=com.example.arrived``: a trigger's filters in a word each; JSON for those that nest."""

from __future__ import annotations

from typing import Any

from actium_cli.yaml_text import NotReadableError, read_value

COMPARISONS = ("exact", "prefix", "suffix")


class FilterTextError(ValueError):
    """A filter cannot be read."""


def parse_filter(text: str) -> dict[str, Any]:
    """Read ``dialect:attribute=text``, or ``not:`` before it.

    Raises:
        FilterTextError: It is not of that form.
    """
    dialect, colon, rest = text.partition(":")
    if colon and dialect == "not":
        return {"not": parse_filter(rest)}
    attribute, equals, wanted = rest.partition("=")
    if dialect not in COMPARISONS or not equals or not attribute or not wanted:
        raise FilterTextError(
            f"{text!r} is no filter; write e.g. exact:type=com.example.arrived. In place of exact may stand "
            "prefix or suffix, and not: before it; --filters takes all others as JSON."
        )
    return {dialect: {attribute: wanted}}


def parse_filters(text: str) -> list[Any]:
    """Read a JSON list of filters; a single one may stand without its list.

    Raises:
        FilterTextError: It is no JSON, and no YAML either.
    """
    try:
        value = read_value(text)
    except NotReadableError as error:
        raise FilterTextError(f"the filters cannot be read: {error}.") from error
    if isinstance(value, dict):
        return [value]
    if not isinstance(value, list):
        raise FilterTextError(f"filters are a list of objects, got {value!r:.60}.")
    return value
