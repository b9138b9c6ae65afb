"""Finding objects as people name them, and listing them in pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar
from uuid import UUID

from actium.app.doors import reference_text
from actium.errors import AmbiguousReferenceError, InvalidQueryError, NotFoundError
from actium.models.base import DEFAULT_PROJECT
from actium.models.page import BaseFilter, Page
from actium.stores.base_store import MOST_FOUND, BaseStore, Query
from actium.stores.records import (
    AccountRecord,
    ActionRecord,
    EventRecord,
    ExecutionRecord,
    Record,
    ResourceRecord,
    TriggerRecord,
)

ResponseT = TypeVar("ResponseT")

_WORDS: dict[type, tuple[str, str]] = {
    AccountRecord: ("service account", "account"),
    ActionRecord: ("action", "action"),
    TriggerRecord: ("trigger", "trigger"),
    EventRecord: ("event", "event"),
    ExecutionRecord: ("execution", "execution"),
    ResourceRecord: ("resource", "resource"),
}


def find_id(store: BaseStore, kind: type[Record], project: str, reference: UUID | str) -> UUID:
    """The id of what a person means by an id, a name, or a unique beginning of either (of an id, four characters).

    What belongs to another project is not found, whichever way it is asked for.

    Raises:
        InvalidInputError: The reference is neither an id nor text.
        NotFoundError: Nothing fits.
        AmbiguousReferenceError: Several fit; they are named.
    """
    word, _ = _WORDS[kind]
    found = store.find(kind, project, reference_text(reference, word))
    if isinstance(reference, UUID):  # a name may look like an id, but this is none
        found = tuple(candidate for candidate in found if candidate.id == reference)
    if len(found) == 1:
        return found[0].id
    if not found:
        raise _none_fits(kind, project, reference)
    candidates = [f"{candidate.name} ({candidate.id})" for candidate in found]
    many = f"{MOST_FOUND} or more" if len(candidates) == MOST_FOUND else f"{len(candidates)}"
    raise AmbiguousReferenceError(
        f"{reference!r} fits {many} {word}s: {', '.join(candidates)}.",
        candidates=candidates,
        hint="Give more of the name or the id.",
    )


def find_record(store: BaseStore, kind: type[Record], project: str, reference: UUID | str) -> Record:
    """What a person means, as `find_id` finds it.

    Raises:
        NotFoundError, AmbiguousReferenceError, InvalidInputError: As `find_id`.
    """
    if not isinstance(reference, UUID):
        return store.get(kind, find_id(store, kind, project, reference))
    record = store.get(kind, reference)
    if record.project != project:
        raise _none_fits(kind, project, reference)
    return record


def list_page(
    store: BaseStore,
    kind: type[Record],
    asked: BaseFilter,
    respond: Callable[[Sequence[Record]], Sequence[ResponseT]],
    *,
    project: str = DEFAULT_PROJECT,
) -> Page[ResponseT]:
    """One page of responses; of the given project where the filter names none.

    Raises:
        InvalidQueryError: There is no such page or column, or a value does not fit its column.
    """
    column, descending = asked.order()
    found = store.page(
        kind,
        Query(
            project=asked.project or project,
            conditions=asked.conditions(),
            combine=asked.logical_operator,
            sort_by=column,
            descending=descending,
            index=asked.index,
            max_size=asked.max_size,
        ),
    )
    total_pages = max(1, -(-found.total // asked.max_size))
    if asked.index > total_pages:
        raise InvalidQueryError(
            f"There is no page {asked.index}: {found.total} items are {total_pages} pages of {asked.max_size}.",
            hint=f"Ask for index 1 to {total_pages}.",
        )
    return Page(
        index=asked.index,
        max_size=asked.max_size,
        total=found.total,
        total_pages=total_pages,
        items=list(respond(found.records)),
    )


def _none_fits(kind: type, project: str, reference: UUID | str) -> NotFoundError:
    word, command = _WORDS[kind]
    return NotFoundError(
        f"There is no {word} {str(reference)!r} in the project {project!r}.",
        hint=f"`actium {command} list` shows what there is.",
    )
