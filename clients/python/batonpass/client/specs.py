"""When a schedule comes due, in one word each: `cron`, `every`, `at`, `on_event`."""

from datetime import datetime, timedelta

from batonpass.client.values import duration, enum_number, timestamp
from batonpass.scheduler.v1 import schedule_pb2 as pb


def cron(expression: str, *, seconds: int | str = 0) -> pb.ScheduleSpec:
    """By the calendar, in the schedule's time zone.

    `seconds` (`first` or `last`) says where a sixth field stands.
    """
    number = enum_number("seconds", pb.SecondsField, "SECONDS_FIELD", seconds)
    return pb.ScheduleSpec(cron=pb.CronSpec(expression=expression, seconds=number))


def every(distance: timedelta, *, phase: timedelta | None = None) -> pb.ScheduleSpec:
    """At the instants 1970-01-01T00:00:00Z + `phase` + n * `distance`; at least 1 s apart."""
    return pb.ScheduleSpec(interval=pb.IntervalSpec(every=duration(distance), phase=duration(phase)))


def at(time: datetime) -> pb.ScheduleSpec:
    """Once."""
    return pb.ScheduleSpec(one_shot=pb.OneShotSpec(time=timestamp("time", time)))


def on_event(event_type: str) -> pb.ScheduleSpec:
    """At every event of this type."""
    return pb.ScheduleSpec(event=pb.EventSpec(type=event_type))
