"""The end of a log, and what must not stand in it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actium_pipeline_run.log_tail import LogTail


@given(st.lists(st.binary(max_size=40)), st.integers(1, 50))
def test_a_tail_is_never_longer_than_its_limit(chunks: list[bytes], limit: int) -> None:
    """However the output is cut into chunks, the tail is the end of it, from the beginning of a line."""
    tail = LogTail(max_bytes=limit)
    for chunk in chunks:
        tail.add(chunk)
    whole = b"".join(chunks)
    if len(whole) <= limit:
        assert tail.text() == whole.decode(errors="replace").replace("\x00", "\ufffd")
    else:
        note, _, kept = tail.text().partition("\n")
        end = whole[-limit:]
        beginning = end.find(b"\n") + 1
        assert kept == end[beginning:].decode(errors="replace").replace("\x00", "\ufffd")
        assert note == f"… {len(whole) - len(end) + beginning:,} bytes before this are left out …"
