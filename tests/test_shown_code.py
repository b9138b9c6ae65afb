"""Every code block and every command that the documentation shows does what its page says."""

from __future__ import annotations

import functools
import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from actium import Actium, action_flavor
from actium.models import ActionFilter, EventFilter, ServiceAccountRequest, TriggerExecutionFilter
from actium_cli.documents import create_all, read_file

ROOT = Path(__file__).parents[1]
PAGES = sorted(page for page in (ROOT / "docs").rglob("*.md") if "_build" not in page.parts)
SHOWN = [*PAGES, ROOT / "README.md", *sorted(ROOT.glob("*/*/README.md"))]
RUN_BY_ANOTHER_TEST = {"README.md"}  # test_readme gives it the channel that it posts to

FENCE = re.compile(r"^ *```\{?(?P<language>[\w-]*)(?:\}[^\n]*)?\n(?P<code>.*?)^ *```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:^\$ |`|bin/)(?P<line>actium(?: [a-z]+)+[^`\n]*)", re.MULTILINE)
OPTION = re.compile(r"(?<= )--[a-z-]+")
WHERE = re.compile(r"^actium (\w+) .*?--where (\w+)")
HIDDEN = re.compile(
    r"^(?:.*[;&|(])?\s*(?:\$ )?(?:\w+=\S+ )*(?:(?:exec|nice|sudo|timeout \S+|\S+-instrument) )?actium [a-z-]",
    re.MULTILINE,
)

NOT_RUN = {
    ("README.md", "python3 -m pip install nox && python3 -m nox -s demo"): "runs these very tests, and takes minutes",
    ("README.md", "pip install"): "downloads from an index",
    ("docs/how-to/export-to-opentelemetry.md", "pip install"): "downloads from an index",
    ("docs/getting-started.md", "pip install"): "downloads from an index",
    ("plugins/cli/README.md", "pip install"): "downloads from an index",
    ("plugins/otel/README.md", "pip install"): "downloads from an index",
    ("plugins/testing/README.md", "pip install"): "downloads from an index",
}
"""The ``sh`` blocks, by page and beginning, with the reason why they are shown without being run."""

PROGRAMS = {"pip", "nox", "python3 -m pip", "python3 -m nox", "export"}
"""What those blocks may call: programs that download something, or that run these very tests."""

PRINTED_ELSEWHERE = {("README.md", "4. New data arrives"): "test_its_demo_prints_what_is_shown"}
"""The ``text`` blocks that show commands, by page and beginning, with the test that runs them."""

RunPage = Callable[..., "subprocess.CompletedProcess[str]"]


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(*languages: str) -> list[tuple[str, str]]:
    """The blocks in some languages: their pages, and what they hold."""
    return [
        (named(page), block["code"])
        for page in SHOWN
        for block in FENCE.finditer(page.read_text())
        if block["language"] in languages
    ]


# What is run


needs_sh = pytest.mark.skipif(shutil.which("sh") is None, reason="the pages show what is typed into sh")


def is_run(page: Path) -> bool:
    return re.search(r"```(python|console)\n", page.read_text()) is not None and named(page) not in RUN_BY_ANOTHER_TEST


@needs_sh
@pytest.mark.parametrize("page", [page for page in SHOWN if is_run(page)], ids=named)
def test_code_does_what_its_page_says(page: Path, tmp_path: Path, run_page: RunPage) -> None:
    """The Python blocks and shell sessions of a page run one after the other, and print what they say."""
    done = run_page(page, tmp_path, SLACK_TOKEN="xoxb-a-secret")
    assert done.returncode == 0, done.stderr


@pytest.fixture
def run_text(tmp_path: Path, run_page: RunPage) -> Callable[[str], str]:
    """Runs a page of that text; gives what is wrong with it, or nothing."""
    if shutil.which("sh") is None:
        pytest.skip("the pages show what is typed into sh")

    def run(text: str) -> str:
        page = tmp_path / "page.md"
        page.write_text(f"# Page\n\n{text}")
        done = run_page(page, Path(tempfile.mkdtemp(dir=tmp_path)))
        assert (done.returncode != 0) is bool(done.stderr)
        return done.stderr

    return run


def test_a_page_that_says_something_else_is_noticed(run_text: Callable[[str], str]) -> None:
    """A block that prints something else than it says is an error that names the page's line."""
    assert "page.md:4 prints\n2\nand says that it prints\n3" in run_text("```python\nprint(1 + 1)\n# > 3\n```\n")


def test_a_session_that_shows_something_else_is_noticed(run_text: Callable[[str], str]) -> None:
    """A command that prints something else than is shown below it is an error that names the page's line."""
    wrong = run_text("```console\n$ echo one\none\n$ echo two\nthree\n```\n")
    assert "page.md:6 prints\ntwo\nand says that it prints\nthree" in wrong


def test_a_command_that_prints_something_is_shown_with_it(run_text: Callable[[str], str]) -> None:
    """Output that is left out without a word is an error, too."""
    assert "page.md:4 prints\none\nand says that it prints\n" in run_text("```console\n$ echo one\n```\n")


