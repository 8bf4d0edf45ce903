"""Shows what will come due, by the function that fires it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from itertools import islice

from scheduler_service.app import due_task
from scheduler_service.app.calendars import Calendars
from scheduler_service.app.schedules import Schedules
from scheduler_service.domain.blackouts import Work, held_until
from scheduler_service.domain.calendar import Calendar
from scheduler_service.domain.calendared import calendared
from scheduler_service.domain.catch_up import Settled
from scheduler_service.domain.closing import Closing
from scheduler_service.domain.explain_timing import explain_timing
from scheduler_service.domain.fire import Disposition
from scheduler_service.domain.instants import walk
from scheduler_service.domain.jitter import delay_of
from scheduler_service.domain.rules import check_timing
from scheduler_service.domain.timetable import Timetable
from scheduler_service.domain.timing import Timing
from scheduler_service.domain.zones import local_time, utc_offset, zone
from service_kit.caller import Caller
from service_kit.clock import Clock


@dataclass(frozen=True, slots=True)
class Previewed:
    """An instant to come."""

    instant: datetime
    local_time: str
    utc_offset: str
    due_at: datetime
    """When it is handed over: later than the instant by jitter and spread."""
    disposition: Disposition
    """FIRED, or what calendars make of it."""
    detail: str
    held_until: datetime | None
    """End of the blackout in which its task would be held."""


@dataclass(frozen=True, slots=True)
class Prospect:
    """What will come due, and what that means in English, a sentence for each specification and rule."""

    fires: list[Previewed]
    description: tuple[str, ...]


class Preview:
    """Previews stored schedules and timings that are not stored."""

    def __init__(self, schedules: Schedules, calendars: Calendars, clock: Clock) -> None:
        self._schedules = schedules
        self._calendars = calendars
        self._clock = clock

    async def of_schedule(
        self, caller: Caller, schedule_id: str, after: datetime | None, count: int
    ) -> Prospect:
        """The next `count` instants after `after` (default now). Raises ScheduleNotFound, InvalidSchedule."""
        schedule = await self._schedules.get(caller, schedule_id)
        blackouts = await self._calendars.blackouts(caller)
        work = due_task.work(due_task.template(schedule.definition.template))
        timing, start = schedule.definition.timing, after or self._clock.now()
        fires = _fires(schedule.timetable, timing, schedule_id, start, blackouts, work)
        return Prospect(list(islice(fires, count)), explain_timing(timing, schedule_id))

    async def of_timing(
        self, caller: Caller, timing: Timing, work: Work, seed: str, after: datetime | None, count: int
    ) -> Prospect:
        """The same for a timing that is not stored. Raises InvalidSchedule. `seed`: id of its schedule."""
        check_timing(timing, seed)
        start, blackouts = after or self._clock.now(), await self._calendars.blackouts(caller)
        table = calendared(timing, await self._calendars.named(caller, timing.calendars), seed, start)
        fires = _fires(table, timing, seed, start, blackouts, work)
        return Prospect(list(islice(fires, count)), explain_timing(timing, seed))


def _fires(
    table: Timetable, timing: Timing, seed: str, start: datetime, blackouts: Sequence[Calendar], work: Work
) -> Iterator[Previewed]:
    """What becomes of each instant, earliest first."""
    where, delay = zone(timing.time_zone), delay_of(timing, seed, table)
    for each in _settled(table, start):
        instant, is_fired = each.nominal, each.disposition is Disposition.FIRED
        due_at = instant + delay(instant) if is_fired and delay is not None else instant
        yield Previewed(
            instant=instant,
            local_time=local_time(where, instant),
            utc_offset=utc_offset(where, instant),
            due_at=due_at,
            disposition=each.disposition,
            detail=each.detail,
            held_until=held_until(blackouts, work, due_at) if is_fired else None,
        )


def _settled(table: Timetable, start: datetime) -> Iterator[Settled]:
    fired = (Settled(instant, Disposition.FIRED) for instant in walk(table, start))
    if not isinstance(table, Closing):
        return fired
    closed = (table.settled(instant) for instant in table.left_out(start))
    return merge(fired, closed, key=lambda each: each.nominal)
