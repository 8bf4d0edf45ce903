"""From messages to the domain's values. Raises InvalidSchedule with paths within the schedule."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from batonpass.queue.v1 import task_pb2
from batonpass.scheduler.v1 import schedule_pb2 as pb
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from scheduler_service.domain.catch_up import CatchUp
from scheduler_service.domain.daylight import REACH, is_within_reach
from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.overlap import Overlap
from scheduler_service.domain.schedule import DEFAULT_WINDOW, DEFAULT_ZONE, Definition, TemplateSource
from scheduler_service.domain.spec import (
    CalendarIntervalSpec,
    CalendarUnit,
    CronSpec,
    DayMatch,
    EventBatch,
    EventSpec,
    IntervalSpec,
    OneShotSpec,
    RecurrenceSpec,
    SecondsField,
    Spec,
)
from scheduler_service.domain.timing import Closed, Fold, Gap, Timing

_STEP: Final = 0.01
_TOLERANCE: Final = 1e-6


def definition(schedule: pb.Schedule) -> Definition:
    """What a caller decides, defaults filled in; output-only fields are ignored."""
    _check_resources(schedule.template.resources)
    window = schedule.catchup_window if schedule.HasField("catchup_window") else None
    return Definition(
        timing=timing(schedule),
        template=schedule.template.SerializeToString(deterministic=True),
        has_payload=bool(schedule.template.payload),
        overlap=Overlap(schedule.overlap_policy),
        catch_up=CatchUp(schedule.catch_up_policy),
        window=DEFAULT_WINDOW if window is None else duration(window, "catchup_window"),
        max_runs=schedule.max_runs,
        pause_on_failure=schedule.pause_on_failure,
        labels=tuple(sorted(schedule.labels.items())),
        source=source(schedule.source) if schedule.HasField("source") else None,
    )


def timing(schedule: pb.Schedule) -> Timing:
    """Everything of a schedule that says when."""
    return Timing(
        specs=_specs(schedule.specs, "specs"),
        time_zone=schedule.time_zone or DEFAULT_ZONE,
        exclusions=_specs(schedule.exclusions, "exclusions"),
        start=instant(schedule.start_time, "start_time") if schedule.HasField("start_time") else None,
        end=instant(schedule.end_time, "end_time") if schedule.HasField("end_time") else None,
        gap=Gap(schedule.gap_policy),
        fold=Fold(schedule.fold_policy),
        include_calendars=tuple(schedule.include_calendars),
        exclude_calendars=tuple(schedule.exclude_calendars),
        closed=Closed(schedule.calendar_disposition),
        jitter=milliseconds(schedule.jitter, "jitter"),
        spread=milliseconds(schedule.spread, "spread"),
    )


def source(message: pb.TemplateSource) -> TemplateSource:
    """Of which schedule template it is made."""
    return TemplateSource(
        template_id=message.template_id,
        version=message.version,
        parameters=tuple(sorted(message.parameters.items())),
    )


def _specs(messages: Iterable[pb.ScheduleSpec], field: str) -> tuple[Spec, ...]:
    return tuple(spec(message, f"{field}[{place}].") for place, message in enumerate(messages))


def spec(message: pb.ScheduleSpec, prefix: str) -> Spec:
    """One specification; paths of violations begin with `prefix`."""
    match message.WhichOneof("kind"):
        case "cron":
            cron = message.cron
            return CronSpec(cron.expression, SecondsField(cron.seconds), DayMatch(cron.day_match))
        case "interval":
            every = milliseconds(message.interval.every, f"{prefix}interval.every")
            return IntervalSpec(every, milliseconds(message.interval.phase, f"{prefix}interval.phase"))
        case "one_shot":
            return OneShotSpec(instant(message.one_shot.time, f"{prefix}one_shot.time"))
        case "calendar_interval":
            calendar = message.calendar_interval
            start = _reading(calendar.start, f"{prefix}calendar_interval.start")
            return CalendarIntervalSpec(calendar.every or 1, CalendarUnit(calendar.unit), start)
        case "recurrence":
            start = _reading(message.recurrence.start, f"{prefix}recurrence.start")
            return RecurrenceSpec(message.recurrence.rule, start)
        case "event":
            return event_spec(message.event, f"{prefix}event.")
        case _:
            raise InvalidSchedule(prefix.rstrip("."), "exactly one kind must be set")


def event_spec(message: pb.EventSpec, prefix: str) -> EventSpec:
    """A trigger; paths of violations begin with `prefix`."""
    batch = None
    if message.HasField("batch"):
        wait = milliseconds(message.batch.max_wait, f"{prefix}batch.max_wait")
        batch = EventBatch(message.batch.max_events, wait)
    return EventSpec(
        type=message.type,
        pattern=message.pattern,
        cel=message.cel,
        debounce=milliseconds(message.debounce, f"{prefix}debounce") or None,
        throttle=milliseconds(message.throttle, f"{prefix}throttle") or None,
        batch=batch,
        payload_template=message.payload_template,
    )


def _reading(text: str, field: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise InvalidSchedule(field, f"{text!r} is no date and time of the calendar") from None


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


def reachable(stamp: Timestamp, field: str) -> datetime:
    """An instant with which can be reckoned."""
    found = instant(stamp, field)
    if not is_within_reach(found):
        raise InvalidSchedule(field, REACH)
    return found


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
