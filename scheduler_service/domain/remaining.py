"""Readings without those that exclusions take away."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from scheduler_service.domain.cron import Cron
from scheduler_service.domain.instants import MOST_COUNTED, MOST_EXCLUDED, all_excluded
from scheduler_service.domain.stretches import Readings

_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Remaining:
    """The readings that none of `excluded` has.

    Searches raise InvalidSchedule after `MOST_EXCLUDED` excluded ones in a row; a day of which a cron
    expression excludes every reading counts as one.
    """

    readings: Readings
    excluded: tuple[Readings, ...]

    def at_or_after(self, wall: datetime) -> datetime | None:
        """The first one that is not before `wall`; None when no more follow."""
        for _ in range(MOST_EXCLUDED):
            found = self.readings.at_or_after(wall)
            if found is None:
                return None
            excluding = self._excluding(found)
            if excluding is None:
                return found
            whole_day = _excludes_whole_days(excluding, self.readings)
            wall = datetime.combine(found + _DAY, time()) if whole_day else found + _SECOND
        raise all_excluded()

    def at_or_before(self, wall: datetime) -> datetime | None:
        """The last one that is not after `wall`; None when there was none."""
        for _ in range(MOST_EXCLUDED):
            found = self.readings.at_or_before(wall)
            if found is None:
                return None
            excluding = self._excluding(found)
            if excluding is None:
                return found
            whole_day = _excludes_whole_days(excluding, self.readings)
            wall = (datetime.combine(found, time()) if whole_day else found) - _SECOND
        raise all_excluded()

    def count(self, after: datetime, until: datetime) -> int | None:
        """How many there are in (after, until]; None when that would visit more than `MOST_COUNTED`."""
        total, wall = 0, self.readings.at_or_after(after + _SECOND)
        for _ in range(MOST_COUNTED):
            if wall is None or wall > until:
                return total
            total += self._excluding(wall) is None
            wall = self.readings.at_or_after(wall + _SECOND)
        return None

    def _excluding(self, wall: datetime) -> Readings | None:
        return next((readings for readings in self.excluded if readings.at_or_after(wall) == wall), None)


def _excludes_whole_days(excluding: Readings, readings: Readings) -> bool:
    """Whether, of a day that `excluding` matches, nothing is left."""
    if not (isinstance(excluding, Cron) and isinstance(readings, Cron)):
        return False
    mine, theirs = readings.times, excluding.times
    return (
        set(mine.hours) <= set(theirs.hours)
        and set(mine.minutes) <= set(theirs.minutes)
        and set(mine.seconds) <= set(theirs.seconds)
    )
