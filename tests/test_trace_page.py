"""The page about traces tells the limits that the code sets; the tree that it shows is a command that is run."""

from __future__ import annotations

from pathlib import Path

from actium.tracing import limits

DOCS = Path(__file__).parents[1] / "docs"


def test_the_limits_are_those_of_the_code() -> None:
    """The page, and that of settings, tell how much of an attempt is kept."""
    page = (DOCS / "how-to" / "debug-with-traces.md").read_text(encoding="utf-8")
    settings = (DOCS / "reference" / "settings.md").read_text(encoding="utf-8")
    assert f"{limits.MAX_BYTES:,} bytes" in page
    assert f"{limits.MAX_SPANS:,} spans, {limits.MAX_BYTES:,} bytes" in settings
