"""Which days a recurrence rule names: a day must meet every part that is given."""

from calendar import isleap, monthrange
from collections.abc import Collection
from datetime import date, timedelta

from scheduler_service.domain.recurrence_rule import Frequency, RecurrenceRule


def matches_day(rule: RecurrenceRule, day: date) -> bool:
    """Whether BYMONTH, BYMONTHDAY, BYYEARDAY, BYDAY and BYWEEKNO all let `day` through."""
    return (
        (not rule.months or day.month in rule.months)
        and (not rule.month_days or _is_nth(rule.month_days, day.day, monthrange(day.year, day.month)[1]))
        and (not rule.year_days or _is_nth(rule.year_days, _day_of_year(day), _days_in_year(day.year)))
        and (not rule.weekdays or _matches_weekday(rule, day))
        and (not rule.week_numbers or _matches_week(rule, day))
    )


def _is_nth(numbers: Collection[int], n: int, total: int) -> bool:
    """Whether the n-th of `total` is named, from the front (1) or from the end (-1)."""
    return n in numbers or n - total - 1 in numbers


def _matches_weekday(rule: RecurrenceRule, day: date) -> bool:
    numbers = [n for n, weekday in rule.weekdays if weekday == day.weekday()]
    if not numbers:
        return False
    if 0 in numbers:
        return True
    if rule.frequency is Frequency.YEARLY and not rule.months:
        position, length = _day_of_year(day), _days_in_year(day.year)
    else:
        position, length = day.day, monthrange(day.year, day.month)[1]
    return (position - 1) // 7 + 1 in numbers or -((length - position) // 7 + 1) in numbers


def _matches_week(rule: RecurrenceRule, day: date) -> bool:
    """Week 1 is the first with at least four days in the year; a day may be of a week of the next year."""
    middle = _middle_of_week(day, rule.week_start)
    last = _middle_of_week(date(middle.year, 12, 28), rule.week_start)
    return _is_nth(rule.week_numbers, _week(middle), _week(last))


def _middle_of_week(day: date, week_start: int) -> date:
    """The fourth day of its week, which lies in the year that the week belongs to."""
    return day - timedelta(days=(day.weekday() - week_start) % 7 - 3)


def _week(middle: date) -> int:
    return (_day_of_year(middle) - 1) // 7 + 1


def _day_of_year(day: date) -> int:
    return day.toordinal() - date(day.year, 1, 1).toordinal() + 1


def _days_in_year(year: int) -> int:
    return 366 if isleap(year) else 365
