"""Discovery: the same entry points as importlib_metadata finds, and problems instead of failures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any
from unittest import mock

import importlib_metadata
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from actium.plugins.discovery import EntryPointRecord, find_entry_points

FLAVORS = "actium.action_flavors"
HOOKS = "actium.hooks"
OTHERS = "console_scripts"


def install(
    folder: Path,
    name: str,
    entry_points: str | bytes | None = None,
    *,
    version: str = "1.0",
    metadata: str | None = None,
) -> Path:
    """Write what pip leaves of a distribution, as far as discovery looks at it."""
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" if metadata is None else metadata
    (info / "METADATA").write_text(text, encoding="utf-8")
    if entry_points is not None:
        data = entry_points if isinstance(entry_points, bytes) else entry_points.encode()
        (info / "entry_points.txt").write_bytes(data)
    return info


def find(*path: Path | str, groups: Sequence[str] = (FLAVORS,)) -> list[str]:
    """What is found without a problem, as ``name = value``."""
    discovered = find_entry_points(groups, [str(entry) for entry in path])
    assert discovered.problems == ()
    return [f"{record.name} = {record.value}" for record in discovered.entry_points]


class TestRecords:
    def test_a_record_tells_all_that_the_metadata_says(self, tmp_path: Path) -> None:
        """Group, name, value, distribution, version and the folder are told."""
        info = install(
            tmp_path, "Some_Flavor.s", f"[{FLAVORS}]\nnotify.slack = some.flavors:Slack [extra]\n", version="2.1"
        )
        assert find_entry_points([FLAVORS], [str(tmp_path)]).entry_points == (
            EntryPointRecord(FLAVORS, "notify.slack", "some.flavors:Slack [extra]", "some-flavor-s", "2.1", str(info)),
        )

    def test_only_the_wanted_groups_are_listed(self, tmp_path: Path) -> None:
        """Each of several groups is listed, others are not, nor one whose name only begins alike."""
        install(tmp_path, "one", f"[{FLAVORS}]\na.b = m:A\n[{FLAVORS}2]\nc.d = m:C\n[{HOOKS}]\ne = m:E\n[x]\nf = m:F\n")
        assert find(tmp_path, groups=[FLAVORS, HOOKS]) == ["a.b = m:A", "e = m:E"]

    @pytest.mark.parametrize(
        ("folder", "version"),
        [
            ("old_style-1.0.egg-info", "1.0"),
            ("old_style-1.0-py3.11.egg-info", "1.0"),
            ("old_style.egg-info", "7.0"),
            ("old-style-7.0.dist-info", "7.0"),
            ("old_style-unknown.dist-info", "7.0"),
            ("Old_Style-7.0.DIST-INFO", "7.0"),
        ],
    )
    def test_name_and_version_are_right_whatever_the_folder_is_called(
        self, tmp_path: Path, folder: str, version: str
    ) -> None:
        """Where the folder's name leaves a doubt, the metadata decides."""
        info = tmp_path / folder
        info.mkdir()
        (info / "PKG-INFO").write_text("Name: Old_Style\r\nVersion: 7.0\r\n\r\nName: not this\r\n")
        (info / "entry_points.txt").write_text(f"[{FLAVORS}]\na.b = m:A\n")
        (record,) = find_entry_points([FLAVORS], [str(tmp_path)]).entry_points
        assert (record.distribution, record.version) == ("old-style", version)

    def test_a_distribution_without_version_is_listed_without(self, tmp_path: Path) -> None:
        """A metadata folder that tells no version is no reason to leave out its entry points."""
        info = tmp_path / "bare.egg-info"
        info.mkdir()
        (info / "entry_points.txt").write_text(f"[{FLAVORS}]\na.b = m:A\n")
        (record,) = find_entry_points([FLAVORS], [str(tmp_path)]).entry_points
        assert (record.distribution, record.version) == ("bare", None)

    def test_an_unpacked_egg_is_a_distribution(self, tmp_path: Path) -> None:
        """``EGG-INFO`` counts inside a folder on the path whose name ends in ``.egg``, and only there."""
        for folder in ("legacy-1.0-py3.11.egg", "no_egg"):
            info = tmp_path / folder / "EGG-INFO"
            info.mkdir(parents=True)
            (info / "PKG-INFO").write_text("Name: legacy\nVersion: 1.0\n")
            (info / "entry_points.txt").write_text(f"[{FLAVORS}]\n{folder[:2]}.b = m:A\n")
        assert find(tmp_path / "no_egg", tmp_path / "legacy-1.0-py3.11.egg") == ["le.b = m:A"]


