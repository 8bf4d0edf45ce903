"""Events come in and fire the schedules that listen to them."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from scheduler_service.app.listeners import fire_listeners
from scheduler_service.app.metrics import SchedulerMetrics
from scheduler_service.app.signals import Signals
from scheduler_service.domain.errors import EventReused
from scheduler_service.domain.events import Event
from scheduler_service.domain.fire import Fire
from scheduler_service.store import events as store
from scheduler_service.store import fires
from scheduler_service.store.events import EventKey, key_of
from service_kit.clock import Clock
from service_kit.group import GroupCommit
from service_kit.postgres import AsyncConnection, Database


class Published(NamedTuple):
    """An event and what it caused; `created` is false when it had been published before."""

    event: Event
    created: bool
    fires: list[Fire]


class Publishing(NamedTuple):
    """An event that somebody publishes."""

    event: Event
    actor: str
    has_time: bool
    """Whether its time was given."""


class Publisher:
    """Stores events and fires their listeners; concurrent calls share a transaction."""

    def __init__(self, database: Database, clock: Clock, signals: Signals, metrics: SchedulerMetrics) -> None:
        self._database = database
        self._clock = clock
        self._signals = signals
        self._metrics = metrics
        self._group = GroupCommit(self._flush, limit=100)

    async def publish(self, event: Event, actor: str, *, has_time: bool = True) -> Published:
        """Repeating it with the same source and id adds nothing and returns the fires of the first call.

        Raises EventReused when that call was about something else.
        """
        answer = await self._group.submit(Publishing(event, actor, has_time))
        if isinstance(answer, EventReused):
            raise answer
        return answer

    async def close(self) -> None:
        """Returns when everything submitted before is stored."""
        await self._group.close()

    async def _flush(self, items: list[Publishing]) -> list[Published | EventReused]:
        now = self._clock.now()
        unique = list({key_of(item.event): item for item in reversed(items)}.values())[::-1]
        stored = await self._database.unit(lambda connection: self._store(connection, unique, now))
        made = [fire for published in stored.values() if published.created for fire in published.fires]
        if made:
            self._signals.fires_made()
            self._signals.gatherings.set()
            self._metrics.recorded(made)
        firsts = {id(item) for item in unique}
        return [_answer(item, stored, first=id(item) in firsts) for item in items]

    async def _store(
        self, connection: AsyncConnection, items: Sequence[Publishing], now: datetime
    ) -> dict[EventKey, Published]:
        types = {(item.event.namespace, item.event.type) for item in items}
        listeners = await store.lock_listeners(connection, types)
        new = await store.record(connection, [(item.event, item.actor) for item in items], now)
        created = [item.event for item in items if key_of(item.event) in new]
        fired = await fire_listeners(connection, created, listeners, now)
        published = {
            key_of(event): Published(event, True, made) for event, made in zip(created, fired, strict=True)
        }
        repeated = [key_of(item.event) for item in items if key_of(item.event) not in new]
        return published | await _published_before(connection, repeated)


async def _published_before(
    connection: AsyncConnection, keys: Sequence[EventKey]
) -> dict[EventKey, Published]:
    if not keys:
        return {}
    known = await store.known(connection, keys)
    numbers = [number for event in known.values() for number in event.fires]
    kept = await fires.by_numbers(connection, numbers)
    return {
        key: Published(event, False, [kept[number] for number in caused if number in kept])
        for key, (event, caused) in known.items()
    }


def _answer(item: Publishing, stored: dict[EventKey, Published], *, first: bool) -> Published | EventReused:
    """Of several calls with one event in a group, the first one created it."""
    published = stored[key_of(item.event)]
    if first and published.created:
        return published
    if not is_same(item, published.event):
        return EventReused(item.event.source, item.event.event_id)
    return published._replace(created=False)


def is_same(item: Publishing, stored: Event) -> bool:
    """Whether it says what was stored under its id; a time that was not given says nothing."""
    event = item.event
    return (event.type, event.subject, event.data) == (stored.type, stored.subject, stored.data) and (
        not item.has_time or event.time == stored.time
    )
