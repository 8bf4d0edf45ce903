"""Events, and the schedules that listen to them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.events import SYSTEM_TYPES, Event
from scheduler_service.domain.schedule import Schedule
from scheduler_service.store.rows import event_of, schedule_of
from scheduler_service.store.runs import with_runs
from scheduler_service.store.statements import SQL
from service_kit.postgres import raw


class EventKey(NamedTuple):
    """Identity of an event."""

    namespace: str
    source: str
    event_id: str


class KnownEvent(NamedTuple):
    """A stored event and the numbers of the fires that it caused."""

    event: Event
    fires: list[int]


def key_of(event: Event) -> EventKey:
    """The event's identity."""
    return EventKey(event.namespace, event.source, event.event_id)


async def record(
    connection: AsyncConnection, events: Sequence[tuple[Event, str]], now: datetime
) -> set[EventKey]:
    """Stores events with their actors, whose identities differ; returns those that are new."""
    driver = await raw(connection)
    rows = await driver.fetch(
        SQL["record_events"],
        [event.namespace for event, _ in events],
        [event.source for event, _ in events],
        [event.event_id for event, _ in events],
        [event.type for event, _ in events],
        [event.subject for event, _ in events],
        [event.time for event, _ in events],
        [event.data for event, _ in events],
        [event.depth for event, _ in events],
        [actor for _, actor in events],
        now,
    )
    return {EventKey(*row) for row in rows}


async def known(connection: AsyncConnection, keys: Iterable[EventKey]) -> dict[EventKey, KnownEvent]:
    """Stored events of those identities."""
    driver = await raw(connection)
    rows = await driver.fetch(SQL["known_events"], *_columns(list(keys)))
    return {key_of(event_of(row)): KnownEvent(event_of(row), row["fires"]) for row in rows}


async def lock_listeners(connection: AsyncConnection, types: Iterable[tuple[str, str]]) -> list[Schedule]:
    """Enabled schedules that listen to any of the (namespace, type) pairs, locked in order of their ids."""
    pairs = sorted(set(types))
    driver = await raw(connection)
    rows = await driver.fetch(
        SQL["lock_listeners"],
        [pair[0] for pair in pairs],
        [pair[1] for pair in pairs],
        sorted(SYSTEM_TYPES),
    )
    return await with_runs(connection, [schedule_of(row) for row in rows])


async def link(connection: AsyncConnection, caused: Sequence[tuple[EventKey, int]]) -> None:
    """Writes to each event the numbers of the fires that it caused, in that order."""
    if caused:
        driver = await raw(connection)
        columns = _columns([key for key, _ in caused])
        await driver.execute(SQL["link_fires"], *columns, [number for _, number in caused])


async def count_fires(connection: AsyncConnection, made: dict[UUID, int]) -> None:
    """Adds to the fire counts of schedules, which are locked by this transaction."""
    if made:
        driver = await raw(connection)
        await driver.execute(SQL["count_fires"], list(made), list(made.values()))


def _columns(keys: Sequence[EventKey]) -> tuple[list[str], list[str], list[str]]:
    return (
        [key.namespace for key in keys],
        [key.source for key in keys],
        [key.event_id for key in keys],
    )