class TestLoading:
    @staticmethod
    def record(value: str) -> EntryPointRecord:
        return EntryPointRecord(FLAVORS, "a.b", value, "some", "1.0", "/nowhere")

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("json", json),
            ("os.path:join", os.path.join),
            ("json : JSONDecoder.decode [extra1, extra2]", json.JSONDecoder.decode),
            ("json [extra]", json),
        ],
    )
    def test_loading_gives_what_the_value_names(self, value: str, expected: object) -> None:
        """A module, or an attribute of one, however deep; extras do not matter."""
        assert self.record(value).load() is expected

    @pytest.mark.parametrize("value", ["", "not-a-module:A", "m:a b", ":A", "m:A [unclosed"])
    def test_a_value_that_is_no_reference_is_refused(self, value: str) -> None:
        """The error shows the value."""
        with pytest.raises(ValueError, match="is not of the form 'module:attribute'") as caught:
            self.record(value).load()
        assert repr(value) in str(caught.value)

    def test_errors_of_the_import_reach_the_caller(self) -> None:
        """A missing module and a missing attribute are the errors that Python raises."""
        with pytest.raises(ModuleNotFoundError, match="no_such_module"):
            self.record("no_such_module:A").load()
        with pytest.raises(AttributeError, match="NoSuch"):
            self.record("json:NoSuch").load()


class TestHiding:
    def test_the_first_of_one_name_hides_the_others(self, tmp_path: Path) -> None:
        """Names that differ only in case and separators are one name, and no entry points are entry points too."""
        install(tmp_path / "1", "Some.Flavors")
        install(tmp_path / "2", "some_flavors", f"[{FLAVORS}]\na.b = m:A\n")
        assert find(tmp_path / "1", tmp_path / "2") == []
        assert find(tmp_path / "2", tmp_path / "1") == ["a.b = m:A"]

    def test_leftovers_without_metadata_hide_nothing(self, tmp_path: Path) -> None:
        """An uninstall that left an empty metadata folder does not hide the distribution behind it."""
        (tmp_path / "1" / "some-0.9.dist-info").mkdir(parents=True)
        install(tmp_path / "2", "some", f"[{FLAVORS}]\na.b = m:A\n")
        assert find(tmp_path / "1", tmp_path / "2") == ["a.b = m:A"]

    def test_what_is_installed_or_edited_later_is_seen_at_once(self, tmp_path: Path) -> None:
        """Nothing is remembered from one search to the next, not even while no folder's time changes."""
        info = install(tmp_path, "some", f"[{FLAVORS}]\na.b = m:A\n")
        times = info.stat().st_mtime_ns, tmp_path.stat().st_mtime_ns
        assert find(tmp_path) == ["a.b = m:A"]
        (info / "entry_points.txt").write_text(f"[{FLAVORS}]\na.b = m:B\n")
        assert (info.stat().st_mtime_ns, tmp_path.stat().st_mtime_ns) == times
        assert find(tmp_path) == ["a.b = m:B"]


