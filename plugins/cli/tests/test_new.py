"""``actium new``: what it makes works at once, and it harms nothing that is there."""

from __future__ import annotations

import ast
import importlib.util
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from actium.errors import InvalidInputError
from actium_cli.new_names import LONGEST_NAME, RESERVED, PluginNames, flavor_names, hooks_names
from actium_cli.new_project import make_project

Call = Callable[..., Any]

ROOT = Path(__file__).parents[3]
MADE = {"flavor": ("example.greet", "actium-example-greet"), "hooks": ("working-hours", "actium-working-hours")}
LONGEST = {"flavor": f"{'a' * 31}.{'b' * 31}", "hooks": "c" * LONGEST_NAME}
OFFLINE = """
import socket

def refuse(*arguments, **options):
    raise AssertionError("a connection was made")

socket.socket.connect = refuse
socket.getaddrinfo = refuse
"""


def project(folder: Path) -> dict[str, Any]:
    """What a project says of itself."""
    settings: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return settings


def entry_point(folder: Path) -> EntryPoint:
    """The one entry point of a project."""
    ((group, entries),) = project(folder)["entry-points"].items()
    ((name, value),) = entries.items()
    return EntryPoint(name=name, value=value, group=group)


def defined(source: Path) -> set[str]:
    """The functions and classes of a module."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


@pytest.fixture
def installed(site: Path, environment: dict[str, str]) -> Callable[[Path], dict[str, str]]:
    """Install a project as `pip install -e` leaves it; gives the environment of processes that find it."""

    def install_project(folder: Path) -> dict[str, str]:
        told = project(folder)
        info = site / f"{told['name'].replace('-', '_')}-{told['version']}.dist-info"
        info.mkdir()
        headers = [f"Name: {told['name']}", f"Version: {told['version']}"]
        headers += [f"Requires-Dist: {each}" for each in told["dependencies"]]
        (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", *headers, ""]))
        point = entry_point(folder)
        (info / "entry_points.txt").write_text(f"[{point.group}]\n{point.name} = {point.value}\n")
        return {"PYTHONPATH": os.pathsep.join([str(folder / "src"), environment["PYTHONPATH"]])}

    return install_project


@pytest.mark.parametrize("kind", MADE)
def test_what_is_made_passes_at_once(process: Call, work: Path, installed: Call, kind: str) -> None:
    """The tests of a new project, the conformance suite among them, pass as soon as it is installed; it is found."""
    name, folder = MADE[kind]
    assert process("new", kind, name).exit_code == 0
    variables = installed(work / folder)
    tests = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder],
        capture_output=True,
        text=True,
        cwd=work,
        env={**os.environ, **variables},
        timeout=300,
        check=False,
    )
    assert tests.returncode == 0, tests.stdout + tests.stderr
    assert "failed" not in tests.stdout
    if kind == "flavor":
        shown = process("flavor", "show", name, "--json", **variables).json
        assert (shown["name"], shown["body"]["state"], shown["body"]["distribution"]) == (name, "loaded", folder)
        assert all(field["description"] for field in shown["metadata"]["config_schema"]["properties"].values())
    else:
        called = process("plugin", "hooks", name, "--all", "--json", **variables)
        assert {call["hook"] for call in called.json} == {"run_action", "execution_changed"}


@pytest.mark.parametrize("kind", MADE)
@pytest.mark.parametrize("length", ["usual", "longest"])
@pytest.mark.parametrize("tool", [("ruff", "check", "--no-cache"), ("ruff", "format", "--check", "--no-cache")])
def test_what_is_made_is_in_style(actium: Call, work: Path, kind: str, length: str, tool: tuple[str, ...]) -> None:
    """Ruff has nothing to say of a new project, by the project's own settings, however long its name is."""
    if importlib.util.find_spec("ruff") is None:
        pytest.skip("ruff is not installed")
    name = MADE[kind][0] if length == "usual" else LONGEST[kind]
    assert actium("new", kind, name, "--output", "made").exit_code == 0
    done = subprocess.run(
        [sys.executable, "-m", *tool, "."], capture_output=True, text=True, cwd=work / "made", check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kind", MADE)
def test_what_is_made_is_typed(actium: Call, work: Path, kind: str) -> None:
    """A new project passes mypy by its own settings, which are strict, and its package tells that it is typed."""
    if importlib.util.find_spec("mypy") is None:
        pytest.skip("mypy is not installed")
    assert actium("new", kind, MADE[kind][0], "--output", "made").exit_code == 0
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", os.devnull],
        capture_output=True,
        text=True,
        cwd=work / "made",
        env={name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list((work / "made" / "src").glob("*/py.typed"))) == 1
    settings = tomllib.loads((work / "made" / "pyproject.toml").read_text())["tool"]
    assert settings["mypy"]["strict"] is True
    assert settings["setuptools"]["package-data"] == {package_of(work / "made"): ["py.typed"]}


def package_of(folder: Path) -> str:
    """The package of a project."""
    (package,) = (folder / "src").iterdir()
    return package.name


def test_it_tells_what_it_made_and_what_comes_next(actium: Call, work: Path) -> None:
    """The answer names every file, and three commands that install, test and show what was made."""
    told = actium("new", "flavor", "example.greet").stdout
    files = [path for path in (work / "actium-example-greet").rglob("*") if path.is_file()]
    assert len(files) == 10
    for file in files:
        assert f"  {file.relative_to(work / 'actium-example-greet').as_posix()}\n" in told
    assert told.splitlines()[-3:] == [
        '  python -m pip install -e "./actium-example-greet[test]"',
        "  python -m pytest ./actium-example-greet",
        "  actium flavor show example.greet",
    ]


def test_it_answers_in_json(actium: Call, work: Path) -> None:
    """With --json the same is told to programs."""
    told = actium("new", "hooks", "Working_Hours", "--json").json
    assert told["kind"] == "hooks"
    assert (told["name"], told["distribution"], told["package"]) == (
        "working-hours",
        "actium-working-hours",
        "actium_working_hours",
    )
    assert {str(work / told["folder"] / file) for file in told["files"]} == {
        str(path) for path in (work / "actium-working-hours").rglob("*") if path.is_file()
    }
    assert told["next"][2] == "actium plugin hooks working-hours --all"


@pytest.mark.parametrize(
    ("output", "install"),
    [
        (".", 'python -m pip install -e ".[test]"'),
        ("a folder/x", 'python -m pip install -e "./a folder/x[test]"'),
        ("it$elf", "python -m pip install -e './it$elf[test]'"),
        ("../beside", 'python -m pip install -e "../beside[test]"'),
    ],
)
def test_the_folder_can_be_chosen(actium: Call, work: Path, output: str, install: str) -> None:
    """--output says where to make it, also in an empty folder that is there; the commands lead to it."""
    told = actium("new", "flavor", "example.greet", "--output", output, "--json").json
    assert (work / output / "pyproject.toml").is_file()
    assert told["next"][0] == install


@pytest.mark.parametrize("there", ["a file in it", "a file of its name"])
def test_nothing_is_overwritten(actium: Call, work: Path, there: str) -> None:
    """A folder that is not empty, and a file of its name, are refused and stay as they are."""
    place = work / "actium-example-greet"
    file = place / "notes.txt" if there == "a file in it" else place
    file.parent.mkdir(exist_ok=True)
    file.write_text("mine")
    outcome = actium("new", "flavor", "example.greet")
    assert outcome.exit_code == 1
    assert "is there already" in outcome.stderr
    assert "--output" in outcome.stderr
    assert [path for path in work.rglob("*") if path.is_file()] == [file]
    assert file.read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_told(actium: Call, work: Path) -> None:
    """A folder below a file is refused with a reason and a way out."""
    (work / "file").write_text("")
    outcome = actium("new", "flavor", "example.greet", "--output", "file/below")
    assert outcome.exit_code == 1
    assert "--output" in outcome.stderr


@pytest.mark.parametrize(
    ("kind", "name", "told"),
    [
        ("flavor", "greet", "example.greet"),
        ("flavor", "class", "example.greet"),
        ("flavor", "a.b.c", "one dot"),
        ("flavor", "example.", "'' of 'example.'"),
        ("flavor", "1st.greet", "'1st' of '1st.greet'"),
        ("flavor", "example.gr\u00fc\u00dfe", "letters, digits and underscores"),
        ("flavor", "../../etc/passwd", "one dot"),
        ("flavor", "example/greet.x", "'example/greet' of"),
        ("flavor", "example.class", "keyword"),
        ("flavor", "import.csv", "keyword"),
        ("flavor", f"example.{'x' * 60}", "too long"),
        ("flavor", "pipeline.run", "one of Actium's own"),
        ("hooks", "", "cannot be the name"),
        ("hooks", "a--b", "single hyphens"),
        ("hooks", "a.b", "cannot be the name"),
        ("hooks", "../a", "cannot be the name"),
        ("hooks", "class", "keyword"),
        ("hooks", "x" * 64, "too long"),
        ("hooks", "otel", "one of Actium's own"),
    ],
)
def test_bad_names_are_refused(actium: Call, work: Path, kind: str, name: str, told: str) -> None:
    """A name that Actium, Python or pip could not take is refused with what to write instead; nothing is written."""
    outcome = actium("new", kind, name)
    assert outcome.exit_code == 1
    assert told in outcome.stderr
    assert "Hint:" in outcome.stderr
    assert list(work.iterdir()) == []


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("--description", "two\nlines"),
        ("--description", 'it says "hello"'),
        ("--description", "back\\slash"),
        ("--description", "."),
        ("--description", "x" * 101),
        ("--author", ""),
        ("--author", 'Ann "the" Author'),
        ("--author", "Ann <nowhere>"),
        ("--author", "Ann <@>"),
    ],
)
def test_texts_that_do_not_fit_are_refused(actium: Call, work: Path, option: str, text: str) -> None:
    """A text that would break the code that it is to stand in is refused; nothing is written."""
    outcome = actium("new", "flavor", "example.greet", option, text)
    assert outcome.exit_code == 1
    assert "Hint:" in outcome.stderr
    assert list(work.iterdir()) == []


