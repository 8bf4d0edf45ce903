"""The dates of a cron expression, searched and counted by months and years."""

from calendar import isleap
from collections.abc import Collection, Mapping
from datetime import date
from itertools import accumulate
from typing import Final

from scheduler_service.domain.cron_days import MonthShape

FIRST_YEAR: Final = 1900
LAST_YEAR: Final = 8999

_MONTH_LENGTHS: Final = (
    (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31),
    (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31),
)
_KINDS: Final = tuple((isleap(year), date(year, 1, 1).isoweekday() % 7) for year in range(2000, 2400))
"""By year modulo 400: whether it is a leap year, and the weekday of 1 January."""


class Dates:
    """The dates from FIRST_YEAR to LAST_YEAR that match; it is false when there is none."""

    __slots__ = ("_counts", "_first_year", "_last_year", "_masks", "_years")

    def __init__(
        self, days: Mapping[MonthShape, int], months: Collection[int], years: frozenset[int] | None
    ) -> None:
        """`days`: what matches in a month of each shape. `years` None is every year."""
        self._masks = {kind: _masks(*kind, days, months) for kind in set(_KINDS)}
        self._counts = {kind: sum(map(int.bit_count, masks)) for kind, masks in self._masks.items()}
        self._years = years
        self._first_year = FIRST_YEAR if years is None else min(years)
        self._last_year = LAST_YEAR if years is None else max(years)

    def __bool__(self) -> bool:
        return any(self._counts.values()) if self._years is None else any(map(self._count, self._years))

    def __contains__(self, day: date) -> bool:
        return bool(self._mask(day.year, day.month) >> day.day & 1)

    def at_or_after(self, day: date) -> date | None:
        """The first that is not before `day`."""
        year, month = day.year, day.month
        mask = self._mask(year, month) >> day.day << day.day
        while not mask:
            month += 1
            if month > 12:
                following = self._year_after(year)
                if following is None:
                    return None
                year, month = following, 1
            mask = self._mask(year, month)
        return date(year, month, (mask & -mask).bit_length() - 1)

    def at_or_before(self, day: date) -> date | None:
        """The last that is not after `day`."""
        year, month = day.year, day.month
        mask = self._mask(year, month) & (2 << day.day) - 1
        while not mask:
            month -= 1
            if month < 1:
                preceding = self._year_before(year)
                if preceding is None:
                    return None
                year, month = preceding, 12
            mask = self._mask(year, month)
        return date(year, month, mask.bit_length() - 1)

    def count(self, first: date, end: date) -> int:
        """How many in [first, end), which are in order."""
        years = range(max(first.year, self._first_year), min(end.year, self._last_year + 1))
        return sum(map(self._count, years)) + self._before_in_year(end) - self._before_in_year(first)

    def _before_in_year(self, day: date) -> int:
        count = (self._mask(day.year, day.month) & (1 << day.day) - 1).bit_count()
        return count + sum(self._mask(day.year, month).bit_count() for month in range(1, day.month))

    def _mask(self, year: int, month: int) -> int:
        if not self._first_year <= year <= self._last_year:
            return 0
        if self._years is not None and year not in self._years:
            return 0
        return self._masks[_KINDS[year % 400]][month - 1]

    def _count(self, year: int) -> int:
        return self._counts[_KINDS[year % 400]] if self._years is None or year in self._years else 0

    def _year_after(self, year: int) -> int | None:
        following = range(max(year + 1, self._first_year), self._last_year + 1)
        return next(filter(self._count, following), None)

    def _year_before(self, year: int) -> int | None:
        preceding = range(min(year - 1, self._last_year), self._first_year - 1, -1)
        return next(filter(self._count, preceding), None)


def _masks(
    leap: bool, first_weekday: int, days: Mapping[MonthShape, int], months: Collection[int]
) -> tuple[int, ...]:
    """The matching days of the twelve months."""
    lengths = _MONTH_LENGTHS[leap]
    starts = accumulate(lengths, initial=first_weekday)
    shapes = (MonthShape(length, start % 7) for length, start in zip(lengths, starts, strict=False))
    return tuple(days[shape] if month in months else 0 for month, shape in enumerate(shapes, 1))