class TestProblems:
    def test_a_line_that_is_no_entry_point_concerns_its_distribution_only(self, tmp_path: Path) -> None:
        """The problem names distribution, version, folder and line; the others are listed."""
        broken = install(tmp_path, "broken", f"[{FLAVORS}]\n\nnot an entry point\n", version="3.1")
        install(tmp_path, "sound", f"[{FLAVORS}]\na.b = m:A\n")
        discovered = find_entry_points([FLAVORS], [str(tmp_path)])
        assert [record.name for record in discovered.entry_points] == ["a.b"]
        (problem,) = discovered.problems
        assert (problem.distribution, problem.version, problem.location) == ("broken", "3.1", str(broken))
        assert "Line 3" in problem.error
        assert "'not an entry point'" in problem.error

    def test_a_file_that_is_no_text_is_a_problem(self, tmp_path: Path) -> None:
        """Bytes that are not UTF-8 are reported where the file names a wanted group."""
        install(tmp_path, "broken", f"[{FLAVORS}]\na.b = m:".encode() + b"\xff\n")
        (problem,) = find_entry_points([FLAVORS], [str(tmp_path)]).problems
        assert problem.distribution == "broken"
        assert "UnicodeDecodeError" in problem.error

    @pytest.mark.parametrize(
        "data", [b"[console_scripts]\nno entry point\n", b"[x]\n\xff\n", f"[x]\n{FLAVORS}\n".encode()]
    )
    def test_what_is_malformed_elsewhere_is_not_our_business(self, tmp_path: Path, data: bytes) -> None:
        """Only groups that are wanted are understood."""
        install(tmp_path, "elsewhere", data)
        assert find(tmp_path) == []

    def test_what_cannot_be_read_is_passed_over(self, tmp_path: Path) -> None:
        """Entries of the path that do not exist, are no archive or no path at all hold no distributions."""
        (tmp_path / "file").write_text("no archive")
        install(tmp_path / "sound", "sound", f"[{FLAVORS}]\na.b = m:A\n")
        assert find(tmp_path / "missing", tmp_path / "file", "no\0path", tmp_path / "sound") == ["a.b = m:A"]

    def test_a_folder_in_place_of_the_file_is_no_file(self, tmp_path: Path) -> None:
        """It is passed over, as importlib_metadata does."""
        (install(tmp_path, "odd") / "entry_points.txt").mkdir()
        assert find(tmp_path) == []

    def test_a_file_that_fails_while_it_is_read_is_a_problem(self, tmp_path: Path) -> None:
        """A link that leads to itself stands for every error of the file system that is not simply absence."""
        file = install(tmp_path, "looping") / "entry_points.txt"
        file.symlink_to(file)
        (problem,) = find_entry_points([FLAVORS], [str(tmp_path)]).problems
        assert problem.distribution == "looping"
        assert "OSError" in problem.error

    def test_metadata_that_cannot_be_read_leaves_the_name_of_the_folder(self, tmp_path: Path) -> None:
        """Its entry points are listed all the same, without a version."""
        info = tmp_path / "looping.dist-info"
        info.mkdir()
        (info / "METADATA").symlink_to(info / "METADATA")
        (info / "entry_points.txt").write_text(f"[{FLAVORS}]\na.b = m:A\n")
        (record,) = find_entry_points([FLAVORS], [str(tmp_path)]).entry_points
        assert (record.distribution, record.version) == ("looping", None)


class Provider(MetaPathFinder):
    """An importer with a search of its own, as frozen applications bring one."""

    def __init__(self, *distributions: importlib_metadata.Distribution | Exception) -> None:
        self.distributions = distributions

    def find_distributions(self, context: Any) -> Iterator[importlib_metadata.Distribution]:
        for distribution in self.distributions:
            if isinstance(distribution, Exception):
                raise distribution
            yield distribution


