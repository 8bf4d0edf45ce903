"""The instants of a timing. Engine, preview and catch-up all ask here and nowhere else."""

from datetime import datetime
from functools import lru_cache

from scheduler_service.domain import cron
from scheduler_service.domain.calendar_interval import CalendarInterval
from scheduler_service.domain.daylight import ELAPSED, FIXED, OnTheWall, rule
from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.instants import Once, Remembered, Timetable, Union, Within, Without
from scheduler_service.domain.interval import Interval
from scheduler_service.domain.recurrence import last_instant, recurrence
from scheduler_service.domain.remaining import Remaining
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
from scheduler_service.domain.stretches import Readings, Rule
from scheduler_service.domain.timing import Timing
from scheduler_service.domain.zones import Zone, zone

__all__ = ["Timetable", "timetable"]


def timetable(timing: Timing, seed: str = "") -> Timetable:
    """The instants of `timing`; events have none. `seed` (the schedule's id) chooses the values of `H`.

    Readings on the wall that an exclusion names are taken away before gaps and folds are applied; then no
    instant stays at which the clock shows such a reading, or which an excluded interval or one-shot has.
    Raises InvalidSchedule for what cannot be read, with the field's path in its specification.
    """
    return _timetable(timing, _relevant(seed, timing))


def timetable_in(where: Zone, timing: Timing, seed: str = "") -> Timetable:
    """The instants of `timing` by the rules of `where`, whatever those of its zone are now."""
    return _timetable_in(where, timing, _relevant(seed, timing))


def _relevant(seed: str, timing: Timing) -> str:
    return seed if any(map(_uses_hash, timing.specs + timing.exclusions)) else ""


@lru_cache(maxsize=8192)
def _timetable(timing: Timing, seed: str) -> Timetable:
    return _timetable_in(zone(timing.time_zone), timing, seed)


@lru_cache(maxsize=1024)
def _timetable_in(where: Zone, timing: Timing, seed: str) -> Timetable:
    tables = tuple(_table(spec, timing, seed, where) for spec in timing.specs)
    table = tables[0] if len(tables) == 1 else Union(tables)
    if timing.start is not None or timing.end is not None:
        table = Within(table, timing.start, timing.end)
    return Remembered(table)


def _table(spec: Spec, timing: Timing, seed: str, where: Zone) -> Timetable:
    """The instants of one specification, without the exclusions."""
    table = _elapsed(spec)
    if table is None:
        readings, auto = _readings(spec, seed)
        walls = tuple(_readings(other, seed)[0] for other in timing.exclusions if _excludes_readings(other))
        remaining = Remaining(readings, walls) if walls else readings
        table = _until(OnTheWall(remaining, where, rule(timing.gap, timing.fold, auto)), spec)
    excluded = tuple(_exclusion(other, where, seed) for other in timing.exclusions)
    return Without(table, excluded) if excluded else table


@lru_cache(maxsize=8192)
def _uses_hash(spec: Spec) -> bool:
    return isinstance(spec, CronSpec) and cron.uses_hash(spec)


def _exclusion(spec: Spec, where: Zone, seed: str) -> Timetable:
    table = _elapsed(spec)
    return table if table is not None else _until(OnTheWall(_readings(spec, seed)[0], where, ELAPSED), spec)


def _elapsed(spec: Spec) -> Timetable | None:
    """The instants of a specification that no zone matters to; None for one on the wall."""
    match spec:
        case CronSpec():
            every = cron.every(spec.expression)
            return None if every is None else Interval(every)
        case IntervalSpec():
            return Interval(spec)
        case OneShotSpec():
            return Once(spec.at)
        case EventSpec():
            return Once(None)
        case _:
            return None


def _readings(spec: Spec, seed: str) -> tuple[Readings, Rule]:
    """The readings of a specification on the wall, and what AUTO is for it."""
    match spec:
        case CronSpec():
            parsed = cron.parse(spec, seed)
            return parsed, ELAPSED if parsed.follows_elapsed_time else FIXED
        case CalendarIntervalSpec():
            return CalendarInterval(spec), FIXED
        case RecurrenceSpec():
            return recurrence(spec), FIXED
        case UnreadableSpec():
            raise InvalidSchedule("kind", f"is not known to this version: {spec.reason}")
        case _:
            raise AssertionError(f"{type(spec).__name__} is not on the wall")


def _excludes_readings(spec: Spec) -> bool:
    """Whether `spec` is on the wall, all of it: an UNTIL in UTC is no reading."""
    return _elapsed(spec) is None and _last_instant(spec) is None


def _until(table: Timetable, spec: Spec) -> Timetable:
    last = _last_instant(spec)
    return table if last is None else Within(table, None, last)


def _last_instant(spec: Spec) -> datetime | None:
    return last_instant(spec) if isinstance(spec, RecurrenceSpec) else None
