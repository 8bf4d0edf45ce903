"""The instants of a specification. Engine, preview and catch-up all ask here and nowhere else."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final, Protocol, assert_never

from scheduler_service.domain import cron
from scheduler_service.domain.daylight import ELAPSED, FIXED, OnTheWall, rule
from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.interval import Interval
from scheduler_service.domain.spec import (
    CalendarIntervalSpec,
    CronSpec,
    EventSpec,
    IntervalSpec,
    OneShotSpec,
    RecurrenceSpec,
    Spec,
    UnreadableSpec,
)
from scheduler_service.domain.timing import Timing
from scheduler_service.domain.zones import Zone, zone

REMEMBERED: Final = 8


class Timetable(Protocol):
    """A set of instants. `next_after` and `previous_at_or_before` walk the same set."""

    def next_after(self, instant: datetime) -> datetime | None:
        """The first one later than `instant`; None when no more follow."""
        ...

    def previous_at_or_before(self, instant: datetime) -> datetime | None:
        """The last one not later than `instant`; None when there was none."""
        ...

    def count(self, after: datetime, until: datetime) -> int | None:
        """How many there are in (after, until]; None when they are too many to count."""
        ...


@dataclass(frozen=True, slots=True)
class Once:
    """One instant, or none at all."""

    at: datetime | None

    def next_after(self, instant: datetime) -> datetime | None:
        """The instant, if it is yet to come."""
        return self.at if self.at is not None and self.at > instant else None

    def previous_at_or_before(self, instant: datetime) -> datetime | None:
        """The instant, if it has come."""
        return self.at if self.at is not None and self.at <= instant else None

    def count(self, after: datetime, until: datetime) -> int | None:
        """1 or 0."""
        return int(self.at is not None and after < self.at <= until)


class Remembered:
    """Keeps the last answers of `next_after`: schedules that share a timetable come due together."""

    def __init__(self, table: Timetable) -> None:
        self._table = table
        self._answers: dict[datetime, datetime | None] = {}

    def next_after(self, instant: datetime) -> datetime | None:
        """The first one later than `instant`; None when no more follow."""
        if instant not in self._answers:
            if len(self._answers) >= REMEMBERED:
                self._answers.clear()
            self._answers[instant] = self._table.next_after(instant)
        return self._answers[instant]

    def previous_at_or_before(self, instant: datetime) -> datetime | None:
        """The last one not later than `instant`; None when there was none."""
        return self._table.previous_at_or_before(instant)

    def count(self, after: datetime, until: datetime) -> int | None:
        """How many there are in (after, until]; None when they are too many to count."""
        return self._table.count(after, until)


@lru_cache(maxsize=8192)
def timetable(timing: Timing, seed: str = "") -> Timetable:
    """The instants of `timing`; events have none. `seed` (the schedule's id) chooses the values of `H`.

    Raises InvalidSchedule for what cannot be read.
    """
    where = zone(timing.time_zone)
    return _of_spec(timing.specs[0], timing, where)


def _of_spec(spec: Spec, timing: Timing, where: Zone) -> Timetable:
    match spec:
        case CronSpec():
            parsed = cron.parse(spec)
            auto = ELAPSED if parsed.follows_elapsed_time else FIXED
            return Remembered(OnTheWall(parsed, where, rule(timing.gap, timing.fold, auto)))
        case IntervalSpec():
            return Interval(spec)
        case OneShotSpec():
            return Once(spec.at)
        case EventSpec():
            return Once(None)
        case CalendarIntervalSpec() | RecurrenceSpec():
            raise InvalidSchedule("kind", "calendar intervals and recurrence rules are not supported")
        case UnreadableSpec():
            raise InvalidSchedule("kind", f"is not known to this version: {spec.reason}")
        case _:
            assert_never(spec)
