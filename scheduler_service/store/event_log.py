"""Stored events, read."""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.events import Event, Selection
from scheduler_service.domain.schedule import Schedule
from scheduler_service.domain.type_pattern import ANY
from scheduler_service.store import tables
from scheduler_service.store.rows import Row, event_of, schedule_of

_EVENTS, _SCHEDULES = tables.events, tables.schedules

Position = tuple[datetime, str, str]
"""Where a page ended: when its last event came in, its source and its id."""


class Stored(NamedTuple):
    """A stored event, when it came in, and the numbers of the fires that it caused."""

    event: Event
    received_at: datetime
    fires: list[int]

    @property
    def position(self) -> Position:
        """Where it stands in pages."""
        return self.received_at, self.event.source, self.event.event_id


async def read(connection: AsyncConnection, namespace: str, source: str, event_id: str) -> Stored | None:
    """One event."""
    query = select(_EVENTS).where(
        _EVENTS.c.namespace == namespace, _EVENTS.c.source == source, _EVENTS.c.event_id == event_id
    )
    row = (await connection.execute(query)).mappings().first()
    return None if row is None else _stored(row)


async def latest(
    connection: AsyncConnection, selection: Selection, before: Position | None, limit: int
) -> list[Stored]:
    """At most `limit` events before a position, latest first."""
    query = select(_EVENTS).where(_selects(selection))
    if before is not None:
        query = query.where(_position() < tuple_(*before))
    columns = (_EVENTS.c.received_at.desc(), _EVENTS.c.source.desc(), _EVENTS.c.event_id.desc())
    return await _fetch(connection, query.order_by(*columns).limit(limit))


async def oldest(
    connection: AsyncConnection, selection: Selection, after: Position | None, limit: int
) -> list[Stored]:
    """At most `limit` events after a position, oldest first."""
    query = select(_EVENTS).where(_selects(selection))
    if after is not None:
        query = query.where(_position() > tuple_(*after))
    columns = (_EVENTS.c.received_at, _EVENTS.c.source, _EVENTS.c.event_id)
    return await _fetch(connection, query.order_by(*columns).limit(limit))


async def count(connection: AsyncConnection, selection: Selection, limit: int) -> int:
    """How many there are, `limit` at most."""
    some = select(_EVENTS.c.event_id).where(_selects(selection)).limit(limit).subquery()
    return int(await connection.scalar(select(func.count()).select_from(some)) or 0)


async def listeners(connection: AsyncConnection, namespace: str, limit: int) -> list[Schedule]:
    """The first schedules that events trigger, enabled or not, by id."""
    query = (
        select(_SCHEDULES)
        .where(_SCHEDULES.c.namespace == namespace, _SCHEDULES.c.event_type.is_not(None))
        .order_by(_SCHEDULES.c.schedule_id)
        .limit(limit)
    )
    return [schedule_of(row) for row in (await connection.execute(query)).mappings()]


def _selects(selection: Selection) -> ColumnElement[bool]:
    columns = _EVENTS.c
    rules: list[ColumnElement[bool]] = [columns.namespace == selection.namespace]
    if ANY in selection.type:
        escaped = selection.type.replace("/", "//").replace("%", "/%").replace("_", "/_")
        rules.append(columns.type.like(escaped.replace(ANY, "%"), escape="/"))
    elif selection.type:
        rules.append(columns.type == selection.type)
    if selection.source:
        rules.append(columns.source == selection.source)
    if selection.since is not None:
        rules.append(columns.received_at >= selection.since)
    if selection.until is not None:
        rules.append(columns.received_at < selection.until)
    return and_(*rules)


def _position() -> Any:
    return tuple_(_EVENTS.c.received_at, _EVENTS.c.source, _EVENTS.c.event_id)


async def _fetch(connection: AsyncConnection, query: Select[Any]) -> list[Stored]:
    return [_stored(row) for row in (await connection.execute(query)).mappings()]


def _stored(row: Row) -> Stored:
    return Stored(event_of(row), row["received_at"], row["fires"])
