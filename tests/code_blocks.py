"""Runs the Python blocks and shell sessions of a Markdown page, as a reader who types one after the other would.

``python code_blocks.py PAGE`` runs them in the current folder, the Python blocks in one namespace. A comment line
``# > text`` is a line that the block prints; what a block prints and what it says that it prints must be the same. What
a session may show is told in ``console_blocks``. A block that begins with a comment naming a file
(``# actium_slack.py``) is written to that file instead of run, and the entry points of a ``# pyproject.toml`` become
those of an installed distribution.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from console_blocks import Shell

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w+)\n(?P<code>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# (?P<name>[\w./-]+\.(?:py|toml|yaml))\n")
_PRINTED = re.compile(r"^\s*# >(?: (?P<text>.*))?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block of code.

    Attributes:
        language: What stands behind the fence.
        code: The code, without the indentation of the fence.
        line: The line of the page that the code begins on.
    """

    language: str
    code: str
    line: int

    @property
    def file(self) -> str | None:
        """The file that the block is the content of."""
        named = _FILE.match(self.code)
        return None if named is None else named["name"]

    @property
    def printed(self) -> str:
        """What the block says that it prints."""
        return "".join(f"{line['text'] or ''}\n" for line in _PRINTED.finditer(self.code))


def blocks_of(text: str) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    for fence in _FENCE.finditer(text):
        lines = fence["code"].splitlines(keepends=True)
        code = "".join(line.removeprefix(fence["indent"]) for line in lines)
        yield Block(fence["language"], code, text.count("\n", 0, fence.start("code")) + 1)


def lay_out(blocks: list[Block], folder: Path) -> None:
    """Write the files that a page shows, and install its distributions as far as finding plugins needs it."""
    for block in blocks:
        if block.file is None:
            continue
        file = folder / block.file
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(block.code)
        if block.file.endswith(".toml"):
            install(tomllib.loads(block.code)["project"], folder)


def install(project: dict[str, object], folder: Path) -> None:
    """Make the metadata folder of a distribution, as ``pip install`` would."""
    name, version = project["name"], project["version"]
    metadata = folder / f"{str(name).replace('-', '_')}-{version}.dist-info"
    metadata.mkdir()
    groups, needed = project.get("entry-points", {}), project.get("dependencies", [])
    assert isinstance(groups, dict)
    assert isinstance(needed, list)
    headers = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {each}" for each in needed)]
    (metadata / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", *headers, ""]))
    lines = [f"[{group}]\n" + "".join(f"{key} = {groups[group][key]}\n" for key in groups[group]) for group in groups]
    (metadata / "entry_points.txt").write_text("\n".join(lines))


def run(page: Path, folder: Path) -> None:
    """Run a page.

    Raises:
        AssertionError: A block printed something else than it says.
        Exception: Whatever a block raises.
    """
    blocks = list(blocks_of(page.read_text(encoding="utf-8")))
    lay_out(blocks, folder)
    module = sys.modules["page"] = ModuleType("page")  # where pydantic looks for the names in annotations
    with contextlib.closing(Shell(folder)) as shell:
        for block in blocks:
            if block.language == "console":
                shell.run(block.code, str(page), block.line)
            elif block.language == "python" and block.file is None:
                run_python(block, page, module)
        shell.expect_success()


def run_python(block: Block, page: Path, module: ModuleType) -> None:
    """Run a Python block.

    Raises:
        AssertionError: It printed something else than it says.
        Exception: Whatever it raises.
    """
    code = compile("\n" * (block.line - 1) + block.code, str(page), "exec", dont_inherit=True)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, vars(module))
    assert printed.getvalue() == block.printed, (
        f"{page}:{block.line} prints\n{printed.getvalue()}and says that it prints\n{block.printed}"
    )


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    run(Path(sys.argv[1]), Path.cwd())
