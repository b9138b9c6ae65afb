"""What is kept of how an action's executions went, besides their outcome."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator


class TraceMode(StrEnum):
    """When the traces of an action's attempts are kept."""

    OFF = "off"
    """Never; nothing is recorded, unless the whole application is traced."""
    ON_FAILURE = "on_failure"
    """When the attempt fails. Until its end the trace is held in memory."""
    ON = "on"
    """Always."""


def _as_yaml_reads_it(given: object) -> object:
    """YAML reads ``on`` and ``off`` as truth values."""
    return ("on" if given else "off") if isinstance(given, bool) else given


TraceChoice = Annotated[TraceMode, BeforeValidator(_as_yaml_reads_it)]
"""A trace mode as people write it."""
