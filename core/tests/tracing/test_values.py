"""Values in words: what is told of each kind, how much, and that no code of theirs is ever run."""

from __future__ import annotations

import dataclasses
import datetime as dt
import threading
import weakref
from collections import OrderedDict, defaultdict, deque, namedtuple
from decimal import Decimal
from enum import Enum
from pathlib import PurePosixPath
from typing import Any, NoReturn
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, RootModel, SecretBytes, SecretStr

from actium import Actium, trace
from actium.tracing.failures import failure_of
from actium.tracing.limits import FULL, Limits
from actium.tracing.masking import TraceMask, is_telling_name
from actium.tracing.recorder import Entered, Recording
from actium.tracing.spans import SpanKind
from actium.tracing.taking import taken
from actium.tracing.values import Describer

Point = namedtuple("Point", ["x", "y"])  # noqa: PYI024 - it is the untyped kind that is told here


class Colour(Enum):
    RED = 1


class Inner(BaseModel):
    text: str = "a"
    hidden: str = Field(default="not shown", repr=False)


class Outer(BaseModel):
    inner: Inner = Inner()
    password: SecretStr = SecretStr("hunter22")
    key: SecretBytes = SecretBytes(b"hunter22")
    reference: SecretStr = SecretStr("env:NAME")


class Items(RootModel[list[int]]):
    pass


@dataclasses.dataclass(slots=True)
class Slotted:
    size: int
    hidden: str = dataclasses.field(default="not shown", repr=False)


@dataclasses.dataclass
class Plain:
    size: int


MASKED = "*" * 10
OUTER = (
    f"Outer(inner=Inner(text='a'), password=SecretStr('{MASKED}'), key=SecretBytes('{MASKED}'), "
    "reference=SecretStr('env:NAME'))"
)


