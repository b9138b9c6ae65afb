"""What all conformance suites have in common: their tests stay as they are, or say why not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest


class Conformance:
    """Base of the suites. Their tests cannot be overridden: what does not fit is named in ``EXEMPT``, with a reason.

    Attributes:
        EXEMPT: The names of tests that are not to be held against the subject, each with the reason; they are skipped
            with it, so that whoever reads the report sees both.
    """

    EXEMPT: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        """Refuse subclasses that would hide a rule.

        Raises:
            TypeError: A test of the suite is overridden, or an exemption names none or gives no reason.
        """
        super().__init_subclass__(**options)
        if cls.__module__.partition(".")[0] == __package__:
            return
        own = {name for name in vars(cls) if name.startswith("test_")}
        hidden = sorted(name for name in own if any(name in vars(base) for base in cls.__mro__[1:] if _is_ours(base)))
        if hidden:
            raise TypeError(
                f"{cls.__name__} overrides {', '.join(hidden)} of its suite, which would hide a rule. "
                "Name it in EXEMPT, with the reason, and call your own test something else."
            )
        for name, reason in cls.EXEMPT.items():
            if not hasattr(cls, name) or not reason.strip():
                raise TypeError(f"EXEMPT of {cls.__name__} names {name!r}: that must be a test, with a reason.")

    @pytest.fixture(autouse=True)
    def _exempt(self, request: pytest.FixtureRequest) -> None:
        reason = self.EXEMPT.get(request.function.__name__)
        if reason is not None:
            pytest.skip(f"exempt: {reason}")


def _is_ours(base: type) -> bool:
    return base.__module__.partition(".")[0] == __package__


def wanted(item: pytest.Item) -> str | None:
    """What a test of a suite wants, in its own sentence; None for any other test."""
    cls = getattr(item, "cls", None)
    if cls is None or not issubclass(cls, Conformance):
        return None
    function = getattr(item, "function", None)
    return getattr(function, "__doc__", None)
