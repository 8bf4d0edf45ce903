"""Calendars: named sets of time, as they were asked for. `coverage` says which instants they are."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

NamedRules = tuple[str, "CalendarRules"]
"""Id and rules of a calendar."""


@dataclass(frozen=True, slots=True)
class CalendarWindow:
    """From each reading of a cron expression on, for so long by elapsed time."""

    cron: str
    duration: timedelta


@dataclass(frozen=True, slots=True)
class Holidays:
    """The public holidays of a country (ISO 3166-1), or of a part of it (ISO 3166-2 without the country)."""

    country: str
    subdivision: str = ""


@dataclass(frozen=True, slots=True)
class Period:
    """From an instant to another one, which is not part of it; UTC."""

    start: datetime
    until: datetime
    name: str = ""


@dataclass(frozen=True, slots=True)
class Blackout:
    """What the queue holds while a calendar lasts; empty means every queue, every handler."""

    queue: str = ""
    handler: str = ""
    allow_priority: int = 0
    """Tasks of this priority or above start all the same; 0 = none."""


@dataclass(frozen=True, kw_only=True)
class CalendarRules:
    """The union of everything in it; days and windows are read in `time_zone`."""

    time_zone: str = "UTC"
    dates: tuple[str, ...] = ()
    """Whole days, `YYYY-MM-DD`, or `MM-DD` for every year."""
    windows: tuple[CalendarWindow, ...] = ()
    holidays: tuple[Holidays, ...] = ()
    periods: tuple[Period, ...] = ()

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        """Once: there may be thousands of dates, and caches ask each time."""
        return hash((self.time_zone, self.dates, self.windows, self.holidays, self.periods))


@dataclass(frozen=True, kw_only=True)
class CalendarDefinition:
    """What a caller decides about a calendar."""

    rules: CalendarRules
    description: str = ""
    blackout: Blackout | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """A calendar as stored."""

    namespace: str
    calendar_id: str
    definition: CalendarDefinition
    version: int
    """Rises with every change; 1 = as created."""
    created_at: datetime
    updated_at: datetime