def test_a_command_that_fails_without_a_word_is_noticed(run_text: Callable[[str], str]) -> None:
    """A command that fails wants its exit code to be shown, also when it is the last of its page."""
    assert "page.md:4 fails with 3" in run_text("```console\n$ sh -c 'exit 3'\n$ echo one\none\n```\n")
    assert "page.md:4 fails with 3" in run_text("```console\n$ sh -c 'exit 3'\n```\n")
    assert run_text("```console\n$ sh -c 'exit 3'\n$ echo $?\n3\n```\n") == ""


def test_a_page_has_one_shell_and_one_folder(run_text: Callable[[str], str]) -> None:
    """Sessions keep their variables and see the files that the page shows and its Python blocks make."""
    page = """
```console
$ NAME=one
```

```python
from pathlib import Path

Path("made.txt").write_text("by Python")
```

```yaml
# shown.yaml
kind: account
```

```console
$ echo $NAME; cat made.txt shown.yaml
one
by Python# shown.yaml
kind: account
$ cat <<END
> two
> lines
> END
two
lines
```
"""
    assert run_text(page) == ""


SESSION = """
```console
$ actium event publish --type com.example.arrived --source /raw --id 42
Published event 0f3a9c52-4f1c-876d-afa1-ebed72f45148  no trigger matched
$ actium event show 0f3a9c52
id         {shown}
received   2026-01-31T12:00:00.000000Z
project    default

...
  time          2026-01-31...Z
```
"""


def test_an_id_that_is_shown_stands_for_the_real_one(run_text: Callable[[str], str]) -> None:
    """Commands get the ids that were really there, and output must show the same ones again."""
    assert run_text(SESSION.format(shown="0f3a9c52-4f1c-876d-afa1-ebed72f45148").replace("2026-01-31...", "...")) == ""


def test_an_id_that_is_another_is_noticed(run_text: Callable[[str], str]) -> None:
    """Where an id is shown that was shown before, no other fits; where a new one is shown, it is not one of those."""
    text = """
```console
$ echo 0f3a9c52-4f1c-876d-afa1-ebed72f45148 7deadb80-fe96-422b-aa5d-f1d2a0ec9539
11111111-1111-4111-8111-111111111111 22222222-2222-4222-8222-222222222222
$ echo 0f3a9c52-4f1c-876d-afa1-ebed72f45148
{shown}
```
"""
    assert run_text(text.format(shown="11111111-1111-4111-8111-111111111111")) == ""
    assert "page.md:7 prints" in run_text(text.format(shown="22222222-2222-4222-8222-222222222222"))


def test_times_differ_and_nothing_else_does(run_text: Callable[[str], str]) -> None:
    """Any time and length of time fits any other, with its mark in a trace; numbers without a unit must be right."""
    text = "```console\n$ echo '  {}'\n  took   1.25 s  at 2026-01-31T12:00:00Z, 3 times\n```\n"
    assert run_text(text.format("took 80 ms slow at 2026-02-01T09:30:00.123456Z, 3 times")) == ""
    assert "page.md:4 prints" in run_text(text.format("took 80 ms at 2026-02-01T09:30:00.123456Z, 4 times"))
    assert "page.md:4 prints" in run_text(text.format("took 80 ms at noon, 3 times"))


# What is not run


LANGUAGES = {
    "python",
    "console",
    "sh",
    "yaml",
    "toml",
    "json",
    "ini",
    "text",
    "mermaid",
    "eval-rst",
    "toctree",
    "flavor",
}


def test_every_block_says_what_it_is() -> None:
    """Each block is in a language that the tests know what to do with."""
    languages = {block["language"] for page in SHOWN for block in FENCE.finditer(page.read_text())}
    assert languages <= LANGUAGES


def test_what_is_not_run_is_listed_with_its_reason() -> None:
    """A block of commands that is only shown is one of those that this module lists."""
    shown = blocks("sh")
    listed = [
        (page, beginning)
        for page, code in shown
        for of, beginning in NOT_RUN
        if page == of
        if code.startswith(beginning)
    ]
    assert (len(shown), sorted(listed)) == (len(NOT_RUN), sorted(NOT_RUN))


def programs_of(script: str) -> Iterator[str]:
    """The programs that a script calls; of ``python -m`` with the module."""
    for line in script.replace("\\\n", " ").splitlines():
        read = shlex.shlex(line, posix=True, punctuation_chars=True)
        read.whitespace_split = True
        for between, words in itertools.groupby(read, key=lambda word: set(word) <= set(";&|()")):
            called = [word for word in words if not re.match(r"\w+=", word)]
            if called and not between:
                yield " ".join(called[:3] if called[1:2] == ["-m"] else called[:1])


def test_programs_are_found_wherever_they_stand() -> None:
    """Nothing that a script calls is overlooked: variables, pipes, lines that go on, comments."""
    script = "A=1 pip install it && nox -s docs; (cat one | sort)\npython3 -m pip \\\n  install it  # cat\n"
    assert list(programs_of(script)) == ["pip", "nox", "cat", "sort", "python3 -m pip"]


