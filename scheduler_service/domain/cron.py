"""Cron expressions on the clock on the wall: naive datetimes of whole seconds, no zone, no daylight saving.

`cron_fields` splits an expression, croniter reads names, numbers and ranges, `cron_days` knows what L, W and
# mean in a month, `cron_dates` and `times_of_day` search and count. `daylight` maps readings to instants.

What products disagree about:

- When both day fields are restricted a day matches by either, as in Vixie cron. There a field that starts
  with `*`, such as `*/2`, counts as unrestricted, and so does `?`: then both must match. Under `DayMatch.AND`
  they always must.
- `a/n` is every n-th value from a to the field's last, as in Quartz and robfig/cron: `50/5` is 50,55.
- `a-a` is a. A range may wrap where values go round: `22-2`, `NOV-FEB`, `FRI-MON`; steps count on from its
  first value, so `23-3/2` is 23,1,3. Days of the month and years do not go round: `28-3` is refused.
- `0-7` as day of week is every day, any other 7 is 0, Sunday: `5-7` is Friday to Sunday.
- In a month without that day, `31W` and `L-30` do not match.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from operator import and_, or_
from typing import ClassVar, Final

from croniter import CroniterError, croniter

from scheduler_service.domain.cron_dates import FIRST_YEAR, LAST_YEAR, Dates
from scheduler_service.domain.cron_days import SHAPES, DaysOfMonth, DaysOfWeek
from scheduler_service.domain.cron_every import every
from scheduler_service.domain.cron_fields import (
    DAY_OF_MONTH,
    DAY_OF_WEEK,
    FIELDS,
    HOUR,
    MINUTE,
    MONTH,
    SECOND,
    YEAR,
    Field,
    Fields,
    invalid,
    split,
)
from scheduler_service.domain.cron_hash import is_hashed, resolve
from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.spec import CronSpec, DayMatch
from scheduler_service.domain.times_of_day import TimesOfDay

__all__ = ["LAST_YEAR", "Cron", "every", "parse", "uses_hash"]

_SECOND: Final = timedelta(seconds=1)
_DAY: Final = timedelta(days=1)
_PART: Final = re.compile(
    r"(?:\*|(?P<first>\d{1,4}|[A-Z]{3})(?:-(?P<last>\d{1,4}|[A-Z]{3}))?)(?:/(?P<step>\d+))?"
)
_BEFORE_LAST: Final = re.compile(r"L(?:-(\d{1,2}))?")
_NEAREST: Final = re.compile(r"(\d{1,2})W")
_NTH: Final = re.compile(r"(\d|[A-Z]{3})#(\d)")
_LAST: Final = re.compile(r"(\d|[A-Z]{3})L")


class _Reader(croniter):  # type: ignore[misc]
    """croniter, with years to 2199."""

    RANGES: ClassVar = (*croniter.RANGES[:6], (YEAR.first, YEAR.last))
    LEN_MEANS_ALL: ClassVar = (*croniter.LEN_MEANS_ALL[:6], len(YEAR.values))


@dataclass(frozen=True, slots=True)
class Cron:
    """A parsed expression."""

    times: TimesOfDay
    dates: Dates
    follows_elapsed_time: bool
    """Whether the hour field starts with `*`."""

    def at_or_after(self, wall: datetime) -> datetime | None:
        """The first matching reading that is not before `wall`; None when none follows by the year 8999."""
        moment = wall.replace(microsecond=0) + _SECOND if wall.microsecond else wall
        today = moment.date()
        if today in self.dates:
            found = self.times.at_or_after(moment.time())
            if found is not None:
                return datetime.combine(today, found)
        if today.year > LAST_YEAR:
            return None
        day = self.dates.at_or_after(today + _DAY)
        return None if day is None else datetime.combine(day, self.times.first)

    def at_or_before(self, wall: datetime) -> datetime | None:
        """The last matching reading that is not after `wall`; None when there was none since 1900."""
        today = wall.date()
        if today in self.dates:
            found = self.times.at_or_before(wall.time())
            if found is not None:
                return datetime.combine(today, found)
        if today.year < FIRST_YEAR:
            return None
        day = self.dates.at_or_before(today - _DAY)
        return None if day is None else datetime.combine(day, self.times.last)

    def count(self, after: datetime, until: datetime) -> int:
        """Matching readings in (after, until]."""
        if until <= after:
            return 0
        days = self.dates.count(after.date(), until.date())
        return days * len(self.times) + self._rank(until) - self._rank(after)

    def _rank(self, wall: datetime) -> int:
        """Matching readings of wall's day that are not after it."""
        return self.times.rank(wall.time()) if wall.date() in self.dates else 0


def parse(spec: CronSpec, seed: str = "") -> Cron:
    """Reads an expression; `seed` is what `H` hashes. Raises InvalidSchedule with the field and the rule."""
    fields = resolved(spec, seed)
    return _cron(fields, needs_both_days(fields, spec.day_match))


def uses_hash(spec: CronSpec) -> bool:
    """Whether the expression contains an `H`. Raises InvalidSchedule for a wrong number of fields."""
    return every(spec.expression) is None and any(map(is_hashed, split(spec.expression, spec.seconds)))


def resolved(spec: CronSpec, seed: str) -> Fields:
    """The fields, with numbers in place of every `H`."""
    fields = split(spec.expression, spec.seconds)
    if not any(map(is_hashed, fields)):
        return fields
    texts = zip(FIELDS, fields, strict=True)
    return Fields._make(resolve(field, text, seed, _span) for field, text in texts)


