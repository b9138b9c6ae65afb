"""Exceptions on their way from one process to another: as JSON values, and as exceptions again.

The errors of Actium arrive as the very class with their attributes. The classes of others need not be importable where
they arrive: what is raised there has the class's name, the names of the classes above it, and the nearest of Actium's
errors or Python's own as its base, so that ``except ValueError`` and a comparison of names both do what they should.
"""

from __future__ import annotations

import builtins
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import actium.errors
import actium.isolation.errors
from actium.auth.secret_references import masked
from actium.errors import FieldProblem

MAX_MESSAGE_CHARACTERS = 100_000
MAX_TRACEBACK_CHARACTERS = 200_000

_OURS = {module.__name__: module for module in (actium.errors, actium.isolation.errors)}


class ChildTraceback(Exception):
    """The cause of an exception that another process raised; its text is the traceback there."""

    def __str__(self) -> str:
        return f"\n\n{self.args[0]}"


def child_traceback(error: BaseException) -> str | None:
    """The traceback in the process that raised an exception; None where that is this one."""
    cause = error.__cause__
    return str(cause.args[0]) if isinstance(cause, ChildTraceback) else None


def with_child_traceback(error: BaseException, text: str) -> None:
    """Let an exception tell where another process was when it was raised."""
    error.__cause__ = ChildTraceback(text)


def packed(error: BaseException, secrets: Sequence[str] = ()) -> dict[str, Any]:
    """An exception as JSON values, with its secrets masked."""
    return {
        "lineage": [_named(kind) for kind in type(error).__mro__],
        "message": _shortened(masked(_message(error), secrets), MAX_MESSAGE_CHARACTERS),
        "fields": dict(_fields(error, secrets)),
        "traceback": _shortened(masked(_traceback(error), secrets), MAX_TRACEBACK_CHARACTERS),
    }


def rebuilt(told: Mapping[str, Any]) -> Exception:
    """The exception that was packed."""
    message = told["message"]
    kind = _kind(told["lineage"], message)
    error = kind.__new__(kind)
    fields = {name: _decoded(value) for name, value in told["fields"].items()}
    error.args = (fields.get("message", message),)
    vars(error).update(fields)
    with_child_traceback(error, told["traceback"])
    return error


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:
        return f"(its text cannot be shown: {type(broken).__name__})"


def _traceback(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error))
    except Exception as broken:
        return f"(its traceback cannot be shown: {type(broken).__name__})"


def _shortened(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n… ({len(text) - 2 * half:,} characters left out)\n{text[-half:]}"


# Attributes


class _Untransportable(Exception):
    """A value that has no JSON form here."""


def _fields(error: BaseException, secrets: Sequence[str]) -> Sequence[tuple[str, Any]]:
    """The attributes, without those that cannot be sent; they belong to classes that the other side does not have."""
    fields = []
    for name, value in vars(error).items():
        try:
            encoded = _encoded(value, secrets)
        except (_Untransportable, RecursionError):
            continue
        if len(str(encoded)) <= MAX_MESSAGE_CHARACTERS:
            fields.append((name, encoded))
    return fields


def _encoded(value: object, secrets: Sequence[str]) -> Any:
    if value is None or type(value) in {bool, int, float}:
        return value
    if isinstance(value, str):
        return masked(str(value), secrets)
    if isinstance(value, list):
        return [_encoded(item, secrets) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [_encoded(item, secrets) for item in value]}
    if isinstance(value, dict) and all(type(key) is str for key in value):
        return {"dict": {masked(key, secrets): _encoded(item, secrets) for key, item in value.items()}}
    if isinstance(value, timedelta):
        return {"seconds": value.total_seconds()}
    if isinstance(value, datetime):
        return {"time": value.isoformat()}
    if isinstance(value, FieldProblem):
        return {"problem": {name: masked(text, secrets) for name, text in asdict(value).items()}}
    raise _Untransportable


def _decoded(encoded: Any) -> Any:
    if isinstance(encoded, list):
        return [_decoded(item) for item in encoded]
    if not isinstance(encoded, dict):
        return encoded
    [(form, value)] = encoded.items()
    if form == "tuple":
        return tuple(_decoded(item) for item in value)
    if form == "dict":
        return {key: _decoded(item) for key, item in value.items()}
    if form == "seconds":
        return timedelta(seconds=value)
    return datetime.fromisoformat(value) if form == "time" else FieldProblem(**value)


# Classes


def _kind(lineage: Sequence[str], message: str) -> type[Exception]:
    """The class to raise, for the names of a class and of those above it, in the order of its MRO."""
    ours = _first_of_ours(lineage)
    if ours is not None and _named(ours) == lineage[0]:
        return ours
    kind = ours or _first_built_in(lineage)
    for name in reversed([lineage[0], *(name for name in lineage[1:] if _found(name) is None)]):
        module, _, qualified = name.partition(":")
        kind = type(
            qualified.rpartition(".")[2],
            (kind,),
            {"__module__": module, "__qualname__": qualified, "__str__": lambda _: message},
        )
    return kind


def _first_of_ours(lineage: Sequence[str]) -> type[Exception] | None:
    found = (_found(name) for name in lineage if name.partition(":")[0] in _OURS)
    return next((kind for kind in found if kind is not None and issubclass(kind, Exception)), None)


def _first_built_in(lineage: Sequence[str]) -> type[Exception]:
    """Python's own nearest class; never one that would end the process that it is raised in, such as SystemExit."""
    for name in lineage:
        kind = _found(name)
        if kind is not None and issubclass(kind, Exception) and not issubclass(kind, ExceptionGroup):
            return kind
    return Exception


def _found(name: str) -> type | None:
    module, _, qualified = name.partition(":")
    found = getattr(builtins if module == "builtins" else _OURS.get(module), qualified, None)
    return found if isinstance(found, type) else None


def _named(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"
