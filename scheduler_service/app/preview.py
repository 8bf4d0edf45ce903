"""Shows what will come due, by the function that fires it."""

from dataclasses import dataclass
from datetime import datetime

from scheduler_service.app.schedules import Schedules
from scheduler_service.domain.explain_timing import explain_timing
from scheduler_service.domain.jitter import delay_of
from scheduler_service.domain.rules import check_timing
from scheduler_service.domain.timetable import timetable
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


@dataclass(frozen=True, slots=True)
class Prospect:
    """What will come due, and what that means in English, a sentence for each specification and rule."""

    fires: list[Previewed]
    description: tuple[str, ...]


class Preview:
    """Previews stored schedules and timings that are not stored."""

    def __init__(self, schedules: Schedules, clock: Clock) -> None:
        self._schedules = schedules
        self._clock = clock

    async def of_schedule(
        self, caller: Caller, schedule_id: str, after: datetime | None, count: int
    ) -> Prospect:
        """The next `count` instants after `after` (default now). Raises ScheduleNotFound, InvalidSchedule."""
        definition = (await self._schedules.get(caller, schedule_id)).definition
        return self._prospect(definition.timing, schedule_id, after, count)

    def of_timing(self, timing: Timing, seed: str, after: datetime | None, count: int) -> Prospect:
        """The same for a timing that is not stored. Raises InvalidSchedule. `seed`: id of its schedule."""
        check_timing(timing, seed)
        return self._prospect(timing, seed, after, count)

    def _prospect(self, timing: Timing, seed: str, after: datetime | None, count: int) -> Prospect:
        return Prospect(self._instants(timing, seed, after, count), explain_timing(timing, seed))

    def _instants(self, timing: Timing, seed: str, after: datetime | None, count: int) -> list[Previewed]:
        start = after or self._clock.now()
        table, where = timetable(timing, seed), zone(timing.time_zone)
        delay = delay_of(timing, seed, table)
        found: list[Previewed] = []
        instant = table.next_after(start)
        while instant is not None and len(found) < count:
            due_at = instant if delay is None else instant + delay(instant)
            found.append(Previewed(instant, local_time(where, instant), utc_offset(where, instant), due_at))
            instant = table.next_after(instant)
        return found
