"""What a calendar must satisfy before it is stored, beyond the rules written in the protos."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from itertools import islice
from typing import Final

from scheduler_service.domain.calendar import CalendarDefinition, CalendarRules, Holidays, Period
from scheduler_service.domain.coverage import openings
from scheduler_service.domain.daylight import REACH, is_within_reach
from scheduler_service.domain.errors import InvalidCalendar, InvalidSchedule
from scheduler_service.domain.holidays import countries
from scheduler_service.domain.zones import zone

MOST_OPENINGS: Final = 1500
"""Most times a year that the windows of a calendar open; it is listed by the year."""

_FIELDS: Final = 5


def check_calendar(definition: CalendarDefinition) -> None:
    """Raises InvalidCalendar with the path of the field within the calendar."""
    rules = definition.rules
    with _as_calendar():
        zone(rules.time_zone)
    for place, text in enumerate(rules.dates):
        _check_date(text, f"dates[{place}]")
    _check_windows(rules)
    for place, which in enumerate(rules.holidays):
        _check_holidays(which, f"holidays[{place}].")
    for place, period in enumerate(rules.periods):
        _check_period(period, f"periods[{place}].")


def _check_date(text: str, field: str) -> None:
    try:
        # A leap year, so that 02-29 is a day.
        date.fromisoformat(text if len(text) == len("YYYY-MM-DD") else f"2028-{text}")
    except ValueError:
        raise InvalidCalendar(field, f"{text!r} is no day of the calendar") from None


def _check_windows(rules: CalendarRules) -> None:
    left = MOST_OPENINGS
    for place, window in enumerate(rules.windows):
        field = f"windows[{place}].cron"
        if len(window.cron.split()) != _FIELDS and not window.cron.lstrip().startswith("@"):
            raise InvalidCalendar(field, "must have five fields: minute hour day month weekday")
        with _as_calendar(field):
            left -= sum(1 for _ in islice(openings(window, rules.time_zone), left + 1))
        if left < 0:
            rule = f"windows may open at most {MOST_OPENINGS} times a year together; use fewer, longer ones"
            raise InvalidCalendar(field, rule)


def _check_holidays(which: Holidays, prefix: str) -> None:
    parts = countries().get(which.country)
    if parts is None:
        rule = f"no holidays are known for {which.country!r}; use an ISO 3166-1 code such as DE or US"
        raise InvalidCalendar(f"{prefix}country", rule)
    if which.subdivision and which.subdivision not in parts:
        known = f"those of {which.country} are {', '.join(parts)}" if parts else f"{which.country} has none"
        raise InvalidCalendar(f"{prefix}subdivision", f"{which.subdivision!r} is not known: {known}")


def _check_period(period: Period, prefix: str) -> None:
    for field, instant in (("from_time", period.start), ("until_time", period.until)):
        if not is_within_reach(instant):
            raise InvalidCalendar(f"{prefix}{field}", REACH)
    if period.until <= period.start:
        raise InvalidCalendar(f"{prefix}until_time", "must be later than from_time")


@contextmanager
def _as_calendar(field: str = "") -> Iterator[None]:
    try:
        yield
    except InvalidSchedule as error:
        raise InvalidCalendar(field or error.field, error.rule) from error
