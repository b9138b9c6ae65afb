"""The flavor against the conformance suite."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pytest_actium import FlavorConformance


class TestPythonCallConformance(FlavorConformance):
    FLAVOR = "python.call"
    VALID: ClassVar[Mapping[str, Any]] = {
        "callable": "builtins:dict",
        "kwargs": {"colour": "green"},
        "secrets": {"password": "env:CONFORMANCE_PASSWORD"},
        "inject": {"rows": "data", "key": "execution_id"},
    }
    OTHER: ClassVar[Mapping[str, Any]] = {"callable": "math:gcd", "args": [12, 18]}
    INVALID: ClassVar[Mapping[str, Any]] = {
        "callable": {"callable": "no_such_module:function"},
        "kwargs.txt": {"callable": "textwrap:dedent", "args": ["a"], "kwargs": {"txt": ""}},
        "args": {"callable": "textwrap:dedent", "args": ["a", "b"]},
        "secrets.text": {"callable": "textwrap:dedent", "secrets": {"text": "literal"}},
        "inject.text": {"callable": "textwrap:dedent", "inject": {"text": "weather"}},
    }
    LASTING: ClassVar[Mapping[str, Any]] = {"callable": "time:sleep", "args": [1000]}
    FAILING: ClassVar[Mapping[str, Any]] = {"callable": "json:loads", "args": ["{"]}
