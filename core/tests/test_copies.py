"""Deep copies of models: equal, as independent as pydantic's own, for everything that hook plugins are given."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from actium import Event, ExecutionStatus
from actium.models import Attempt, TriggerExecutionResponse
from actium.models.execution import ExecutionError, TriggerExecutionBody, TriggerExecutionMetadata
from actium.models.ids import new_id

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31 - 1) | st.text("ab\u00e9", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=8,
)


def response(data: Any, result: Any) -> TriggerExecutionResponse:
    now = datetime.now(UTC)
    attempt = Attempt(
        number=1, worker="w", started=now, result=result, error=ExecutionError(type="ValueError", message="no")
    )
    return TriggerExecutionResponse(
        id=new_id(),
        name="retrain",
        body=TriggerExecutionBody(
            project="default",
            status=ExecutionStatus.RUNNING,
            action_id=new_id(),
            action_revision=1,
            created=now,
        ),
        metadata=TriggerExecutionMetadata(
            event=Event(type="t", source="/s", data=data, zone=3), result=result, attempts=(attempt,)
        ),
    )


def containers(value: Any) -> list[int]:
    """The identities of everything in a value that could be changed."""
    if isinstance(value, BaseModel):
        inner = [*vars(value).values(), *(value.__pydantic_extra__ or {}).values()]
    elif isinstance(value, dict):
        inner = list(value.values())
    elif isinstance(value, list | tuple):
        inner = list(value)
    else:
        return []
    own = [] if isinstance(value, tuple) else [id(value)]
    return own + [each for one in inner for each in containers(one)]


@given(plain, plain)
def test_a_copy_is_equal_and_shares_nothing_that_can_change(data: Any, result: Any) -> None:
    """Whatever is done to a copy, the original stays; both say the same, also of which fields were given."""
    original = response(data, result)
    made = copy.deepcopy(original)
    assert made == original
    assert made.model_dump_json() == original.model_dump_json()
    assert made.model_dump(exclude_unset=True) == original.model_dump(exclude_unset=True)
    assert not set(containers(made)) & set(containers(original))
    assert made.event is not None
    assert made.event.extensions() == {"zone": 3}
