"""What distributions require, held against what is installed.

`importlib.metadata` gives requirements as texts; only `packaging` knows how versions compare and which markers hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import InvalidVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmet:
    """A requirement that is not met.

    Attributes:
        problem: What is required, and what there is.
        remedy: What to do about it.
    """

    problem: str
    remedy: str


def unmet_requirements(distribution: str) -> tuple[Unmet, ...]:
    """What a distribution requires for itself, without extras, and what is installed does not give."""
    try:
        texts = metadata.requires(distribution) or ()
    except metadata.PackageNotFoundError:  # it is not on sys.path, but an importer's own
        return ()
    return tuple(problem for text in texts for problem in _unmet(distribution, text))


def _unmet(distribution: str, text: str) -> Iterator[Unmet]:
    try:
        required = Requirement(text)
    except InvalidRequirement:
        yield Unmet(
            problem=f"{distribution} requires {text!r}, which is no requirement.", remedy="Its author has to mend that."
        )
        return
    if required.marker is not None and not required.marker.evaluate({"extra": ""}):
        return
    wanted = f"{required.name}{required.specifier}"
    remedy = f"Try `pip install '{wanted}'`."
    try:
        installed: str | None = metadata.version(required.name)
    except metadata.PackageNotFoundError:
        yield Unmet(problem=f"{distribution} requires {wanted}, which is not installed.", remedy=remedy)
        return
    if not _fits(required, installed):
        problem = f"{distribution} requires {wanted}, but {required.name} {installed} is installed."
        yield Unmet(problem=problem, remedy=remedy)


def _fits(required: Requirement, installed: str | None) -> bool:
    try:
        return not required.specifier or (installed is not None and required.specifier.contains(installed, True))
    except InvalidVersion:
        return False
