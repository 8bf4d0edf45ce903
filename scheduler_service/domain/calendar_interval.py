"""Calendar intervals: the readings `start + n * every` units on the wall, for whole n >= 0."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from scheduler_service.domain.daylight import REACH, is_within_reach
from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.spec import CalendarIntervalSpec, CalendarUnit

LONGEST_EVERY: Final = 1000

_DAYS: Final = {CalendarUnit.DAY: 1, CalendarUnit.WEEK: 7}
_MONTHS: Final = {CalendarUnit.MONTH: 1, CalendarUnit.YEAR: 12}


@dataclass(frozen=True, slots=True)
class CalendarInterval:
    """Each reading is computed from the start: 31 January leads to 28 February and on to 31 March."""

    spec: CalendarIntervalSpec

    def __post_init__(self) -> None:
        if not 1 <= self.spec.every <= LONGEST_EVERY:
            raise InvalidSchedule("every", f"must be 1 to {LONGEST_EVERY}")
        if not is_within_reach(self.spec.start):
            raise InvalidSchedule("start", REACH)

    def at_or_after(self, wall: datetime) -> datetime | None:
        """The first one that is not before `wall`."""
        n = max(self._index(wall), 0)
        found = self._nth(n)
        return found if found is None or found >= wall else self._nth(n + 1)

    def at_or_before(self, wall: datetime) -> datetime | None:
        """The last one that is not after `wall`; None before the start."""
        n = self._index(wall)
        return self._nth(n) if n >= 0 else None

    def count(self, after: datetime, until: datetime) -> int | None:
        """How many there are in (after, until]."""
        return max(self._index(until) - max(self._index(after), -1), 0)

    def _index(self, wall: datetime) -> int:
        """n of the last one not after `wall`; negative before the start."""
        start, every = self.spec.start, self.spec.every
        if self.spec.unit in _DAYS:
            return (wall - start) // timedelta(days=every * _DAYS[self.spec.unit])
        months = (wall.year - start.year) * 12 + wall.month - start.month
        n = months // (every * _MONTHS[self.spec.unit])
        found = self._nth(n) if n >= 0 else None
        return n if found is None or found <= wall else n - 1

    def _nth(self, n: int) -> datetime | None:
        start, units = self.spec.start, n * self.spec.every
        if self.spec.unit in _MONTHS:
            return _plus_months(start, units * _MONTHS[self.spec.unit])
        try:
            return start + timedelta(days=units * _DAYS[self.spec.unit])
        except OverflowError:
            return None


def _plus_months(start: datetime, months: int) -> datetime | None:
    """`start` so many months later, on the last day of a month that is too short; None past the year 9998."""
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    if year > 9998:
        return None
    return start.replace(year=year, month=month + 1, day=min(start.day, monthrange(year, month + 1)[1]))
