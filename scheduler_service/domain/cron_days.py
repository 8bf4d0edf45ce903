"""Which days of a month the day fields of a cron expression name.

A set of days is a number whose bit d stands for day d. Which days match depends on nothing but the month's
length and the weekday of its first day, so 28 shapes of month are all there are.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

_SATURDAY: Final = 6
_SUNDAY: Final = 0


class MonthShape(NamedTuple):
    """Weekdays count from 0 = Sunday."""

    length: int
    first_weekday: int

    @property
    def days(self) -> range:
        """1 to the last."""
        return range(1, self.length + 1)

    def weekday(self, day: int) -> int:
        """Of a day of the month."""
        return (self.first_weekday + day - 1) % 7

    def on(self, weekday: int) -> range:
        """The days that fall on it."""
        return range(1 + (weekday - self.first_weekday) % 7, self.length + 1, 7)


SHAPES: Final = tuple(MonthShape(length, first) for length in range(28, 32) for first in range(7))


@dataclass(frozen=True, slots=True)
class DaysOfMonth:
    """The day-of-month field."""

    days: tuple[int, ...] = ()
    before_last: tuple[int, ...] = ()
    """`L` is 0, `L-3` is 3."""
    nearest: tuple[int, ...] = ()
    """`15W`: the weekday (Monday to Friday) nearest to the 15th in the same month, if that has a 15th."""
    last_weekday: bool = False
    """`LW`: the last Monday to Friday."""

    def mask(self, month: MonthShape) -> int:
        """The days that match in such a month."""
        found = [*self.days, *(month.length - before for before in self.before_last)]
        found += [_nearest_weekday(month, day) for day in self.nearest if day <= month.length]
        if self.last_weekday:
            found.append(_nearest_weekday(month, month.length))
        return mask(day for day in found if day in month.days)


@dataclass(frozen=True, slots=True)
class DaysOfWeek:
    """The day-of-week field; weekdays count from 0 = Sunday."""

    days: tuple[int, ...] = ()
    nth: tuple[tuple[int, int], ...] = ()
    """`FRI#2` is (5, 2): the second Friday."""
    last: tuple[int, ...] = ()
    """`FRIL` is 5: the last Friday."""

    def mask(self, month: MonthShape) -> int:
        """The days that match in such a month."""
        return mask(self._found(month))

    def _found(self, month: MonthShape) -> Iterator[int]:
        for weekday in self.days:
            yield from month.on(weekday)
        for weekday, n in self.nth:
            yield from month.on(weekday)[n - 1 : n]
        for weekday in self.last:
            yield month.on(weekday)[-1]


def mask(days: Iterable[int]) -> int:
    """The set of these days."""
    found = 0
    for day in days:
        found |= 1 << day
    return found


def _nearest_weekday(month: MonthShape, day: int) -> int:
    """The Monday to Friday nearest to `day`, without leaving the month."""
    if month.weekday(day) == _SATURDAY:
        return day - 1 if day > 1 else day + 2
    if month.weekday(day) == _SUNDAY:
        return day + 1 if day < month.length else day - 2
    return day
