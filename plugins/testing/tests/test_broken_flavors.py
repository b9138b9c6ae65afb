"""The test of the tests: for each rule a flavor that breaks it, and nothing but its test fails for that flavor."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

pytest_plugins = "pytester"

BROKEN = Path(__file__).parent / "broken"
SUITE = """
    from pytest_actium import FlavorConformance


    class Sound(FlavorConformance):
        VALID = {"folder": "kept", "labels": {"team": "data"}, "token": "env:BROKEN_TOKEN"}
        OTHER = {"folder": "another"}
        INVALID = {"ends": {"folder": "kept", "ends": "somehow"}, "folder": {"folder": "/root"}}
        LASTING = {"folder": "lasting", "ends": "never"}
        FAILING = {"folder": "failing", "ends": "badly"}
    """
FAILED = re.compile(r"^FAILED \S+::Test_(\w+)::(\w+)", re.MULTILINE)
ERROR = re.compile(r"^ERROR \S+::.*", re.MULTILINE)


def names_of_flavors(subject: str) -> dict[str, str]:
    """The flavors of a module, and the tests that are named as the rules that they break."""
    text = (BROKEN / f"{subject}.py").read_text()
    return dict(re.findall(r'^(\w+) = flavor\(.*\)  # breaks (test_\w+)$', text, re.MULTILINE))


@pytest.fixture
def installed(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path with the broken flavors, as if a distribution had been installed there."""
    site = pytester.mkdir("site")
    for file in BROKEN.glob("*.py"):
        (site / file.name).write_text(file.read_text())
    monkeypatch.setenv("PYTHONPATH", str(site), prepend=":")
    return site


def provide(site: Path, entry_points: dict[str, str], *, needs: str = "actium") -> None:
    """Let a distribution provide flavors."""
    metadata = site / "broken-1.0.dist-info"
    metadata.mkdir()
    requires = f"Requires-Dist: {needs}\n" if needs else ""
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n{requires}")
    lines = [f"broken.{name} = {value}" for name, value in entry_points.items()]
    (metadata / "entry_points.txt").write_text("\n".join(["[actium.action_flavors]", *lines]))


def failed(pytester: pytest.Pytester, *names: str, more: str = "") -> dict[str, set[str]]:
    """Which tests fail for which of the flavors."""
    classes = [f"class Test_{name}(Sound):\n    FLAVOR = 'broken.{name}'\n" for name in names]
    pytester.makepyfile("\n\n".join([textwrap.dedent(SUITE), *classes, more]))
    done = pytester.runpytest_subprocess("-q", "-rfE", "-p", "no:xdist", "-p", "no:randomly", "-W", "error")
    output = done.stdout.str()
    assert not ERROR.findall(output), output[-8_000:]
    found: dict[str, set[str]] = {name: set() for name in names}
    for name, test in FAILED.findall(output):
        found[name].add(test)
    return found


def test_a_sound_flavor_breaks_no_rule(pytester: pytest.Pytester, installed: Path) -> None:
    """The flavor that the broken ones are made of passes, with no test left out."""
    provide(installed, {"sound": "sound:sound"})
    pytester.makepyfile(textwrap.dedent(SUITE) + "\n\nclass Test_sound(Sound):\n    FLAVOR = 'broken.sound'\n")
    done = pytester.runpytest_subprocess("-q", "-p", "no:xdist", "-W", "error")
    counts = done.parseoutcomes()
    assert set(counts) == {"passed"}, done.stdout.str()[-8_000:]
    assert counts["passed"] >= 45


@pytest.mark.slow
@pytest.mark.parametrize("subject", sorted(file.stem for file in BROKEN.glob("breaks_*.py")))
def test_exactly_the_broken_rule_is_told(pytester: pytest.Pytester, installed: Path, subject: str) -> None:
    """For each flavor that breaks one rule, that rule's test fails and no other does."""
    broken = names_of_flavors(subject)
    assert broken
    provide(installed, {name: f"{subject}:{name}" for name in broken})
    assert failed(pytester, *broken) == {name: {test} for name, test in broken.items()}
