"""Run policies: how often, how long, how many at once, and until when an action's executions are run."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints, field_validator, model_validator

from actium.models.base import BaseRequest

MAX_ATTEMPTS = 1_000
MAX_CHAIN = 1_000
DEFAULT_MAX_CHAIN = 8
MAX_SECONDS = 31_536_000.0
"""The longest time that a policy may name: a year."""

Seconds = Annotated[float, Field(gt=0, le=MAX_SECONDS, allow_inf_nan=False)]
ErrorName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][\w.]*$", max_length=255)]


class Backoff(BaseRequest):
    """How long to wait before an attempt is followed by the next.

    With full jitter each wait is drawn evenly between nothing and the computed time, so that what failed together does
    not come back together; see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.

    Attributes:
        kind: ``exponential``: the time grows with each attempt. ``fixed``: it is always ``base``.
        base: Seconds after the first attempt.
        factor: By what it grows; does nothing where it is fixed.
        cap: The longest wait in seconds.
        jitter: Whether each wait is drawn between nothing and the computed time.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["fixed", "exponential"] = "exponential"
    base: Seconds = 1.0
    factor: Annotated[float, Field(ge=1, le=100, allow_inf_nan=False)] = 2.0
    cap: Seconds = 3_600.0
    jitter: bool = True

    def seconds(self, attempt: int, *, draw: float) -> float:
        """How long to wait after an attempt.

        Args:
            attempt: Its number, from 1.
            draw: Evenly drawn from 0 to 1; where jitter is off it does nothing.
        """
        grown = self.base
        if self.kind == "exponential":
            try:
                grown = self.base * self.factor ** (attempt - 1)
            except OverflowError:
                grown = self.cap
        longest = min(grown, self.cap)
        return longest * draw if self.jitter else longest


class ConcurrencyMode(StrEnum):
    """What happens to an execution while others of its kind have not ended."""

    PARALLEL = "parallel"
    """It runs beside them, up to the maximum if there is one."""
    QUEUED = "queued"
    """It waits for its turn, in the order of arrival."""
    SINGLE = "single"
    """It is skipped."""
    RESTART = "restart"
    """They are cancelled, and it runs once they have ended."""


class Concurrency(BaseRequest):
    """How many executions of an action may be under way at once.

    Attributes:
        mode: What happens to one that comes while others have not ended.
        maximum: How many may run at once: for ``parallel`` no limit where it is not given, for ``queued`` 1.
        key: What of the event tells kinds apart that do not concern each other: an attribute such as ``subject``, or
            ``data`` and a path such as ``data.customer.id``. None makes all of the action's executions one kind.
    """

    model_config = ConfigDict(frozen=True)

    mode: ConcurrencyMode = ConcurrencyMode.PARALLEL
    maximum: Annotated[int, Field(ge=1, le=10_000)] | None = None
    key: Annotated[str, StringConstraints(pattern=r"^([a-z0-9]{1,64}|data(\.[^.\s]+)+)$", max_length=255)] | None = None

    @model_validator(mode="after")
    def _only_where_there_are_several(self) -> Concurrency:
        if self.maximum not in {None, 1} and self.mode in {ConcurrencyMode.SINGLE, ConcurrencyMode.RESTART}:
            raise ValueError(f"{self.mode.value} lets one run at once, so its maximum cannot be {self.maximum}")
        return self

    @property
    def slots(self) -> int | None:
        """How many may run at once; None for no limit."""
        return self.maximum if self.mode is ConcurrencyMode.PARALLEL else self.maximum or 1


class RunPolicy(BaseRequest):
    """How an action's executions are run. Executions keep the policy of the revision that they run.

    Attributes:
        max_attempts: How often an execution is tried at most. Attempts that were lost with their worker do not count:
            see `actium.models.run_policy.MAX_LOSSES`.
        backoff: How long to wait between attempts.
        retry_on: The names of the exceptions to try again after, e.g. ``ConnectionError`` or
            ``httpx.TimeoutException``; a base class stands for all that derive from it. None means every
            exception. ``PermanentError`` is never tried again, ``Retry`` always.
        timeout: Seconds that one attempt may take; None for no limit.
        concurrency: How many may be under way at once.
        deadline: Seconds after which an execution that has not begun is not started any more; None for no limit.
        max_chain: How long a chain of executions may be that lead to one another by the events that they publish; one
            that would make it longer is skipped. It keeps an action that triggers itself from going on for ever.
    """

    model_config = ConfigDict(frozen=True)

    max_attempts: Annotated[int, Field(ge=1, le=MAX_ATTEMPTS)] = 1
    backoff: Backoff = Field(default_factory=Backoff)
    retry_on: tuple[ErrorName, ...] | None = None
    timeout: Seconds | None = None
    concurrency: Concurrency = Field(default_factory=Concurrency)
    deadline: Seconds | None = None
    max_chain: Annotated[int, Field(ge=1, le=MAX_CHAIN)] = DEFAULT_MAX_CHAIN

    @field_validator("retry_on", mode="before")
    @classmethod
    def _one_name_is_a_list_of_one(cls, names: object) -> object:
        return (names,) if isinstance(names, str) else names

    def retries(self, error: BaseException) -> bool:
        """Whether an exception is one to try again after, attempts left or not."""
        if self.retry_on is None:
            return isinstance(error, Exception)
        names = {
            name
            for kind in type(error).__mro__
            for name in (kind.__name__, kind.__qualname__, f"{kind.__module__}.{kind.__qualname__}")
        }
        return not names.isdisjoint(self.retry_on) or isinstance(error, tuple(_known(self.retry_on)))


def _known(names: Iterable[str]) -> Iterator[type]:
    """The classes of some names, among those that are imported: one may have several names, such as ``IOError``."""
    for name in names:
        module, _, attribute = name.rpartition(".")
        found = getattr(sys.modules.get(module or "builtins"), attribute, None)
        if isinstance(found, type):
            yield found


MAX_LOSSES = 3
"""How often an execution may be lost with its worker before it is taken for the cause, and failed. Before the last
time it runs alone in its worker, so that no other is lost with it, or blamed in its place."""

ROOM_WITHIN = 30.0
"""Seconds for which workers take nothing else while an execution waits that is to run alone. When none has come to
an end with what it runs by then, it is run beside that."""
