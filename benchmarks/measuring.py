"""How everything here is measured: both sides of a comparison by turns in one run, medians, and ratios of neighbours.

Absolute figures of a shared machine vary by a third from minute to minute; the ratio of two measurements that were
taken side by side does not. Every comparison therefore alternates, and its ratio is the median of the pairs' ratios.
"""

from __future__ import annotations

import gc
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table.

    Attributes:
        subject: What it belongs to, e.g. ``start-up``.
        name: What was measured.
        value: Its median, in ``unit``.
        unit: ``ms`` or ``ns`` a time, or ``/s``.
        beside: What it was compared with, None where it stands alone.
        beside_value: The median of that, in the same unit.
        ratio: Median of the pairs' ratios of ``value`` to ``beside_value``.
        at_most: What the ratio may be at most, None for no limit.
        at_least: What the value must be at least, None for no limit.
        at_most_value: What the value may be at most, None for no limit.
        ratio_at_least: What the ratio must be at least, None for no limit.
    """

    subject: str
    name: str
    value: float
    unit: str
    beside: str | None = None
    beside_value: float | None = None
    ratio: float | None = None
    at_most: float | None = None
    at_least: float | None = None
    at_most_value: float | None = None
    ratio_at_least: float | None = None

    @property
    def holds(self) -> bool | None:
        """Whether the limit is kept, None where there is none."""
        if self.at_most is not None and self.ratio is not None:
            return self.ratio <= self.at_most
        if self.at_most_value is not None:
            return self.value <= self.at_most_value
        if self.ratio_at_least is not None and self.ratio is not None:
            return self.ratio >= self.ratio_at_least
        return None if self.at_least is None else self.value >= self.at_least


@dataclass(frozen=True, slots=True)
class Effort:
    """How much to measure.

    Attributes:
        processes: Pairs of whole processes.
        rounds: Pairs of timed loops.
        seconds: How long one timed loop takes, about.
        store_rounds: Pairs of rounds of work on a store.
        tries: How often each way to set up a peer is tried before the fastest is measured; 0 takes the first.
        side_seconds: How long the peer is measured in each round, about.
        flavors: How many flavors "many" are.
        actions: How many actions one round of the store stores.
        executions: How many executions one round runs.
        passing: How many executions pass while memory is looked at.
        finished: How many executions that have ended a full store holds.
    """

    processes: int
    rounds: int
    seconds: float
    store_rounds: int
    tries: int
    side_seconds: float
    flavors: int
    actions: int
    executions: int
    passing: int
    finished: int


FULL = Effort(
    processes=40,
    rounds=15,
    seconds=0.2,
    store_rounds=9,
    tries=2,
    side_seconds=1.0,
    flavors=1000,
    actions=2000,
    executions=1000,
    passing=100_000,
    finished=1_000_000,
)
QUICK = Effort(
    processes=7,
    rounds=5,
    seconds=0.05,
    store_rounds=3,
    tries=1,
    side_seconds=0.4,
    flavors=1000,
    actions=300,
    executions=300,
    passing=10_000,
    finished=50_000,
)
SMOKE = Effort(
    processes=1,
    rounds=1,
    seconds=0.001,
    store_rounds=1,
    tries=0,
    side_seconds=0.0,
    flavors=20,
    actions=20,
    executions=130,
    passing=1_000,
    finished=200,
)

Side = Callable[[], float]
Tried = TypeVar("Tried")


def fastest(
    candidates: Sequence[Tried], rate: Callable[[int, Tried], float], least: int, effort: Effort
) -> tuple[Tried, Side]:
    """The candidate with the highest rate of all tries, so that a peer is measured as well as it can be set up.

    Args:
        candidates: What to try.
        rate: How many of so many are done a second, with a candidate.
        least: The fewest that a rate can be measured with.
        effort: How often to try, and how long a measurement should take.

    Returns:
        The candidate, and the side that measures it.
    """
    if not effort.tries:
        return candidates[0], lambda: rate(least, candidates[0])
    rates = [max(rate(least, candidate) for _ in range(effort.tries)) for candidate in candidates]
    best = candidates[rates.index(max(rates))]
    times = max(least, round(max(rates) * effort.side_seconds))
    return best, lambda: rate(times, best)


def by_turns(sides: Sequence[Side], rounds: int) -> list[tuple[float, ...]]:
    """Measure several sides again and again, each round in another order.

    Returns:
        For each round, the sides' figures in the order of the sides.
    """
    results = []
    for number in range(rounds):
        figures = [0.0] * len(sides)
        order = range(len(sides)) if number % 2 == 0 else reversed(range(len(sides)))
        for index in order:
            figures[index] = sides[index]()
        results.append(tuple(figures))
    return results


def median_of(results: Sequence[Sequence[float]], side: int) -> float:
    """The median figure of one side."""
    return statistics.median(figures[side] for figures in results)


def ratio_of(results: Sequence[Sequence[float]], side: int, other: int) -> float:
    """The median, over the rounds, of one side's figure to another's."""
    return statistics.median(figures[side] / figures[other] for figures in results)


def process(code: str, environment: Mapping[str, str] | None = None) -> Side:
    """A side that runs code in a whole new process of this Python, in milliseconds."""
    variables = {**os.environ, **(environment or {})}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)  # compiled files are there, as after any installation

    def run() -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, env=variables, stdout=subprocess.DEVNULL)
        return (time.perf_counter() - started) * 1e3

    run()  # compiles, and warms the disk's cache
    return run


def loop(call: Callable[[], object], seconds: float) -> Side:
    """A side that calls something often enough to fill the time, in nanoseconds a call."""
    times = max(1, round(seconds / _seconds_of(call, 100) * 100))

    def run() -> float:
        return _seconds_of(call, times) / times * 1e9

    return run


def slice_of(call: Callable[[], object], times: int) -> Side:
    """A side that calls something a few hundred times, in nanoseconds of this process's own time a call.

    For differences of a few per cent: slices of a millisecond that take turns meet the same machine, and what others do
    to it meanwhile is not counted. Garbage is not collected in between, which would take longer than the slice.
    """
    turns = range(times)

    def run() -> float:
        started = time.process_time_ns()
        for _ in turns:
            call()
        return (time.process_time_ns() - started) / times

    run()
    return run


def _seconds_of(call: Callable[[], object], times: int) -> float:
    turns = range(times)
    gc.collect()
    started = time.perf_counter()
    for _ in turns:
        call()
    return time.perf_counter() - started
