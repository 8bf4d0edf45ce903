"""The nearest day on which the calendars are open at a reading of the clock."""

from datetime import date, datetime, time, timedelta
from typing import Final

from scheduler_service.domain.closure import Closure
from scheduler_service.domain.zones import Zone

MOST_DAYS: Final = 366
"""How far away that day may be."""


class OpenDays:
    """Looks in one direction of time and remembers what it has seen closed: no day is looked at twice."""

    def __init__(self, closure: Closure, where: Zone, *, forward: bool) -> None:
        self._closure = closure
        self._where = where
        self._step = timedelta(days=1 if forward else -1)
        self._closed: dict[time, tuple[date, date]] = {}
        """By reading: the days, nearest first, that were last seen closed."""

    def nearest(self, instant: datetime) -> datetime | None:
        """The same reading on the nearest open day; None when there is none within 366 days."""
        wall = self._where.wall(instant)
        reading, first = wall.time(), wall.date() + self._step
        known = self._closed.get(reading)
        day, last = first, wall.date() + MOST_DAYS * self._step
        to: datetime | None = None
        while to is None and self._between(day, day, last):
            if known is not None and self._between(known[0], day, known[1]):
                day = known[1] + self._step
                continue
            shown = self._where.first_reached(datetime.combine(day, reading))
            if self._closure.is_closed(shown):
                day += self._step
            else:
                to = shown
        if day != first:
            self._closed[reading] = first, day - self._step
        return to

    def _between(self, first: date, day: date, last: date) -> bool:
        """Whether `day` lies between the two, as this one goes."""
        return first <= day <= last if self._step > timedelta() else last <= day <= first
