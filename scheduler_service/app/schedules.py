"""Use cases of schedules. Each change is one transaction under the schedule's lock, with its audit record."""

import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from scheduler_service.app import firing
from scheduler_service.app.backfills import Wanted, begin
from scheduler_service.app.metrics import SchedulerMetrics
from scheduler_service.app.runs import stop_when_used
from scheduler_service.app.signals import Signals
from scheduler_service.domain.calendar import NamedRules
from scheduler_service.domain.calendared import check_calendars
from scheduler_service.domain.catch_up import Settled
from scheduler_service.domain.change import Change, disable, edit, enable
from scheduler_service.domain.errors import GenerationChanged, ScheduleNotFound
from scheduler_service.domain.fire import Disposition, Fire, FireKey, FireKind
from scheduler_service.domain.overdue import TOLERANCE
from scheduler_service.domain.overlap import Overlap
from scheduler_service.domain.rules import check_definition
from scheduler_service.domain.schedule import Definition, Schedule
from scheduler_service.domain.spec import OneShotSpec
from scheduler_service.domain.timing import Timing
from scheduler_service.store import actions, calendars, fires, outcomes, runs
from scheduler_service.store import schedules as store
from scheduler_service.store.events import count_fires
from scheduler_service.store.fires import NewFire
from service_kit.caller import Caller
from service_kit.clock import Clock
from service_kit.postgres import AsyncConnection, Database

DELETED: Final = "the schedule was deleted before this fire was handed over"

PAGE_BYTES: Final = 2 * 1024 * 1024
PART: Final = 100

Decide = Callable[[AsyncConnection, Schedule, datetime], Awaitable[Change]]


class Schedules:
    """Reads, changes, deletes and runs schedules of the caller's namespace."""

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

    async def get(self, caller: Caller, schedule_id: str) -> Schedule:
        """Raises ScheduleNotFound."""
        found = await self._database.unit(
            lambda connection: store.read(connection, caller.namespace, schedule_id), readonly=True
        )
        if found is None:
            raise ScheduleNotFound(caller.namespace, schedule_id)
        return self._seen(found)

    async def page(
        self, caller: Caller, after: str, limit: int, labels: Mapping[str, str] | None = None
    ) -> tuple[list[Schedule], bool]:
        """At most `limit` schedules with ids beyond `after`, by id, and whether there are more.

        With `labels` only those that have all of them.

        Fewer when their templates are large: a page has at most 2 MiB of them, or one schedule.
        """
        found: list[Schedule] = []
        size = 0
        while True:
            part = await self._part(caller, found[-1].schedule_id if found else after, labels or {})
            for schedule in part:
                size += len(schedule.definition.template)
                if found and (len(found) == limit or size > PAGE_BYTES):
                    return found, True
                found.append(self._seen(schedule))
            if len(part) < PART:
                return found, False

    async def _part(self, caller: Caller, after: str, labels: Mapping[str, str]) -> Sequence[Schedule]:
        return await self._database.unit(
            lambda connection: store.page(connection, caller.namespace, after, PART, labels), readonly=True
        )

    async def update(
        self,
        caller: Caller,
        schedule_id: str,
        redefine: Callable[[Schedule], Definition],
        generation: int = 0,
        detail: str = "",
    ) -> Schedule:
        """Puts what `redefine` makes of the current definition in force.

        Raises ScheduleNotFound, InvalidSchedule, StillCatchingUp, and GenerationChanged when `generation` is
        given (not 0) and is not the current one.
        """

        async def decide(connection: AsyncConnection, schedule: Schedule, now: datetime) -> Change:
            if generation not in (0, schedule.generation):
                raise GenerationChanged(schedule_id, generation, schedule.generation)
            definition = redefine(schedule)
            return await redefinition(connection, schedule, definition, now)

        return await self._change(caller, schedule_id, "update", decide, detail)

    async def enable(
        self, caller: Caller, schedule_id: str, note: str, *, backfill: bool = False
    ) -> tuple[Schedule, str]:
        """Returns the id of the backfill as well, if one was asked for and there is something to fire.

        It fires what ended PAUSED since the schedule was last changed. Raises ScheduleNotFound, RunsUsedUp,
        and InvalidBackfill when that is too much.
        """
        backfill_id = ""

        async def decide(connection: AsyncConnection, schedule: Schedule, now: datetime) -> Change:
            nonlocal backfill_id
            change = enable(schedule, now, note, caller.actor)
            paused = change.settled if backfill else []
            backfill_id = await self._backfill(connection, caller, schedule, paused, now)
            return change

        enabled = await self._change(caller, schedule_id, "enable", decide, note)
        if backfill_id:
            self._signals.backfills.set()
        return enabled, backfill_id

    async def _backfill(
        self,
        connection: AsyncConnection,
        caller: Caller,
        schedule: Schedule,
        settled: Sequence[Settled],
        now: datetime,
    ) -> str:
        paused = [item for item in settled if item.disposition is Disposition.PAUSED]
        if not paused:
            return ""
        last = paused[-1].last_nominal or paused[-1].nominal
        wanted = Wanted(from_at=paused[0].nominal, until_at=last + timedelta(microseconds=1))
        return (await begin(connection, schedule, wanted, caller.actor, now)).backfill_id

    async def disable(self, caller: Caller, schedule_id: str, note: str) -> Schedule:
        """Raises ScheduleNotFound, StillCatchingUp."""

        async def decide(_: AsyncConnection, schedule: Schedule, now: datetime) -> Change:
            return disable(schedule, now, note, caller.actor)

        return await self._change(caller, schedule_id, "disable", decide, note)

    async def delete(self, caller: Caller, schedule_id: str) -> None:
        """Raises ScheduleNotFound. What was not handed over yet ends REJECTED."""
        now = self._clock.now()

        async def work(connection: AsyncConnection) -> None:
            schedule = await _locked(connection, caller, schedule_id)
            await store.remove(connection, schedule, now, DELETED)
            await actions.record(connection, schedule, "delete", caller.actor, now)

        await self._database.unit(work)
        self._signals.fires_settled()

    async def run(self, caller: Caller, schedule_id: str, request_id: str, overlap: Overlap) -> Fire:
        """Fires it now, also when disabled; once for a request id. Raises ScheduleNotFound."""
        now, key = self._clock.now(), request_id or uuid.uuid4().hex

        async def work(connection: AsyncConnection) -> tuple[Fire, bool]:
            schedule = await _locked(connection, caller, schedule_id)
            identity = FireKey(schedule.incarnation, FireKind.MANUAL, key)
            before = await fires.by_key(connection, identity)
            if before is not None:
                return before, False
            new = firing.by_hand(schedule, key, overlap, caller.actor, now)
            await fires.record(connection, [new], now)
            await count_fires(connection, {schedule.incarnation: 1})
            await actions.record(connection, schedule, "run", caller.actor, now, new.fire.fire_id)
            return new.fire, True

        fire, is_new = await self._database.unit(work)
        if is_new:
            self._signals.fires_made()
            self._metrics.recorded([fire])
        return fire

    async def _change(
        self, caller: Caller, schedule_id: str, action: str, decide: Decide, detail: str
    ) -> Schedule:
        now = self._clock.now()

        async def work(connection: AsyncConnection) -> tuple[Schedule, list[NewFire]]:
            before = await _locked(connection, caller, schedule_id)
            change = await decide(connection, before, now)
            made = await carry_out(connection, before, change, action, caller.actor, now, detail)
            after = await store.read(connection, caller.namespace, schedule_id)
            assert after is not None, "its row is locked"
            return after, made

        after, made = await self._database.unit(work)
        self._signals.schedule_changed(listens_to_system=after.listens_to_system)
        self._metrics.recorded(new.fire for new in made)
        if any(new.due_task for new in made):
            self._signals.fires_made()
        return self._seen(after)

    def _seen(self, schedule: Schedule) -> Schedule:
        return schedule.seen(self._clock.now(), self._tolerance)


