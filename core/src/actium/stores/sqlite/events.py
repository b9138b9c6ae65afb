"""Storing events, each of them once, inside a transaction of the caller.

One that someone has only given to an action by hand is there, but not known: what its publisher says counts then.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias
from uuid import UUID

from actium.errors import ConflictError
from actium.models.attributes import ORIGIN_ATTRIBUTES
from actium.stores.publications import EventDraft
from actium.stores.records import EventRecord
from actium.stores.sqlite.rows import insert_many, read_one
from actium.stores.sqlite.tables import EVENTS, json_text, plain_text

EventName: TypeAlias = tuple[str, str, str]

_RECEIVED: Final = EventRecord._fields.index("received")
_PUBLISHED: Final = tuple(column for column in EVENTS.columns if column not in {"id", "project", "event_id", "source"})


class StoredEvents(NamedTuple):
    """The events of several drafts.

    Attributes:
        events: Each as it is stored; of one that was known, only the id is.
        new: Those that were not there before.
        duplicates: The places of those that were known.
    """

    events: Sequence[EventRecord]
    new: Sequence[EventRecord]
    duplicates: Collection[int]


class _There(NamedTuple):
    id: UUID
    is_only_given: bool


def store_events(connection: sqlite3.Connection, drafts: Sequence[EventDraft], now: datetime) -> StoredEvents:
    """Store the events of drafts, but for those that are replayed.

    Most are new. So they are not looked for before; the table passes over those that are there.
    """
    events = [draft.event if draft.is_replay else _received(draft.event, now) for draft in drafts]
    new = [event for draft, event in zip(drafts, events, strict=True) if not draft.is_replay]
    number = insert_many(connection, EVENTS, new)
    if number == len(new):
        return StoredEvents(events, new, ())
    there = _events_there(connection, list(map(_name_of, new)))
    new, duplicates = [], set[int]()
    for place, (draft, event) in enumerate(zip(drafts, events, strict=True)):
        if draft.is_replay:
            continue
        first = there[_name_of(event)]
        if first.id == event.id:
            new.append(event)
            continue
        events[place] = event._replace(id=first.id)
        if first.is_only_given:
            _publish(connection, events[place])
            there[_name_of(event)] = first._replace(is_only_given=False)
        else:
            duplicates.add(place)
    if len(new) != number:
        raise sqlite3.IntegrityError("an event has the id of another one")
    return StoredEvents(events, new, duplicates)


def store_given_event(connection: sqlite3.Connection, event: EventRecord, now: datetime) -> tuple[EventRecord, bool]:
    """Store an event that someone gives to an action by hand.

    Returns:
        It as it is stored, and whether it is new.

    Raises:
        ConflictError: It is there, and says something else.
    """
    known = _events_there(connection, [_name_of(event)]).get(_name_of(event))
    if known is not None:
        stored = read_one(connection, EVENTS, known.id)
        _check_same(stored, event)
        return stored, False
    event = _received(event, now)
    insert_many(connection, EVENTS, [event])
    connection.execute("UPDATE events SET given = 1 WHERE id = ?", (str(event.id),))
    return event, True


def first_executions(connection: sqlite3.Connection, event_ids: Collection[UUID]) -> dict[UUID, tuple[UUID, ...]]:
    """What events led to when they were stored: what replays have added since was stored at other times."""
    (rows,) = connection.execute(
        "SELECT json_group_array(json_array(event, execution)) FROM ("
        "SELECT events.id AS event, executions.id AS execution FROM json_each(?) JOIN events ON events.id = value "
        "JOIN executions ON executions.event_id = events.id AND created = received ORDER BY executions.rowid)",
        (json_text(list(map(str, event_ids))),),
    ).fetchone()
    found: dict[UUID, tuple[UUID, ...]] = dict.fromkeys(event_ids, ())
    for event_id, execution_id in json.loads(rows):
        found[UUID(event_id)] += (UUID(execution_id),)
    return found


def _publish(connection: sqlite3.Connection, event: EventRecord) -> None:
    """Let an event that was only given say what its publisher says: that is what triggers were matched with."""
    written = EVENTS.named(event)
    changed = ", ".join(f"{column} = :{column}" for column in _PUBLISHED)
    connection.execute(f"UPDATE events SET {changed}, given = 0 WHERE id = :id", written)


def _received(event: EventRecord, now: datetime) -> EventRecord:
    """The event as it is stored now; made in half the time that ``_replace`` takes."""
    return tuple.__new__(EventRecord, (*event[:_RECEIVED], now, *event[_RECEIVED + 1 :]))


def _name_of(event: EventRecord) -> EventName:
    return event.project, event.event_id, event.source


def _events_there(connection: sqlite3.Connection, names: Sequence[EventName]) -> dict[EventName, _There]:
    """Which of some events are there, by what makes them unique."""
    if len(names) == 1:
        rows = connection.execute(
            "SELECT project, event_id, source, id, given FROM events WHERE project = ? AND event_id = ? AND source = ?",
            names[0],
        )
    else:
        rows = connection.execute(
            "SELECT project, event_id, source, events.id, given FROM json_each(?) JOIN events "
            "ON project = json_extract(value, '$[0]') AND event_id = json_extract(value, '$[1]') "
            "AND source = json_extract(value, '$[2]')",
            (plain_text(names),),
        )
    return {
        (project, event_id, source): _There(UUID(known), bool(given))
        for project, event_id, source, known, given in rows.fetchall()
    }


def _check_same(known: EventRecord, event: EventRecord) -> None:
    """An event that is known runs as it is stored; one that says something else would not do what its giver expects.

    Where Actium and hook plugins have said how it came about, such as which execution gives it, makes no difference.
    Further extension attributes do, also those of a hook plugin: it has to add the same ones each time.
    """
    known, event = _without_origin(known), _without_origin(event)
    differing = [
        name for name in ("type", "subject", "attributes", "data") if getattr(known, name) != getattr(event, name)
    ]
    if differing:
        raise ConflictError(
            f"The event {event.event_id!r} of {event.source!r} is known with another {' and '.join(differing)}.",
            hint="Give it an id of its own, or run the action with the event as it is stored.",
        )


def _without_origin(event: EventRecord) -> EventRecord:
    kept = {name: value for name, value in event.attributes.items() if name not in ORIGIN_ATTRIBUTES}
    return event._replace(attributes=kept)
