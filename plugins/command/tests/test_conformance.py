"""The flavor against the conformance suite."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from pytest_actium import FlavorConformance


@pytest.mark.skipif(os.name != "posix", reason="commands need process groups")
class TestCommandConformance(FlavorConformance):
    FLAVOR = "process.command"
    VALID: ClassVar[Mapping[str, Any]] = {
        "argv": ["sh", "-c", "cat; echo $PASSWORD >&2"],
        "stdin": "data",
        "environment": {"MODE": "dry run"},
        "secrets": {"PASSWORD": "env:CONFORMANCE_PASSWORD"},
        "limits": {"cpu_seconds": 10, "open_files": 100},
    }
    OTHER: ClassVar[Mapping[str, Any]] = {"argv": ["true"]}
    INVALID: ClassVar[Mapping[str, Any]] = {
        "argv": {"argv": []},
        "argv[0]": {"argv": ["a\x00b"]},
        "secrets.PASSWORD": {"argv": ["true"], "secrets": {"PASSWORD": "literal"}},
        "working_directory": {"argv": ["true"], "working_directory": "relative"},
        "limits.cpu_seconds": {"argv": ["true"], "limits": {"cpu_seconds": 0}},
        "permanent_codes": {"argv": ["true"], "permanent_codes": [0]},
    }
    LASTING: ClassVar[Mapping[str, Any]] = {"argv": ["sleep", "1000"]}
    FAILING: ClassVar[Mapping[str, Any]] = {"argv": ["false"]}
    EVENT_DATA: ClassVar[Mapping[str, Any]] = {"rows": 3}

    def essence(self, result: Any) -> Any:
        """What the command said, and not how long it took."""
        return {name: result[name] for name in ("exit_code", "stdout", "stderr")}
