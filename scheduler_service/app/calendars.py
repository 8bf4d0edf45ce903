"""Use cases of calendars. Each change is one transaction, with its audit record."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from scheduler_service.app import firing
from scheduler_service.app.metrics import SchedulerMetrics
from scheduler_service.app.signals import Signals
from scheduler_service.domain.blackouts import periods_of
from scheduler_service.domain.calendar import Calendar, CalendarDefinition, NamedRules
from scheduler_service.domain.calendar_rules import check_calendar
from scheduler_service.domain.errors import (
    CalendarChanged,
    CalendarExists,
    CalendarInUse,
    CalendarNotFound,
    CalendarUsedWidely,
)
from scheduler_service.domain.recalendared import recalendared
from scheduler_service.domain.schedule import Schedule
from scheduler_service.domain.time_set import Span
from scheduler_service.store import actions, due, fires
from scheduler_service.store import calendars as store
from scheduler_service.store.fires import NewFire
from service_kit.caller import Caller
from service_kit.clock import Clock
from service_kit.postgres import AsyncConnection, Database

MOST_USERS: Final = 5000
"""Most schedules that one change moves: they are locked until all of them have moved."""

PAGE: Final = 250

_NAMED: Final = 5


@dataclass(slots=True)
class Moved:
    """What a change does to the schedules that name the calendar."""

    schedules: list[Schedule] = field(default_factory=list)
    fires: list[NewFire] = field(default_factory=list)
    count: int = 0
    """Schedules whose next fire moved."""

    def add(self, before: Schedule, calendar: NamedRules, now: datetime) -> None:
        """Takes one of them. Raises StillCatchingUp."""
        change = recalendared(before, calendar, now)
        self.fires += [firing.by_time(before, settled, now) for settled in change.settled]
        self.schedules.append(change.schedule)
        self.count += change.schedule.next_fire != before.next_fire


class Calendars:
    """Creates, reads, changes and deletes calendars of the caller's namespace."""

    def __init__(self, database: Database, clock: Clock, signals: Signals, metrics: SchedulerMetrics) -> None:
        self._database = database
        self._clock = clock
        self._signals = signals
        self._metrics = metrics

    async def create(self, caller: Caller, calendar_id: str, made: CalendarDefinition) -> Calendar:
        """Raises InvalidCalendar, CalendarExists."""
        check_calendar(made)
        now = self._clock.now()

        async def work(connection: AsyncConnection) -> Calendar:
            if not await store.create(connection, caller.namespace, calendar_id, made, now):
                raise CalendarExists(caller.namespace, calendar_id)
            await _record(connection, caller, "create-calendar", calendar_id, now, 1)
            return await _read(connection, caller, calendar_id)

        created = await self._database.unit(work)
        self._signals.blackouts.set()
        return created

    async def get(self, caller: Caller, calendar_id: str) -> Calendar:
        """Raises CalendarNotFound."""
        return await self._database.unit(
            lambda connection: _read(connection, caller, calendar_id), readonly=True
        )

    async def page(self, caller: Caller, after: str, limit: int) -> Sequence[Calendar]:
        """At most `limit` with ids beyond `after`, by id."""
        return await self._database.unit(
            lambda connection: store.page(connection, caller.namespace, after, limit), readonly=True
        )

    async def named(self, caller: Caller, calendar_ids: frozenset[str]) -> tuple[NamedRules, ...]:
        """The rules of those that exist."""
        if not calendar_ids:
            return ()
        return await self._database.unit(
            lambda connection: store.read_rules(connection, caller.namespace, calendar_ids), readonly=True
        )

    async def blackouts(self, caller: Caller) -> Sequence[Calendar]:
        """Those that hold queued work."""
        return await self._database.unit(
            lambda connection: store.blackouts(connection, caller.namespace), readonly=True
        )

    async def periods(
        self, caller: Caller, calendar_id: str, after: datetime | None, count: int
    ) -> list[Span]:
        """The first `count` stretches that end later than `after` (default now), within ten years.

        Raises CalendarNotFound.
        """
        calendar = await self.get(caller, calendar_id)
        return periods_of(calendar.definition.rules, after or self._clock.now(), count)

    async def update(
        self, caller: Caller, calendar_id: str, made: CalendarDefinition, version: int = 0
    ) -> tuple[Calendar, int]:
        """Puts it in force from now on; returns also how many schedules come due at another time.

        Raises InvalidCalendar, CalendarNotFound, CalendarChanged when `version` is given (not 0) and is not
        the current one, CalendarUsedWidely, StillCatchingUp.
        """
        check_calendar(made)
        now = self._clock.now()

        async def work(connection: AsyncConnection) -> tuple[Calendar, Moved]:
            before = await _locked(connection, caller, calendar_id)
            if version not in (0, before.version):
                raise CalendarChanged(calendar_id, version, before.version)
            if made == before.definition:
                return before, Moved()
            moved = Moved()
            if made.rules != before.definition.rules:
                moved = await _move_users(connection, before, made, now)
            after = await store.update(connection, before, made, now)
            await _record(connection, caller, "update-calendar", calendar_id, now, after.version)
            return after, moved

        updated, moved = await self._database.unit(work)
        self._signals.blackouts.set()
        self._signals.due.set()
        self._metrics.recorded(new.fire for new in moved.fires)
        if any(new.due_task for new in moved.fires):
            self._signals.fires_made()
        return updated, moved.count

    async def delete(self, caller: Caller, calendar_id: str) -> None:
        """What it holds in the queue is released. Raises CalendarNotFound, CalendarInUse."""
        now = self._clock.now()

        async def work(connection: AsyncConnection) -> None:
            calendar = await _locked(connection, caller, calendar_id)
            users = await store.users(connection, calendar, _NAMED)
            if users:
                raise CalendarInUse(calendar_id, users)
            await store.delete(connection, calendar, now)
            await _record(connection, caller, "delete-calendar", calendar_id, now, calendar.version)

        await self._database.unit(work)
        self._signals.blackouts.set()


