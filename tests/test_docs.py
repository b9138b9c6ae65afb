"""What the documentation lists is what there is, and its links lead somewhere."""

from __future__ import annotations

import importlib
import itertools
import re
import sqlite3
import tomllib
from contextlib import closing, suppress
from pathlib import Path

import pytest

import actium
import pytest_actium
from actium import Actium, action_flavor, errors
from actium.actions.recovery import REMEDIES
from actium.models import (
    ActionRequest,
    ActionStatus,
    ExecutionStatus,
    ServiceAccountRequest,
)
from actium.plugins.installed import FLAVOR_GROUPS, OTHER_GROUPS
from actium.stores.sqlite.transitions import TRANSITIONS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(page for page in DOCS.rglob("*.md") if "_build" not in page.parts)
SHOWN = [*PAGES, ROOT / "README.md", *sorted(ROOT.glob("*/*/README.md"))]
CODE = re.compile(r"`([^`]+)`")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[\w.-]+)?\)")


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def table(page: str, heading: str) -> list[list[str]]:
    """The rows of the first table below a heading."""
    section = (DOCS / page).read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = itertools.takewhile(
        lambda line: line.startswith("|"),
        itertools.dropwhile(lambda line: not line.startswith("|"), section.splitlines()),
    )
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in list(lines)[2:]]


# Links