class InMemory(importlib_metadata.Distribution):
    """A distribution that is no folder."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files_by_name = files

    def read_text(self, filename: str | os.PathLike[str]) -> str | None:
        return self.files_by_name.get(str(filename))

    def locate_file(self, path: str | os.PathLike[str]) -> Any:
        raise NotImplementedError


@contextmanager
def imported_by(provider: Provider) -> Iterator[None]:
    with mock.patch.object(sys, "meta_path", [provider, *sys.meta_path]):
        yield


class TestBeyondFolders:
    def test_distributions_in_an_archive_are_found(self, tmp_path: Path) -> None:
        """A zip file on the path is searched, and what hides what follows the path's order."""
        archive = tmp_path / "application.pyz"
        with zipfile.ZipFile(archive, "w") as packed:
            packed.writestr("zipped-1.5.dist-info/METADATA", "Metadata-Version: 2.1\nName: Zipped\nVersion: 1.5\n")
            packed.writestr("zipped-1.5.dist-info/entry_points.txt", f"[{FLAVORS}]\na.b = m:A\n[{OTHERS}]\nc = m:C\n")
        install(tmp_path / "folder", "zipped", f"[{FLAVORS}]\na.b = m:B\n")
        assert find_entry_points([FLAVORS], [str(archive), str(tmp_path / "folder")]).entry_points == (
            EntryPointRecord(FLAVORS, "a.b", "m:A", "zipped", "1.5", str(archive)),
        )
        assert find(tmp_path / "folder", archive) == ["a.b = m:B"]

    def test_an_importer_may_bring_distributions_of_its_own(self, tmp_path: Path) -> None:
        """What stands before the search of the path hides what is found there."""
        install(tmp_path, "own", f"[{FLAVORS}]\na.b = m:B\n")
        install(tmp_path, "plain", f"[{FLAVORS}]\nc.d = m:C\n")
        own = InMemory({"METADATA": "Name: Own\nVersion: 3\n", "entry_points.txt": f"[{FLAVORS}]\na.b = m:A\n"})
        with imported_by(Provider(own)):
            discovered = find_entry_points([FLAVORS], [str(tmp_path)])
        assert discovered.problems == ()
        assert [(each.value, each.distribution, each.version) for each in discovered.entry_points] == [
            ("m:A", "own", "3"),
            ("m:C", "plain", "1.0"),
        ]
        assert discovered.entry_points[0].location == f"{__name__}.Provider"

    def test_an_importer_that_fails_does_not_keep_the_others_from_being_found(self, tmp_path: Path) -> None:
        """It is a problem that names the importer."""
        install(tmp_path, "plain", f"[{FLAVORS}]\nc.d = m:C\n")
        with imported_by(Provider(RuntimeError("out of order"))):
            discovered = find_entry_points([FLAVORS], [str(tmp_path)])
        assert [record.name for record in discovered.entry_points] == ["c.d"]
        (problem,) = discovered.problems
        assert problem.location == f"{__name__}.Provider"
        assert problem.error == "RuntimeError: out of order"

    def test_each_distribution_of_an_importer_fails_for_itself(self, tmp_path: Path) -> None:
        """One has no metadata and one malformed entry points; the third is found."""
        nameless = InMemory({})
        malformed = InMemory({"METADATA": "Name: bad\nVersion: 1\n", "entry_points.txt": f"[{FLAVORS}]\nnothing\n"})
        sound = InMemory({"METADATA": "Name: sound\nVersion: 2\n", "entry_points.txt": f"[{FLAVORS}]\na.b = m:A\n"})
        with imported_by(Provider(nameless, malformed, sound)):
            discovered = find_entry_points([FLAVORS], [])
        assert [record.distribution for record in discovered.entry_points] == ["sound"]
        assert [problem.distribution for problem in discovered.problems] == [None, "bad"]