async def redefinition(
    connection: AsyncConnection, schedule: Schedule, definition: Definition, now: datetime
) -> Change:
    """What puts another definition in force. Raises InvalidSchedule, StillCatchingUp."""
    check_definition(definition, schedule.schedule_id)
    if definition == schedule.definition and not schedule.invalid_reason:
        return Change(schedule, [])
    reopen = await _unrecorded(connection, schedule, definition, now)
    named = await _calendars(connection, schedule, definition.timing)
    return edit(schedule, definition, now, reopen=reopen, calendars=named)


async def _calendars(
    connection: AsyncConnection, schedule: Schedule, timing: Timing
) -> tuple[NamedRules, ...]:
    """Those that a new timing names. Raises InvalidSchedule when there is no such one."""
    added = timing.calendars - schedule.definition.timing.calendars
    known = schedule.calendars + await calendars.name(connection, schedule.namespace, added)
    check_calendars(timing, known)
    return tuple(each for each in known if each[0] in timing.calendars)


async def carry_out(
    connection: AsyncConnection,
    before: Schedule,
    change: Change,
    action: str,
    actor: str,
    now: datetime,
    detail: str,
) -> list[NewFire]:
    """Stores the change of a locked schedule with its audit record, and what it settled, which it returns."""
    made = [firing.by_time(before, settled, now) for settled in change.settled]
    if change.schedule != before:
        await _store_change(connection, change.schedule, made, now)
        await actions.record(connection, change.schedule, action, actor, now, detail)
        await _follow_up(connection, before, change.schedule, now)
    return made


async def _store_change(
    connection: AsyncConnection, schedule: Schedule, made: Sequence[NewFire], now: datetime
) -> None:
    numbers = await fires.record(connection, made, now)
    await store.save(connection, schedule, fires.sent(made, numbers)[schedule.incarnation])
    if schedule.listens_to_system:
        await outcomes.want_all_tasks(connection, True)


async def _follow_up(connection: AsyncConnection, before: Schedule, after: Schedule, now: datetime) -> None:
    """What a change brings with it: other counts, and a limit that is reached already."""
    if after.enabled and not before.enabled:
        await outcomes.forget_failures(connection, after.incarnation)
    if after.definition.max_runs and not before.definition.max_runs:
        await runs.reserve(connection, after)
    if after.definition.max_runs:
        (known,) = await runs.with_runs(connection, [after])
        await stop_when_used(connection, known, now)


async def _locked(connection: AsyncConnection, caller: Caller, schedule_id: str) -> Schedule:
    schedule = await store.lock(connection, caller.namespace, schedule_id)
    if schedule is None:
        raise ScheduleNotFound(caller.namespace, schedule_id)
    return schedule


async def _unrecorded(
    connection: AsyncConnection, schedule: Schedule, definition: Definition, now: datetime
) -> datetime | None:
    """The earliest of new one-shots whose time has passed and of which there is no record."""
    specs = definition.timing.specs
    if definition.timing == schedule.definition.timing:
        return None
    past = sorted(spec.at for spec in specs if isinstance(spec, OneShotSpec) and spec.at <= now)
    if any(not isinstance(spec, OneShotSpec) for spec in specs):
        return None
    for at in past:
        if not await fires.has_record(connection, schedule.incarnation, at):
            return at
    return None
