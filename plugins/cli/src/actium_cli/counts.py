"""How far something long is, in numbers that change in place on a terminal; elsewhere only its end is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from actium_cli.context import current_output
from actium_cli.output import console_on


@contextmanager
def counting(begun: str) -> Iterator[Callable[[str], None]]:
    """Show how far something is.

    Args:
        begun: What to say at first.

    Yields:
        Says how far it is now.
    """
    console = console_on(current_output().progress_stream)
    if not console.is_terminal:
        yield lambda _: None
        return
    from rich.text import Text

    with console.status(Text(begun)) as status:
        yield lambda told: status.update(Text(told))
