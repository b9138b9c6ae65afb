"""Looking up by a beginning that fits more than anyone wants to read."""

from __future__ import annotations

import pytest

from actium import Actium
from actium.errors import AmbiguousReferenceError
from actium.models import ServiceAccountRequest
from actium.stores.base_store import MOST_FOUND


@pytest.mark.parametrize(
    "there, told",
    [(2, "fits 2 service accounts"), (MOST_FOUND - 1, "fits 19 "), (MOST_FOUND, "20 or more"), (30, "20 or more")],
)
def test_the_number_that_is_told_is_true(app: Actium, there: int, told: str) -> None:
    """As many objects as a look-up gives at most are told as that many or more, fewer by their number."""
    for number in range(there):
        app.accounts.create(ServiceAccountRequest(name=f"robot-{number}"))
    with pytest.raises(AmbiguousReferenceError, match=told) as caught:
        app.accounts.get("robot-")
    assert len(caught.value.candidates) == min(there, MOST_FOUND)
