"""Runs the shell sessions that a Markdown page shows, and compares what they print with what is shown.

In a ``console`` block a line that begins with ``$`` is a command, lines below it that begin with ``>`` go on with it,
and what follows is its output. All sessions of a page are one: its shell keeps its folder and its variables.

Ids, times and lengths of time differ from run to run. An id that a page shows stands for the one that was really there:
wherever a later command names it, or its beginning, the real one is put. Any time fits any other. ``...`` on a line of
its own stands for any lines, and within a line for any text. A command that fails wants ``echo $?`` below it, which
shows its exit code.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)"
_LENGTH = r"\b\d+(?:\.\d+)? (?:µs|ms|s|min|h)\b(?: slow\b)?"  # a trace marks what took long
_DIFFERS = re.compile(rf"(?P<id>{_ID})|(?P<time>{_TIME})|(?P<length>{_LENGTH})|(?P<any>\.\.\.)")
_BEGINNING = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f-]+)?\b")
_COMMAND = re.compile(r"^\$ (?P<text>.*\n(?:> .*\n)*)(?P<output>(?:(?!\$ ).*\n)*)", re.MULTILINE)
_END = "--- the command has ended with"

_ACTIUM = """#!/bin/sh
exec '{python}' -P -W error -c 'import sys; from actium_cli.main import main; sys.argv[0] = "actium"; main()' "$@"
"""


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a session.

    Attributes:
        text: What is typed.
        shown: The output that is shown.
        line: On which line of its block it stands, from zero.
    """

    text: str
    shown: str
    line: int

    @property
    def asks_for_exit_code(self) -> bool:
        """Whether it shows how the command before it has ended."""
        return self.text.strip() == "echo $?"


def commands_of(session: str) -> Iterator[Command]:
    """The commands of a session, in order.

    Raises:
        AssertionError: It does not begin with one.
    """
    assert session.startswith("$ "), f"The session begins with no command: {session.splitlines()[0]}"
    for found in _COMMAND.finditer(session):
        text = found["text"].replace("\n> ", "\n")
        yield Command(text, found["output"], session.count("\n", 0, found.start()))


@dataclass(slots=True)
class Shell:
    """The shell of a page.

    Attributes:
        folder: Where it begins.
        ids: The real ids, by those that are shown.
    """

    folder: Path
    ids: dict[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[str] | None = None
    _exit_code: int = 0
    _unseen: str = ""

    def run(self, session: str, where: str, line: int) -> None:
        """Run a session; ``where`` and ``line`` are the page and the line that it begins on.

        Raises:
            AssertionError: A command printed something else than is shown, or failed without a word on that.
        """
        for command in commands_of(session):
            if not command.asks_for_exit_code:
                self.expect_success()
            printed = self.execute(self.real(command.text))
            self._unseen = f"{where}:{line + command.line} fails with {self._exit_code}:\n{printed}"
            assert self.fits(command.shown, printed), (
                f"{where}:{line + command.line} prints\n{printed}and says that it prints\n{command.shown}"
            )

    def expect_success(self) -> None:
        """Make sure that the last command has not failed.

        Raises:
            AssertionError: It has.
        """
        assert self._exit_code == 0, self._unseen

    def real(self, text: str) -> str:
        """The text with the ids that were really there."""
        return _BEGINNING.sub(lambda found: self._real_id(found[0]), text)

    def _real_id(self, beginning: str) -> str:
        real = {real for shown, real in self.ids.items() if shown.startswith(beginning)}
        assert len(real) <= 1, f"{beginning} is the beginning of several ids."
        return real.pop()[: len(beginning)] if real else beginning

    def fits(self, shown: str, printed: str) -> bool:
        """Whether something that was printed is what is shown; learns which ids are which."""
        new: dict[str, str] = {}
        lines = [self._pattern_of(line, new) for line in _lines(shown)]
        found = re.fullmatch("".join(lines), "".join(f"{line}\n" for line in _lines(printed)))
        if found is not None:
            self.ids.update({shown: found[group] for shown, group in new.items()})
        return found is not None

    def _pattern_of(self, line: str, new: dict[str, str]) -> str:
        if line.strip() == "...":
            return r"(?:.*\n)*?"
        pattern, end = [], 0
        for found in _DIFFERS.finditer(line):
            pattern.append(re.escape(self.real(line[end : found.start()])))
            pattern.append(self._pattern_of_what_differs(found, new))
            end = found.end()
        return "".join(pattern) + re.escape(self.real(line[end:])) + r"\n"

    def _pattern_of_what_differs(self, found: re.Match[str], new: dict[str, str]) -> str:
        if found["id"] is None:
            return ".*?" if found["any"] else _TIME if found["time"] else _LENGTH
        shown = found["id"]
        if shown in self.ids:
            return re.escape(self.ids[shown])
        if shown in new:
            return f"(?P={new[shown]})"
        new[shown] = f"id{len(self.ids) + len(new)}"
        return f"(?P<{new[shown]}>{_ID})"

    def execute(self, text: str) -> str:
        """Run a command; gives what it printed, on standard error, too."""
        if self._process is None:
            self._process = self._start()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        text = text if text.endswith("\n") else f"{text}\n"
        self._process.stdin.write(f"(exit {self._exit_code})\n{{\n{text}}} </dev/null\necho '{_END}' $?\n")
        self._process.stdin.flush()
        printed = ""
        for line in self._process.stdout:
            before, end, code = line.partition(_END)
            printed += before
            if end:
                self._exit_code = int(code)
                return printed
        raise AssertionError(f"The shell has ended:\n{printed}")

    def _start(self) -> subprocess.Popen[str]:
        scripts = self.folder / ".scripts"
        scripts.mkdir()
        actium = scripts / "actium"
        actium.write_text(_ACTIUM.format(python=sys.executable))
        actium.chmod(0o755)
        searched = [str(scripts), str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
        modules = [str(self.folder), os.environ.get("PYTHONPATH", "")]
        return subprocess.Popen(
            ["sh"],
            cwd=self.folder,
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith("ACTIUM_")},
                "PATH": os.pathsep.join(searched),
                "PYTHONPATH": os.pathsep.join(filter(None, modules)),
                "COLUMNS": "120",
                "PYTHONUTF8": "1",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )

    def close(self) -> None:
        """End the shell."""
        if self._process is not None:
            self._process.communicate("exit\n")
            self._process = None


def _lines(text: str) -> list[str]:
    """The lines of a text without blank ones at the end; how wide the columns of a table are says nothing."""
    lines = [line[: len(line) - len(line.lstrip())] + " ".join(line.split()) for line in text.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return lines
