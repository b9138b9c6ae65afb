"""Writes the tables of ``docs/performance.md``, so that what stands there is what was measured."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from measuring import Row

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
_MARKED = re.compile(r"<!-- measured: (?P<subject>[\w-]+) -->\n.*?<!-- end -->", re.DOTALL)


def update(page: Path, rows: Sequence[Row], surroundings: Mapping[str, Any], *, pairs: int) -> None:
    """Replace what stands between the markers of each subject that was measured."""
    told = _told(surroundings, pairs)

    def replaced(marked: re.Match[str]) -> str:
        of_it = [row for row in rows if row.subject == marked["subject"]]
        if not of_it:
            return marked[0]
        lines = [f"<!-- measured: {marked['subject']} -->", *_table(of_it), "", told, "<!-- end -->"]
        return "\n".join(lines)

    page.write_text(_MARKED.sub(replaced, page.read_text(encoding="utf-8")), encoding="utf-8")


def _table(rows: Sequence[Row]) -> Iterator[str]:
    yield "| case | Actium | beside | | ratio | wanted | |"
    yield "|---|---|---|---|---|---|---|"
    last = ""
    for row in rows:
        case, value = (row.name, _figure(row.value, row.unit)) if row.name != last else ("", "")
        last = row.name
        beside = "" if row.beside_value is None else _figure(row.beside_value, row.unit)
        yield f"| {case} | {value} | {row.beside or ''} | {beside} | {_ratio(row)} | {_wanted(row)} | {_mark(row)} |"


def _ratio(row: Row) -> str:
    if row.ratio is None:
        return ""
    return f"{row.ratio:.1f}" if row.ratio >= 3 else f"{row.ratio:.2f}"


def _wanted(row: Row) -> str:
    if row.ratio_at_least is not None:
        return f"at least {row.ratio_at_least:g}"
    return "" if row.at_most is None else f"at most {row.at_most:g}"


def _mark(row: Row) -> str:
    return {None: "", True: "reached", False: "**not reached**"}[row.holds]


def _figure(value: float, unit: str) -> str:
    number = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return f"{number}{unit}" if unit.startswith("/") else f"{number} {unit}"


def _told(surroundings: Mapping[str, Any], pairs: int) -> str:
    machine, versions = surroundings["machine"], surroundings["versions"]
    libraries = ", ".join(f"{name} {versions[name]}" for name in ("huey", "pluggy", "pydantic") if name in versions)
    load = "" if machine["load"] is None else f", load average {machine['load'][1]:g} before the run"
    return (
        f"Taken on {surroundings['taken'][:10]}, medians of {pairs} pairs. {machine['processor']}, "
        f"{machine['cores']} cores, {machine['system']}; {machine['disk']}, 4 KB durable in {machine['sync_us']} us"
        f"{load}; {machine['python']}, SQLite {machine['sqlite']}, {libraries}."
    )
