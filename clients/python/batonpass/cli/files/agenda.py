"""Agendas in iCalendar files (RFC 5545) as the periods of a calendar."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import islice
from typing import Any, Final

from icalendar import Calendar, Component, Event
from recurring_ical_events import of  # type: ignore[import-untyped]

from batonpass.scheduler.v1.calendar_service_pb2 import CalendarPeriod

MOST: Final = 2000
"""Most periods that a calendar has."""

_LONGEST_NAME: Final = 200
_TOO_OFTEN: Final = {"SECONDLY", "MINUTELY"}

_SLACK: Final = timedelta(days=1)
"""Events are found by the readings of their own clocks, which are less than a day from one another."""

_PART: Final = timedelta(days=92)


class Agenda:
    """The calendars of an iCalendar file. Raises ValueError for what is none, or cannot be read as meant."""

    def __init__(self, data: bytes) -> None:
        components = Calendar.from_ical(data, multiple=True)
        self._calendars = [each for each in components if each.name == "VCALENDAR"]
        if not self._calendars:
            raise ValueError("there is no VCALENDAR in it")
        for calendar in self._calendars:
            for event in calendar.walk("VEVENT"):
                _check(event)
        self._queries = [of(calendar) for calendar in self._calendars]

    @property
    def time_zone(self) -> str:
        """The zone that it is for, as most programs write it; empty when it does not say."""
        return next((str(each["X-WR-TIMEZONE"]) for each in self._calendars if "X-WR-TIMEZONE" in each), "")

    def periods(self, since: datetime, until: datetime, where: tzinfo) -> list[CalendarPeriod]:
        """The events that end after `since` and begin before `until`, earliest first.

        Days and times without a zone are read in `where`. Cancelled events and those without a length are
        left out. Raises ValueError when there are more than MOST.
        """
        found = list(islice(self._periods(since, until, where), MOST + 1))
        if len(found) > MOST:
            raise ValueError(f"it has more than {MOST} events until then, more than a calendar can hold")
        return sorted(found, key=lambda period: period.from_time.ToDatetime())

    def _periods(self, since: datetime, until: datetime, where: tzinfo) -> Iterator[CalendarPeriod]:
        """Part by part, so that what repeats without end is not taken to the end."""
        seen: set[tuple[str, datetime, datetime]] = set()
        start = since - _SLACK
        while start < until + _SLACK:
            part = min(_PART, until + _SLACK - start)
            for event in self._events(start, start + part):
                first, last = _instant(event.start, where), _instant(event.end, where)
                found = (str(event.get("UID", "")), first, last)
                if max(first, since) < min(last, until) and found not in seen and not _is_cancelled(event):
                    seen.add(found)
                    yield _period(event, first, last)
            start += part

    def _events(self, start: datetime, end: datetime) -> Iterator[Any]:
        for calendar in self._queries:
            yield from calendar.between(start, end)


def _check(event: Component) -> None:
    name = _name(event) or str(event.get("UID", "an event"))
    if "DTSTART" not in event:
        raise ValueError(f"{name!r} does not say when it begins")
    for value in (*_values(event, "DTSTART"), *_values(event, "DTEND")):
        zone = value.params.get("TZID")
        if zone and isinstance(value.dt, datetime) and value.dt.tzinfo is None:
            raise ValueError(f"{name!r} is in the time zone {zone!r}, which is not known")
    if any(_TOO_OFTEN & set(rule.get("FREQ", ())) for rule in _values(event, "RRULE")):
        raise ValueError(f"{name!r} comes every minute or more often: use a window of a calendar for that")


def _values(event: Component, field: str) -> list[Any]:
    """What is there once is no list."""
    value = event.get(field, [])
    return value if isinstance(value, list) else [value]


def _is_cancelled(event: Event) -> bool:
    return str(event.get("STATUS", "")).upper() == "CANCELLED"


def _instant(at: date, where: tzinfo) -> datetime:
    """When the clock first shows it; a day stands for its midnight."""
    reading = at if isinstance(at, datetime) else datetime.combine(at, time())
    return (reading if reading.tzinfo is not None else reading.replace(tzinfo=where)).astimezone(UTC)


def _name(event: Component) -> str:
    return " ".join(str(event.get("SUMMARY", "")).split())[:_LONGEST_NAME]


def _period(event: Event, first: datetime, last: datetime) -> CalendarPeriod:
    made = CalendarPeriod(name=_name(event))
    made.from_time.FromDatetime(first)
    made.until_time.FromDatetime(last)
    return made
