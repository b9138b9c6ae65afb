"""The names of an event's attributes: those that CloudEvents defines, what others may be called, and likely slips."""

from __future__ import annotations

import re

CONTEXT_ATTRIBUTES = ("id", "source", "specversion", "type", "datacontenttype", "dataschema", "subject", "time")
"""The attributes that CloudEvents 1.0 defines; all others are extensions."""

ORIGIN_ATTRIBUTES = ("causationid", "correlationid", "traceparent", "tracestate")
"""Extensions of CloudEvents that say how an event came about, and not what happened: they are added on its way."""

_NAME = re.compile(r"[a-z0-9]{1,64}")
_SHORTEST_CORRECTED = 4


def is_attribute_name(name: str) -> bool:
    """Whether an attribute can be called so: 1 to 64 lower-case letters and digits."""
    return _NAME.fullmatch(name) is not None


def meant_attribute(name: str) -> str | None:
    """The context attribute of four letters or more that a name misses by one letter; None where it misses none.

    Such a name (``tpye``, ``sources``) could be an extension's, but is far more often a slip that nobody would notice:
    a filter on it would never match.
    """
    if name in CONTEXT_ATTRIBUTES:
        return None
    long_enough = (known for known in CONTEXT_ATTRIBUTES if len(known) >= _SHORTEST_CORRECTED)
    return next((known for known in long_enough if _one_edit_apart(name, known)), None)


def _one_edit_apart(given: str, known: str) -> bool:
    """Whether one letter was left out, added, replaced, or swapped with its neighbour."""
    if given == known or abs(len(given) - len(known)) > 1:
        return False
    at = next((i for i, (a, b) in enumerate(zip(given, known, strict=False)) if a != b), min(len(given), len(known)))
    if len(given) == len(known):
        swapped = known[:at] + known[at + 1 : at + 2] + known[at] + known[at + 2 :]
        return given[at + 1 :] == known[at + 1 :] or given == swapped
    longer, shorter = (given, known) if len(given) > len(known) else (known, given)
    return longer[at + 1 :] == shorter[at:]
