"""The wire form: what is sent is what arrives, however it is cut on its way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actium import errors
from actium.errors import ActiumError, AmbiguousReferenceError, FieldProblem, InvalidInputError
from actium.isolation import ProcessDiedError, ProcessProtocolError, RunOrder, child_traceback
from actium.isolation.messages import MAX_MESSAGE_BYTES, Frames, framed
from actium.isolation.transported_errors import MAX_MESSAGE_CHARACTERS, packed, rebuilt

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=10,
)
MESSAGES = st.lists(st.builds(lambda value: {"kind": "answer", "value": value}, JSON), max_size=5)


@given(MESSAGES, st.integers(1, 40))
def test_messages_arrive_however_they_are_cut(messages: list[dict[str, Any]], size: int) -> None:
    """Any number of messages, in pieces of any size, are taken as they were sent, in order."""
    data = b"".join(map(framed, messages))
    frames, taken = Frames(), []
    for start in range(0, len(data), size):
        frames.add(data[start : start + size])
        while (message := frames.take()) is not None:
            taken.append(message)
    assert taken == messages


@given(st.binary(min_size=4, max_size=4).filter(lambda length: int.from_bytes(length) > MAX_MESSAGE_BYTES))
def test_a_length_beyond_the_limit_is_refused_at_once(length: bytes) -> None:
    """Nobody waits for, or keeps, what is too long."""
    frames = Frames()
    frames.add(length)
    with pytest.raises(ProcessProtocolError, match="no message"):
        frames.take()


@pytest.mark.parametrize("text", [b"[]", b"{}", b'{"kind": 1}', b"\xff\xfe", b"{", b"[" * 100_000])
def test_what_is_no_message_is_refused(text: bytes) -> None:
    """Only JSON objects with a kind are messages."""
    frames = Frames()
    frames.add(len(text).to_bytes(4) + text)
    with pytest.raises(ProcessProtocolError, match="no message"):
        frames.take()


def test_an_order_arrives_as_it_was(order: Callable[..., RunOrder]) -> None:
    """Every part of an order, its token and times included, reads back equal."""
    ordered = order("echo", text="größe", nested={"list": [1, 2.5, None, True]})
    frames = Frames()
    frames.add(framed({"kind": "run", **ordered.packed()}))
    taken = frames.take()
    assert taken is not None
    assert RunOrder.unpacked(taken).packed() == ordered.packed()


# Errors

CLASSES = sorted(
    {value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, ActiumError)},
    key=lambda kind: kind.__name__,
)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_of_actium_arrives_as_itself(kind: type[ActiumError]) -> None:
    """Class, text, attributes and notes are the same afterwards."""
    made = kind.__new__(kind)
    ActiumError.__init__(made, "Wrong.", hint="Do right.")
    vars(made).update(problems=(FieldProblem(path="a.b", problem="bad"),), users=("one",), candidates=("two",))
    vars(made).update(after=timedelta(seconds=1.5), until=datetime(2024, 2, 29, tzinfo=UTC), options={"a": [1]})
    made.add_note("noted")
    arrived = rebuilt(packed(made))
    assert type(arrived) is kind
    assert vars(arrived) == vars(made)
    assert str(arrived) == str(made)
    assert arrived.args == made.args


def test_an_error_derived_from_one_of_actiums_is_still_one() -> None:
    """A plugin's own subclass is caught as the error it derives from, under its own name and with its attributes."""

    class Picky(InvalidInputError, RuntimeError):
        pass

    made = Picky("Wrong.", problems=[FieldProblem(path="a", problem="bad")], hint="Do right.")
    arrived = rebuilt(packed(made))
    assert isinstance(arrived, InvalidInputError)
    assert type(arrived).__name__ == "Picky"
    assert str(arrived) == str(made)
    assert arrived.problems == made.problems


def test_the_names_of_all_classes_above_arrive() -> None:
    """A policy that names a class in the middle finds it."""

    class Above(Exception):
        pass

    class Between(Above):
        pass

    class Below(Between, LookupError):
        pass

    arrived = rebuilt(packed(Below("x")))
    assert isinstance(arrived, LookupError)
    names = [kind.__name__ for kind in type(arrived).__mro__]
    assert [name for name in names if name in {"Below", "Between", "Above"}] == ["Below", "Between", "Above"]


@pytest.mark.parametrize(
    "error",
    [
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
        OSError(28, "No space left on device", "file"),
        KeyError("key"),
        StopIteration(1),
        ExceptionGroup("several", [ValueError("one")]),
        GeneratorExit("left"),
        SyntaxError("bad", ("file", 1, 1, "text", 1, 2)),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_of_python_read_as_they_did(error: BaseException) -> None:
    """Whatever their constructors want, name and text arrive, in an exception that stops no program."""
    arrived = rebuilt(packed(error))
    assert (type(arrived).__name__, str(arrived)) == (type(error).__name__, str(error))
    assert isinstance(arrived, Exception)


def test_an_error_that_cannot_tell_what_it_is_arrives_all_the_same() -> None:
    """Exceptions whose texts fail, or never end, cost nobody the outcome."""

    class Silent(Exception):
        def __str__(self) -> str:
            raise ValueError("no")

    assert str(rebuilt(packed(Silent()))) == "(its text cannot be shown: ValueError)"
    long = rebuilt(packed(ValueError("x" * 10_000_000)))
    assert len(str(long)) < MAX_MESSAGE_CHARACTERS + 100
    assert "characters left out" in str(long)


@pytest.mark.parametrize("secret", ["hidden", "message", "lineage", "tuple", "problem", "seconds", "ValueError"])
def test_secrets_are_masked_and_break_nothing(secret: str) -> None:
    """A secret is in no part of an error, and one that reads like a word of the wire form harms nothing."""
    problem = FieldProblem(path="a", problem=f"got {secret}")
    made = AmbiguousReferenceError(f"Is it {secret}?", candidates=[secret], hint=secret)
    vars(made).update(problems=(problem,), named={secret: secret}, after=timedelta(seconds=1))
    arrived = rebuilt(packed(made, [secret]))
    assert type(arrived) is AmbiguousReferenceError
    told = [arrived.message, arrived.hint, *arrived.candidates, arrived.problems[0].problem, child_traceback(arrived)]
    assert [text for text in told if text is None or secret in text] == []
    assert vars(arrived)["named"] == {"**********": "**********"}


@given(st.dictionaries(st.text(), JSON, max_size=4), st.text())
def test_attributes_arrive_as_they_were(attributes: dict[str, Any], text: str) -> None:
    """Whatever JSON holds can be an attribute of an error, in tuples too."""
    made = ProcessDiedError(text, exit_code=3)
    made.signal = ("a", [attributes])
    arrived = rebuilt(packed(made))
    assert vars(arrived) == vars(made)
    assert child_traceback(arrived) is not None
