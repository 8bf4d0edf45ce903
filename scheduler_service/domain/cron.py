"""Cron expressions on the clock on the wall: naive datetimes of whole seconds, no zone, no daylight saving.

croniter reads the fields and decides which days match; the times of a day are the product of three small
sets, so a search costs microseconds and a count is arithmetic. `daylight` maps wall readings to instants.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from croniter import CroniterError, croniter

from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.spec import CronSpec, SecondsField
from scheduler_service.domain.times_of_day import TimesOfDay

LONGEST_EXPRESSION: Final = 256
LAST_YEAR: Final = 8999
MAX_DAYS_COUNTED: Final = 4000
"""`count` gives up beyond this many matching days (11 years of every day), since it visits each of them."""

_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)
_EXAMPLE_DAY = date(2000, 1, 1)
_ALIASES: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_EQUAL_RANGE = re.compile(r"^(\w+)-\1(/\d+)?$")
_LAST_WEEKDAY = re.compile(r"L\d")
_HASHED = re.compile(r"^[hr](\(|/|$)", re.IGNORECASE)


class _Field(NamedTuple):
    name: str
    allowed: str
    first: int
    last: int


_MINUTE = _Field("minute", "0-59", 0, 59)
_HOUR = _Field("hour", "0-23", 0, 23)
_SECONDS = _Field("second", "0-59", 0, 59)
_FIELDS: Final = (
    _MINUTE,
    _HOUR,
    _Field("day of month", "1-31", 1, 31),
    _Field("month", "1-12 or JAN-DEC", 1, 12),
    _Field("day of week", "0-7 (0 and 7 are Sunday) or SUN-SAT", 0, 7),
    _SECONDS,
)


@dataclass(frozen=True, slots=True)
class Cron:
    """A parsed expression."""

    times: TimesOfDay
    days: str
    """Day-of-month, month and day-of-week fields; `* * *` is every day."""
    follows_elapsed_time: bool
    """Whether the hour field starts with `*`."""

    def at_or_after(self, wall: datetime) -> datetime | None:
        """The first matching reading that is not before `wall`; None past the year 8999."""
        moment = _round_up(wall)
        if self._matches_day(moment.date()):
            found = self.times.at_or_after(moment.time())
            if found is not None:
                return datetime.combine(moment.date(), found)
        day = self._day_from(moment.date() + _DAY)
        return None if day is None else datetime.combine(day, self.times.first)

    def at_or_before(self, wall: datetime) -> datetime | None:
        """The last matching reading that is not after `wall`; None when there was none for 50 years."""
        moment = wall.replace(microsecond=0)
        if self._matches_day(moment.date()):
            found = self.times.at_or_before(moment.time())
            if found is not None:
                return datetime.combine(moment.date(), found)
        day = self._day_until(moment.date() - _DAY)
        return None if day is None else datetime.combine(day, self.times.last)

    def count(self, after: datetime, until: datetime) -> int | None:
        """Matching readings in (after, until]; None when that would visit over `MAX_DAYS_COUNTED` days."""
        if until <= after:
            return 0
        days = self._count_days(after.date(), until.date())
        if days is None:
            return None
        return days * len(self.times) + self._rank(until) - self._rank(after)

    def _rank(self, wall: datetime) -> int:
        """Matching readings of wall's day that are not after it."""
        return self.times.rank(wall.time()) if self._matches_day(wall.date()) else 0

    def _count_days(self, first: date, end: date) -> int | None:
        """Matching days in [first, end)."""
        if self.days == "* * *":
            return (end - first).days
        count, day = 0, self._day_from(first)
        while day is not None and day < end:
            count += 1
            if count > MAX_DAYS_COUNTED:
                return None
            day = self._day_from(day + _DAY)
        return count

    def _matches_day(self, day: date) -> bool:
        return self.days == "* * *" or self._day_from(day) == day

    def _day_from(self, day: date) -> date | None:
        if day.year > LAST_YEAR:
            return None
        return day if self.days == "* * *" else _first_day_from(self.days, day)

    def _day_until(self, day: date) -> date | None:
        return day if self.days == "* * *" else _last_day_until(self.days, day)


def parse(spec: CronSpec) -> Cron:
    """Reads an expression. Raises InvalidSchedule with the field and the rule that it breaks."""
    return _parse(spec.expression, spec.seconds)


@lru_cache(maxsize=4096)
def _parse(expression: str, seconds: SecondsField) -> Cron:
    fields = _split(expression, seconds)
    values = [_values(field, text) for field, text in zip(_FIELDS, fields, strict=True)]
    days = " ".join("*" if _is_any(text) else text for text in fields[2:5])
    _require_a_day(days)
    return Cron(
        times=TimesOfDay(hours=values[1], minutes=values[0], seconds=values[5]),
        days=days,
        follows_elapsed_time=fields[1].startswith("*"),
    )


