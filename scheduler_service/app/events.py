"""Events come in and fire the schedules that listen to them."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from scheduler_service.app import due_task, firing
from scheduler_service.app.metrics import SchedulerMetrics
from scheduler_service.app.runs import Budgets
from scheduler_service.app.signals import Signals
from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.events import Event
from scheduler_service.domain.fire import Fire
from scheduler_service.domain.schedule import Schedule
from scheduler_service.store import events as store
from scheduler_service.store import fires
from scheduler_service.store.due import mark_invalid
from scheduler_service.store.events import EventKey, key_of
from service_kit.clock import Clock
from service_kit.group import GroupCommit
from service_kit.logs import logger
from service_kit.postgres import AsyncConnection, Database

log = logger(__name__)


class Published(NamedTuple):
    """An event and what it caused; `created` is false when it had been published before."""

    event: Event
    created: bool
    fires: list[Fire]


class Publishing(NamedTuple):
    """An event that somebody publishes."""

    event: Event
    actor: str


class Publisher:
    """Stores events and fires their listeners; concurrent calls share a transaction."""

    def __init__(self, database: Database, clock: Clock, signals: Signals, metrics: SchedulerMetrics) -> None:
        self._database = database
        self._clock = clock
        self._signals = signals
        self._metrics = metrics
        self._group = GroupCommit(self._flush, limit=100)

    async def publish(self, event: Event, actor: str) -> Published:
        """Repeating it with the same source and id adds nothing and returns the fires of the first call."""
        return await self._group.submit(Publishing(event, actor))

    async def close(self) -> None:
        """Returns when everything submitted before is stored."""
        await self._group.close()

    async def _flush(self, items: list[Publishing]) -> list[Published]:
        now = self._clock.now()
        unique = list({key_of(item.event): item for item in reversed(items)}.values())[::-1]
        stored = await self._database.unit(lambda connection: self._store(connection, unique, now))
        made = [fire for published in stored.values() if published.created for fire in published.fires]
        if made:
            self._signals.fires_made()
            self._metrics.recorded(made, now)
        firsts = {id(item) for item in unique}
        return [_answer(item, stored, first=id(item) in firsts) for item in items]

    async def _store(
        self, connection: AsyncConnection, items: Sequence[Publishing], now: datetime
    ) -> dict[EventKey, Published]:
        types = {(item.event.namespace, item.event.type) for item in items}
        listeners = await store.lock_listeners(connection, types)
        new = await store.record(connection, items, now)
        created = [item.event for item in items if key_of(item.event) in new]
        fired = await fire_listeners(connection, created, listeners, now)
        published = {
            key_of(event): Published(event, True, made) for event, made in zip(created, fired, strict=True)
        }
        repeated = [key_of(item.event) for item in items if key_of(item.event) not in new]
        return published | await _published_before(connection, repeated)


async def fire_listeners(
    connection: AsyncConnection, events: Sequence[Event], listeners: Sequence[Schedule], now: datetime
) -> list[list[Fire]]:
    """Fires, for each event that is new, every one of the listeners that hears it, in order of their ids.

    The listeners are locked by this transaction.
    """
    readable = [listener for listener in listeners if await _is_readable(connection, listener)]
    budgets = Budgets(readable)
    made = [
        (place, budgets.take(firing.by_event(listener, event, now), now))
        for place, event in enumerate(events)
        for listener in readable
        if listener.hears(event)
    ]
    numbers = await fires.record(connection, [new for _, new in made], now)
    recorded = [(place, new, number) for (place, new), number in zip(made, numbers, strict=True) if number]
    await store.link(connection, [(key_of(events[place]), number) for place, _, number in recorded])
    await store.count_fires(connection, Counter(new.incarnation for _, new, _ in recorded))
    return [[new.fire for at, new, _ in recorded if at == place] for place in range(len(events))]


async def _is_readable(connection: AsyncConnection, listener: Schedule) -> bool:
    """A listener that cannot be read is reported and never stops the others."""
    try:
        due_task.template(listener.definition.template)
    except InvalidSchedule as error:
        log.error(
            "schedule cannot be read and does not fire",
            schedule_id=listener.schedule_id,
            reason=error.message,
        )
        await mark_invalid(connection, listener, error.message)
        return False
    return True


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


def _answer(item: Publishing, stored: dict[EventKey, Published], *, first: bool) -> Published:
    """Of several calls with one event in a group, the first one created it."""
    published = stored[key_of(item.event)]
    return published if first else published._replace(created=False)