@pytest.mark.parametrize("page, code", blocks("sh"))
def test_what_is_not_run_calls_few_programs(page: str, code: str) -> None:
    """What is only shown installs something or runs tests; everything else could have been run."""
    assert set(programs_of(code)) <= PROGRAMS


@pytest.mark.parametrize("page", SHOWN, ids=named)
def test_no_command_is_shown_without_being_run(page: Path) -> None:
    """An `actium` command stands in a session that is run, or within a sentence, and nowhere else."""

    def others(block: re.Match[str]) -> str:
        told = any(named(page) == of and block["code"].startswith(begin) for of, begin in PRINTED_ELSEWHERE)
        return "" if told or block["language"] in {"console", "python"} else block["code"]

    assert HIDDEN.findall(FENCE.sub(others, page.read_text())) == []


def test_a_command_that_hides_is_found() -> None:
    """Indented commands, prompts, variables and programs before it hide no command."""
    hidden = ["    actium worker", "$ actium worker", "ACTIUM_HOOKS=otel actium worker", "nice actium worker"]
    hidden += ["cd shop && actium worker", "cat events | actium event publish --many -"]
    assert [line for line in hidden if not HIDDEN.search(line)] == []
    assert HIDDEN.search("actium, says the glossary") is None


# What is shown in sentences


def shown_lines() -> list[str]:
    return sorted({found["line"] for page in SHOWN for found in COMMAND.finditer(page.read_text())})


def words_of(line: str) -> list[str]:
    """The words of a command before its first option."""
    return re.findall(r"(?<= )[a-z]+(?= |$)", line.split(" -")[0])


@pytest.mark.parametrize("command", sorted({" ".join(words_of(line)[:2]) for line in shown_lines()}))
def test_commands_exist(command: str) -> None:
    """Every command that is shown exists; its last word may be an argument."""
    assert any(help_of(*command.split()[:length]) for length in (2, 1))


def shown_options() -> list[tuple[str, str]]:
    return sorted({(" ".join(words_of(line)[:2]), option) for line in shown_lines() for option in OPTION.findall(line)})


@pytest.mark.parametrize("command, option", shown_options())
def test_options_exist(command: str, option: str) -> None:
    """Every option of a command that is shown is one of those that the command tells of."""
    told = next(filter(None, (help_of(*command.split()[:length]) for length in (2, 1))))
    assert re.search(rf"(?<![\w-]){option}(?![\w-])", told)


def shown_conditions() -> list[tuple[str, str]]:
    return sorted({found for line in shown_lines() for found in WHERE.findall(line)})


@pytest.mark.parametrize("listed, column", shown_conditions())
def test_conditions_are_of_columns_that_exist(listed: str, column: str) -> None:
    """Whatever a command that is shown asks for by `--where` is a column of what it lists."""
    filters = {"action": ActionFilter, "event": EventFilter, "execution": TriggerExecutionFilter}
    assert column in filters[listed].COLUMNS


@functools.cache
def help_of(*words: str) -> str:
    """What a command tells of itself; nothing where there is no such command."""
    command = [sys.executable, "-m", "actium_cli", *words, "--help"]
    done = subprocess.run(
        command, env={**os.environ, "COLUMNS": "200"}, cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout if done.returncode == 0 else ""


# What is read


READERS: dict[str, Callable[[str], object]] = {
    "toml": tomllib.loads,
    "json": json.loads,
    "yaml": lambda text: list(yaml.safe_load_all(text)),
}


@pytest.mark.parametrize("language", READERS)
def test_files_can_be_read(language: str) -> None:
    """What stands in a block of a language is of that language."""
    assert [READERS[language](code) for _, code in blocks(language)] or language == "json"


def described_objects() -> list[tuple[str, str]]:
    return [(page, code) for page, code in blocks("yaml") if re.match(r"(# .*\n)?kind: ", code)]


@pytest.mark.parametrize("page, description", described_objects())
def test_files_that_describe_objects_can_be_used(page: str, description: str, tmp_path: Path) -> None:
    """What a YAML block describes can be created from a file; whichever the flavor is, it stands for any."""
    path = tmp_path / "described.yaml"
    path.write_text(description)
    documents = [
        replace(one, fields={**one.fields, "flavor": "demo.noop"}) if one.kind == "action" else one
        for one in read_file(path, default_kind="")
    ]
    wanted = {str(one.fields["service_account"]) for one in documents if one.kind == "action"}
    with Actium("sqlite://") as app:
        app.flavors.register(action_flavor("demo.noop")(does_nothing))
        for name in wanted - {one.fields["name"] for one in documents}:
            app.accounts.create(ServiceAccountRequest(name=name))
        assert [one.name for one in create_all(app, documents)] == [one.fields["name"] for one in documents]


def does_nothing() -> None:
    """Does nothing."""
