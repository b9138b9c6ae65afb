"""Errors: every one of them travels between processes whole."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from actium import ActiumError, errors
from actium.errors import AmbiguousReferenceError, FieldProblem, InUseError, InvalidInputError

CLASSES = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, ActiumError)]
PROBLEM = FieldProblem(path="steps[2]", problem="Input should be a valid number", value="'x'", expected="float")


def made(kind: type[ActiumError]) -> ActiumError:
    """An error with everything that its class can tell."""
    if issubclass(kind, InvalidInputError):
        return kind("It went wrong.", hint="Mend it.", problems=[PROBLEM])
    if issubclass(kind, AmbiguousReferenceError):
        return kind("It went wrong.", hint="Mend it.", candidates=["a (1)", "b (2)"])
    if issubclass(kind, InUseError):
        return kind("It went wrong.", hint="Mend it.", users=["a", "b"])
    return kind("It went wrong.", hint="Mend it.")


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(
    "travel",
    [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy],
    ids=["pickle", "copy", "deep"],
)
def test_every_error_travels_whole(kind: type[ActiumError], travel: Callable[[Any], Any]) -> None:
    """Class, text, message, hint, notes and everything else that an error tells survive pickling and copying."""
    error = made(kind)
    error.add_note("raised far away")
    arrived = travel(error)
    assert type(arrived) is kind
    assert (str(arrived), vars(arrived)) == (str(error), vars(error))
    assert {"message", "hint", "__notes__"} <= vars(arrived).keys()
