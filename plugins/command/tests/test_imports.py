"""What looking at the flavor costs."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ["actium_command.supervised", "subprocess"]


def test_the_flavor_is_light() -> None:
    """Importing the flavor, as whoever creates actions does, imports nothing that only its runs need."""
    code = (
        "import sys; import actium.actions.base_action, actium.models; before = set(sys.modules); "
        "import actium_command.command_action; print(*set(sys.modules) - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = set(done.stdout.split())
    assert "actium_command.command_action" in imported
    assert imported.isdisjoint(HEAVY)
