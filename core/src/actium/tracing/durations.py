"""How long something took, as people read it."""

from __future__ import annotations


def in_words(nanoseconds: int) -> str:
    """A duration with three digits at most, e.g. ``12.3 ms``."""
    for limit, size, unit in _UNITS:
        if nanoseconds < limit:
            value = nanoseconds / size
            return f"{value:.0f} {unit}" if value >= 99.95 or size == 1 else f"{value:.3g} {unit}"
    minutes, seconds = divmod(round(nanoseconds / 1e9), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"


_UNITS = (
    (999_500, 1_000, "µs"),
    (999_500_000, 1_000_000, "ms"),
    (59_500_000_000, 1_000_000_000, "s"),
)
