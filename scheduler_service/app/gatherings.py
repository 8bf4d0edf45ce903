"""Fires for the events that were gathered, when their time has come."""

from datetime import datetime
from typing import Final

from scheduler_service.app import due_task
from scheduler_service.app.listeners import is_readable, payload_for
from scheduler_service.app.signals import Signals
from scheduler_service.domain.fire import Disposition
from scheduler_service.domain.gathering import DELETED, PAUSED, Ending, batched, unreadable
from scheduler_service.domain.payload import PayloadTooLong
from scheduler_service.domain.schedule import Schedule, used_up
from scheduler_service.domain.spec import EventSpec
from scheduler_service.store import events, gatherings
from scheduler_service.store.gatherings import Due, Gathered
from service_kit.clock import Clock
from service_kit.postgres import AsyncConnection, Database

BATCH: Final = 100
"""Gatherings in one transaction."""

MOST_SETTLED: Final = 1000
"""Events that end as part of a fire in one transaction: a debounce may have gathered any number."""


class Gatherings:
    """Any number of replicas run one: what one has fired falls out under the lock of its schedule."""

    def __init__(self, database: Database, clock: Clock, signals: Signals) -> None:
        self._database = database
        self._clock = clock
        self._signals = signals

    async def step(self) -> float | None:
        """Fires what is due; returns the seconds until the next one is, None when there is none."""
        now = self._clock.now()
        claimed, settled, next_due = await self._database.unit(lambda connection: _step(connection, now))
        if claimed:
            self._signals.fires_made()
        if claimed == BATCH or settled == MOST_SETTLED:
            return 0.0
        return None if next_due is None else max(0.0, (next_due - now).total_seconds())


async def _step(connection: AsyncConnection, now: datetime) -> tuple[int, int, datetime | None]:
    claimed = await gatherings.claim_due(connection, now, BATCH)
    left: dict[str, int] = {}
    for due in claimed:
        await gatherings.close(connection, due, await _ending(connection, due, left, now))
    settled = await gatherings.settle(connection, MOST_SETTLED, now)
    return len(claimed), settled, await gatherings.next_due(connection)


async def _ending(connection: AsyncConnection, due: Due, left: dict[str, int], now: datetime) -> Ending:
    """Fires the last event for all of them, unless its schedule does not fire any more."""
    schedule = due.schedule
    if schedule is None:
        return DELETED
    if not schedule.enabled:
        return PAUSED
    if schedule.invalid_reason or not await is_readable(connection, schedule):
        return unreadable(schedule.invalid_reason or "the schedule cannot be read")
    if schedule.runs_left is not None:
        runs = left.setdefault(str(schedule.incarnation), schedule.runs_left)
        if runs <= 0:
            return Ending(Disposition.PAUSED, used_up(schedule.definition.max_runs))
        left[str(schedule.incarnation)] = runs - 1
    return await _fire(connection, due, schedule, now)


async def _fire(connection: AsyncConnection, due: Due, schedule: Schedule, now: datetime) -> Ending:
    gathered = await gatherings.last(connection, due, _most(schedule.definition.timing.event))
    carrier = gathered[-1]
    known = await events.known(connection, [each.key for each in gathered])
    present = [known[each.key].event for each in gathered if each.key in known]
    try:
        payload = payload_for(schedule, present) if present else b""
    except PayloadTooLong as error:
        await gatherings.reject(connection, due, carrier.fire, str(error), now)
    else:
        depth = max((event.depth for event in present), default=0)
        task = _task(schedule, carrier, payload, depth, now)
        run_of = schedule.incarnation if schedule.definition.max_runs else None
        await gatherings.carry(connection, due, carrier.fire, task, run_of)
    return batched(carrier.fire_id)


def _task(schedule: Schedule, carrier: Gathered, payload: bytes, depth: int, now: datetime) -> bytes:
    return due_task.encode(
        schedule, carrier.fire_id, carrier.nominal, now, schedule.overlap, depth=depth, payload=payload
    )


def _most(spec: EventSpec | None) -> int:
    """How many of its events a fire stands for: of a debounced trigger, the last one."""
    return spec.batch.max_events if spec is not None and spec.batch is not None else 1
