"""What is kept of an output, whatever it is and however it arrives."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from actium.auth.secret_references import MASK
from actium_command.output_tail import OutputTail

SECRET = "QWERTZU-IOP/1234"
PIECES = st.lists(st.sampled_from(["a", "bcd", "\n", "e" * 7, SECRET, "ä"]), max_size=60)


def tail_of(data: bytes, cuts: list[int], limit: int, *secrets: str) -> OutputTail:
    """What is kept of data that arrives in several chunks."""
    tail = OutputTail(limit, secrets=secrets)
    bounds = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    for start, end in pairwise(bounds):
        tail.add(data[start:end])
    return tail


@given(pieces=PIECES, cuts=st.lists(st.integers(0, 500), max_size=10), limit=st.integers(0, 200))
def test_no_piece_of_a_secret_is_shown(pieces: list[str], cuts: list[int], limit: int) -> None:
    """Wherever the output is cut, and in whichever chunks it arrives, no letter of a secret is shown."""
    text = tail_of("".join(pieces).encode(), cuts, limit, SECRET).text()
    assert not set(SECRET) & set(text)


@given(data=st.binary(max_size=500), cuts=st.lists(st.integers(0, 500), max_size=10), limit=st.integers(0, 600))
def test_what_is_shown_is_the_end(data: bytes, cuts: list[int], limit: int) -> None:
    """What is shown is the end of the whole, within the limit; all of it where that fits."""
    tail = tail_of(data, cuts, limit)
    whole = data.decode(errors="replace").replace("\x00", "\ufffd")
    assert tail.is_cut == (len(data) > limit)
    if tail.is_cut:
        shown = tail.text().lstrip("\ufffd")  # the cut may be within a letter
        assert whole.endswith(shown)
        assert len(tail.text().encode()) <= limit
    else:
        assert tail.text() == whole
    assert tail.as_result()["bytes"] == len(data)


@given(length=st.integers(150_000, 400_000), chunk=st.integers(1_000, 70_000))
def test_little_is_held_of_much(length: int, chunk: int) -> None:
    """However long the output, what is held in memory has a bound."""
    tail = OutputTail(100, secrets=[SECRET])
    for start in range(0, length, chunk):
        tail.add(b"x" * min(chunk, length - start))
    assert len(tail._kept) < 200_000
    assert tail.text() == "x" * 100


def test_a_line_that_is_cut_is_left_out() -> None:
    """Where the cut is in the middle of a line, the text begins with the next."""
    tail = tail_of(b"first\nsecond\nthird\n", [], 10)
    assert tail.text() == "third\n"


def test_a_secret_in_the_kept_part_is_masked() -> None:
    """A secret that is whole is shown as masked."""
    assert tail_of(f"a {SECRET} b".encode(), [4, 9], 1_000, SECRET).text() == f"a {MASK} b"
