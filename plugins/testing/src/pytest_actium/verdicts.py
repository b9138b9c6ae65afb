"""How a rule of a suite says that it is not kept: what was found, and how to mend it."""

from __future__ import annotations

from typing import NoReturn

import pytest


def fail(found: str, *, mend: str) -> NoReturn:
    """End a test whose rule is not kept.

    Args:
        found: What happened, with the values that show it, in whole sentences.
        mend: What to change, in a whole sentence.
    """
    pytest.fail(f"{found}\nTo mend it: {mend}", pytrace=False)


def in_words(error: BaseException) -> str:
    """An exception, with its notes."""
    return "\n".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())])
