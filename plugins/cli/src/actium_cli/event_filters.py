"""``--filter exact:type=com.example.arrived``: one of a trigger's filters in a word; those that nest are JSON."""

from __future__ import annotations

from typing import Any

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
