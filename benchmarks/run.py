"""Measure Actium beside its peers and limits: ``python benchmarks/run.py``, or ``nox -s bench``.

Prints a table, and writes it as JSON beside what is needed to judge it: versions and the kind of machine.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from measuring import FULL, QUICK, SMOKE, Row

SUBJECTS = {
    "start-up": "start_up",
    "listing": "listing",
    "relay": "relays",
    "actions": "actions",
    "executions": "executions",
    "workers": "workers",
    "endurance": "endurance",
}
EFFORTS = {"full": FULL, "quick": QUICK, "smoke": SMOKE}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what was asked for."""
    options = _parser().parse_args(arguments)
    rows: list[Row] = []
    print(_line("", "", "beside", "", "ratio", "limit"))
    for subject in options.subjects or SUBJECTS:
        print(f"\n{subject}")
        for row in importlib.import_module(SUBJECTS[subject]).measure(EFFORTS[options.effort]):
            rows.append(row)
            print(_told(row), flush=True)
    _write(options.json, options.effort, rows)
    missed = [row for row in rows if row.holds is False]
    print(f"\n{len(missed)} of {sum(row.holds is not None for row in rows)} limits missed. Written to {options.json}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("subjects", nargs="*", choices=[[], *SUBJECTS], metavar="SUBJECT", help=", ".join(SUBJECTS))
    effort = parser.add_mutually_exclusive_group()
    effort.add_argument("--quick", dest="effort", action="store_const", const="quick", help="a first look")
    effort.add_argument("--smoke", dest="effort", action="store_const", const="smoke", help="only see that it runs")
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results.json"), help="where to write the figures")
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
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    mark = "" if row.holds is not False else "  MISSED"
    return _line(row.name, f"{_figure(row.value)} {row.unit}", beside, row.beside or "", ratio, limit) + mark


def _line(name: str, value: str, beside: str, what: str, ratio: str, limit: str) -> str:
    return f"  {name:<58}{value:>14}{beside:>16}{ratio:>8}  {limit:<12}{what}"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _write(target: Path, effort: str, rows: Sequence[Row]) -> None:
    libraries = ("actium", "importlib-metadata", "pluggy", "pydantic")
    written = {
        "taken": datetime.now(UTC).isoformat(timespec="seconds"),
        "effort": effort,
        "machine": {
            "cores": os.cpu_count(),
            "architecture": platform.machine(),
            "system": platform.system(),
            "python": f"{platform.python_implementation()} {platform.python_version()}",
            "sqlite": sqlite3.sqlite_version,
        },
        "versions": {library: version(library) for library in libraries},
        "rows": [{**asdict(row), "holds": row.holds} for row in rows],
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