def _split(expression: str, seconds: SecondsField) -> list[str]:
    """Minute, hour, day of month, month, day of week, second."""
    if len(expression) > LONGEST_EXPRESSION:
        raise _invalid(f"is longer than {LONGEST_EXPRESSION} characters")
    if not expression.isascii():
        raise _invalid("contains characters other than ASCII")
    fields = _unalias(expression.strip()).split()
    if seconds is SecondsField.NONE:
        if len(fields) != 5:
            raise _invalid(
                f"has {len(fields)} fields, expected 5: minute, hour, day of month, month, day of week"
                + (" (for six, say whether the seconds stand first or last)" if len(fields) == 6 else "")
            )
        return [*fields, "0"]
    if len(fields) != 6:
        raise _invalid(f"has {len(fields)} fields, expected 6: the seconds field was asked for")
    return fields if seconds is SecondsField.LAST else [*fields[1:], fields[0]]


def _unalias(expression: str) -> str:
    if not expression.startswith("@"):
        return expression
    try:
        return _ALIASES[expression.lower()]
    except KeyError:
        raise _invalid(f"{expression!r} is not one of {', '.join(_ALIASES)}") from None


def _values(field: _Field, text: str) -> tuple[int, ...]:
    """The sorted values that a field names; for day fields only good to see that it can be read."""
    for part in text.split(","):
        _refuse_traps(field, part)
    try:
        expanded, _ = croniter.expand(_alone(field, text))
    except (CroniterError, ValueError, KeyError, IndexError, TypeError) as error:
        raise _invalid(f"{field.name} {text!r} cannot be read; allowed are {field.allowed}") from error
    values = expanded[_FIELDS.index(field)]
    if "*" in values:
        return tuple(range(field.first, field.last + 1))
    return tuple(sorted(value for value in values if isinstance(value, int)))


def _alone(field: _Field, text: str) -> str:
    """An expression in which only this field says anything."""
    return " ".join(text if field is other else "*" for other in _FIELDS)


def _refuse_traps(field: _Field, part: str) -> None:
    """What croniter accepts with a meaning that nobody expects."""
    if _EQUAL_RANGE.match(part):
        raise _invalid(f"{field.name} {part!r} is a range from a value to itself; write the value alone")
    if _HASHED.match(part):
        raise _invalid(f"{field.name} {part!r}: H and R (a value chosen by the scheduler) are not supported")


def _is_any(text: str) -> bool:
    return "*" in text.split(",") or text == "?"


def _require_a_day(days: str) -> None:
    """Refuses what can never match, such as 31 February, and what croniter reads as neither OR nor AND."""
    of_month, _, of_week = days.upper().split()
    both = of_month != "*" and of_week != "*"
    if both and ("W" in of_month or "#" in of_week or _LAST_WEEKDAY.search(of_week)):
        raise _invalid(
            f"day of month and day of week {days!r}: with W, # or a last weekday only one may be set"
        )
    try:
        croniter.expand(f"0 0 {days}", strict=True)
    except (CroniterError, ValueError) as error:
        reason = str(error).partition("is not acceptable")[2].strip(" .,") or str(error)
        raise _invalid(f"day of month, month and day of week {days!r} cannot be used: {reason}") from error
    if days != "* * *" and _first_day_from(days, _EXAMPLE_DAY) is None:
        raise _invalid(f"day of month, month and day of week {days!r} never match")


@lru_cache(maxsize=1024)
def _days(days: str) -> croniter:
    return croniter(f"0 0 {days}", datetime(2000, 1, 1, tzinfo=UTC))


@lru_cache(maxsize=65536)
def _first_day_from(days: str, day: date) -> date | None:
    before = datetime.combine(day, time(), UTC) - _SECOND
    return _search(days, before, forward=True)


@lru_cache(maxsize=65536)
def _last_day_until(days: str, day: date) -> date | None:
    after = datetime.combine(day, time(), UTC) + _SECOND
    return _search(days, after, forward=False)


def _search(days: str, start: datetime, *, forward: bool) -> date | None:
    search = _days(days).get_next if forward else _days(days).get_prev
    try:
        found: datetime = search(datetime, start_time=start, update_current=False)
    except CroniterError:
        return None
    return found.date()


def _round_up(wall: datetime) -> datetime:
    return wall if wall.microsecond == 0 else wall.replace(microsecond=0) + _SECOND


def _invalid(rule: str) -> InvalidSchedule:
    return InvalidSchedule("expression", rule)