@pytest.mark.parametrize("page", SHOWN, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of a page leads to a file of the repository."""
    relative = [target for target in LINK.findall(page.read_text()) if "://" not in target]
    assert [target for target in relative if not (page.parent / target).exists()] == []


TOCTREE = re.compile(r"```\{toctree\}\n(.*?)```", re.DOTALL)


def pages_behind(page: Path) -> set[Path]:
    """The pages that one click leads to: links, and what its tables of contents list."""
    text = page.read_text()
    found = {(page.parent / target).resolve() for target in LINK.findall(text) if target.endswith(".md")}
    for block in TOCTREE.findall(text):
        for entry in block.splitlines():
            if entry and not entry.startswith(":"):
                found.update(each.resolve() for each in page.parent.glob(f"{entry}.md"))
    return found & set(PAGES)


def test_every_page_is_three_clicks_away() -> None:
    """From the front page three clicks lead to any other, and fewer to most."""
    reached = {DOCS / "index.md"}
    for _ in range(3):
        reached |= {behind for page in reached for behind in pages_behind(page)}
    assert sorted(map(named, set(PAGES) - reached)) == []


# States


def test_executions_go_the_ways_that_are_documented_and_no_other(tmp_path: Path) -> None:
    """The database takes every change of status that the page lists, and refuses every other."""
    rows = table("reference/states.md", "Executions")
    documented = {CODE.findall(status)[0]: set(CODE.findall(after)) for status, _, after in rows}
    assert list(documented) == [status.value for status in ExecutionStatus]
    assert [status for status, after in documented.items() if not after] == ["succeeded"]
    taken = changes_that_a_store_takes(tmp_path / "actium.db")
    assert taken == {(before, after) for before in documented for after in documented[before]}


def test_the_diagram_of_executions_is_what_a_store_takes(tmp_path: Path) -> None:
    """The arrows of the state diagram are the changes that the database takes, no more and no fewer."""
    page = (DOCS / "reference/states.md").read_text()
    (diagram,) = re.findall(r"```mermaid\nstateDiagram-v2\n(.*?)```", page, re.DOTALL)
    arrows = {(before, after) for before, after in re.findall(r"(\w+) --> (\w+):", diagram)}
    assert arrows == {way for condition in TRANSITIONS.values() for way in ways_of(condition)}
    assert arrows == changes_that_a_store_takes(tmp_path / "actium.db")
    assert set(re.findall(r"\[\*\] --> (\w+)", diagram)) == beginnings_that_a_store_takes(tmp_path / "other.db")


def ways_of(condition: str) -> set[tuple[str, str]]:
    """The changes of status that a condition of the database names."""
    before, after = (re.findall(rf"{row}\.status = '(\w+)'", condition) for row in ("OLD", "NEW"))
    return set(itertools.product(before, after))


def changes_that_a_store_takes(path: Path) -> set[tuple[str, str]]:
    store_one_execution(path)
    connection = sqlite3.connect(path, isolation_level=None)
    columns = [name for _, name, *_ in connection.execute("PRAGMA table_info(executions)") if name != "status"]
    connection.execute("DROP TRIGGER executions_beginnings")
    taken, refused = set(), set()
    for before, after in itertools.permutations([status.value for status in ExecutionStatus], 2):
        connection.execute("BEGIN")
        copied = ", ".join({"id": "'copy'", "worker": "'w'"}.get(name, name) for name in columns)
        connection.execute(
            f"INSERT INTO executions ({', '.join(columns)}, status) SELECT {copied}, ? FROM executions", (before,)
        )
        connection.execute("UPDATE executions SET allowance = 9 WHERE id = 'copy'")
        which = taken if any(is_taken(connection, after, *rest) for rest in RESTS) else refused
        which.add((before, after))
        connection.execute("ROLLBACK")
    connection.close()
    assert len(taken) + len(refused) == len(ExecutionStatus) * (len(ExecutionStatus) - 1)
    return taken


RESTS = (("attempt + 1", "NULL"), ("attempt", "'2026-01-01'"), ("attempt", "NULL"))
"""What else may change with a status: the number of the attempt, and when it has ended."""


def beginnings_that_a_store_takes(path: Path) -> set[str]:
    store_one_execution(path)
    taken = set()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        statuses = [status.value for status in ExecutionStatus]
        for status, attempt, finished in itertools.product(statuses, (0, 1), (None, "2026-01-01")):
            with suppress(sqlite3.IntegrityError):
                connection.execute(
                    "INSERT INTO executions (id, project, action_id, action_name, action_revision, created, worker, "
                    "status, attempt, finished) "
                    "SELECT ?, project, action_id, action_name, action_revision, created, 'w', ?, ?, ? "
                    "FROM executions LIMIT 1",
                    (f"{status} {attempt} {finished}", status, attempt, finished),
                )
                taken.add(status)
    return taken


def is_taken(connection: sqlite3.Connection, status: str, attempt: str, finished: str) -> bool:
    try:
        connection.execute(
            f"UPDATE executions SET status = ?, attempt = {attempt}, finished = {finished}, worker = 'w' "
            "WHERE id = 'copy'",
            (status,),
        )
    except sqlite3.IntegrityError:
        return False
    return True


def store_one_execution(path: Path) -> None:
    with Actium(f"sqlite:///{path}") as app:
        app.flavors.register(action_flavor("demo.noop")(does_nothing))
        robot = app.accounts.create(ServiceAccountRequest(name="robot"))
        request = ActionRequest(name="noop", plugin_subtype="demo", flavor="noop", service_account_id=robot.id)
        app.actions.run(app.actions.create(request).id)


def test_actions_have_the_states_and_remedies_that_are_documented() -> None:
    """The page lists every status of an action, and what the doctor does about those that a crash leaves behind."""
    rows = table("reference/states.md", "Actions")
    documented = {ActionStatus(CODE.findall(row[0])[0]): row[-1] for row in rows}
    assert list(documented) == list(ActionStatus)
    assert {status: remedy for status, remedy in documented.items() if remedy} == REMEDIES


# Names


def test_settings_are_those_that_the_code_reads() -> None:
    """Every environment variable of Actium that the code names is on the page of settings, and no other."""
    sources = [path.read_text() for path in ROOT.glob("*/**/src/**/*.py")]
    read = {name for source in sources for name in re.findall(r"""["'](ACTIUM_[A-Z_]+)["']""", source)}
    documented = set(re.findall(r"\bACTIUM_[A-Z_]+\b", (DOCS / "reference/settings.md").read_text()))
    assert documented == read


def test_limits_are_those_of_the_code() -> None:
    """The page of settings tells the limits that the code sets."""
    from actium.actions.stored_form import MAX_CONFIGURATION_BYTES, MAX_CONFIGURATION_DEPTH
    from actium.auth.context import DEFAULT_AUTH_WINDOW
    from actium.event_hub.dispatch import MOST_UNDER_WAY
    from actium.event_hub.isolated_runs import GRACE
    from actium.event_hub.limits import MAX_CONCURRENCY
    from actium.event_hub.outcomes import MAX_RESULT_BYTES
    from actium.event_hub.publisher import PUBLISHED_TOGETHER
    from actium.event_hub.run import TIME_TO_END
    from actium.filters.dialects import MAX_CONDITIONS, MAX_DEPTH, MAX_TEXT
    from actium.models import page
    from actium.models.event import MAX_EVENT_BYTES, MAX_EXTENSION_NUMBER
    from actium.models.page import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE
    from actium.models.run_policy import (
        DEFAULT_MAX_CHAIN,
        MAX_ATTEMPTS,
        MAX_CHAIN,
        MAX_LOSSES,
        MAX_SECONDS,
        ROOM_WITHIN,
    )
    from actium.stores.sqlite.database import BUSY_SECONDS
    from actium.stores.sqlite.writer import MOST_TOGETHER

    limits = dict(table("reference/settings.md", "Limits"))
    assert limits["an action's configuration, as JSON"] == (
        f"{MAX_CONFIGURATION_BYTES:,} bytes, {MAX_CONFIGURATION_DEPTH} levels deep"
    )
    assert limits["an event's data, as JSON in UTF-8"] == f"{MAX_EVENT_BYTES:,} bytes"
    assert limits["a whole number as an event's extension attribute"] == (
        f"-{MAX_EXTENSION_NUMBER + 1:,} to {MAX_EXTENSION_NUMBER:,}; others as text"
    )
    assert f" {DEFAULT_AUTH_WINDOW} where neither" in limits["an auth window"]
    assert limits["an execution's result, as JSON"] == f"{MAX_RESULT_BYTES:,} bytes"
    assert limits["attempts of an execution; a time in a run policy"] == (
        f"{MAX_ATTEMPTS:,}; {MAX_SECONDS:,.0f} seconds, a year"
    )
    assert limits["losses of an execution with its worker"] == f"{MAX_LOSSES}, then it has failed"
    assert limits["a wait of what was lost twice for a worker that runs nothing else"] == (
        f"{ROOM_WITHIN:.0f} seconds, then it runs beside others"
    )
    assert limits["executions that lead to one another"] == (
        f"{DEFAULT_MAX_CHAIN}, up to {MAX_CHAIN:,} by `max_chain`; the next is skipped"
    )
    assert limits["handlers that a worker runs at once; executions of it under way"] == (
        f"{MAX_CONCURRENCY:,}; {MOST_UNDER_WAY:,}"
    )
    assert limits["the time to end in of a handler that was asked to; of one in a process of its own"] == (
        f"{TIME_TO_END:g} seconds; {GRACE:g} second"
    )
    assert limits["events stored in one transaction; transactions committed together"] == (
        f"{PUBLISHED_TOGETHER}; {MOST_TOGETHER}"
    )
    assert limits["a wait for others to write"] == f"{BUSY_SECONDS:g} seconds, then `StoreBusyError`"
    assert limits["items on a page of a listing"] == f"{MAX_PAGE_SIZE:,}; {DEFAULT_PAGE_SIZE} unless asked otherwise"
    assert limits["conditions of a listing's filter; values to be one of, in all of them"] == (
        f"{page.MAX_CONDITIONS}; {page.MAX_VALUES:,}"
    )
    assert limits["a trigger's filters"] == (
        f"{MAX_DEPTH} levels deep, {MAX_CONDITIONS} conditions, {MAX_TEXT:,} characters a text"
    )


def test_loggers_are_those_of_the_code() -> None:
    """The page of settings names every logger of the core, and no other."""
    sources = [path.read_text() for path in (ROOT / "core/src").rglob("*.py")]
    used = {name for source in sources for name in re.findall(r'getLogger\("(actium\.\w+)"\)', source)}
    listed = {row[0].strip("`") for row in table("reference/settings.md", "Logging")}
    assert listed == used


def test_entry_point_groups_are_those_of_the_registry() -> None:
    """The page of entry points lists the groups that are searched."""
    listed = re.findall(r"^\| `(actium\.\w+)`", (DOCS / "reference/entry-points.md").read_text(), re.MULTILINE)
    assert set(listed) == {*FLAVOR_GROUPS.values(), *OTHER_GROUPS.values()}


def test_the_public_names_are_those_of_the_package() -> None:
    """The page of the API lists the names that `import actium` gives."""
    listed = re.findall(r"^\| \[`(\w+)`\]", (DOCS / "reference/api/index.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(dir(actium))


@pytest.mark.parametrize("package", ["actions", "auth", "event_hub", "filters", "models", "stores"])
def test_what_a_package_exports_is_described(package: str) -> None:
    """Every name that a package of core gathers stands in the reference, by itself or with its whole module."""
    reference = "\n".join(page.read_text() for page in (DOCS / "reference").rglob("*.md"))
    module = importlib.import_module(f"actium.{package}")
    exported = getattr(module, "__all__", None) or dir(module)
    described = set(re.findall(r"^\.\. auto\w+:: ([\w.]+)$", reference, re.MULTILINE))
    assert [name for name in exported if not {name, getattr(module, name).__module__} & described] == []


def entry_points_of(distribution: Path) -> dict[str, dict[str, str]]:
    project = tomllib.loads((distribution / "pyproject.toml").read_text())["project"]
    return dict(project.get("entry-points", {}))


def test_the_flavors_of_the_repository_are_described() -> None:
    """The page of flavors has a section, with all fields, for each that a distribution of the repository brings."""
    page = (DOCS / "reference/flavors.md").read_text()
    brought = {
        key
        for distribution in ROOT.glob("plugins/*")
        for group in FLAVOR_GROUPS.values()
        for key in entry_points_of(distribution).get(group, {})
    }
    assert set(re.findall(r"^## `([\w.]+)`$", page, re.MULTILINE)) == brought
    assert set(re.findall(r"^```\{flavor\} ([\w.]+)$", page, re.MULTILINE)) == brought


def test_what_tests_are_given_is_described() -> None:
    """The page on testing names every fixture of the pytest plugin, and everything that its package exports."""
    page = (DOCS / "reference/testing.md").read_text()
    source = (ROOT / "plugins/testing/src/pytest_actium/plugin.py").read_text()
    fixtures = set(re.findall(r"^@pytest\.fixture\ndef (\w+)", source, re.MULTILINE))
    assert fixtures
    (described,) = re.findall(r":members: (actium_url.*)$", page, re.MULTILINE)
    assert fixtures <= set(described.split(", "))
    assert set(re.findall(r"auto\w+:: pytest_actium\.([A-Z]\w+)$", page, re.MULTILINE)) == set(dir(pytest_actium))


def test_the_tree_of_errors_is_the_tree_of_classes() -> None:
    """The head of `actium.errors` draws every class below the one that it derives from, with its built-in one."""
    drawn: dict[str, str] = {}
    above: list[str] = []
    for indent, name, built_in in re.findall(
        r"^    ([│├└─ ]*)(\w+Error|ExecutionCancelled|Retry)(?: \((\w+)\))?", errors.__doc__, re.MULTILINE
    ):
        depth = len(indent) // 4
        above[depth:] = [name]
        bases = [base.__name__ for base in getattr(errors, name).__bases__]
        assert bases == ["Exception"] if depth == 0 else bases == [above[depth - 1], *filter(None, [built_in])], name
        drawn[name] = built_in
    defined = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
    assert set(drawn) == defined


def does_nothing() -> None:
    """Does nothing."""
