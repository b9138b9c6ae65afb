"""Which penguin is it? Reads measurements, cleans them, fits a classifier and reports how good that is."""

from __future__ import annotations

import csv
import html
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from actium_pipeline_run import pipeline, step

MEASUREMENTS = ("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g")
MISSING = "NA"

Row = dict[str, str]
Share = Annotated[float, Field(gt=0, lt=1)]


@dataclass(frozen=True)
class Penguin:
    """One penguin; a measurement that nobody took is None."""

    species: str
    sex: str | None
    measurements: tuple[float | None, ...]


@dataclass(frozen=True)
class Evaluation:
    """How well a model knows penguins that it has not seen before."""

    accuracy: float
    confusion: dict[str, dict[str, int]]
    """How often a species (first) was taken for a species (second)."""

    @property
    def tested(self) -> int:
        """How many penguins it was asked about."""
        return sum(sum(row.values()) for row in self.confusion.values())


@step
def load(path: Path) -> list[Row]:
    """Read the rows of a CSV file."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    print(f"Read {len(rows)} rows from {path.name}.")
    return rows


@step
def clean(rows: list[Row]) -> list[Penguin]:
    """Drop penguins of which nothing was measured; keep those of which something is missing."""
    penguins = [
        Penguin(
            species=row["species"],
            sex=None if row["sex"] == MISSING else row["sex"],
            measurements=tuple(None if row[name] == MISSING else float(row[name]) for name in MEASUREMENTS),
        )
        for row in rows
    ]
    kept = [penguin for penguin in penguins if any(value is not None for value in penguin.measurements)]
    unsexed = sum(penguin.sex is None for penguin in kept)
    print(f"Dropped {len(penguins) - len(kept)} without any measurement; {unsexed} of {len(kept)} have no known sex.")
    return kept


@step(outputs=2)
def split(penguins: list[Penguin], test_share: Share, seed: int) -> tuple[list[Penguin], list[Penguin]]:
    """Set some of each species aside for the test."""
    from sklearn.model_selection import train_test_split

    train, test = train_test_split(
        penguins, test_size=test_share, random_state=seed, stratify=[penguin.species for penguin in penguins]
    )
    print(f"{len(train)} to learn from, {len(test)} to be tested on.")
    return train, test


@step(retries=1)
def fit(penguins: list[Penguin], regularization: Annotated[float, Field(gt=0)] = 1.0) -> Any:
    """Fit a classifier that fills in what is missing."""
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(
        SimpleImputer(strategy="median"), StandardScaler(), LogisticRegression(C=1 / regularization, max_iter=1_000)
    )
    return model.fit([_features(penguin) for penguin in penguins], [penguin.species for penguin in penguins])


@step
def evaluate(model: Any, penguins: list[Penguin]) -> Evaluation:
    """Ask the model about penguins that it has not seen."""
    guesses = model.predict([_features(penguin) for penguin in penguins])
    counts = Counter((penguin.species, str(guess)) for penguin, guess in zip(penguins, guesses, strict=True))
    species = sorted({name for pair in counts for name in pair})
    right = sum(count for (truth, guess), count in counts.items() if truth == guess)
    evaluation = Evaluation(
        accuracy=right / len(penguins),
        confusion={truth: {guess: counts[truth, guess] for guess in species} for truth in species},
    )
    print(f"{right} of {len(penguins)} were recognized: {evaluation.accuracy:.1%}.")
    return evaluation


@step
def write_report(evaluation: Evaluation, path: Path) -> str:
    """Write the report as one HTML file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_report(evaluation), encoding="utf-8")
    return str(path)


@step
def summarize(evaluation: Evaluation, report: str) -> dict[str, Any]:
    """Say in a few words what the execution keeps as its result."""
    return {"accuracy": round(evaluation.accuracy, 4), "tested": evaluation.tested, "report": report}


@pipeline
def penguins(
    data: Path = Path("penguins.csv"), report: Path = Path("report.html"), test_share: Share = 0.25, seed: int = 7
) -> dict[str, Any]:
    """Learn to tell three species of penguins apart, and report how well that works."""
    train, test = split(clean(load(data)), test_share, seed)
    evaluation = evaluate(fit(train), test)
    return summarize(evaluation, write_report(evaluation, report))


def _features(penguin: Penguin) -> list[float]:
    sex = {None: None, "female": 0.0, "male": 1.0}[penguin.sex]
    return [float("nan") if value is None else value for value in (*penguin.measurements, sex)]


def _report(evaluation: Evaluation) -> str:
    species = list(evaluation.confusion)
    head = "".join(f"<th>{html.escape(name)}</th>" for name in species)
    body = "".join(
        f"<tr><th>{html.escape(truth)}</th>{''.join(_cell(truth, guess, row) for guess in species)}</tr>"
        for truth, row in evaluation.confusion.items()
    )
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Penguins</title>
<style>
  body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem; }}
  td, th {{ padding: .4rem .9rem; text-align: right; font-variant-numeric: tabular-nums; }}
  caption {{ text-align: left; padding-bottom: .5rem; }}
</style>
<h1>{evaluation.accuracy:.1%} recognized</h1>
<p>{evaluation.tested} penguins that the model had not seen before.</p>
<table>
  <caption>Each row is a species, each column what the model took it for.</caption>
  <tr><td></td>{head}</tr>
  {body}
</table>
</html>
"""


def _cell(truth: str, guess: str, row: dict[str, int]) -> str:
    share = row[guess] / (sum(row.values()) or 1)
    colour = "34, 139, 34" if truth == guess else "205, 60, 40"
    return f'<td style="background: rgba({colour}, {share:.2f})">{row[guess]}</td>'
