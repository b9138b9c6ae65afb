"""Secrets among the values of pipelines and steps: a ``SecretStr`` holds a reference until the run begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, SecretStr

from actium.auth.secret_references import check_references, dump_with_references, noting_secrets, resolve_references
from actium.errors import FieldProblem, InvalidConfigurationError
from actium.models.leaves import leaves


class _Held(BaseModel):
    """Any value, as what core looks for secrets in."""

    value: Any


def holds_secrets(value: object) -> bool:
    """Whether there is a secret anywhere in a value."""
    return any(isinstance(leaf, SecretStr) for _, leaf in leaves(value))


def literal_secrets(value: object, *, path: str) -> tuple[FieldProblem, ...]:
    """The secrets in a value that are no references; the secrets themselves are not told."""
    if not holds_secrets(value):
        return ()
    try:
        check_references(_Held(value=value))
    except InvalidConfigurationError as error:
        return tuple(
            FieldProblem(
                path=path + problem.path.removeprefix("value"), problem=problem.problem, expected=problem.expected
            )
            for problem in error.problems
        )
    return ()


def with_references(value: object) -> Any:
    """Write a value in JSON's terms, with its secrets as references."""
    return dump_with_references(_Held(value=value))["value"]


def resolved(values: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, dict[str, Any]], tuple[str, ...]]:
    """Put the secrets themselves in the place of references.

    Args:
        values: The arguments of steps, by step and parameter.

    Returns:
        The same with secrets, and the secrets, which must not appear in anything that is kept.

    Raises:
        SecretResolutionError: A reference leads nowhere.
    """
    found: dict[str, dict[str, Any]] = {}
    with noting_secrets() as secrets:
        for step, arguments in values.items():
            found[step] = {
                name: resolve_references(_Held(value=value)).value if holds_secrets(value) else value
                for name, value in arguments.items()
            }
    return found, tuple(secrets)
