"""Use cases of backfills: make, read, stop."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from scheduler_service.app import due_task
from scheduler_service.app.signals import Signals
from scheduler_service.domain.backfill import (
    DEFAULT_OVERLAP,
    DEFAULT_PER_MINUTE,
    Backfill,
    BackfillState,
    lowered,
)
from scheduler_service.domain.errors import (
    BackfillNotFound,
    InvalidBackfill,
    RequestReused,
    ScheduleNotFound,
)
from scheduler_service.domain.overlap import Overlap
from scheduler_service.domain.schedule import Schedule
from scheduler_service.store import actions, schedules
from scheduler_service.store import backfills as store
from service_kit.caller import Caller
from service_kit.clock import Clock
from service_kit.postgres import AsyncConnection, Database
from service_kit.uuids import uuid7

SHOWN: Final = 10
"""First instants that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody asks for: the instants in [from_at, until_at)."""

    from_at: datetime
    until_at: datetime
    per_minute: int = DEFAULT_PER_MINUTE
    overlap: Overlap = DEFAULT_OVERLAP
    priority: int | None = None
    """None: two below that of the schedule."""


class Backfills:
    """Of the caller's namespace."""

    def __init__(self, database: Database, clock: Clock, signals: Signals) -> None:
        self._database = database
        self._clock = clock
        self._signals = signals

    async def create(
        self, caller: Caller, schedule_id: str, wanted: Wanted, request_id: str, fingerprint: bytes
    ) -> tuple[Backfill, list[datetime]]:
        """Starts one; returns it with its first instants. With a request id it is repeatable.

        Raises ScheduleNotFound, InvalidBackfill, InvalidSchedule, RequestReused.
        """
        now = self._clock.now()
        while True:
            schedule = await self._schedule(caller, schedule_id)
            made = await _prepared(schedule, wanted, caller.actor, now, uuid7(now))
            stored = await self._database.unit(
                partial(_stored, schedule=schedule, made=made, request_id=request_id, fingerprint=fingerprint)
            )
            if stored is not None:
                self._signals.backfills.set()
                return stored, stored.first(schedule, SHOWN)

    async def try_out(
        self, caller: Caller, schedule_id: str, wanted: Wanted
    ) -> tuple[Backfill, list[datetime]]:
        """What `create` would make; nothing is stored."""
        schedule = await self._schedule(caller, schedule_id)
        made = await _prepared(schedule, wanted, caller.actor, self._clock.now(), "")
        return made, made.first(schedule, SHOWN)

    async def _schedule(self, caller: Caller, schedule_id: str) -> Schedule:
        found = await self._database.unit(
            lambda connection: schedules.read(connection, caller.namespace, schedule_id), readonly=True
        )
        if found is None:
            raise ScheduleNotFound(caller.namespace, schedule_id)
        return found

    async def get(self, caller: Caller, backfill_id: str) -> Backfill:
        """Raises BackfillNotFound."""
        found = await self._database.unit(
            lambda connection: store.read(connection, caller.namespace, backfill_id), readonly=True
        )
        if found is None:
            raise BackfillNotFound(caller.namespace, backfill_id)
        return found

    async def page(
        self, caller: Caller, schedule_id: str, state: BackfillState | None, before: str, limit: int
    ) -> Sequence[Backfill]:
        """At most `limit`, latest first, beyond the id `before`."""
        return await self._database.unit(
            lambda connection: store.page(connection, caller.namespace, schedule_id, state, before, limit),
            readonly=True,
        )

    async def cancel(self, caller: Caller, backfill_id: str) -> Backfill:
        """What has not been fired never is. Raises BackfillNotFound."""
        now = self._clock.now()

        async def work(connection: AsyncConnection) -> Backfill:
            found = await store.lock(connection, caller.namespace, backfill_id)
            if found is None:
                raise BackfillNotFound(caller.namespace, backfill_id)
            after = found.cancelled(now)
            if after is not found:
                await store.save(connection, after)
            return after

        return await self._database.unit(work)


async def begin(
    connection: AsyncConnection, schedule: Schedule, wanted: Wanted, actor: str, now: datetime
) -> Backfill:
    """Stores a backfill of a locked schedule, audited. Raises InvalidBackfill, InvalidSchedule."""
    made = await _prepared(schedule, wanted, actor, now, uuid7(now))
    await store.insert_new(connection, made, "", b"")
    await actions.record(connection, schedule, "backfill", actor, now, made.backfill_id)
    return made


async def _stored(
    connection: AsyncConnection, schedule: Schedule, made: Backfill, request_id: str, fingerprint: bytes
) -> Backfill | None:
    """The backfill, or what its request has made before; None when the schedule has changed meanwhile.

    Raises RequestReused.
    """
    locked = await schedules.lock(connection, schedule.namespace, schedule.schedule_id)
    before = await store.created_before(connection, schedule.namespace, request_id)
    if before is not None and before[0] != fingerprint:
        raise RequestReused(request_id)
    if before is not None:
        return before[1]
    if locked is None or (locked.incarnation, locked.generation) != (
        schedule.incarnation,
        schedule.generation,
    ):
        return None
    if not await store.insert_new(connection, made, request_id, fingerprint):
        # The same request id was used for another schedule since the look above.
        raise RequestReused(request_id)
    await actions.record(connection, schedule, "backfill", made.actor, made.created_at, made.backfill_id)
    return made


async def _prepared(
    schedule: Schedule, wanted: Wanted, actor: str, now: datetime, backfill_id: str
) -> Backfill:
    """Beside the loop: to count a million instants may take seconds."""
    return await asyncio.to_thread(_made, schedule, wanted, actor, now, backfill_id)


def _made(schedule: Schedule, wanted: Wanted, actor: str, now: datetime, backfill_id: str) -> Backfill:
    if wanted.until_at <= wanted.from_at:
        raise InvalidBackfill("until_time", "must lie after from_time")
    timing = schedule.definition.timing
    if timing.event is not None:
        raise InvalidBackfill("schedule_id", "is triggered by events; replay events instead")
    return Backfill(
        namespace=schedule.namespace,
        backfill_id=backfill_id,
        schedule_id=schedule.schedule_id,
        incarnation=schedule.incarnation,
        timing=timing,
        from_at=wanted.from_at,
        until_at=wanted.until_at,
        per_minute=wanted.per_minute,
        overlap=wanted.overlap,
        priority=wanted.priority or lowered(_priority(schedule)),
        state=BackfillState.RUNNING,
        total=0,
        fired=0,
        accepted=0,
        refused=0,
        next_at=None,
        turn_at=now,
        actor=actor,
        created_at=now,
        ended_at=None,
    ).counted(schedule, now)


def _priority(schedule: Schedule) -> int:
    return due_task.work(due_task.template(schedule.definition.template)).priority