def in_a_new_process(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout


class TestCost:
    def test_ordinary_discovery_imports_none_of_the_libraries(self) -> None:
        """Searching folders needs neither pydantic nor pluggy nor importlib_metadata."""
        loaded = in_a_new_process(
            "import sys; from actium.plugins.discovery import find_entry_points;"
            f"find_entry_points([{FLAVORS!r}], [entry for entry in sys.path if not entry.endswith('.zip')]);"
            "print(*sorted(name.partition('.')[0] for name in sys.modules))"
        ).split()
        assert "actium" in loaded
        assert not {"pydantic", "pluggy", "importlib_metadata"} & set(loaded)


@dataclass
class Written:
    """A metadata folder as the generator draws it."""

    name: str
    version: str
    extension: str
    has_metadata: bool
    entry_points: bytes | None
    extra: list[str] = field(default_factory=list)

    def write(self, entry: Path) -> None:
        info = entry / f"{self.name}-{self.version}{self.extension}"
        info.mkdir(parents=True, exist_ok=True)
        if self.has_metadata:
            file = "METADATA" if self.extension == ".dist-info" else "PKG-INFO"
            (info / file).write_text(f"Metadata-Version: 2.1\nName: {self.name}\nVersion: {self.version}\n\nText.\n")
        if self.entry_points is not None:
            (info / "entry_points.txt").write_bytes(self.entry_points)
        for file in self.extra:
            (entry / file).write_text("# left by an editable install\n")


names = st.sampled_from(
    ["alpha", "Alpha", "beta_x", "Beta.X", "beta__x", "BETA_.x", "gamma", "g.amma", "émile", "Émile"]
)
groups = st.sampled_from([FLAVORS, HOOKS, OTHERS, f"{FLAVORS}.more", "x", "ünï.code"])
words = st.text("abcAB._ é中-", min_size=1, max_size=8)
blanks = st.sampled_from(["", " ", "\t", "  ", "\u2003"])
entry_point_lines = st.builds(
    "{}{}{}={}{}:{}{}{}".format,
    blanks,
    words,
    blanks,
    blanks,
    words,
    words,
    st.sampled_from(["", " [extra]", "[a, b]", " # kept"]),
    blanks,
)
lines = st.one_of(
    st.builds("{}[{}]{}".format, blanks, groups, blanks),
    st.builds("[ {} ]".format, groups),
    st.builds("[[{}]]".format, groups),
    entry_point_lines,
    st.builds("{}# [{}]".format, blanks, groups),
    st.sampled_from(["", "   ", "[]", "# comment", "=", "a = ", "= m:A"]),
)
newlines = st.sampled_from(["\n", "\r\n", "\r", "\x0c", "\u2028"])


@st.composite
def entry_point_files(draw: st.DrawFn) -> bytes:
    newline = draw(newlines)
    beginning = draw(st.sampled_from(["", "\ufeff", "no section yet" + newline]))
    return (beginning + newline.join(draw(st.lists(lines, max_size=8)))).encode()


written = st.builds(
    Written,
    name=names,
    version=st.sampled_from(["1.0", "2.0.post1", "1!3.0+local.1"]),
    extension=st.sampled_from([".dist-info", ".dist-info", ".egg-info"]),
    has_metadata=st.sampled_from([True, True, True, False]),
    entry_points=st.none() | entry_point_files(),
    extra=st.sampled_from([[], ["__editable__.alpha-1.0.pth", "__editable___alpha_1_0_finder.py"]]),
)


def as_importlib_metadata_finds(wanted: Iterable[str]) -> list[tuple[str, ...]]:
    found = (each for group in wanted for each in importlib_metadata.entry_points(group=group))
    return sorted((each.group, each.name, each.value, str(vars(each)["dist"]._path)) for each in found)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.lists(written, max_size=5), min_size=1, max_size=3), st.permutations([0, 1, 2, 0]))
@example(
    [
        [
            Written("alpha", "1.0", ".dist-info", False, b"[actium.hooks]\na=m:A"),
            Written("Alpha", "2", ".dist-info", True, None),
        ]
    ],
    [0],
)
def test_what_is_found_is_what_importlib_metadata_finds(drawn: list[list[Written]], order: list[int]) -> None:
    """On any folders full of distributions, in any order on the path, both find the same entry points.

    Older releases of importlib_metadata (8.0, for one) let a leftover without metadata hide what is behind it.
    """
    with tempfile.TemporaryDirectory() as temporary:
        for number, distributions in enumerate(drawn):
            for distribution in distributions:
                distribution.write(Path(temporary, str(number)))
        python = [entry for entry in sys.path if not entry.endswith("site-packages")]
        path = [str(Path(temporary, str(number))) for number in order]
        with mock.patch.object(sys, "path", [*path, *python]):
            expected = as_importlib_metadata_finds([FLAVORS, HOOKS])
            discovered = find_entry_points([FLAVORS, HOOKS])
    assert discovered.problems == ()
    assert sorted((each.group, each.name, each.value, each.location) for each in discovered.entry_points) == expected
