"""Holds arguments against a signature: all that is wrong at once, each with the field of the configuration."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from inspect import Parameter, Signature

from actium.errors import FieldProblem

_BY_POSITION = {Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD}
_BY_NAME = {Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY}


def mismatches(signature: Signature, *, positional: int, keywords: Mapping[str, str]) -> list[FieldProblem]:
    """What of some arguments a signature does not take. Nothing exactly where a call would take them.

    Args:
        signature: What the function takes.
        positional: How many positional arguments there are.
        keywords: The names of the keyword arguments, with the path of the field where each stands.
    """
    by_position = [parameter for parameter in signature.parameters.values() if parameter.kind in _BY_POSITION]
    filled = {parameter.name for parameter in by_position[:positional]}
    return [
        *_too_many(signature, positional, len(by_position)),
        *_wrong_names(signature, keywords, filled),
        *_missing(signature, keywords, filled),
    ]


def _kinds(signature: Signature) -> set[object]:
    return {parameter.kind for parameter in signature.parameters.values()}


def _too_many(signature: Signature, given: int, taken: int) -> Iterator[FieldProblem]:
    if given > taken and Parameter.VAR_POSITIONAL not in _kinds(signature):
        yield FieldProblem("args", f"are {given}, but the function takes at most {taken} by position")


def _wrong_names(signature: Signature, keywords: Mapping[str, str], filled: set[str]) -> Iterator[FieldProblem]:
    takes_any = Parameter.VAR_KEYWORD in _kinds(signature)
    named = [parameter.name for parameter in signature.parameters.values() if parameter.kind in _BY_NAME]
    for name, path in keywords.items():
        if name in named:
            if name in filled:
                yield FieldProblem(path, "is given by position, in `args`, too")
        elif not takes_any:
            yield FieldProblem(path, _no_such(name, signature, named))


def _no_such(name: str, signature: Signature, named: list[str]) -> str:
    parameter = signature.parameters.get(name)
    if parameter is not None and parameter.kind is Parameter.POSITIONAL_ONLY:
        return "can only be given by position, in `args`"
    near = difflib.get_close_matches(name, named, n=1)
    return f"the function has no such parameter; did you mean {near[0]!r}?" if near else "is no parameter of it"


def _missing(signature: Signature, keywords: Mapping[str, str], filled: set[str]) -> Iterator[FieldProblem]:
    for parameter in signature.parameters.values():
        if parameter.default is not Parameter.empty or parameter.name in filled:
            continue
        if parameter.kind is Parameter.POSITIONAL_ONLY:
            yield FieldProblem("args", f"must hold the parameter {parameter.name!r}")
        elif parameter.kind in _BY_NAME and parameter.name not in keywords:
            yield FieldProblem("kwargs", f"must hold the parameter {parameter.name!r}")
