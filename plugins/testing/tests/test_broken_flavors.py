"""The test of the tests: for each rule a flavor that breaks it, and nothing but its test fails for that flavor."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from pytest_actium import FlavorConformance

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
WITHOUT_CRASHES = "not killed and not another_process"
"""Those tests start processes, and so take most of the time; they run where the broken rule could show in them."""
FAILED = re.compile(r"^FAILED \S+::Test_(\w+)::(\w+)", re.MULTILINE)
ERROR = re.compile(r"^ERROR \S+::.*", re.MULTILINE)


def names_of_flavors(subject: str) -> dict[str, str]:
    """The flavors of a module, and the tests that are named as the rules that they break."""
    text = (BROKEN / f"{subject}.py").read_text()
    return dict(re.findall(r'^(\w+) = flavor\([^)]*breaks="(test_\w+)"', text, re.MULTILINE))


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


def failed(pytester: pytest.Pytester, *names: str, only: str = "") -> dict[str, set[str]]:
    """Which tests fail for which of the flavors."""
    classes = [f"class Test_{name}(Sound):\n    FLAVOR = 'broken.{name}'\n" for name in names]
    pytester.makepyfile("\n\n".join([textwrap.dedent(SUITE), *classes]))
    done = pytester.runpytest_subprocess("-q", "-rfE", "-p", "no:xdist", "-p", "no:randomly", "-W", "error", "-k", only)
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
    in_processes = [name for name, test in broken.items() if "killed" in test or "another_process" in test]
    others = [name for name in broken if name not in in_processes]
    found = failed(pytester, *others, only=WITHOUT_CRASHES) if others else {}
    found |= failed(pytester, *in_processes) if in_processes else {}
    assert found == {name: {test} for name, test in broken.items()}


AT_IMPORT = {
    "test_importing_it_is_fast": "import time\nend = time.process_time() + 0.7\nwhile time.process_time() < end: pass",
    "test_importing_it_changes_nothing": "import logging\nlogging.getLogger().addHandler(logging.NullHandler())",
    "test_importing_it_prints_nothing": "print('here I am')",
}


@pytest.mark.parametrize("test", AT_IMPORT)
def test_what_an_import_does_is_told(pytester: pytest.Pytester, installed: Path, test: str) -> None:
    """A flavor whose module does at its import what it must not is told so, and nothing else."""
    only_there = textwrap.indent(AT_IMPORT[test], "    ")
    begin = "import sys\nfrom sound import flavor\n\neager = flavor('eager')\n"
    text = f"{begin}if 'pytest' not in sys.modules:\n{only_there}\n"
    (installed / "eager_module.py").write_text(text)
    provide(installed, {"eager": "eager_module:eager"})
    assert failed(pytester, "eager", only=WITHOUT_CRASHES) == {"eager": {test}}


def test_an_import_at_the_start_of_python_is_told(pytester: pytest.Pytester, installed: Path) -> None:
    """A flavor that something imports before anybody asks for it is told so."""
    provide(installed, {"sound": "sound:sound"})
    (installed / "sitecustomize.py").write_text("import sound\n")
    assert failed(pytester, "sound", only=WITHOUT_CRASHES) == {"sound": {"test_it_is_listed_without_being_imported"}}


def test_a_distribution_that_does_not_name_actium_is_told(pytester: pytest.Pytester, installed: Path) -> None:
    """A distribution that requires something else only is told so."""
    provide(installed, {"sound": "sound:sound"}, needs="pydantic")
    assert failed(pytester, "sound", only=WITHOUT_CRASHES) == {"sound": {"test_its_distribution_needs_actium"}}


def test_a_flavor_without_an_entry_point_is_told(pytester: pytest.Pytester, installed: Path) -> None:
    """A class that no distribution provides is told so; everything else is tested all the same."""
    provide(installed, {"other": "sound:other"})
    suite = textwrap.dedent(SUITE) + "\n\nimport sound\n\n\nclass Test_sound(Sound):\n    FLAVOR = sound.sound\n"
    pytester.makepyfile(suite)
    done = pytester.runpytest_subprocess("-q", "-rf", "-p", "no:xdist", "-W", "error")
    assert [test for _, test in FAILED.findall(done.stdout.str())] == ["test_it_is_found_by_its_entry_point"]
    done.stdout.fnmatch_lines(["*No installed distribution provides broken.sound*", "To mend it: add*"])


def test_every_rule_has_a_flavor_that_breaks_it() -> None:
    """No test of the suite is without a flavor for which it fails."""
    rules = {name for name in dir(FlavorConformance) if name.startswith("test_")}
    broken = {test for file in BROKEN.glob("breaks_*.py") for test in names_of_flavors(file.stem).values()}
    elsewhere = {
        *AT_IMPORT,
        "test_it_is_found_by_its_entry_point",
        "test_it_is_listed_without_being_imported",
        "test_its_distribution_needs_actium",
    }
    assert broken | elsewhere == rules


@pytest.mark.parametrize("rule", sorted(name for name in dir(FlavorConformance) if name.startswith("test_")))
def test_every_rule_says_what_it_wants(rule: str) -> None:
    """Each test of the suite has one sentence, which is shown when it fails."""
    wants = getattr(FlavorConformance, rule).__doc__
    assert wants.endswith(".")
    assert "\n" not in wants.strip()


def test_a_rule_cannot_be_hidden() -> None:
    """A subclass that overrides a test, or exempts itself from one without a reason, is refused."""
    with pytest.raises(TypeError, match="test_a_run_succeeds"):
        type("Hiding", (FlavorConformance,), {"test_a_run_succeeds": lambda self: None})
    for exempt in ({"test_a_run_succeeds": ""}, {"test_nothing_of_the_kind": "why not"}):
        with pytest.raises(TypeError, match="with a reason"):
            type("Exempt", (FlavorConformance,), {"EXEMPT": exempt})
