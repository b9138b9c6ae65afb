"""URLs of stores: which file each means, what plugins open, and what errors never tell."""

from __future__ import annotations

import contextlib
import logging
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from actium import Actium
from actium.errors import (
    ActiumError,
    DuplicateFlavorError,
    InvalidInputError,
    PluginBlockedError,
    PluginError,
    PluginQuarantinedError,
    StoreError,
)
from actium.stores import open_store

names = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z"), exclude_characters="/"), min_size=1).filter(
    lambda name: name not in {".", "..", ":memory:"} and len(name.encode()) < 200
)


class TestFiles:
    @given(names)
    @example("a#b.db")
    @example("a?b.db")
    @example("100%25.db")
    @example("a b.db")
    @example("é.db")
    @settings(max_examples=25)
    def test_of_any_name_can_be_meant(self, name: str) -> None:
        """Percent-encoded, every name of a file is a URL that opens this file and no other."""
        with tempfile.TemporaryDirectory() as folder:
            open_store(f"sqlite:///{folder}/{quote(name)}").close()
            assert [file.name for file in Path(folder).iterdir()] == [name]

    @pytest.mark.parametrize("name", ["a#b.db", "a;b&c=d.db", "a[b].db", "[", "a:b@c.db", "100%.db", "a b.db", "~a.db"])
    def test_are_mostly_called_as_they_are_written(self, tmp_path: Path, name: str) -> None:
        """Only a question mark and a per cent sign before two digits have to be encoded."""
        open_store(f"sqlite:///{tmp_path}/{name}").close()
        assert [file.name for file in tmp_path.iterdir()] == [name]

    @pytest.mark.parametrize("scheme", ["SQLITE", "Sqlite", "sqlite"])
    def test_the_scheme_may_be_in_capitals(self, tmp_path: Path, scheme: str) -> None:
        """As in every URL, the scheme's letters may be large or small."""
        open_store(f"{scheme}:///{tmp_path}/Actium.DB?synchronous=normal").close()
        assert (tmp_path / "Actium.DB").exists()


class TestWrongOnes:
    @pytest.mark.parametrize(
        "url, told",
        [
            ("sqlite://[/x", "Write three slashes"),
            ("sqlite:///a\x00b.db", "control characters"),
            ("sqlite:///a%00b.db", "control characters"),
            ("sqlite:///a.db\n", "control characters"),
            ("sqlite:///a\ud800.db", "unpaired surrogates"),
            ("sqlite:///%80.db", "no text in UTF-8"),
            ("sqlite:///%ED%A0%80.db", "no text in UTF-8"),
            ("%80", "no store URL"),
            ("sqlite:///~/actium.db", "Write the whole path"),
            ("sqlite:///~nosuchuser/actium.db", "Write the whole path"),
            ("sqlite:///~actium.db", r"sqlite:///\./~actium.db"),
            ("sqlite:///a.db?synchronous=normal&b", "an option that is not known"),
            ("://", "no store URL"),
            ("", "no store URL"),
            ("1st://x", "no store URL"),
            (None, "is text, not None"),
            (b"sqlite://", "is text, not b'sqlite://'"),
            (Path("/tmp/a #?.db"), r"Write 'sqlite:////tmp/a%20%23%3F.db'"),
        ],
    )
    def test_are_refused_with_what_to_write(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: Any, told: str
    ) -> None:
        """What cannot be meant is refused, and no file is made of it."""
        monkeypatch.chdir(tmp_path)
        with pytest.raises(InvalidInputError, match=told):
            Actium(url)
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_that_cannot_be_looked_into_is_told(self, tmp_path: Path) -> None:
        """A name that the system refuses is an error of the store."""
        with pytest.raises(StoreError):
            open_store(f"sqlite:///{tmp_path}/{'x' * 300}/actium.db")

    @given(st.text() | st.text().map(lambda text: f"sqlite://{text}") | st.text().map(lambda text: f"x://{text}"))
    @settings(max_examples=150)
    def test_nothing_but_our_errors_comes_of_any_text(self, url: str) -> None:
        """Any text opens a store or is refused in Actium's words."""
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), contextlib.suppress(ActiumError):
            open_store(url).close()


def install(site: Path, name: str, entry_points: str, **modules: str) -> None:
    """Lay a distribution into a folder of the path, as pip would."""
    info = site / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entry_points)
    for module, code in modules.items():
        (site / f"{module}.py").write_text(code)


