"""Where a pipeline's Python is, and what happens when it is not what it was."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from actium_pipeline_run.errors import SourceChangedError
from actium_pipeline_run.source import SourceKind, SourceReference

if TYPE_CHECKING:
    from conftest import Bench

FLOW = """
    @step
    def one() -> int:
        return 1

    @pipeline
    def flow():
        return one()
"""


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_is_known_by_place_and_hash(bench: Bench) -> None:
    """The snapshot's source names the directory, the file and its SHA-256."""
    path = bench.write(FLOW)
    source = bench.describe().source
    assert (source.kind, source.attribute, source.directory) == (SourceKind.FILE, "flow", str(bench.directory))
    assert [(file.path, file.sha256) for file in source.files] == [("flow.py", sha256(path))]
    assert source.described == f"{path}:flow"


def test_a_changed_file_is_refused_with_both_hashes(bench: Bench) -> None:
    """A run of a snapshot runs what the snapshot saw, or nothing: the file is not even executed."""
    path = bench.write(FLOW)
    described = bench.describe()
    before = sha256(path)
    path.write_text(path.read_text() + f"\nopen({str(bench.directory / 'executed')!r}, 'w')\n")
    outcome = bench.run(described)
    assert isinstance(outcome.error, SourceChangedError)
    assert (outcome.error.recorded, outcome.error.found) == (before, sha256(path))
    assert before in str(outcome.error)
    assert sha256(path) in str(outcome.error)
    assert not (bench.directory / "executed").exists()
    assert outcome.steps[0].status.value == "skipped"


def test_a_file_that_is_gone_is_refused(bench: Bench) -> None:
    """The error says so."""
    path = bench.write(FLOW)
    described = bench.describe()
    path.unlink()
    outcome = bench.run(described)
    assert isinstance(outcome.error, SourceChangedError)
    assert outcome.error.found is None
    assert "it is gone" in str(outcome.error)


@pytest.mark.parametrize("scheduler", ["threads", "processes"])
def test_modules_beside_the_file_belong_to_it(bench: Bench, scheduler: str) -> None:
    """What a pipeline imports from its own directory travels with it, and must be unchanged as well."""
    bench.write("def double(number):\n    return 2 * number\n", "arithmetic.py")
    bench.write(
        """
        from arithmetic import double

        @step
        def four() -> int:
            return double(2)

        @pipeline
        def flow():
            return four()
        """
    )
    described = bench.describe()
    assert [file.path for file in described.source.files] == ["flow.py", "arithmetic.py"]
    assert bench.run(described, scheduler=scheduler).result == 4
    bench.write("def double(number):\n    return 3 * number\n", "arithmetic.py")
    changed = bench.run(described, scheduler=scheduler)
    assert isinstance(changed.error, SourceChangedError)
    assert changed.error.path == str(bench.directory / "arithmetic.py")


def test_a_module_is_found_in_the_directory_where_it_was_described(bench: Bench) -> None:
    """A package that is not installed works like an installed one, wherever the worker runs."""
    package = bench.directory / "company"
    package.mkdir()
    bench.write("", "company/__init__.py")
    bench.write("rate = 3\n", "company/settings.py")
    bench.write(
        """
        from company.settings import rate

        @step
        def three() -> int:
            return rate

        @pipeline
        def flow():
            return three()
        """,
        "company/flows.py",
    )
    described = bench.describe("company.flows:flow")
    source = described.source
    assert (source.kind, source.module, source.directory) == (SourceKind.MODULE, "company.flows", str(bench.directory))
    assert [file.path for file in source.files] == ["company/flows.py", "company/__init__.py", "company/settings.py"]
    assert bench.run(described, scheduler="processes").result == 3
    bench.write("rate = 4\n", "company/settings.py")
    assert isinstance(bench.run(described).error, SourceChangedError)


def test_a_file_named_like_a_library_hides_nothing(bench: Bench) -> None:
    """The directory that Actium happens to run in is not on the path, so a file there cannot replace a library."""
    (bench.directory / "flows").mkdir()
    bench.write(FLOW, "flows/mine.py")
    bench.write("raise SystemExit('imported by mistake')", "dask.py")
    described = bench.describe("flows/mine.py:flow")
    assert bench.run(described).result == 1


def test_a_pipeline_s_file_may_be_named_like_a_library(bench: Bench) -> None:
    """It is loaded under a name of its own."""
    bench.write(FLOW, "statistics.py")
    described = bench.describe("statistics.py:flow")
    assert bench.run(described, scheduler="processes").result == 1


def test_what_a_pipeline_imports_stays_out_of_this_process(bench: Bench) -> None:
    """Describing and running happen in child processes, so that no pipeline's module is left in this one."""
    bench.write(FLOW + "\n    import wave\n")
    assert "wave" not in sys.modules
    bench.run(bench.describe())
    assert "wave" not in sys.modules


@pytest.mark.parametrize(
    ("text", "kind", "place"),
    [
        ("flow.py:flow", SourceKind.FILE, "flow.py"),
        ("a b/flow.py:flow", SourceKind.FILE, "a b/flow.py"),
        ("pipelines/flow:flow", SourceKind.FILE, "pipelines/flow"),
        ("company.flows:flow", SourceKind.MODULE, "company.flows"),
    ],
)
def test_files_and_modules_are_told_apart(text: str, kind: SourceKind, place: str) -> None:
    """A path ends in .py or has a slash; anything else is a module."""
    assert SourceReference.parse(text) == SourceReference(kind=kind, place=place, attribute="flow")
