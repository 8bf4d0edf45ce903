"""Which instants a calendar covers."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import takewhile
from typing import Final

from scheduler_service.domain.calendar import CalendarRules, CalendarWindow
from scheduler_service.domain.holidays import holidays_of
from scheduler_service.domain.instants import walk
from scheduler_service.domain.spec import CronSpec
from scheduler_service.domain.time_set import Span, TimeSet, year_of
from scheduler_service.domain.timetable import timetable
from scheduler_service.domain.timing import Timing
from scheduler_service.domain.zones import Zone, zone

_DAY: Final = timedelta(days=1)


@lru_cache(maxsize=1024)
def coverage(rules: CalendarRules) -> TimeSet:
    """Raises InvalidSchedule for a zone or an expression that cannot be read."""
    where = zone(rules.time_zone)
    for window in rules.windows:
        openings(window, rules.time_zone)

    def of_year(year: int) -> Iterator[Span]:
        for day in _days(rules, year):
            yield _whole(day, where)
        for window in rules.windows:
            yield from _windows(window, rules.time_zone, year)
        for period in rules.periods:
            yield Span(period.start, period.until)

    return TimeSet(of_year)


def openings(window: CalendarWindow, time_zone: str) -> Iterator[datetime]:
    """When a window opens in 2028, a leap year: five fields name no year, so every year is like it."""
    return _openings(window, time_zone, year_of(2028))


def _openings(window: CalendarWindow, time_zone: str, bounds: Span) -> Iterator[datetime]:
    """Those of windows that reach into `bounds`."""
    table = timetable(Timing(specs=(CronSpec(window.cron),), time_zone=time_zone))
    return takewhile(lambda instant: instant < bounds.until, walk(table, bounds.start - window.duration))


def _windows(window: CalendarWindow, time_zone: str, year: int) -> Iterator[Span]:
    for opening in _openings(window, time_zone, year_of(year)):
        yield Span(opening, opening + window.duration)


def _days(rules: CalendarRules, year: int) -> Iterator[date]:
    """The whole days of a year; those of its neighbours too, since a zone's year is not that of UTC."""
    years = range(max(1, year - 1), year + 2)
    for text in rules.dates:
        yield from _dated(text, years)
    for which in rules.holidays:
        for each in years:
            yield from holidays_of(which, each)


def _dated(text: str, years: Iterable[int]) -> Iterator[date]:
    if len(text) == len("YYYY-MM-DD"):
        day = date.fromisoformat(text)
        if day.year in years:
            yield day
        return
    month, day_of_month = int(text[:2]), int(text[3:])
    for year in years:
        try:
            yield date(year, month, day_of_month)
        except ValueError:
            # 29 February in a common year.
            continue


def _whole(day: date, where: Zone) -> Span:
    """From the first instant at which the clock shows the day to the first one at which it shows the next.

    Empty for a day that the zone left out.
    """
    midnight = datetime(day.year, day.month, day.day)
    return Span(where.first_reached(midnight), where.first_reached(midnight + _DAY))