@pytest.mark.parametrize(
    ("author", "told"),
    [
        ("Ann O'Neil <ann@example.com>", [{"name": "Ann O'Neil", "email": "ann@example.com"}]),
        ("Ann", [{"name": "Ann"}]),
        ("ann@example.com", [{"email": "ann@example.com"}]),
        (None, None),
    ],
)
def test_the_author_is_named(actium: Call, work: Path, author: str | None, told: list[dict[str, str]] | None) -> None:
    """--author may be a name, an address, or both; without it none is made up."""
    actium("new", "hooks", "audit", *([] if author is None else ["--author", author]))
    assert project(work / "actium-audit").get("authors") == told


def test_without_copier_it_says_what_to_install(actium: Call, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copier is optional; without it, a command of its own says how to get it, and all others work."""
    monkeypatch.setitem(sys.modules, "copier", None)
    outcome = actium("new", "flavor", "example.greet")
    assert outcome.exit_code == 1
    assert "Copier, which is not installed" in outcome.stderr
    assert "pip install 'actium-cli[new]'" in outcome.stderr
    assert actium("flavor", "list").exit_code == 0


def test_copier_is_imported_only_when_something_is_made(environment: dict[str, str], work: Path) -> None:
    """Help is shown without importing Copier, which takes long."""
    code = """
import sys
from actium_cli.main import main
try:
    main()
finally:
    print("copier" in sys.modules, file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, "new", "flavor", "--help"],
        capture_output=True, text=True, env=environment, cwd=work, check=True,
    )  # fmt: skip
    assert done.stderr == "False\n"


