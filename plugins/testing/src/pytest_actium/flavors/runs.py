"""Rules of runs: they end, say how, may be repeated, and work wherever they are started."""

from __future__ import annotations

import pytest

from actium import ExecutionStatus
from pytest_actium.flavors.subject import Bench, FlavorSubject
from pytest_actium.verdicts import fail


class RunRules(FlavorSubject):
    """What happens when an action is run."""

    def test_a_run_succeeds(self, bench: Bench) -> None:
        """A run of the valid configuration succeeds."""
        (execution,) = bench.run()
        returned = [call for call in bench.calls if call.hook == "run_action" and call.moment == "left"]
        if execution.status is not ExecutionStatus.SUCCEEDED and all(call.error is not None for call in returned):
            detail = execution.error.traceback if execution.error is not None else None
            fail(
                f"The run is {execution.status.value}: {execution.reason}\n{detail or ''}",
                mend="correct `run`, VALID, or what the test gives it to work with.",
            )