def needs_both_days(fields: Fields, match: DayMatch) -> bool:
    """Whether a day must match day of month and day of week; else one of them is enough."""
    unrestricted = any(text.startswith(("*", "?")) for text in (fields.day_of_month, fields.day_of_week))
    return unrestricted or match is DayMatch.AND


@lru_cache(maxsize=8192)
def _cron(fields: Fields, both: bool) -> Cron:
    return Cron(
        times=TimesOfDay(
            hours=values(HOUR, fields.hour),
            minutes=values(MINUTE, fields.minute),
            seconds=values(SECOND, fields.second),
        ),
        dates=_dates(fields[3:], both),
        follows_elapsed_time=fields.hour.startswith("*"),
    )


@lru_cache(maxsize=2048)
def _dates(fields: tuple[str, ...], both: bool) -> Dates:
    """The dates that match. Refuses what can never match, such as 31 February."""
    of_month, month, of_week, year = fields
    by_month, by_week = days_of_month(of_month), days_of_week(of_week)
    months = values(MONTH, month)
    years = None if year == "*" else frozenset(values(YEAR, year))
    join = and_ if both else or_
    days = {shape: join(by_month.mask(shape), by_week.mask(shape)) for shape in SHAPES}
    dates = Dates(days, months, years)
    if dates:
        return dates
    if not Dates({shape: by_month.mask(shape) for shape in SHAPES}, months, None):
        raise invalid(f"never matches: month {month!r} has no day of month {of_month!r}")
    if not Dates(days, months, None):
        raise invalid(
            f"never matches: day of month {of_month!r} is never day of week {of_week!r} in month {month!r}"
        )
    raise invalid(f"never matches in year {year!r}")


def days_of_month(text: str) -> DaysOfMonth:
    """Raises InvalidSchedule for what cannot be read."""
    days: list[int] = []
    before_last: list[int] = []
    nearest: list[int] = []
    last_weekday = False
    for part in _parts(text):
        if part == "LW":
            last_weekday = True
        elif match := _BEFORE_LAST.fullmatch(part):
            before_last.append(_within(DAY_OF_MONTH, part, int(match[1] or 0), range(31)))
        elif match := _NEAREST.fullmatch(part):
            nearest.append(_within(DAY_OF_MONTH, part, int(match[1]), DAY_OF_MONTH.values))
        else:
            days += _ordinary(DAY_OF_MONTH, part)
    return DaysOfMonth(_unique(days), _unique(before_last), _unique(nearest), last_weekday)


def days_of_week(text: str) -> DaysOfWeek:
    """Raises InvalidSchedule for what cannot be read."""
    days: list[int] = []
    nth: list[tuple[int, int]] = []
    last: list[int] = []
    for part in _parts(text):
        if match := _NTH.fullmatch(part):
            nth.append(
                (_value(DAY_OF_WEEK, match[1]), _within(DAY_OF_WEEK, part, int(match[2]), range(1, 6)))
            )
        elif match := _LAST.fullmatch(part):
            last.append(_value(DAY_OF_WEEK, match[1]))
        else:
            days += _ordinary(DAY_OF_WEEK, part)
    return DaysOfWeek(_unique(days), tuple(sorted(set(nth))), _unique(last))


@lru_cache(maxsize=8192)
def values(field: Field, text: str) -> tuple[int, ...]:
    """The sorted values of a field that is no day field. Raises InvalidSchedule for what cannot be read."""
    return _unique(value for part in text.split(",") for value in _ordinary(field, part))


def _parts(text: str) -> list[str]:
    """Of a day field."""
    return ["*"] if text == "?" else text.split(",")


def _ordinary(field: Field, part: str) -> Sequence[int]:
    """The values of a number, name, range or step, in the order in which it counts them."""
    form = _PART.fullmatch(part)
    if form is None:
        raise _unreadable(field, part)
    step = form["step"] and _within(field, part, int(form["step"]), range(1, len(field.values) + 1))
    if form["first"] is None:
        return field.values[:: step or 1]
    if form["last"] is None:
        first = _value(field, form["first"])
        return range(first, field.last + 1, step) if step else (first,)
    return _span(field, form["first"], form["last"])[:: step or 1]


@lru_cache(maxsize=1024)
def _span(field: Field, first: str, last: str) -> Sequence[int]:
    """The values from the first to the last one, as they are written."""
    low, high = _value(field, first), _value(field, last)
    if low == high:
        return field.values if (first, last) == ("0", "7") else (low,)
    if low > high and not field.wraps:
        raise invalid(f"{field.name} '{first}-{last}' runs backwards")
    found = _read(field, f"{first}-{last}")
    start = found.index(low)
    return (*found[start:], *found[:start])


def _value(field: Field, text: str) -> int:
    """Of a number or a name."""
    return _read(field, text)[0]


def _read(field: Field, text: str) -> Sequence[int]:
    """What croniter reads in a field: sorted values."""
    columns = ["*"] * len(FIELDS)
    columns[field.column] = text
    try:
        found = _Reader.expand(" ".join(columns))[0][field.column]
    except CroniterError as error:
        raise _unreadable(field, text) from error
    return field.values if found == ["*"] else found


def _within(field: Field, part: str, number: int, allowed: range) -> int:
    if number not in allowed:
        raise invalid(f"{field.name} {part!r}: {number} is not within {allowed[0]}-{allowed[-1]}")
    return number


def _unreadable(field: Field, text: str) -> InvalidSchedule:
    if re.match(r"R(\(|/|$)", text):
        return invalid(f"{field.name} {text!r}: R would choose anew at every reading; H chooses once")
    return invalid(f"{field.name} {text!r} cannot be read; allowed are {field.allowed}")


def _unique(found: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted(set(found)))
