"""The options of every listing: which objects, in which order, which page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from actium.errors import InvalidQueryError
from actium_cli.context import current_options

if TYPE_CHECKING:
    from actium.models import BaseFilter

    FilterT = TypeVar("FilterT", bound=BaseFilter)

Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        "-w",
        metavar="COLUMN=VALUE",
        help="Only what fits, e.g. name=startswith:night or created=gte:2026-01-31. May be given several times.",
    ),
]
Sort = Annotated[
    str | None, typer.Option("--sort", metavar="COLUMN", help="Sort by a column; desc:COLUMN for the reverse.")
]
PageNumber = Annotated[int, typer.Option("--page", min=1, metavar="N", help="Which page.")]
PageSize = Annotated[int, typer.Option("--page-size", min=1, max=10_000, metavar="N", help="How many a page.")]


def listing_filter(
    kind: type[FilterT], *, where: list[str] | None, sort: str | None, page: int, page_size: int, **columns: Any
) -> FilterT:
    """The filter that the options ask for.

    Args:
        kind: The filter's class.
        where: Conditions, ``column=value``.
        sort: A column, perhaps with ``desc:`` before it.
        page: Which page.
        page_size: How many items a page.
        columns: Conditions from options of their own; None for none.

    Raises:
        InvalidQueryError: There is no such column, or a value does not fit its column.
    """
    conditions: dict[str, list[Any]] = {column: [value] for column, value in columns.items() if value is not None}
    for text in where or ():
        column, equals, value = text.partition("=")
        if not equals:
            raise typer.BadParameter(f"{text!r} is not of the form column=value.", param_hint="--where")
        if column not in kind.COLUMNS:
            raise InvalidQueryError(f"There is no column {column!r}.", hint=f"Columns are {', '.join(kind.COLUMNS)}.")
        conditions.setdefault(column, []).append(value)
    asked: dict[str, Any] = {"index": page, "max_size": page_size, "project": current_options().project}
    if sort is not None:
        asked["sort_by"] = sort
    return kind(**asked, **{column: _one_or_all(values) for column, values in conditions.items()})


def _one_or_all(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values