def test_neither_network_nor_git_is_needed(process: Call, site: Path, work: Path) -> None:
    """A project is made where nothing can be reached and no other program is found, and prints nothing of Copier's."""
    (site / "sitecustomize.py").write_text(OFFLINE)
    outcome = process("new", "flavor", "example.greet", PATH="", HOME=str(work))
    assert (outcome.exit_code, outcome.stderr) == (0, "")
    assert (work / "actium-example-greet" / "pyproject.toml").is_file()


def test_the_reserved_names_are_those_of_the_repository() -> None:
    """No new project is called as a distribution of this repository."""
    own = {tomllib.loads(file.read_text())["project"]["name"] for file in ROOT.glob("plugins/*/pyproject.toml")}
    assert {name for name in own if name.startswith("actium-")} == RESERVED


HALVES = st.from_regex(r"\A[a-z][a-z0-9_]{0,20}\Z")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Iterator[Path]]:
    """A new folder for each project."""
    base = tmp_path_factory.mktemp("projects")
    yield (base / str(number) for number in range(10_000))
    shutil.rmtree(base)


def names_or_none(kind: str, name: str) -> PluginNames:
    """The names of a plugin; an example that is refused is left out."""
    try:
        return flavor_names(name) if kind == "flavor" else hooks_names(name)
    except InvalidInputError:
        assume(False)
        raise


