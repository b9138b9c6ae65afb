"""Hook plugins that write down which hooks were called, in which order and with which outcome.

What they write goes into a file that an environment variable names, because the hooks of an isolated flavor's run are
called in another process.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from actium import TriggerExecutionResponse, hookimpl
from actium.errors import Retry

FILE = "PYTEST_ACTIUM_CALLS"
REPEAT = "PYTEST_ACTIUM_REPEAT"
"""With any value, the first attempt of each execution is made again although the flavor was done with it."""
REPEAT_AFTER = 3_600.0
REFUSE = "PYTEST_ACTIUM_REFUSE"
"""The name of a hook that is refused after the flavor was done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCall:
    """One thing that a recording hook plugin saw.

    Attributes:
        who: Which of the plugins.
        hook: Which hook.
        moment: ``entered`` before the flavor, ``left`` after it, ``told`` for what is only observed.
        outcome: The type of what came out, or of what was raised; None on entering.
        error: What the exception said; None where none was raised.
        result: What came out, where it is plain JSON; None otherwise.
        is_json: Whether what came out is plain JSON.
        execution_id: Of which execution, where it is about one.
        status: The execution's status, where the hook tells one.
    """

    who: str
    hook: str
    moment: Literal["entered", "left", "told"]
    outcome: str | None = None
    error: str | None = None
    result: Any = None
    is_json: bool = True
    execution_id: str | None = None
    status: str | None = None


class HookRecorder:
    """A hook plugin that changes nothing and writes everything down."""

    def __init__(self, who: str) -> None:
        """Make one.

        Args:
            who: How it is called in the record.
        """
        self._who = who

    @hookimpl(wrapper=True)
    def create_action(self) -> Generator[None, Any, Any]:
        return (yield from self._around("create_action"))

    @hookimpl(wrapper=True)
    def update_action(self) -> Generator[None, Any, Any]:
        return (yield from self._around("update_action"))

    @hookimpl(wrapper=True)
    def delete_action(self) -> Generator[None, Any, Any]:
        return (yield from self._around("delete_action"))

    @hookimpl(wrapper=True)
    def get_action(self) -> Generator[None, Any, Any]:
        return (yield from self._around("get_action"))

    @hookimpl(wrapper=True)
    def extract_resources(self) -> Generator[None, Any, Any]:
        return (yield from self._around("extract_resources"))

    @hookimpl(wrapper=True)
    def run_action(self, trigger_execution: TriggerExecutionResponse) -> Generator[None, Any, Any]:
        return (yield from self._around("run_action", str(trigger_execution.id)))

    @hookimpl
    def event_published(self) -> None:
        self._note(hook="event_published", moment="told")

    @hookimpl
    def execution_changed(self, trigger_execution: TriggerExecutionResponse) -> None:
        self._note(
            hook="execution_changed",
            moment="told",
            execution_id=str(trigger_execution.id),
            status=trigger_execution.status.value,
        )

    def _around(self, hook: str, execution_id: str | None = None) -> Generator[None, Any, Any]:
        self._note(hook=hook, moment="entered", execution_id=execution_id)
        try:
            result = yield
        except BaseException as error:
            told = {"outcome": type(error).__name__, "error": str(error)}
            self._note(hook=hook, moment="left", execution_id=execution_id, **told)
            raise
        plain = is_plain_json(result)
        self._note(
            hook=hook,
            moment="left",
            execution_id=execution_id,
            outcome=type(result).__name__,
            result=result if plain else None,
            is_json=plain,
        )
        return result

    def _note(self, **fields: Any) -> None:
        file = os.environ.get(FILE)
        if file is not None:
            with Path(file).open("a", encoding="utf-8") as lines:
                lines.write(json.dumps({"who": self._who, **fields}) + "\n")


class Repeater:
    """A hook plugin that has the first attempt of each execution made again, as after a lost worker."""

    @hookimpl(wrapper=True)
    def run_action(self, trigger_execution: TriggerExecutionResponse) -> Generator[None, Any, Any]:
        result = yield
        if trigger_execution.attempt == 1 and REPEAT in os.environ:
            raise Retry("The outcome of the first attempt was lost on purpose.", after=REPEAT_AFTER)
        return result


class RefusedError(Exception):
    """What `Refuser` raises."""


class Refuser:
    """A hook plugin that refuses a change when the flavor was done with it, as a policy may."""

    @hookimpl(wrapper=True)
    def create_action(self) -> Generator[None, Any, Any]:
        return (yield from self._refused("create_action"))

    @hookimpl(wrapper=True)
    def update_action(self) -> Generator[None, Any, Any]:
        return (yield from self._refused("update_action"))

    def _refused(self, hook: str) -> Generator[None, Any, Any]:
        result = yield
        if os.environ.get(REFUSE) == hook:
            raise RefusedError(f"{hook} is refused on purpose.")
        return result


RECORDER = HookRecorder("recorder")
OUTER = HookRecorder("outer")
INNER = HookRecorder("inner")
REPEATER = Repeater()
REFUSER = Refuser()
"""Objects of a module can be found by other processes, which run the hooks of isolated flavors."""


def recorded_in(file: Path) -> list[RecordedCall]:
    """What was written down, first to last."""
    if not file.exists():
        return []
    return [RecordedCall(**json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]


def is_plain_json(value: object) -> bool:
    """Whether a value comes back from JSON as it was, but for tuples, which become lists."""
    if value is None or isinstance(value, bool | str | int):
        return type(value) in {type(None), bool, str, int}
    if isinstance(value, float):
        return value == value and abs(value) != float("inf")
    if isinstance(value, list | tuple):
        return all(map(is_plain_json, value))
    return isinstance(value, dict) and all(type(key) is str and is_plain_json(item) for key, item in value.items())
