"""Measure Actium beside its peers and limits: ``python benchmarks/run.py``, or ``nox -s bench``.

Prints a table, and writes it as JSON beside what is needed to judge it: versions and the kind of machine.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from machine import machine
from measuring import FULL, QUICK, SMOKE, Effort, Row
from page import PAGE, update

SUBJECTS = {
    "start-up": "start_up",
    "listing": "listing",
    "relay": "relays",
    "tracing": "tracing",
    "actions": "actions",
    "executions": "executions",
    "workers": "workers",
    "endurance": "endurance",
}
CASES = {
    "together-full": "workers",
    "together-normal": "workers",
    "coroutines": "workers",
    "one-caller": "workers",
    "memory": "endurance",
    "million": "endurance",
}
EFFORTS = {"full": FULL, "quick": QUICK, "smoke": SMOKE}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what was asked for."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.case and (options.subjects or options.write_docs):
        parser.error("--case goes neither with subjects nor with --write-docs, which writes whole tables")
    rows: list[Row] = []
    taken = {"taken": datetime.now(UTC).isoformat(timespec="seconds"), "effort": options.effort}
    surroundings = {**taken, "machine": machine(), "versions": _versions()}
    print(_line("", "", "beside", "", "ratio", "wanted"))
    for name, measure in _measures(options.subjects or [*SUBJECTS], options.case):
        print(f"\n{name}")
        for row in measure(EFFORTS[options.effort]):
            rows.append(row)
            print(_told(row), flush=True)
    written = {**surroundings, "rows": [{**asdict(row), "holds": row.holds} for row in rows]}
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")
    wanted = [row.holds for row in rows if row.holds is not None]
    print(f"\n{sum(wanted)} of {len(wanted)} reached. Written to {options.json}")
    if options.write_docs:
        update(PAGE, rows, surroundings, pairs=EFFORTS[options.effort].store_rounds)
        print(f"Tables written to {PAGE}")


def _measures(subjects: Sequence[str], cases: Sequence[str]) -> Iterator[tuple[str, Callable[[Effort], Iterator[Row]]]]:
    """What to run, under which name; a subject's module is imported when its turn has come."""
    for case in cases:
        yield case, importlib.import_module(SUBJECTS[CASES[case]]).CASES[case]
    for subject in () if cases else subjects:
        yield subject, importlib.import_module(SUBJECTS[subject]).measure


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("subjects", nargs="*", choices=[[], *SUBJECTS], metavar="SUBJECT", help=", ".join(SUBJECTS))
    effort = parser.add_mutually_exclusive_group()
    effort.add_argument("--quick", dest="effort", action="store_const", const="quick", help="a first look")
    effort.add_argument("--smoke", dest="effort", action="store_const", const="smoke", help="only see that it runs")
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results.json"), help="where to write the figures")
    parser.add_argument("--case", action="append", default=[], choices=CASES, help="only this one; may be repeated")
    parser.add_argument("--write-docs", action="store_true", help=f"write the tables of {PAGE.name}")
    parser.set_defaults(effort="full")
    return parser


def _told(row: Row) -> str:
    beside = "" if row.beside is None or row.beside_value is None else f"{_figure(row.beside_value)} {row.unit}"
    limit = ""
    if row.at_most is not None:
        limit = f"<= {row.at_most}"
    elif row.ratio_at_least is not None:
        limit = f">= {row.ratio_at_least:g}"
    elif row.at_least is not None:
        limit = f">= {row.at_least:,.0f} {row.unit}"
    elif row.at_most_value is not None:
        limit = f"<= {row.at_most_value:,.0f} {row.unit}"
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    mark = {None: "", True: "reached", False: "not reached"}[row.holds]
    return _line(row.name, f"{_figure(row.value)} {row.unit}", beside, row.beside or "", ratio, f"{limit:<12}{mark}")


def _line(name: str, value: str, beside: str, what: str, ratio: str, limit: str) -> str:
    return f"  {name:<58}{value:>14}{beside:>16}{ratio:>8}  {limit:<25}{what}"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _versions() -> dict[str, str]:
    found = {}
    for library in ("actium", "huey", "importlib-metadata", "pluggy", "pydantic"):
        with contextlib.suppress(PackageNotFoundError):  # huey may be missing
            found[library] = version(library)
    return found


if __name__ == "__main__":
    main()
