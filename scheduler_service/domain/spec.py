"""When a schedule comes due, as it was asked for; `timetable` works out the instants."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum


class SecondsField(IntEnum):
    """Where a cron expression of six fields has its seconds."""

    NONE = 0
    FIRST = 1
    LAST = 2


@dataclass(frozen=True, slots=True)
class CronSpec:
    """By the calendar, in the schedule's time zone."""

    expression: str
    seconds: SecondsField = SecondsField.NONE


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
class EventSpec:
    """Every event of one type, compared as a whole."""

    type: str


@dataclass(frozen=True, slots=True)
class UnreadableSpec:
    """A stored specification of a kind that this version does not know."""

    kind: int


Spec = CronSpec | IntervalSpec | OneShotSpec | EventSpec | UnreadableSpec