@settings(max_examples=15)
@given(subtype=HALVES, flavor=HALVES)
@example(subtype="data", flavor="filter")
@example(subtype="action", flavor="flavor")
@example(subtype="x", flavor="action_flavor")
@example(subtype="x", flavor="annotations")
@example(subtype="a__", flavor="b_")
def test_any_key_makes_code_that_can_be_imported(folders: Iterator[Path], subtype: str, flavor: str) -> None:
    """Whatever key is taken, the entry point leads to what the module defines, under names that Python takes."""
    names = names_or_none("flavor", f"{subtype}.{flavor}")
    made = make_project(names, description="Does it", author=None, folder=next(folders))
    point = entry_point(made.folder)
    assert (point.group, point.name) == ("actium.action_flavors", f"{subtype}.{flavor}")
    source = made.folder / "src" / Path(*point.module.split(".")).with_suffix(".py")
    assert point.attr in defined(source)
    code = compile(source.read_text(encoding="utf-8"), str(source), "exec")
    namespace: dict[str, Any] = {"__name__": point.module}
    sys.modules[point.module] = type(sys)(point.module)
    try:
        exec(code, namespace)
    finally:
        del sys.modules[point.module]
    made_flavor = namespace[point.attr]
    assert f"{made_flavor.SUBTYPE}.{made_flavor.FLAVOR}" == point.name


@settings(max_examples=15)
@given(text=st.text(min_size=1, max_size=100))
@example(text="{{ 7 * 7 }} {% raw %}")
@example(text="Ends with a quote'")
@example(text="# no comment")
@example(text="Wow!")
def test_any_description_that_is_taken_stands_there_as_it_is(folders: Iterator[Path], text: str) -> None:
    """A description is what pip shows and what listings show of the flavor, whatever it looks like."""
    folder = next(folders)
    try:
        make_project(flavor_names("example.greet"), description=text, author=None, folder=folder)
    except InvalidInputError:
        assert not folder.exists()
        return
    summary = text.strip().rstrip(".").strip()
    assert project(folder)["description"] == summary
    tree = ast.parse((folder / "src" / "actium_example_greet" / "flavor.py").read_text(encoding="utf-8"))
    (function,) = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert str(ast.get_docstring(function)).rstrip(".").strip() == summary


def test_new_is_a_group_of_two(command: typer.main.TyperGroup) -> None:
    """There is a command for each kind of template that is shipped, and no template without a command."""
    context = command.make_context("actium", [], resilient_parsing=True)
    group: Any = command.get_command(context, "new")
    templates = ROOT / "plugins" / "cli" / "src" / "actium_cli" / "templates"
    kinds = {folder.name for folder in templates.iterdir() if folder.is_dir()} - {"parts"}
    assert set(group.commands) == kinds == set(MADE)
