"""The specifications of when a schedule comes due, as they were asked for; `timing` puts them together."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum


class SecondsField(IntEnum):
    """Where a cron expression has its seconds; with NONE, one of seven fields has them first."""

    NONE = 0
    FIRST = 1
    LAST = 2


class DayMatch(IntEnum):
    """How day of month and day of week work together when both are restricted; DEFAULT is OR."""

    DEFAULT = 0
    OR = 1
    AND = 2


class CalendarUnit(IntEnum):
    """Unit of a calendar interval. Numbered as on the wire."""

    DAY = 1
    WEEK = 2
    MONTH = 3
    YEAR = 4


@dataclass(frozen=True, slots=True)
class CronSpec:
    """By the calendar, in the schedule's time zone."""

    expression: str
    seconds: SecondsField = SecondsField.NONE
    day_match: DayMatch = DayMatch.DEFAULT


@dataclass(frozen=True, slots=True)
class IntervalSpec:
    """The instants `epoch + phase + n * every`; both in whole milliseconds, 0 <= phase <= every."""

    every: timedelta
    phase: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class OneShotSpec:
    """One instant, UTC."""

    at: datetime


@dataclass(frozen=True, slots=True)
class CalendarIntervalSpec:
    """The readings `start + n * every` units, n >= 0, on the clock of the schedule's zone."""

    every: int
    unit: CalendarUnit
    start: datetime
    """Naive, whole seconds."""


@dataclass(frozen=True, slots=True)
class RecurrenceSpec:
    """A recurrence rule of RFC 5545 on the clock of the schedule's zone."""

    rule: str
    start: datetime
    """DTSTART: naive, whole seconds."""


@dataclass(frozen=True, slots=True)
class EventBatch:
    """One fire for up to `max_events` events, at the latest `max_wait` after the first of them."""

    max_events: int
    max_wait: timedelta


@dataclass(frozen=True, slots=True)
class EventSpec:
    """Events of a type that meet a pattern, and what becomes of many at once."""

    type: str
    """`*` stands for any characters."""
    pattern: str = ""
    """Content pattern, JSON; empty for every event."""
    cel: str = ""
    debounce: timedelta | None = None
    throttle: timedelta | None = None
    batch: EventBatch | None = None
    payload_template: str = ""


@dataclass(frozen=True, slots=True)
class UnreadableSpec:
    """A stored specification that this version does not know."""

    reason: str


TimeSpec = CronSpec | IntervalSpec | OneShotSpec | CalendarIntervalSpec | RecurrenceSpec
"""What yields instants."""

Spec = TimeSpec | EventSpec | UnreadableSpec
