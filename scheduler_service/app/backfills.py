"""Use cases of backfills: make, read, stop."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from scheduler_service.app import due_task
from scheduler_service.app.signals import Signals
from scheduler_service.domain.backfill import (
    DEFAULT_OVERLAP,
    DEFAULT_PER_MINUTE,
    Backfill,
    BackfillState,
    count_instants,
    first_instants,
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

DEFAULT_PRIORITY: Final = 5
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

        async def work(connection: AsyncConnection) -> tuple[Backfill, Schedule]:
            schedule = await schedules.lock(connection, caller.namespace, schedule_id)
            before = await store.created_before(connection, caller.namespace, request_id)
            if before is not None and before[0] != fingerprint:
                raise RequestReused(request_id)
            if schedule is None:
                raise ScheduleNotFound(caller.namespace, schedule_id)
            if before is not None:
                return before[1], schedule
            return await begin(
                connection, schedule, wanted, caller.actor, now, request_id, fingerprint
            ), schedule

        made, schedule = await self._database.unit(work)
        self._signals.backfills.set()
        return made, first_instants(made.table_of(schedule), made.from_at, made.until_at, SHOWN)

    async def try_out(
        self, caller: Caller, schedule_id: str, wanted: Wanted
    ) -> tuple[Backfill, list[datetime]]:
        """What `create` would make; nothing is stored."""
        schedule = await self._database.unit(
            lambda connection: schedules.read(connection, caller.namespace, schedule_id), readonly=True
        )
        if schedule is None:
            raise ScheduleNotFound(caller.namespace, schedule_id)
        made = _made(schedule, wanted, caller.actor, self._clock.now(), "")
        return made, first_instants(made.table_of(schedule), made.from_at, made.until_at, SHOWN)

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
    connection: AsyncConnection,
    schedule: Schedule,
    wanted: Wanted,
    actor: str,
    now: datetime,
    request_id: str = "",
    fingerprint: bytes = b"",
) -> Backfill:
    """Stores a backfill of a locked schedule, with its audit record.

    Raises InvalidBackfill, InvalidSchedule, and RequestReused for a request id that was used for another
    schedule meanwhile.
    """
    made = _made(schedule, wanted, actor, now, uuid7(now))
    if not await store.insert_new(connection, made, request_id, fingerprint):
        raise RequestReused(request_id)
    await actions.record(connection, schedule, "backfill", actor, now, made.backfill_id)
    return made


def _made(schedule: Schedule, wanted: Wanted, actor: str, now: datetime, backfill_id: str) -> Backfill:
    if wanted.until_at <= wanted.from_at:
        raise InvalidBackfill("until_time", "must lie after from_time")
    timing = schedule.definition.timing
    if timing.event is not None:
        raise InvalidBackfill("schedule_id", "is triggered by events; replay events instead")
    table, priority = schedule.timetable, wanted.priority
    if priority is None:
        template = due_task.template(schedule.definition.template)
        priority = lowered(template.priority if template.HasField("priority") else DEFAULT_PRIORITY)
    first = first_instants(table, wanted.from_at, wanted.until_at, 1)
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
        priority=priority,
        state=BackfillState.RUNNING,
        total=count_instants(table, wanted.from_at, wanted.until_at),
        fired=0,
        accepted=0,
        refused=0,
        next_at=None,
        turn_at=now,
        actor=actor,
        created_at=now,
        ended_at=None,
    ).standing(first[0] if first else None, now)
