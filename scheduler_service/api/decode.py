"""From messages to the domain's values. Raises InvalidSchedule with paths within the schedule."""

from datetime import UTC, datetime, timedelta
from typing import Final

from batonpass.queue.v1 import task_pb2
from batonpass.scheduler.v1 import schedule_pb2 as pb
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from scheduler_service.domain.catch_up import CatchUp
from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.overlap import Overlap
from scheduler_service.domain.schedule import DEFAULT_WINDOW, DEFAULT_ZONE, Definition
from scheduler_service.domain.spec import (
    CronSpec,
    EventSpec,
    IntervalSpec,
    OneShotSpec,
    SecondsField,
    Spec,
)

_STEP: Final = 0.01
_TOLERANCE: Final = 1e-6


def definition(schedule: pb.Schedule) -> Definition:
    """What a caller decides, defaults filled in; output-only fields are ignored."""
    _check_resources(schedule.template.resources)
    window = schedule.catchup_window if schedule.HasField("catchup_window") else None
    return Definition(
        spec=spec(schedule.specs[0], "specs[0]."),
        time_zone=schedule.time_zone or DEFAULT_ZONE,
        template=schedule.template.SerializeToString(deterministic=True),
        has_payload=bool(schedule.template.payload),
        overlap=Overlap(schedule.overlap_policy),
        catch_up=CatchUp(schedule.catch_up_policy),
        window=DEFAULT_WINDOW if window is None else duration(window, "catchup_window"),
    )


def spec(message: pb.ScheduleSpec, prefix: str) -> Spec:
    """One specification; paths of violations begin with `prefix`."""
    match message.WhichOneof("kind"):
        case "cron":
            return CronSpec(message.cron.expression, SecondsField(message.cron.seconds))
        case "interval":
            every = milliseconds(message.interval.every, f"{prefix}interval.every")
            return IntervalSpec(every, milliseconds(message.interval.phase, f"{prefix}interval.phase"))
        case "one_shot":
            return OneShotSpec(instant(message.one_shot.time, f"{prefix}one_shot.time"))
        case "event":
            return EventSpec(message.event.type)
        case _:
            raise InvalidSchedule(prefix.rstrip("."), "exactly one kind must be set")


def instant(stamp: Timestamp, field: str) -> datetime:
    """Aware UTC, cut to the microsecond."""
    try:
        return stamp.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise InvalidSchedule(field, "is no valid timestamp of the years 1 to 9999") from None


def duration(message: Duration, field: str) -> timedelta:
    """Cut to the microsecond."""
    try:
        return message.ToTimedelta()
    except (ValueError, OverflowError):
        raise InvalidSchedule(field, "is no valid duration") from None


def milliseconds(message: Duration, field: str) -> timedelta:
    """A duration of whole milliseconds."""
    if message.nanos % 1_000_000:
        raise InvalidSchedule(field, "must be whole milliseconds")
    return duration(message, field)


def _check_resources(resources: task_pb2.Resources) -> None:
    for name in ("cpu_percent", "memory_percent"):
        steps = getattr(resources, name) / _STEP
        if abs(steps - round(steps)) > _TOLERANCE:
            raise InvalidSchedule(f"template.resources.{name}", "must be a multiple of 0.01")
