"""What goes without saying: values that a service fills in, taken away so that files stay short. Pure."""

from typing import Any

from google.protobuf.message import Message

from batonpass.queue.v1.task_pb2 import (
    OVERLAP_POLICY_BUFFER_ALL,
    OVERLAP_POLICY_SKIP,
    TaskTemplate,
)
from batonpass.scheduler.v1.calendar_service_pb2 import Calendar
from batonpass.scheduler.v1.schedule_pb2 import (
    CALENDAR_DISPOSITION_SKIP,
    CATCH_UP_POLICY_LATEST,
    DAY_MATCH_OR,
    Schedule,
    ScheduleSpec,
)
from batonpass.scheduler.v1.template_service_pb2 import ScheduleTemplate

_ZONE = "UTC"
_HOUR = 3600


def without_defaults(message: Any) -> Any:
    """A copy of a schedule, calendar or schedule template without what is the default anyway.

    Of a schedule that is made of a schedule template, only what is its own is left.
    """
    copy = type(message)()
    copy.CopyFrom(message)
    match copy:
        case Schedule():
            return _own(copy) if copy.HasField("source") else _schedule(copy)
        case ScheduleTemplate():
            _schedule(copy.body)
        case Calendar():
            _drop(copy, "time_zone", _ZONE)
    return copy


def _own(schedule: Schedule) -> Schedule:
    return Schedule(
        schedule_id=schedule.schedule_id,
        labels=schedule.labels,
        source=schedule.source,
        disabled=schedule.disabled,
    )


def _schedule(schedule: Schedule) -> Schedule:
    listens = any(spec.HasField("event") for spec in schedule.specs)
    _drop(schedule, "time_zone", _ZONE)
    _drop(schedule, "overlap_policy", OVERLAP_POLICY_BUFFER_ALL if listens else OVERLAP_POLICY_SKIP)
    _drop(schedule, "catch_up_policy", CATCH_UP_POLICY_LATEST)
    _drop(schedule, "calendar_disposition", CALENDAR_DISPOSITION_SKIP)
    _drop_length(schedule, "catchup_window", _HOUR)
    _drop_length(schedule, "jitter", 0)
    _drop_length(schedule, "spread", 0)
    for spec in (*schedule.specs, *schedule.exclusions):
        _spec(spec)
    _task(schedule.template, schedule.schedule_id)
    return schedule


def _spec(spec: ScheduleSpec) -> None:
    match spec.WhichOneof("kind"):
        case "cron":
            _drop(spec.cron, "day_match", DAY_MATCH_OR)
        case "interval":
            _drop_length(spec.interval, "phase", 0)
        case "calendar_interval":
            _drop(spec.calendar_interval, "every", 1)


def _task(task: TaskTemplate, schedule_id: str) -> None:
    _drop(task, "name", schedule_id)
    _drop(task, "priority", 5)
    _drop(task, "retry_policy", "standard")
    _drop(task, "circuit_breaker", "default")
    _drop(task, "queue", "default")
    _drop_length(task, "timeout", _HOUR)
    if not task.resources.ByteSize():
        task.ClearField("resources")


def _drop(message: Message, field: str, default: object) -> None:
    if getattr(message, field) == default:
        message.ClearField(field)


def _drop_length(message: Message, field: str, seconds: int) -> None:
    length = getattr(message, field)
    if (length.seconds, length.nanos) == (seconds, 0):
        message.ClearField(field)
