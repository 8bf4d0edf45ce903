"""When a schedule comes due, in one word each: `cron`, `every`, `at`, `on_event`, `calendar_every`,
`recurrence`."""

from datetime import datetime, timedelta
from typing import Any

from batonpass.client.values import duration, enum_number, invalid, payload, timestamp
from batonpass.scheduler.v1 import schedule_pb2 as pb


def cron(expression: str, *, seconds: int | str = 0, days: int | str = 0) -> pb.ScheduleSpec:
    """By the calendar, in the schedule's time zone.

    `seconds` (`first` or `last`) says where a sixth field stands, `days` (`or`, the default, or `and`) how
    day of month and day of week work together.
    """
    return pb.ScheduleSpec(
        cron=pb.CronSpec(
            expression=expression,
            seconds=enum_number("seconds", pb.SecondsField, "SECONDS_FIELD", seconds),
            day_match=enum_number("days", pb.DayMatch, "DAY_MATCH", days),
        )
    )


def every(distance: timedelta, *, phase: timedelta | None = None) -> pb.ScheduleSpec:
    """At the instants 1970-01-01T00:00:00Z + `phase` + n * `distance`; at least 1 s apart."""
    return pb.ScheduleSpec(interval=pb.IntervalSpec(every=duration(distance), phase=duration(phase)))


def at(time: datetime) -> pb.ScheduleSpec:
    """Once."""
    return pb.ScheduleSpec(one_shot=pb.OneShotSpec(time=timestamp("time", time)))


def on_event(
    event_type: str,
    *,
    pattern: Any = None,
    cel: str = "",
    debounce: timedelta | None = None,
    throttle: timedelta | None = None,
    batch_size: int = 0,
    batch_wait: timedelta = timedelta(minutes=1),
    payload_template: Any = None,
) -> pb.ScheduleSpec:
    """At every event of this type (`*` stands for any characters) that meets `pattern` or `cel`.

    `pattern` and `payload_template` are anything JSON can hold, or JSON in bytes. At most one of `debounce`,
    `throttle` and `batch_size` events, which wait `batch_wait` at most.
    """
    spec = pb.EventSpec(
        type=event_type,
        pattern=payload(pattern).decode(),
        cel=cel,
        debounce=duration(debounce),
        throttle=duration(throttle),
        payload_template=payload(payload_template).decode(),
    )
    if batch_size:
        spec.batch.CopyFrom(pb.EventBatch(max_events=batch_size, max_wait=duration(batch_wait)))
    return pb.ScheduleSpec(event=spec)


def calendar_every(count: int, unit: int | str, *, starting: datetime | str) -> pb.ScheduleSpec:
    """Every `count` days, weeks, months or years by the clock on the wall of the schedule's zone.

    `starting` is the first reading of that clock: no zone, whole seconds.
    """
    word = unit.rstrip("sS") if isinstance(unit, str) else unit
    number = enum_number("unit", pb.CalendarUnit, "CALENDAR_UNIT", word)
    spec = pb.CalendarIntervalSpec(every=count, unit=number, start=_reading(starting))
    return pb.ScheduleSpec(calendar_interval=spec)


def recurrence(rule: str, *, starting: datetime | str) -> pb.ScheduleSpec:
    """By a recurrence rule of iCalendar (RFC 5545), such as `FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=17`.

    `starting` (DTSTART) is a reading of the clock of the schedule's zone: no zone, whole seconds.
    """
    return pb.ScheduleSpec(recurrence=pb.RecurrenceSpec(rule=rule, start=_reading(starting)))


def _reading(starting: datetime | str) -> str:
    if isinstance(starting, str):
        return starting
    if starting.tzinfo is not None or starting.microsecond:
        raise invalid("starting", "must be whole seconds without a zone: it is read in the schedule's zone")
    return starting.isoformat()
