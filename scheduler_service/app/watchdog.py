"""An alarm of its own: what should have fired and has not, whatever the reason, whoever hangs."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from scheduler_service.app.listeners import emit
from scheduler_service.app.metrics import SchedulerMetrics
from scheduler_service.app.signals import Signals
from scheduler_service.domain.events import DEFAULT_SOURCE, SCHEDULE_OVERDUE, Event
from scheduler_service.domain.fire import Fire, time_key
from scheduler_service.domain.overdue import TOLERANCE, overdue_event_id
from scheduler_service.store import events as event_store
from scheduler_service.store import gatherings
from scheduler_service.store import overdue as store
from scheduler_service.store.overdue import Overdue
from scheduler_service.store.totals import backlog
from service_kit.clock import Clock
from service_kit.logs import logger
from service_kit.postgres import AsyncConnection, Database

log = logger(__name__)

BATCH: Final = 500
"""Events in one transaction."""


class Watchdog:
    """Every replica runs one: an event's id is that of the missed instant, so that it is emitted once."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        signals: Signals,
        metrics: SchedulerMetrics,
        tolerance: timedelta = TOLERANCE,
    ) -> None:
        self._database = database
        self._clock = clock
        self._signals = signals
        self._metrics = metrics
        self._tolerance = tolerance

    async def step(self) -> float | None:
        """Measures, and emits one batch of `schedule.overdue`; returns 0 while there is more."""
        now = self._clock.now()
        found = await self._database.unit(
            lambda connection: self._look(connection, now - self._tolerance), readonly=True
        )
        if not found:
            return None
        for overdue in found:
            log.warning("schedule is overdue", schedule_id=overdue.schedule_id, due_at=overdue.due_at)
        fired = await self._database.unit(lambda connection: _emit(connection, found, now))
        if fired:
            self._signals.fires_made()
            self._metrics.recorded(fired)
        return 0.0 if len(found) == BATCH else None

    async def _look(self, connection: AsyncConnection, before: datetime) -> list[Overdue]:
        """Measures, and returns what was due before that and is not announced."""
        overdue, waiting = await backlog(connection, before)
        self._metrics.overdue.set(overdue)
        self._metrics.waiting.set(waiting)
        self._metrics.gatherings_overdue.set(await gatherings.overdue(connection, before))
        return await store.unannounced(connection, before, BATCH)


async def _emit(connection: AsyncConnection, found: Sequence[Overdue], now: datetime) -> list[Fire]:
    events = [_event(overdue, now) for overdue in found]
    types = {(event.namespace, event.type) for event in events}
    listeners = await event_store.lock_listeners(connection, types)
    return await emit(connection, events, listeners, now)


def _event(overdue: Overdue, now: datetime) -> Event:
    data = {
        "schedule_id": overdue.schedule_id,
        "next_fire_time": time_key(overdue.next_fire),
        "overdue_seconds": round((now - overdue.due_at).total_seconds(), 3),
    }
    return Event(
        namespace=overdue.namespace,
        source=DEFAULT_SOURCE,
        event_id=overdue_event_id(overdue.incarnation, overdue.due_at),
        type=SCHEDULE_OVERDUE,
        subject=overdue.schedule_id,
        time=now,
        data=json.dumps(data, separators=(",", ":")).encode(),
    )
