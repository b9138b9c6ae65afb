"""``30d``: lengths of time as options take them, a whole number and its unit."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import typer

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_FORM = re.compile(r"([0-9]{1,9})([smhdw])")


def parse_duration(text: str) -> timedelta:
    """Read a length of time such as ``90s``, ``15m``, ``12h``, ``30d`` or ``4w``.

    Raises:
        typer.BadParameter: It is not of that form.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise typer.BadParameter(
            f"{text!r} is no length of time; write a whole number and s, m (minutes), h, d or w, e.g. 90s, 15m or 30d."
        )
    number, unit = found.groups()
    try:
        return timedelta(**{_UNITS[unit]: int(number)})
    except OverflowError:
        raise typer.BadParameter(f"{text!r} is longer than there have been dates.") from None


def before_now(age: timedelta, *, option: str) -> datetime:
    """The moment that lies so long ago."""
    try:
        return datetime.now(UTC) - age
    except OverflowError:
        raise typer.BadParameter("That is longer than there have been dates.", param_hint=option) from None
