"""Agendas in iCalendar files (RFC 5545) as the periods of a calendar."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, tzinfo
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from batonpass.scheduler.v1.calendar_service_pb2 import CalendarPeriod

if TYPE_CHECKING:
    from icalendar import Calendar, Event

MOST: Final = 2000
"""Most periods that a calendar has."""

_NAME: Final = 200
_TOO_OFTEN: Final = ("SECONDLY", "MINUTELY")


class Span(NamedTuple):
    """From an instant to another one, which is not part of it; UTC."""

    start: datetime
    until: datetime


class Agenda:
    """The calendars of an iCalendar file. Raises ValueError for what is none; ImportError without `ics`."""

    def __init__(self, data: bytes) -> None:
        from icalendar import Calendar

        self._calendars: list[Calendar] = Calendar.from_ical(data, multiple=True)
        if not any(each.name == "VCALENDAR" for each in self._calendars):
            raise ValueError("it holds no VCALENDAR")
        for event in self._events():
            _check(event)

    @property
    def time_zone(self) -> str:
        """The zone that the file is for, as common programs say it; empty when it does not."""
        return next((str(each["X-WR-TIMEZONE"]) for each in self._calendars if "X-WR-TIMEZONE" in each), "")

    def periods(self, within: Span, where: tzinfo) -> list[CalendarPeriod]:
        """The events that end after the start of `within` and begin before its end, earliest first.

        Days and times without a zone are read in `where`. Cancelled events and those without a length are
        left out. Raises ValueError for more than MOST.
        """
        found = list(islice(self._periods(within, where), MOST + 1))
        if len(found) > MOST:
            raise ValueError(f"it holds more than {MOST} events by then, and a calendar that many periods")
        return sorted(found, key=lambda period: period.from_time.ToDatetime())

    def _periods(self, within: Span, where: tzinfo) -> Iterator[CalendarPeriod]:
        from recurring_ical_events import of

        for calendar in self._calendars:
            for event in of(calendar).after(within.start):
                span = Span(_instant(event.start, where), _instant(event.end, where))
                if span.start >= within.until:
                    break
                if _counts(event) and span.start < span.until and span.until > within.start:
                    yield _period(event, span)

    def _events(self) -> "Iterator[Event]":
        for calendar in self._calendars:
            yield from calendar.walk("VEVENT")


def _check(event: "Event") -> None:
    """Raises ValueError for what cannot be read as it was meant."""
    name = event.get("SUMMARY", event.get("UID", "an event"))
    if "DTSTART" not in event:
        raise ValueError(f"{name} does not say when it begins (DTSTART)")
    for field in ("DTSTART", "DTEND"):
        value = event.get(field)
        zone = value.params.get("TZID") if value is not None else None
        if zone and isinstance(value.dt, datetime) and value.dt.tzinfo is None:
            raise ValueError(f"{name} is in the time zone {zone!r}, which nobody knows")
    rules = event.get("RRULE", [])
    for rule in rules if isinstance(rules, list) else [rules]:
        if set(rule.get("FREQ", ())) & set(_TOO_OFTEN):
            raise ValueError(f"{name} comes every minute or more often; use a window of a calendar for that")


def _counts(event: "Event") -> bool:
    return str(event.get("STATUS", "")).upper() != "CANCELLED"


def _instant(at: date, where: tzinfo) -> datetime:
    """A day begins when the clock shows its midnight, or the first reading after a gap there."""
    reading = at if isinstance(at, datetime) else datetime.combine(at, time())
    return (reading if reading.tzinfo is not None else reading.replace(tzinfo=where)).astimezone(UTC)


def _period(event: Any, span: Span) -> CalendarPeriod:
    made = CalendarPeriod(name=" ".join(str(event.get("SUMMARY", "")).split())[:_NAME])
    made.from_time.FromDatetime(span.start)
    made.until_time.FromDatetime(span.until)
    return made
