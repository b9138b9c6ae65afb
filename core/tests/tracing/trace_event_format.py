"""What the Trace Event Format asks of a file, written from its description and not from what Actium writes.

The description: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU. A file is an array of
events, whose closing bracket may be missing, or an object that has it as ``traceEvents``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

DURATION = frozenset("BE")
PHASES = frozenset("BEXiICbneSTpFstfPNODMVvRc(),")
UNITS = frozenset({"ms", "ns"})
METADATA: Mapping[str, tuple[str, type]] = {
    "process_name": ("name", str),
    "process_labels": ("labels", str),
    "process_sort_index": ("sort_index", int),
    "thread_name": ("name", str),
    "thread_sort_index": ("sort_index", int),
}
NANOSECONDS = 1_000


def read(text: str) -> list[Any]:
    """The events of a file.

    Raises:
        ValueError: It is no file of this format.
    """
    try:
        document = json.loads(text)
    except ValueError:
        document = json.loads(text.rstrip().rstrip(",") + "]")
    if isinstance(document, dict):
        if document.get("displayTimeUnit", "ms") not in UNITS:
            raise ValueError(f"displayTimeUnit is {document['displayTimeUnit']!r}")
        document = document.get("traceEvents")
    if not isinstance(document, list):
        raise ValueError("there is no array of events")
    return document


def problems(text: str) -> list[str]:
    """All that is wrong with a file."""
    try:
        events = read(text)
    except ValueError as error:
        return [str(error)]
    found = [f"{problem} in {event!r}" for event in events for problem in _of_event(event)]
    return found or [*_of_durations(events), *_of_rows(events)]


def _of_event(event: Any) -> Iterator[str]:
    if not isinstance(event, dict):
        yield "no object"
        return
    phase = event.get("ph")
    if not isinstance(phase, str) or len(phase) != 1 or phase not in PHASES:
        yield f"no phase: {phase!r}"
        return
    if phase != "E" and not isinstance(event.get("name"), str):
        yield "no name"
    if phase != "M" and not _is_time(event.get("ts")):
        yield "no time stamp"
    if phase == "X" and not (_is_time(event.get("dur")) and event["dur"] >= 0):
        yield "no duration"
    for number in ("pid", "tid"):
        if type(event.get(number)) is not int:
            yield f"no {number}"
    if not isinstance(event.get("cat", ""), str):
        yield "categories that are no text"
    if not isinstance(event.get("args", {}), dict):
        yield "arguments that are no object"
    elif phase == "M":
        argument, kind = METADATA.get(event.get("name", ""), (None, str))
        if type(event.get("args", {}).get(argument)) is not kind:
            yield "metadata that nobody knows"


def _is_time(given: Any) -> bool:
    return type(given) in {int, float} and math.isfinite(given)


def _of_durations(events: list[Any]) -> Iterator[str]:
    """Every end has its begin, in the order of time, and those of a thread lie within each other."""
    open_ones: dict[tuple[int, int], list[Any]] = {}
    last: dict[tuple[int, int], float] = {}
    for event in events:
        if event["ph"] not in DURATION:
            continue
        row = event["pid"], event["tid"]
        if event["ts"] < last.get(row, event["ts"]):
            yield f"out of order: {event!r}"
        last[row] = event["ts"]
        if event["ph"] == "B":
            open_ones.setdefault(row, []).append(event)
        elif not open_ones.get(row):
            yield f"an end without a begin: {event!r}"
        elif event.get("name", open_ones[row][-1]["name"]) != open_ones[row].pop()["name"]:
            yield f"the end of another: {event!r}"
    yield from (f"a begin without an end: {event!r}" for row in open_ones.values() for event in row)


def _of_rows(events: list[Any]) -> Iterator[str]:
    """Complete events of a thread lie within, or behind, each other."""
    rows: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for event in events:
        if event["ph"] == "X":
            begin = int(event["ts"] * NANOSECONDS)
            rows.setdefault((event["pid"], event["tid"]), []).append((begin, begin + int(event["dur"] * NANOSECONDS)))
    for row, spans in rows.items():
        ends: list[int] = []
        for begin, end in sorted(spans, key=lambda span: (span[0], -span[1])):
            while ends and ends[-1] <= begin:
                ends.pop()
            if ends and end > ends[-1]:
                yield f"spans of thread {row} that cross: at {begin} and to {end} ns"
            ends.append(end)