def told(value: object, limits: Limits = FULL, secrets: tuple[str, ...] = ()) -> Any:
    return Describer(TraceMask(secrets), limits).value(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (2.5, 2.5),
        (float("nan"), "nan"),
        (2**60, str(2**60)),
        (2**20_000, "<int of 20,001 bits>"),
        ("text", "text"),
        (b"\xff\x00a", "b'\\\\xff\\x00a'"),
        ([1, "a", None], "[1, 'a', None]"),
        ((1,), "(1,)"),
        ({"a": [1], 2: Decimal("1.5")}, "{'a': [1], 2: 1.5}"),
        ({1}, "{1}"),
        (frozenset({1}), "frozenset({1})"),
        (deque([1, 2]), "deque([1, 2])"),
        (OrderedDict(a=1), "{'a': 1}"),
        (defaultdict(int, a=1), "{'a': 1}"),
        (Point(1, 2), "Point(x=1, y=2)"),
        (Colour.RED, "Colour.RED"),
        (Outer(), OUTER),
        (Items([1]), "Items([1])"),
        (Slotted(3), "Slotted(size=3)"),
        (Plain(3), "Plain(size=3)"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (dt.datetime(2024, 1, 2, 3, tzinfo=dt.UTC), "2024-01-02T03:00:00+00:00"),
        (dt.timedelta(seconds=90), "0:01:30"),
        (PurePosixPath("/a/b"), "/a/b"),
        (range(3), "range(0, 3)"),
        (ValueError("no rows"), "ValueError('no rows')"),
        (int, "<class int>"),
        (len, "<builtin_function_or_method>"),
        (dataclasses, "<module dataclasses>"),
        (object(), "<object>"),
        (threading.Lock(), "<_thread.lock>"),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_is_told_of_a_value(value: object, expected: object) -> None:
    """Numbers and texts are told as they are, known types by what they hold, all others by their type."""
    assert told(value) == expected


def test_large_values_are_cut_with_their_size_told() -> None:
    """The whole, each text, each collection and the depth have limits, and what was cut says how much there is."""
    limits = Limits(characters=200, text=10, items=3, depth=2, values=20)
    assert told(["x" * 50], limits) == "['xxxxxxxxxx'… (50 characters)]"
    assert told(b"x" * 50, limits) == "b'xxxxxxxxxx'… (50 bytes)"
    assert told(list(range(1000)), limits) == "[0, 1, 2, … (1,000 items)]"
    assert told(dict.fromkeys("abcdef", 1), limits) == "{'a': 1, 'b': 1, 'c': 1, … (6 items)}"
    assert told([[[[1]]]], limits) == "[[[…]]]"
    assert told("x" * 500, limits) == f"{'x' * 200}… (500 characters)"
    assert told([["x" * 10] * 3] * 3, Limits(values=5)).count("…") > 0
    assert len(told([["x" * 900] * 40] * 40)) < FULL.characters + 50


def test_what_holds_itself_is_told() -> None:
    """A list inside itself ends there."""
    inside: list[object] = [1]
    inside.append(inside)
    assert told(inside) == "[1, …]"


class Hostile:
    """Whatever is asked of it never returns."""

    def hang(self, *args: object) -> NoReturn:
        raise AssertionError("code of a value was run")

    __repr__ = __str__ = __iter__ = __len__ = __eq__ = __bool__ = __format__ = __getattr__ = hang  # type: ignore[assignment]
    __hash__ = object.__hash__

    def __getattribute__(self, name: str) -> NoReturn:
        raise AssertionError(f"{name} of a value was asked for")

    @property
    def __class__(self) -> NoReturn:  # type: ignore[override]
        raise AssertionError("the class of a value was asked for")


class HostileMeta(type):
    def __getattribute__(cls, name: str) -> Any:
        if name in {"__mro__", "__qualname__", "__name__", "__dict__"}:
            raise AssertionError(f"{name} of a class was asked for")
        return super().__getattribute__(name)


class HostileClass(metaclass=HostileMeta):
    __repr__ = __str__ = Hostile.hang  # type: ignore[assignment]


class HostileStr(str):
    __slots__ = ()
    __repr__ = __str__ = __len__ = __iter__ = __eq__ = Hostile.hang  # type: ignore[assignment]
    __hash__ = str.__hash__


class HostileList(list[Any]):
    __repr__ = __len__ = __iter__ = __getitem__ = __eq__ = Hostile.hang  # type: ignore[assignment]


class HostileDict(dict[Any, Any]):
    __repr__ = __len__ = __iter__ = items = keys = __getitem__ = __eq__ = Hostile.hang  # type: ignore[assignment]


class HostileInt(int):
    __repr__ = __str__ = __abs__ = __format__ = Hostile.hang  # type: ignore[assignment]


class HostileModel(BaseModel):
    size: int = 1
    thing: Any = None

    __repr__ = __str__ = __iter__ = __eq__ = model_dump = Hostile.hang  # type: ignore[assignment]

    @property
    def asked(self) -> NoReturn:
        raise AssertionError("a property was asked for")


@dataclasses.dataclass(eq=False)
class HostileDataclass:
    size: int = 1

    __repr__ = __str__ = Hostile.hang  # type: ignore[assignment]

    def __getattribute__(self, name: str) -> NoReturn:
        raise AssertionError(f"{name} of a value was asked for")


class HostileError(Exception):
    __str__ = __repr__ = Hostile.hang  # type: ignore[assignment]


class HostileZone(dt.tzinfo):
    __repr__ = __str__ = utcoffset = tzname = dst = Hostile.hang  # type: ignore[assignment]


HOSTILE: list[tuple[object, str]] = [
    (Hostile(), "<test_values.Hostile>"),
    (HostileClass, "<class test_values.HostileClass>"),
    (HostileStr("text"), "'text'"),
    (HostileList([1, Hostile()]), "test_values.HostileList[1, <test_values.Hostile>]"),
    (HostileDict(a=Hostile()), "test_values.HostileDict{'a': <test_values.Hostile>}"),
    (HostileInt(3), "3"),
    (HostileModel(thing=Hostile()), "HostileModel(size=1, thing=<test_values.Hostile>)"),
    (HostileError("text", Hostile()), "HostileError('text')"),
    (dt.datetime(2024, 1, 1, tzinfo=HostileZone()), "<datetime.datetime in a time zone of its own>"),
]


@pytest.mark.parametrize(("value", "expected"), HOSTILE, ids=lambda value: type(value).__name__)
def test_no_code_of_a_value_is_run(value: object, expected: str) -> None:
    """A ``repr`` that raises, hangs or has effects, a property, a lying class: none is ever asked."""
    assert told([value]).replace("core.tests.tracing.", "") == f"[{expected}]"


def test_hostile_values_harm_no_run(url: str, run_function: Any) -> None:
    """An execution that hands such values around ends as it would, and its trace tells of them."""

    def work() -> str:
        for value, _ in HOSTILE:
            with trace.span("use", value=value) as span:
                span.note(again=[value])
        try:
            with trace.span("fail"):
                raise HostileError("text", Hostile())
        except HostileError:
            return "done"

    with Actium(url) as app:
        execution = run_function(app, work, trace="on")
        spans = app.executions.trace(execution.id).spans
    assert execution.result == "done"
    assert sum(span.name == "use" for span in spans) == len(HOSTILE)


def test_a_dict_that_changes_meanwhile_is_told_as_far_as_that_goes() -> None:
    """What raises while it is read is told by its type."""

    class Changing(dict[Any, Any]):
        pass

    changing = Changing({number: [number] for number in range(100)})

    class Describing(Describer):
        def _told(self, value: object, depth: int) -> str:
            if type(value) is list:
                changing[len(changing)] = 1
            return super()._told(value, depth)

    assert "cannot be shown" in str(Describing(TraceMask(()), FULL).value([changing]))


class TestFailures:
    @pytest.mark.parametrize(
        ("error", "message"),
        [
            (ValueError("a", 1), "('a', 1)"),
            (KeyError("a"), "'a'"),
            (OSError(2, "No such file", "a.txt"), "[Errno 2] No such file: 'a.txt'"),
            (HostileError("said", Hostile()), "said"),
            (ValueError(Hostile()), "<test_values.Hostile>"),
            (ExceptionGroup("several", [ValueError("a")]), "several"),
        ],
        ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
    )
    def test_what_is_told_of_an_exception(self, error: BaseException, message: str) -> None:
        """What it says where that runs no code of its class, else the text that it was made with."""
        assert failure_of(error).message.replace("core.tests.tracing.", "") == message

    def test_one_that_was_raised_deep_down(self) -> None:
        """The innermost function is told, however deep it is, and at most so many notes."""

        def deep(levels: int) -> None:
            if levels:
                deep(levels - 1)
            else:
                error = ValueError("deep")
                for number in range(50):
                    error.add_note(f"note {number}")
                raise error

        with pytest.raises(ValueError) as caught:
            deep(300)
        failure = failure_of(caught.value)
        assert failure.where is not None
        assert failure.where.endswith("deep")
        assert len(failure.notes) == 10


@pytest.mark.parametrize(
    "name",
    ["password", "DB_PASSWORD", "passwd", "api_key", "apiKey", "X-Api-Key", "Authorization", "access_token",
     "client_secret", "Set-Cookie", "credentials", "privateKey", "authToken", "secret_key"],
)  # fmt: skip
def test_names_that_tell_of_secrets(name: str) -> None:
    """In whichever way names are written."""
    assert is_telling_name(name)


@pytest.mark.parametrize("name", ["key", "author", "tokenizer", "passenger", "monkey", "text", "max_tokens_per_minute"])
def test_names_that_do_not(name: str) -> None:
    """Names that only look alike are left alone."""
    assert not is_telling_name(name)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
)


@given(json_values, st.text(max_size=9), st.text(max_size=9))
def test_anything_is_told_within_the_limits_and_without_the_secret(value: object, before: str, after: str) -> None:
    """Whatever a value is made of, it is told, no longer than allowed, and no secret beside or in it is there."""
    core = "Qx7Zv9Kw2Jp4"
    secret = f"{before}{core}{after}"
    limits = Limits(characters=300, text=50, items=5, depth=4, values=50)
    nested = {"in": (value, [secret]), secret: value}
    for one in (value, secret, [value, secret], nested, secret.encode("utf-8", "backslashreplace"), [repr(secret)]):
        shown = told(one, limits, (secret,))
        if type(shown) is str:
            assert len(shown) < 300 + 60
        assert core not in str(shown)


@given(st.text(alphabet="abc0", max_size=3_000), st.integers(0, 2_000))
def test_no_part_of_a_secret_is_left_by_a_cut(text: str, place: int) -> None:
    """Wherever a secret stands in a long text, no beginning of it stands before the cut."""
    secret = "SECRETsecretSECRET"
    shown = told(f"{text[:place]}{secret}{text[place:]}", Limits(characters=1_000), (secret,))
    assert "SECRET" not in shown


def test_large_values_are_not_held(url: str) -> None:
    """What a span of a plugin's own was told is put into words at once, and the value can go."""

    class Large(list[int]):
        pass

    recording = Recording()
    root = recording.begin(None, SpanKind.ATTEMPT, "attempt 1")
    with Entered(root):
        large = Large(range(1_000_000))
        gone = weakref.ref(large)
        with trace.span("use", large=large, text="x" * 1_000_000):
            del large
        assert gone() is None
    [_, use] = taken(recording).spans
    assert str(use.arguments["large"]).endswith("… (1,000,000 items)]")
    assert str(use.arguments["text"]).endswith("… (1,000,000 characters)")
