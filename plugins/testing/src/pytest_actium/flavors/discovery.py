"""Rules of being found: by name, without an import, and with an import that is fast and does nothing."""

from __future__ import annotations

from importlib.metadata import requires
from typing import Any, ClassVar

import pytest

from pytest_actium.child import in_child
from pytest_actium.flavors.subject import FlavorSubject
from pytest_actium.verdicts import fail

_WALL_SECONDS_PER_CPU_SECOND = 10
"""A machine that is busy stretches time; waiting for a network or a sleep stretches it more."""


class DiscoveryRules(FlavorSubject):
    """How a flavor is found and imported."""

    _looked: ClassVar[dict[str, dict[str, Any]]] = {}

    @pytest.fixture
    def look(self, working_folder: object) -> dict[str, Any]:
        """What a fresh interpreter sees of the flavor; looked at once."""
        if self.key not in self._looked:
            end = in_child("probe", key=self.key)
            if end.answer is None:
                fail(
                    f"An interpreter that looked for {self.key} ended with {end.code}:\n{end.output[-2_000:]}",
                    mend="let the import of your modules neither exit nor kill the process.",
                )
            self._looked[self.key] = {**end.answer, "output": end.output}
        return self._looked[self.key]

    @pytest.fixture
    def found(self, look: dict[str, Any]) -> dict[str, Any]:
        """The same, where the flavor was found and could be imported."""
        if not look["found"] or "problem" in look:
            pytest.skip("it is not found by its entry point")
        return look

    def test_it_is_found_by_its_entry_point(self, look: dict[str, Any]) -> None:
        """An installed distribution provides the flavor, under the key that its class says."""
        if not look["found"]:
            fail(
                f"No installed distribution provides {self.key}; there are {', '.join(look['names']) or 'none'}.",
                mend=f'add `"{self.key}" = "your_package.module:YourFlavor"` below '
                '[project.entry-points."actium.action_flavors"] to pyproject.toml, and `pip install -e .` again.',
            )
        if "problem" in look:
            fail(look["problem"], mend="let the entry point name a flavor class whose key is the entry point's name.")

    def test_its_distribution_needs_actium(self, found: dict[str, Any]) -> None:
        """The distribution says that it needs Actium, so that pip installs both, in versions that fit."""
        needed = requires(found["distribution"]) or []
        if not any(each.lower().replace("_", "-").startswith("actium") for each in needed):
            fail(
                f"{found['distribution']} {found['version']} does not require actium, only {needed}.",
                mend='add "actium" to `dependencies` in pyproject.toml.',
            )

    def test_it_is_listed_without_being_imported(self, found: dict[str, Any]) -> None:
        """Listing flavors does not import the flavor's module."""
        if found["imported_by_listing"]:
            fail(
                f"{found['value'].partition(':')[0]} was imported before anybody asked for the flavor.",
                mend="let nothing import it when Python starts, such as a .pth file or another plugin's module.",
            )

    def test_importing_it_is_fast(self, found: dict[str, Any]) -> None:
        """Importing the flavor takes less than IMPORT_SECONDS, since whoever looks at its schema waits for it."""
        if found["cpu_seconds"] > self.IMPORT_SECONDS:
            fail(
                f"Importing {found['value']} took {found['cpu_seconds']:.2f} s of processor time; "
                f"{self.IMPORT_SECONDS:g} s are allowed.",
                mend="import what is heavy inside `run`; `python -X importtime` shows what that is.",
            )
        if found["seconds"] > self.IMPORT_SECONDS * _WALL_SECONDS_PER_CPU_SECOND:
            fail(
                f"Importing {found['value']} took {found['seconds']:.2f} s, most of them waiting.",
                mend="wait for nothing, such as a network, while the module is imported.",
            )

    def test_importing_it_changes_nothing(self, found: dict[str, Any]) -> None:
        """Importing the flavor starts, opens, writes and sets nothing in the process."""
        changed = [f"{what} from {before} to {after}" for what, (before, after) in found["changed"].items()]
        if changed:
            fail(
                f"Importing {found['value']} changed {'; '.join(changed)}."[:2_000],
                mend="do that inside `run`, or where the handler is made, and undo it in `close`.",
            )

    def test_importing_it_prints_nothing(self, found: dict[str, Any]) -> None:
        """Importing the flavor prints nothing, which would end up in the output of every command."""
        if found["output"]:
            fail(
                f"Importing {found['value']} printed {found['output']!r:.500}.",
                mend="use a logger of your own, and print nothing.",
            )