STORE = """
from actium.errors import InvalidInputError, StoreBusyError
from actium.stores import open_store

def memory(url):
    return open_store("sqlite://")

def nothing(url):
    return None

def ending(url):
    raise SystemExit(3)

def failing(url):
    raise OSError(f"cannot reach {url}")

def parting(url):
    password = url.partition(":")[2].partition(":")[2].partition("@")[0]
    raise OSError(f"no login with {password}")

def busy(url):
    error = StoreBusyError(f"{url} is busy.", hint=f"Ask {url} again.")
    error.add_note(f"it was {url}")
    raise error

def caused(url):
    try:
        failing(url)
    except OSError as error:
        raise StoreBusyError("It is busy.") from error

def sound(url):
    raise InvalidInputError("It is well said.", hint="Say it again.") from ValueError("aloud")
"""
KINDS = ("memory", "nothing", "ending", "failing", "parting", "busy", "caused", "sound")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of the path with a distribution of stores; what it brings is forgotten afterwards."""
    folder = tmp_path / "site"
    points = "".join(f"{kind} = installed_store:{kind}\n" for kind in KINDS)
    install(folder, "actium-store", f"[actium.stores]\n{points}gone = installed_nowhere:x\n", installed_store=STORE)
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    sys.modules.pop("installed_store", None)


class TestPlugins:
    @pytest.mark.parametrize("scheme", ["memory", "MEMORY"])
    def test_open_urls_of_their_scheme(self, site: Path, scheme: str) -> None:
        """An application opens what a plugin makes of the URLs of its scheme."""
        with Actium(f"{scheme}://here") as app:
            assert app.store.url == "sqlite://"

    def test_what_is_no_store_is_told(self, site: Path) -> None:
        """A plugin that makes no store, ends the process or fails is told with its distribution."""
        for kind, told in (
            ("nothing", "made NoneType, which is no BaseStore"),
            ("ending", "SystemExit: 3"),
            ("failing", "OSError: cannot reach failing://here"),
        ):
            with pytest.raises(PluginError, match=told) as caught:
                Actium(f"{kind}://here")
            assert "actium-store 1.0" in str(caught.value)

    def test_a_kind_that_nobody_knows_is_told(self, site: Path) -> None:
        """The kinds that are installed are named."""
        with pytest.raises(
            InvalidInputError, match=f"'other'. Known are {', '.join(sorted((*KINDS, 'gone', 'sqlite')))}"
        ):
            Actium("other://here")

    @pytest.mark.parametrize("name", ["memory", "actium-store", "Actium_Store"])
    def test_can_be_blocked(self, site: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        """A store plugin is blocked by its name or its distribution's, in code or by the environment."""
        with pytest.raises(PluginBlockedError, match="is blocked"):
            Actium("memory://here", block=[name])
        monkeypatch.setenv("ACTIUM_BLOCK", name)
        with pytest.raises(PluginBlockedError, match="is blocked"):
            Actium("memory://here")
        assert "installed_store" not in sys.modules

    def test_a_broken_one_is_quarantined(self, site: Path, caplog: pytest.LogCaptureFixture) -> None:
        """One that cannot be imported is told like any broken plugin, with its distribution and the way out."""
        with caplog.at_level(logging.WARNING), pytest.raises(PluginQuarantinedError, match="ACTIUM_BLOCK=gone"):
            Actium("gone://here")
        assert "The plugin gone (actium-store 1.0) is broken" in caplog.text

    def test_two_of_one_name_are_refused_until_one_is_blocked(self, site: Path) -> None:
        """Nobody is chosen by chance."""
        install(site, "other-store", "[actium.stores]\nmemory = installed_store:memory\n")
        with pytest.raises(DuplicateFlavorError, match="claimed by .* and by "):
            Actium("memory://here")
        Actium("memory://here", block=["other-store"]).close()

    def test_do_not_mind_what_is_malformed_elsewhere(self, site: Path) -> None:
        """Another distribution's malformed metadata keeps no store from being opened."""
        install(site, "malformed", "[actium.stores]\nthis is no entry point\n")
        with Actium("memory://here") as app:
            assert app.registry.discovery_problems()


SECRET_URLS = [
    "{kind}://ada:sesame-42@host/db",
    "{kind}://sesame-42@host/db",
    "{kind}://ada:sesame-42@host/db?timeout=5",
    "{kind}://ada:se/sesame-42@host/db",
    "{kind}://ada:se?sesame-42@host/db",
    "{kind}://host/db?user=ada&password=sesame-42",
    "{kind}://host/db?password=pw@sesame-42",
    "{kind}://ada:sesame%2D42@host/db",
]


class TestSecrets:
    @pytest.mark.parametrize("url", SECRET_URLS)
    @pytest.mark.parametrize("kind", [*KINDS[1:], "gone", "unknown", "sqlite"])
    def test_in_a_url_are_in_no_error(self, site: Path, caplog: pytest.LogCaptureFixture, kind: str, url: str) -> None:
        """Whoever refuses a URL, who connects and with which password is in no message, traceback or log."""
        with caplog.at_level(logging.DEBUG), pytest.raises(ActiumError) as caught:
            Actium(url.format(kind=kind))
        told = "".join(traceback.format_exception(caught.value)) + caplog.text
        assert "sesame-42" not in told
        assert "sesame%2D42" not in told

    @pytest.mark.parametrize(
        "url", ["postgresql:ada:sesame-42@host/db", "ada:sesame-42@host", "sqlite:/a.db?password=sesame-42"]
    )
    def test_in_what_is_no_url_are_in_no_error_either(self, url: str) -> None:
        """A URL that was mistyped may hold a password all the same."""
        with pytest.raises(InvalidInputError, match="no store URL") as caught:
            open_store(url)
        assert "sesame-42" not in str(caught.value)

    def test_errors_that_tell_none_go_on_as_they_are(self, site: Path) -> None:
        """What a plugin raises of Actium's own keeps its type, words, hint and cause."""
        with pytest.raises(InvalidInputError, match=r"^It is well said. Say it again.$") as caught:
            Actium("sound://ada:sesame-42@host/db")
        assert isinstance(caught.value.__cause__, ValueError)
