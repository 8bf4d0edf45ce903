"""Recurrence rules (RFC 5545) as readings on the wall, searched from any moment in both directions.

A rule divides time into periods of its frequency, of which every `interval`-th counts from that of the start.
A period yields the days that match, times the times of day, of which BYSETPOS picks some. The start itself
counts only when it matches. The moment of a search tells its period by arithmetic, so a search costs the
periods between the moment and what it finds, however old the start is.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import islice
from typing import Final

from scheduler_service.domain.daylight import LAST_YEAR, REACH, is_within_reach
from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.recurrence_days import matches_day
from scheduler_service.domain.recurrence_rule import Frequency, RecurrenceRule, invalid, parse
from scheduler_service.domain.spec import RecurrenceSpec

MOST_SHORT_PERIODS: Final = 20_000
MOST_PERIODS: Final = {Frequency.YEARLY: 100, Frequency.MONTHLY: 1200, Frequency.WEEKLY: 5300}
"""A search ends after so many periods without a reading, `MOST_SHORT_PERIODS` when they are days or shorter:
half a century at least, since days, hours and minutes that cannot match are stepped over whole.
"""

_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)
_LENGTHS: Final = {Frequency.HOURLY: _HOUR, Frequency.MINUTELY: _MINUTE, Frequency.SECONDLY: _SECOND}


@dataclass(frozen=True, slots=True)
class Block:
    """The readings of one period, in order."""

    days: tuple[date, ...]
    hours: tuple[int, ...]
    minutes: tuple[int, ...]
    seconds: tuple[int, ...]
    positions: tuple[int, ...]

    def __len__(self) -> int:
        return len(self._picked())

    def __getitem__(self, index: int) -> datetime:
        whole, second = divmod(self._picked()[index], len(self.seconds))
        whole, minute = divmod(whole, len(self.minutes))
        day, hour = divmod(whole, len(self.hours))
        at = time(self.hours[hour], self.minutes[minute], self.seconds[second])
        return datetime.combine(self.days[day], at)

    def _picked(self) -> range | list[int]:
        """Which of all combinations count."""
        total = len(self.days) * len(self.hours) * len(self.minutes) * len(self.seconds)
        if not self.positions:
            return range(total)
        picked = {n - 1 if n > 0 else total + n for n in self.positions}
        return sorted(n for n in picked if 0 <= n < total)


class Recurrence:
    """The readings of a rule, COUNT apart. A unit is a period of interval 1, numbered from 0001-01-01."""

    def __init__(self, rule: RecurrenceRule, start: datetime) -> None:
        self._rule = rule
        self._start = start
        until = rule.until if rule.until is not None and rule.until.tzinfo is None else None
        self._last = until or datetime(LAST_YEAR, 12, 31, 23, 59, 59)
        self._origin = self._unit(start)
        self._most = MOST_PERIODS.get(rule.frequency, MOST_SHORT_PERIODS)
        self._days = lru_cache(maxsize=64)(self._find_days)

    def at_or_after(self, wall: datetime) -> datetime | None:
        """The first one that is not before `wall`; None when none follows in so many periods."""
        wall = max(wall, self._start)
        if wall > self._last:
            return None
        number, last = self._number(wall), self._number(self._last)
        for _ in range(self._most):
            if number > last:
                return None
            unit = self._origin + number * self._rule.interval
            block = self._block(unit)
            index = bisect_left(block, wall)
            if index < len(block):
                return block[index] if block[index] <= self._last else None
            number = max(number + 1, self._number(self._barren(unit)[1] - _SECOND) + 1)
        return None

    def at_or_before(self, wall: datetime) -> datetime | None:
        """The last one that is not after `wall`; None when there was none in so many periods."""
        wall = min(wall, self._last)
        if wall < self._start:
            return None
        number = self._number(wall)
        for _ in range(self._most):
            if number < 0:
                return None
            unit = self._origin + number * self._rule.interval
            block = self._block(unit)
            index = bisect_right(block, wall)
            if index:
                return block[index - 1] if block[index - 1] >= self._start else None
            number = min(number - 1, self._number(self._barren(unit)[0] - _SECOND))
        return None

    def count(self, after: datetime, until: datetime) -> int | None:
        """How many there are in (after, until]; None when that would visit over `MOST_SHORT_PERIODS`."""
        after, until = max(after, self._start - _SECOND), min(until, self._last)
        if until <= after:
            return 0
        total, number, last = 0, max(self._number(after), 0), self._number(until)
        for _ in range(MOST_SHORT_PERIODS):
            if number > last:
                return total
            unit = self._origin + number * self._rule.interval
            block = self._block(unit)
            total += bisect_right(block, until) - bisect_right(block, after)
            number = max(number + 1, self._number(self._barren(unit)[1] - _SECOND) + 1)
        return None

    def _number(self, wall: datetime) -> int:
        """Which period counts last at `wall`: 0 that of the start, one more for each interval."""
        return (self._unit(wall) - self._origin) // self._rule.interval

    def _unit(self, wall: datetime) -> int:
        match self._rule.frequency:
            case Frequency.YEARLY:
                return wall.year
            case Frequency.MONTHLY:
                return wall.year * 12 + wall.month - 1
            case Frequency.WEEKLY:
                return (wall.toordinal() - 1 - self._rule.week_start) // 7
            case Frequency.DAILY:
                return wall.toordinal()
            case Frequency.HOURLY | Frequency.MINUTELY | Frequency.SECONDLY as short:
                return int((wall - datetime.min) // _LENGTHS[short])

    def _begin(self, unit: int) -> datetime:
        match self._rule.frequency:
            case Frequency.YEARLY:
                return datetime(unit, 1, 1)
            case Frequency.MONTHLY:
                return datetime(unit // 12, unit % 12 + 1, 1)
            case Frequency.WEEKLY:
                return datetime.fromordinal(unit * 7 + 1 + self._rule.week_start)
            case Frequency.DAILY:
                return datetime.fromordinal(unit)
            case Frequency.HOURLY | Frequency.MINUTELY | Frequency.SECONDLY as short:
                return datetime.min + unit * _LENGTHS[short]

    def _barren(self, unit: int) -> tuple[datetime, datetime]:
        """Around a unit: where there are no readings but its own, from and until."""
        begin, rule = self._begin(unit), self._rule
        if rule.frequency <= Frequency.DAILY:
            return begin, self._begin(unit + 1)
        midnight = begin.replace(hour=0, minute=0, second=0)
        if not self._days(midnight.toordinal()):
            return midnight, midnight + _DAY
        hour = begin.replace(minute=0, second=0)
        if rule.hours and begin.hour not in rule.hours:
            return hour, hour + _HOUR
        minute = begin.replace(second=0)
        if rule.frequency >= Frequency.MINUTELY and rule.minutes and begin.minute not in rule.minutes:
            return minute, minute + _MINUTE
        return begin, begin + _LENGTHS[rule.frequency]

    def _block(self, unit: int) -> Block:
        rule = self._rule
        if rule.frequency <= Frequency.DAILY:
            return Block(self._days(unit), rule.hours, rule.minutes, rule.seconds, rule.positions)
        begin, minutes, seconds = self._begin(unit), rule.minutes, rule.seconds
        if rule.frequency >= Frequency.MINUTELY:
            minutes = _only(begin.minute, minutes)
        if rule.frequency is Frequency.SECONDLY:
            seconds = _only(begin.second, seconds)
        days, hours = self._days(begin.toordinal()), _only(begin.hour, rule.hours)
        return Block(days, hours, minutes, seconds, rule.positions)

    def _find_days(self, unit: int) -> tuple[date, ...]:
        """The days that match in a unit; for frequencies below a day: in the day of that ordinal."""
        if self._rule.frequency <= Frequency.DAILY:
            first, end = self._begin(unit).toordinal(), self._begin(unit + 1).toordinal()
        else:
            first, end = unit, unit + 1
        days = map(date.fromordinal, range(first, end))
        return tuple(day for day in days if matches_day(self._rule, day))


@dataclass(frozen=True, slots=True)
class Listed:
    """Readings one by one, in order."""

    walls: tuple[datetime, ...]

    def at_or_after(self, wall: datetime) -> datetime | None:
        """The first one that is not before `wall`."""
        index = bisect_left(self.walls, wall)
        return self.walls[index] if index < len(self.walls) else None

    def at_or_before(self, wall: datetime) -> datetime | None:
        """The last one that is not after `wall`."""
        index = bisect_right(self.walls, wall)
        return self.walls[index - 1] if index else None

    def count(self, after: datetime, until: datetime) -> int | None:
        """How many there are in (after, until]."""
        return max(bisect_right(self.walls, until) - bisect_right(self.walls, after), 0)


def recurrence(spec: RecurrenceSpec) -> Recurrence | Listed:
    """The readings of a rule; an UNTIL in UTC is left to `last_instant`.

    Raises InvalidSchedule for `rule` and `start`, also for a rule without any reading.
    """
    if not is_within_reach(spec.start):
        raise InvalidSchedule("start", REACH)
    rule = parse(spec.rule, spec.start)
    readings = Recurrence(rule, spec.start)
    if readings.at_or_after(spec.start) is None:
        raise invalid("never matches: no reading follows the start for half a century")
    return readings if rule.count is None else Listed(tuple(islice(_walk(readings, spec.start), rule.count)))


def last_instant(spec: RecurrenceSpec) -> datetime | None:
    """The UNTIL of a rule when it is given in UTC."""
    until = parse(spec.rule, spec.start).until
    return until if until is not None and until.tzinfo is not None else None


def _walk(readings: Recurrence, start: datetime) -> Iterator[datetime]:
    wall = readings.at_or_after(start)
    while wall is not None:
        yield wall
        wall = readings.at_or_after(wall + _SECOND)


def _only(value: int, allowed: tuple[int, ...]) -> tuple[int, ...]:
    return (value,) if not allowed or value in allowed else ()
