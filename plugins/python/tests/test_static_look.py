"""What can be known of a function without importing it, and that nothing is imported for that."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actium_python.arguments import mismatches
from actium_python.static_look import NotThereError, signature_of

Write = Callable[[str, str], Path]
BOOM = "raise AssertionError('it was imported')\n"


@pytest.mark.parametrize(
    "definition",
    [
        "def f(): pass",
        "def f(a, b=1, *c, d, e=2, **g): pass",
        "def f(a, /, b, *, c): pass",
        "async def f(a=1, /, *b): pass",
        "if True:\n    def f(a): pass",
        "try:\n    x = 1\nexcept ImportError:\n    pass\nelse:\n    def f(a): pass",
    ],
)
def test_a_definition_is_read(write: Write, definition: str) -> None:
    """The signature that is read has the names, kinds and optional parameters of the real one."""
    write("shop.py", f"{definition}\n")
    names: dict[str, Any] = {}
    exec(definition, names)
    read = signature_of("shop", "f")
    assert read is not None
    assert shape(read) == shape(inspect.signature(names["f"]))


def shape(signature: Signature) -> list[tuple[str, object, bool]]:
    return [(p.name, p.kind, p.default is Parameter.empty) for p in signature.parameters.values()]


@pytest.mark.parametrize(
    "text",
    [
        "@decorated\ndef f(): pass",
        "f = make()",
        "f: object = make()",
        "a, (f, *b) = make()",
        "for f in range(3): pass",
        "with open('x') as f: pass",
        "if (f := make()): pass",
        "class f: pass",
        "import f",
        "from somewhere_else import f",
        "from somewhere_else import *",
        "def __getattr__(name): ...",
        "globals()['f'] = 1",
        "match make():\n    case 1:\n        def f(): pass\n    case _:\n        f = None",
        "try:\n    from x import f\nexcept ImportError:\n    def f(a): pass",
        "def g():\n    global f\n    f = 1",
    ],
)
def test_what_cannot_be_known_is_let_pass(write: Write, text: str) -> None:
    """A name that may be there, with a signature that cannot be read, is left to the run."""
    write("shop.py", f"{text}\n")
    assert signature_of("shop", "f") is None


@pytest.mark.parametrize(
    "text", ["", "g = 1", "def g():\n    f = 1", "class G:\n    def f(self): pass", "(1", "g.f = 1"]
)
def test_what_is_not_there_is_known(write: Write, text: str) -> None:
    """A module that certainly has no such name, or is no Python, is found out without being imported."""
    write("shop.py", f"{text}\n")
    with pytest.raises(NotThereError):
        signature_of("shop", "f")


def test_packages_are_not_imported(write: Write) -> None:
    """A module within packages and namespaces is found without importing any of them."""
    write("shop/__init__.py", BOOM)
    write("shop/goods/__init__.py", BOOM)
    write("shop/goods/tea.py", BOOM + "def f(leaf): pass\n")
    write("shop_space/inner/deep.py", BOOM + "def f(leaf): pass\n")
    for module in ("shop.goods.tea", "shop_space.inner.deep"):
        signature = signature_of(module, "f")
        assert signature is not None
        assert list(signature.parameters) == ["leaf"]
    with pytest.raises(NotThereError):
        signature_of("shop.goods.coffee", "f")


def test_names_are_followed_to_where_they_are_defined(write: Write) -> None:
    """A function that a package gathers from its modules is found there, also under another name."""
    write("shop/__init__.py", "from .goods import tea as f\nfrom shop.goods import tea\n")
    write("shop/goods/__init__.py", "from ..plants import tea\n")
    write("shop/plants.py", "def tea(leaf): pass\n")
    for name in ("f", "tea"):
        signature = signature_of("shop", name)
        assert signature is not None
        assert list(signature.parameters) == ["leaf"]


def test_names_that_lead_round_in_circles_are_let_pass(write: Write) -> None:
    """Modules that import a name from each other are no endless way."""
    write("shop/__init__.py", "")
    write("shop/a.py", "from shop.b import f\n")
    write("shop/b.py", "from shop.a import f\n")
    assert signature_of("shop.a", "f") is None


KINDS = st.sampled_from(list(inspect._ParameterKind))


@st.composite
def signatures(draw: st.DrawFn) -> Signature:
    kinds = sorted(draw(st.lists(KINDS, max_size=6)))
    parameters: list[Parameter] = []
    has_default = False
    for index, kind in enumerate(kinds):
        is_variable = kind in {Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD}
        if is_variable and any(parameter.kind is kind for parameter in parameters):
            continue
        optional = not is_variable and draw(st.booleans())
        if kind in {Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD}:
            optional = has_default = optional or has_default
        default = None if optional else Parameter.empty
        parameters.append(Parameter(f"p{index}", kind, default=default))
    return Signature(parameters)


@given(signature=signatures(), positional=st.integers(0, 7), names=st.sets(st.integers(0, 7).map("p{}".format)))
def test_exactly_what_python_takes_is_taken(signature: Signature, positional: int, names: set[str]) -> None:
    """There is no mismatch exactly where Python itself would call the function."""
    problems = mismatches(signature, positional=positional, keywords={name: f"kwargs.{name}" for name in names})
    made: dict[str, Any] = {}
    exec(f"def function{signature}: pass", made)  # the signature's own bind is wrong in some releases of Python
    try:
        made["function"](*range(positional), **dict.fromkeys(names))
    except TypeError:
        assert problems
    else:
        assert not problems