async def _move_users(
    connection: AsyncConnection, calendar: Calendar, made: CalendarDefinition, now: datetime
) -> Moved:
    """Page by page, in the one transaction: nobody sees some schedules by the old rules, some by the new."""
    moved, after, more = Moved(), "", True
    while more:
        page = await store.lock_users(connection, calendar, after, PAGE)
        more = len(page) == PAGE
        if len(moved.schedules) + len(page) > MOST_USERS:
            raise CalendarUsedWidely(calendar.calendar_id, MOST_USERS)
        first = len(moved.fires)
        for schedule in page:
            moved.add(schedule, (calendar.calendar_id, made.rules), now)
            after = schedule.schedule_id
        if page:
            await _store(connection, moved.schedules[-len(page) :], moved.fires[first:], now)
    return moved


async def _store(
    connection: AsyncConnection, schedules: Sequence[Schedule], made: Sequence[NewFire], now: datetime
) -> None:
    numbers = await fires.record(connection, made, now)
    await due.advance(connection, schedules, fires.sent(made, numbers))


async def _read(connection: AsyncConnection, caller: Caller, calendar_id: str) -> Calendar:
    found = await store.read(connection, caller.namespace, calendar_id)
    if found is None:
        raise CalendarNotFound(caller.namespace, calendar_id)
    return found


async def _locked(connection: AsyncConnection, caller: Caller, calendar_id: str) -> Calendar:
    found = await store.lock(connection, caller.namespace, calendar_id)
    if found is None:
        raise CalendarNotFound(caller.namespace, calendar_id)
    return found


async def _record(
    connection: AsyncConnection, caller: Caller, action: str, calendar_id: str, now: datetime, version: int
) -> None:
    await actions.record_about(connection, caller.namespace, calendar_id, action, caller.actor, now, version)
