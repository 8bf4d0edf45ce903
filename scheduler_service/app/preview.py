"""Shows what will come due, by the function that fires it."""

from dataclasses import dataclass
from datetime import datetime

from scheduler_service.app.schedules import Schedules
from scheduler_service.domain.daylight import is_within_reach
from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.rules import check_spec
from scheduler_service.domain.spec import Spec
from scheduler_service.domain.timetable import timetable
from scheduler_service.domain.zones import local_time, utc_offset, zone
from service_kit.caller import Caller
from service_kit.clock import Clock


@dataclass(frozen=True, slots=True)
class Previewed:
    """An instant to come."""

    instant: datetime
    local_time: str
    utc_offset: str


class Preview:
    """Previews stored schedules and specifications that are not stored."""

    def __init__(self, schedules: Schedules, clock: Clock) -> None:
        self._schedules = schedules
        self._clock = clock

    async def of_schedule(
        self, caller: Caller, schedule_id: str, after: datetime | None, count: int
    ) -> list[Previewed]:
        """The next `count` instants after `after` (default now). Raises ScheduleNotFound, InvalidSchedule."""
        definition = (await self._schedules.get(caller, schedule_id)).definition
        return self._instants(definition.spec, definition.time_zone, after, count)

    def of_spec(self, spec: Spec, time_zone: str, after: datetime | None, count: int) -> list[Previewed]:
        """The same for a specification. Raises InvalidSchedule."""
        check_spec(spec, time_zone, "spec.")
        return self._instants(spec, time_zone, after, count)

    def _instants(self, spec: Spec, time_zone: str, after: datetime | None, count: int) -> list[Previewed]:
        start = after or self._clock.now()
        if not is_within_reach(start):
            raise InvalidSchedule("from_time", "must lie in the years 1970 to 8999")
        table, where = timetable(spec, time_zone), zone(time_zone)
        found: list[Previewed] = []
        instant = table.next_after(start)
        while instant is not None and len(found) < count:
            found.append(Previewed(instant, local_time(where, instant), utc_offset(where, instant)))
            instant = table.next_after(instant)
        return found
