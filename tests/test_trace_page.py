"""The page about traces shows the tree that its own code makes, and the limits that the code sets."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from actium.tracing import limits

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "how-to" / "debug-with-traces.md"
VARYING = (
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID"),
    (r"[\d.]+ (µs|ms|s)\b", "TIME"),
    (r"worker=\S+", "worker=W"),
    (r"\(\S+\.\w+:\d+ in", "(FILE in"),
    (r"(body=TriggerExecutionBody).*", r"\1"),
)


def compared(tree: str) -> list[str]:
    """The lines of a tree without what is different at every run."""
    for pattern, instead in VARYING:
        tree = re.sub(pattern, instead, tree)
    return tree.splitlines()


def test_the_tree_is_what_the_code_above_it_makes(tmp_path: Path) -> None:
    """But for ids, times and places, the page shows what comes out."""
    page = PAGE.read_text(encoding="utf-8")
    code, shown = (page.split(f"```{language}\n")[1].split("```")[0] for language in ("python", "text"))
    script = tmp_path / "page.py"
    script.write_text(f"{code}\nprint(tree_text(app.executions.trace(execution_id)), end='')\napp.close()\n")
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert compared(done.stdout) == compared(shown)


def test_the_limits_are_those_of_the_code() -> None:
    """The page, and that of settings, tell how much of an attempt is kept."""
    settings = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    assert f"{limits.MAX_BYTES:,} bytes" in PAGE.read_text(encoding="utf-8")
    assert f"{limits.MAX_SPANS:,} spans, {limits.MAX_BYTES:,} bytes" in settings
