"""Rules of being found: by name, without an import, and with an import that is fast and does nothing."""

from __future__ import annotations

import tempfile
from importlib.metadata import requires
from pathlib import Path
from typing import Any, ClassVar

import pytest

from pytest_actium.child import in_child
from pytest_actium.conformance import Conformance
from pytest_actium.verdicts import fail

_WALL_SECONDS_PER_CPU_SECOND = 10
"""A machine that is busy stretches time; waiting for a network or a sleep stretches it more."""


GROUPS = {"action": "actium.action_flavors", "hooks": "actium.hooks"}


class DiscoveryRules(Conformance):
    """How a plugin is found and imported.

    Attributes:
        KIND: What kind of plugin it is: ``action`` or ``hooks``.
        IMPORT_SECONDS: How long importing it may take, once Actium is imported.
    """

    KIND: ClassVar[str] = "action"
    IMPORT_SECONDS: ClassVar[float] = 0.5

    @property
    def key(self) -> str:
        """The name of its entry point."""
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def working_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """The folder that a test works in; temporary files go below it, too."""
        folder, temporary = tmp_path / "working", tmp_path / "temporary"
        folder.mkdir()
        temporary.mkdir()
        monkeypatch.chdir(folder)
        monkeypatch.setenv("TMPDIR", str(temporary))
        monkeypatch.setattr(tempfile, "tempdir", str(temporary))
        return folder

    _looked: ClassVar[dict[tuple[str, str], dict[str, Any]]] = {}

    @pytest.fixture
    def look(self, working_folder: object) -> dict[str, Any]:
        """What a fresh interpreter sees of the plugin; looked at once."""
        if (self.KIND, self.key) not in self._looked:
            end = in_child("probe", key=self.key, kind=self.KIND)
            if end.answer is None:
                fail(
                    f"An interpreter that looked for {self.key} ended with {end.code}:\n{end.output[-2_000:]}",
                    mend="let the import of your modules neither exit nor kill the process.",
                )
            self._looked[self.KIND, self.key] = {**end.answer, "output": end.output}
        return self._looked[self.KIND, self.key]

    @pytest.fixture
    def found(self, look: dict[str, Any]) -> dict[str, Any]:
        """The same, where the flavor was found and could be imported."""
        if not look["found"] or "problem" in look:
            pytest.skip("it is not found by its entry point")
        return look

    def test_it_is_found_by_its_entry_point(self, look: dict[str, Any]) -> None:
        """An installed distribution provides the plugin, under the name that is asked for."""
        if not look["found"]:
            fail(
                f"No installed distribution provides {self.key}; there are {', '.join(look['names']) or 'none'}.",
                mend=f'add `"{self.key}" = "your_package.module:YourPlugin"` below '
                f'[project.entry-points."{GROUPS[self.KIND]}"] to pyproject.toml, and `pip install -e .` again.',
            )
        if "problem" in look:
            fail(
                look["problem"],
                mend="let the entry point name a flavor class whose key is its name, or an object with hooks.",
            )

    def test_its_distribution_needs_actium(self, found: dict[str, Any]) -> None:
        """The distribution says that it needs Actium, so that pip installs both, in versions that fit."""
        needed = requires(found["distribution"]) or []
        if not any(each.lower().replace("_", "-").startswith("actium") for each in needed):
            fail(
                f"{found['distribution']} {found['version']} does not require actium, only {needed}.",
                mend='add "actium" to `dependencies` in pyproject.toml.',
            )

    def test_it_is_listed_without_being_imported(self, found: dict[str, Any]) -> None:
        """Listing plugins does not import the plugin's module."""
        if found["imported_by_listing"]:
            fail(
                f"{found['value'].partition(':')[0]} was imported before anybody asked for it.",
                mend="let nothing import it when Python starts, such as a .pth file or another plugin's module.",
            )

    def test_importing_it_is_fast(self, found: dict[str, Any]) -> None:
        """Importing the plugin takes less than IMPORT_SECONDS, since somebody waits for it."""
        if found["cpu_seconds"] > self.IMPORT_SECONDS:
            fail(
                f"Importing {found['value']} took {found['cpu_seconds']:.2f} s of processor time; "
                f"{self.IMPORT_SECONDS:g} s are allowed.",
                mend="import what is heavy where it is needed, such as inside `run`; `python -X importtime` "
                "shows what that is.",
            )
        if found["seconds"] > self.IMPORT_SECONDS * _WALL_SECONDS_PER_CPU_SECOND:
            fail(
                f"Importing {found['value']} took {found['seconds']:.2f} s, most of them waiting.",
                mend="wait for nothing, such as a network, while the module is imported.",
            )

    def test_importing_it_changes_nothing(self, found: dict[str, Any]) -> None:
        """Importing the plugin starts, opens, writes and sets nothing in the process."""
        changed = [f"{what} from {before} to {after}" for what, (before, after) in found["changed"].items()]
        if changed:
            fail(
                f"Importing {found['value']} changed {'; '.join(changed)}."[:2_000],
                mend="do that where it is needed, such as inside `run`, and undo it there or in `close`.",
            )

    def test_importing_it_prints_nothing(self, found: dict[str, Any]) -> None:
        """Importing the plugin prints nothing: that would end up in the output of every command."""
        if found["output"]:
            fail(
                f"Importing {found['value']} printed {found['output']!r:.500}.",
                mend="use a logger of your own, and print nothing.",
            )
