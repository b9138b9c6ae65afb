"""Every task of the repository. ``nox -l`` lists them; ``nox -s tests`` runs one.

Each session makes its own environment, so a machine needs nothing but Python, pip and nox.
"""

from __future__ import annotations

import os
import shutil
import tomllib
from pathlib import Path
from typing import Any

import nox

ROOT = Path(__file__).parent
CORE = "core"
PLUGINS = [
    "plugins/pipeline-run",
    "plugins/cli",
    "plugins/command",
    "plugins/python",
    "plugins/http",
    "plugins/otel",
    "plugins/testing",
]
EXAMPLES = ["examples/actium-http-call"]
DISTRIBUTIONS = [CORE, *PLUGINS, *EXAMPLES]


def project(distribution: str) -> dict[str, Any]:
    """What a distribution says of itself in its ``pyproject.toml``."""
    settings: dict[str, Any] = tomllib.loads((ROOT / distribution / "pyproject.toml").read_text())["project"]
    return settings


PYTHONS = [
    classifier.rpartition(" ")[2]
    for classifier in project(CORE)["classifiers"]
    if classifier.startswith("Programming Language :: Python :: 3.")
]
TESTING = ["coverage[toml]>=7.10", "filelock", "griffe", "hypothesis", "pytest>=8", "pytest-xdist"]
# What makes projects of plugins, and what these are held against.
MAKING = ["copier", "mypy>=1.15", "ruff>=0.12"]
# The SDK that the spans and metrics of actium-otel are tested with, what sets it up, its exporter, and the conventions'
# own names.
TELEMETRY = [
    "opentelemetry-distro",
    "opentelemetry-sdk",
    "opentelemetry-exporter-otlp-proto-http",
    "opentelemetry-proto",
    "opentelemetry-semantic-conventions",
]
SCIENCE = ["dask", "distributed", "scikit-learn", "pandas"]
# Older releases of importlib_metadata let one broken distribution hide another; discovery does not.
NOT_LOWEST = "not what_is_found_is_what_importlib_metadata_finds"

nox.options.default_venv_backend = "venv"
nox.options.error_on_external_run = True
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["tests", "lint", "types", "docs", "build"]


def install_all(session: nox.Session, *further: str) -> None:
    """Install every distribution from its folder, as its users' pip would build it, but editable."""
    editable = [argument for distribution in DISTRIBUTIONS for argument in ("-e", f"./{distribution}")]
    session.install(*editable, *further)


def lowest_requirements() -> set[str]:
    """The oldest release of everything that the distributions say they work with."""
    required = [
        requirement
        for settings in map(project, DISTRIBUTIONS)
        for group in [settings["dependencies"], *settings.get("optional-dependencies", {}).values()]
        for requirement in group
    ]
    return {each.replace(">=", "==") for each in required if not each.startswith("actium")}


def build_afresh(session: nox.Session, distributions: list[str], folder: Path) -> list[str]:
    """Build source distributions, and wheels from these, so that nothing an earlier build left behind gets in."""
    shutil.rmtree(folder, ignore_errors=True)
    for distribution in distributions:
        session.run("python", "-m", "build", "--outdir", str(folder), distribution, silent=True)
    return sorted(str(path) for path in folder.iterdir())


def run_tests(session: nox.Session) -> None:
    """Run the whole suite; arguments after ``--`` go to pytest and leave out the bound on coverage."""
    install_all(session, *TESTING, *MAKING, "build", "types-PyYAML", *SCIENCE, *TELEMETRY)
    if session.posargs:
        session.run("pytest", *session.posargs)
        return
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", "-n", "auto", "core/tests")  # its workers are measured as children
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")
    session.run("pytest", "-n", "auto", "plugins", "examples", "tests")


@nox.session
def tests(session: nox.Session) -> None:
    """Run all tests with this Python; branch coverage of core must be at least 95 %."""
    run_tests(session)


@nox.session(python=PYTHONS, name="tests-on")
def tests_on(session: nox.Session) -> None:
    """Run all tests with one of the supported Pythons, e.g. ``nox -s tests-on-3.13``."""
    run_tests(session)


@nox.session(python=PYTHONS[0], default=False)
def lowest(session: nox.Session) -> None:
    """Run all tests with the oldest Python, and the oldest release of everything that is needed."""
    # Later releases of Click warn of names that the oldest Typer imports.
    oldest = [*lowest_requirements(), "click<8.3"]
    install_all(session, *TESTING, *MAKING, "build", "types-PyYAML", *SCIENCE, *TELEMETRY, *oldest)
    session.run("pytest", "-n", "auto", *(session.posargs or ["-k", NOT_LOWEST]))


@nox.session
def demo(session: nox.Session) -> None:
    """Install everything as wheels into a clean environment, and run the main job with the real commands."""
    session.install("build")
    built = build_afresh(session, [CORE, *PLUGINS], Path(session.create_tmp()) / "built")
    wheels = [path for path in built if path.endswith(".whl")]
    session.install("--force-reinstall", "--no-deps", *wheels)
    session.install(*wheels, "-r", "examples/penguins/requirements.txt")
    session.run("python", "examples/penguins/demo.py", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, order of imports, the floors of core, versions and changelog fragments."""
    session.install("ruff>=0.12", "import-linter>=2", "towncrier", *[f"./{each}" for each in [CORE, *PLUGINS]])
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports", "--config", "pyproject.toml")
    session.run("python", "tests/check_versions.py")
    session.run("towncrier", "build", "--draft", silent=True)


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of all distributions, strictly."""
    install_all(session, "mypy>=1.15", "types-PyYAML", "hypothesis", "nox")
    session.run("mypy", *[f"{distribution}/src" for distribution in DISTRIBUTIONS], "noxfile.py")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; warnings are errors."""
    install_all(session, "sphinx>=8", "myst-parser", "furo", "sphinx-copybutton", "sphinxcontrib-mermaid", "hypothesis")
    session.run("sphinx-build", "-W", "--keep-going", "-b", "html", "docs", "docs/_build/html", *session.posargs)


@nox.session
def build(session: nox.Session) -> None:
    """Build source distributions and wheels of all distributions into ``dist/``, and check them."""
    session.install("build", "twine")
    session.run("twine", "check", "--strict", *build_afresh(session, DISTRIBUTIONS, ROOT / "dist"))


@nox.session(default=False)
def soak(session: nox.Session) -> None:
    """Kill publishers and workers some thousand times; ``-- --kills N --seed S`` for another number, or once more."""
    session.install("./core")
    session.run("python", "core/tests/durability/harness.py", *(session.posargs or ["--kills", "5000"]))


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure speed beside peers and limits in one run; ``nox -s bench -- --quick`` for a first look."""
    session.install("./core", "./plugins/cli", "huey")
    session.run("python", "benchmarks/run.py", *session.posargs, env={"PYTHONDONTWRITEBYTECODE": ""})


@nox.session(default=False)
def format(session: nox.Session) -> None:  # noqa: A001 - the name of the task, as everywhere
    """Format all code, and sort its imports."""
    session.install("ruff>=0.12")
    session.run("ruff", "check", "--fix", "--exit-zero", ".")
    session.run("ruff", "format", ".")


@nox.session(default=False)
def changelog(session: nox.Session) -> None:
    """Gather the changelog fragments of a release: ``nox -s changelog -- --version 0.2.0``."""
    session.install("towncrier")
    session.run("towncrier", "build", "--yes", *session.posargs)


os.environ.setdefault("PIP_DISABLE_PIP_VERSION_CHECK", "1")
