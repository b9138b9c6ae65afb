"""What the messages of steps add up to."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actium_pipeline_run.states import RunStates, StepError, StepState, StepStatus

ERROR = {"type": "ValueError", "message": "no", "traceback": None}

messages = st.fixed_dictionaries(
    {
        "step": st.sampled_from(["load", "fit", "other"]),
        "state": st.sampled_from(["started", "succeeded", "raised", "sung"]),
        "attempt": st.integers(1, 5),
        "seconds": st.floats(0, 100),
        "error": st.just(ERROR),
        "final": st.booleans(),
    }
)


def states(*taken: dict[str, Any]) -> RunStates:
    run = RunStates(["load", "fit"])
    for message in taken:
        run.take(message)
    return run


@given(st.lists(messages))
def test_the_steps_are_always_those_of_the_graph_and_stopping_ends_them_all(taken: list[dict[str, Any]]) -> None:
    """Whatever is told, no step appears, disappears or moves, and none outlives its run."""
    run = states(*taken)
    assert [state.name for state in run.steps] == ["load", "fit"]
    run.stop(reason=StepError(type="Stopped", message="over"))
    assert not {state.status for state in run.steps} & {StepStatus.PENDING, StepStatus.RUNNING}


def test_seconds_add_up_over_attempts() -> None:
    """A step that was repeated took the time of all its calls, and remembers no error once it has succeeded."""
    run = states(
        {"step": "load", "state": "started", "attempt": 1},
        {"step": "load", "state": "raised", "seconds": 1.5, "error": ERROR, "final": False},
        {"step": "load", "state": "started", "attempt": 2},
        {"step": "load", "state": "succeeded", "seconds": 0.25},
    )
    assert run.steps[0] == StepState(name="load", status=StepStatus.SUCCEEDED, attempts=2, seconds=1.75)


def test_a_step_between_two_attempts_runs_and_shows_its_latest_error() -> None:
    """Who watches sees why it is repeated."""
    run = states(
        {"step": "fit", "state": "started", "attempt": 1},
        {"step": "fit", "state": "raised", "seconds": 1, "error": ERROR, "final": False},
    )
    assert run.running() == ("fit",)
    assert str(run.steps[1].error) == "ValueError: no"


def test_stopping_gives_running_steps_the_reason_and_skips_the_others() -> None:
    """A run that was stopped says which steps were under way."""
    run = states({"step": "load", "state": "started", "attempt": 1})
    reason = StepError(type="PipelineTimeoutError", message="too long")
    run.stop(reason=reason, running_status=StepStatus.FAILED)
    assert run.steps == (
        StepState(name="load", status=StepStatus.FAILED, attempts=1, error=reason),
        StepState(name="fit", status=StepStatus.SKIPPED),
    )


@pytest.mark.parametrize("message", [{}, {"step": "other", "state": "started", "attempt": 1}, {"step": "fit"}])
def test_what_is_not_about_a_step_changes_nothing(message: dict[str, Any]) -> None:
    """A line that is no message of this run is told apart from one that is."""
    run = RunStates(["fit"])
    assert not run.take(message)
    assert run.steps == (StepState(name="fit"),)


def test_a_run_with_a_result_has_succeeded_in_all_steps() -> None:
    """The result is proof of every step, should a message have been lost on the way from a cluster."""
    run = states({"step": "load", "state": "started", "attempt": 1})
    run.succeed()
    assert {state.status for state in run.steps} == {StepStatus.SUCCEEDED}
