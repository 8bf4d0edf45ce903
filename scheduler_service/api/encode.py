"""From the domain's values to messages."""

from datetime import datetime, timedelta
from typing import Final, assert_never

from batonpass.queue.v1 import task_pb2
from batonpass.scheduler.v1 import event_service_pb2, schedule_pb2
from batonpass.scheduler.v1 import schedule_service_pb2 as service_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from scheduler_service.app import due_task
from scheduler_service.app.preview import Previewed
from scheduler_service.domain.catch_up import CatchUp
from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.events import Event
from scheduler_service.domain.fire import Fire
from scheduler_service.domain.schedule import Definition, Schedule, Stats, Totals
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
from scheduler_service.domain.zone_rules import MovedSchedule

DEFAULT_TIMEOUT: Final = timedelta(hours=1)


def schedule(value: Schedule) -> schedule_pb2.Schedule:
    """As stored, with the defaults in force filled in."""
    message = definition(value.definition)
    message.schedule_id = value.schedule_id
    message.overlap_policy = int(value.overlap)  # type: ignore[assignment]
    message.catch_up_policy = int(value.definition.catch_up or CatchUp.LATEST)  # type: ignore[assignment]
    _fill_in(message.template)
    message.disabled = not value.enabled
    message.note = value.note
    message.note_actor = value.note_actor
    message.generation = value.generation
    message.create_time.FromDatetime(value.created_at)
    message.update_time.FromDatetime(value.updated_at)
    set_instant(message.next_fire_time, value.next_fire)
    message.stats.CopyFrom(stats(value.stats))
    message.invalid_reason = value.invalid_reason
    return message


def definition(value: Definition) -> schedule_pb2.Schedule:
    """What the caller decided, without defaults; a specification that cannot be read is left out."""
    message = timing(value.timing)
    message.template.CopyFrom(_template(value.template))
    message.overlap_policy = int(value.overlap)  # type: ignore[assignment]
    message.catch_up_policy = int(value.catch_up)  # type: ignore[assignment]
    message.catchup_window.FromTimedelta(value.window)
    message.max_runs = value.max_runs
    message.pause_on_failure = value.pause_on_failure
    message.labels.update(value.labels)
    if value.source is not None:
        message.source.template_id = value.source.template_id
        message.source.version = value.source.version
        message.source.parameters.update(value.source.parameters)
    return message


def timing(value: Timing) -> schedule_pb2.Schedule:
    """Everything of a schedule that says when, the rest empty."""
    message = schedule_pb2.Schedule(
        specs=[spec(each) for each in value.specs if not isinstance(each, UnreadableSpec)],
        time_zone=value.time_zone,
        exclusions=[spec(each) for each in value.exclusions if not isinstance(each, UnreadableSpec)],
        gap_policy=int(value.gap),  # type: ignore[arg-type]
        fold_policy=int(value.fold),  # type: ignore[arg-type]
        include_calendars=value.include_calendars,
        exclude_calendars=value.exclude_calendars,
        calendar_disposition=int(value.closed),  # type: ignore[arg-type]
    )
    set_instant(message.start_time, value.start)
    set_instant(message.end_time, value.end)
    for name, stretch in (("jitter", value.jitter), ("spread", value.spread)):
        if stretch:
            getattr(message, name).FromTimedelta(stretch)
    return message


def spec(value: Spec) -> schedule_pb2.ScheduleSpec:
    """Raises ValueError for one that cannot be read."""
    message = schedule_pb2.ScheduleSpec()
    match value:
        case CronSpec():
            message.cron.expression = value.expression
            message.cron.seconds = int(value.seconds)  # type: ignore[assignment]
            message.cron.day_match = int(value.day_match)  # type: ignore[assignment]
        case IntervalSpec():
            message.interval.every.FromTimedelta(value.every)
            message.interval.phase.FromTimedelta(value.phase)
        case OneShotSpec():
            message.one_shot.time.FromDatetime(value.at)
        case CalendarIntervalSpec():
            message.calendar_interval.every = value.every
            message.calendar_interval.unit = int(value.unit)  # type: ignore[assignment]
            message.calendar_interval.start = value.start.isoformat(timespec="seconds")
        case RecurrenceSpec():
            message.recurrence.rule = value.rule
            message.recurrence.start = value.start.isoformat(timespec="seconds")
        case EventSpec():
            message.event.CopyFrom(_event_spec(value))
        case UnreadableSpec():
            raise ValueError(f"{value.reason} cannot be read")
        case _:
            assert_never(value)
    return message


def _event_spec(value: EventSpec) -> schedule_pb2.EventSpec:
    message = schedule_pb2.EventSpec(
        type=value.type, pattern=value.pattern, cel=value.cel, payload_template=value.payload_template
    )
    if value.debounce is not None:
        message.debounce.FromTimedelta(value.debounce)
    if value.throttle is not None:
        message.throttle.FromTimedelta(value.throttle)
    if value.batch is not None:
        message.batch.max_events = value.batch.max_events
        message.batch.max_wait.FromTimedelta(value.batch.max_wait)
    return message


def stats(value: Stats) -> schedule_pb2.ScheduleStats:
    """What the tasks of one or more schedules did."""
    message = schedule_pb2.ScheduleStats(
        execution_count=value.execution_count,
        failure_count=value.failure_count,
        success_count=value.success_count,
        fire_count=value.fire_count,
        run_count=value.run_count,
        failures_in_row=value.failures_in_row,
        overdue=value.overdue,
    )
    if value.average_duration is not None:
        message.average_duration.FromTimedelta(value.average_duration)
    set_instant(message.last_execute_time, value.last_execute_at)
    return message


def fire(value: Fire) -> schedule_pb2.Fire:
    """One fire, or a range."""
    message = schedule_pb2.Fire(
        fire_id=value.fire_id,
        schedule_id=value.schedule_id,
        kind=int(value.kind),  # type: ignore[arg-type]
        local_time=value.local_time,
        utc_offset=value.utc_offset,
        disposition=int(value.disposition),  # type: ignore[arg-type]
        detail=value.detail,
        count=value.count,
        event=value.event,
        generation=value.generation,
        actor=value.actor,
        backfill_id=value.backfill_id,
    )
    message.nominal_time.FromDatetime(value.nominal)
    message.fire_time.FromDatetime(value.fired_at)
    set_instant(message.settle_time, value.settled_at)
    set_instant(message.last_nominal_time, value.last_nominal)
    return message


def previewed(value: Previewed) -> service_pb2.PreviewedFire:
    """One instant to come."""
    message = service_pb2.PreviewedFire(local_time=value.local_time, utc_offset=value.utc_offset)
    message.time.FromDatetime(value.instant)
    message.due_time.FromDatetime(value.due_at)
    message.disposition = int(value.disposition)  # type: ignore[assignment]
    message.detail = value.detail
    set_instant(message.held_until, value.held_until)
    return message


def totals(value: Totals) -> service_pb2.GetScheduleStatsResponse:
    """Counts over schedules."""
    message = service_pb2.GetScheduleStatsResponse(
        schedules=value.schedules,
        enabled=value.enabled,
        stats=stats(value.stats),
        pending_fires=value.pending_fires,
        overdue=value.overdue,
    )
    set_instant(message.next_fire_time, value.next_fire)
    return message


def moved(value: MovedSchedule) -> service_pb2.MovedSchedule:
    """A schedule that new rules of time zones have moved."""
    message = service_pb2.MovedSchedule(
        schedule_id=value.schedule_id, time_zone=value.time_zone, release=value.release
    )
    message.move_time.FromDatetime(value.moved_at)
    for field, instants in ((message.old_times, value.moved.old), (message.new_times, value.moved.new)):
        for instant in instants:
            field.add().FromDatetime(instant)
    return message


def event(value: Event) -> event_service_pb2.Event:
    """As stored."""
    message = event_service_pb2.Event(
        id=value.event_id, source=value.source, type=value.type, subject=value.subject, data=value.data
    )
    message.time.FromDatetime(value.time)
    return message


def _template(stored: bytes) -> task_pb2.TaskTemplate:
    """Empty when it cannot be read: the schedule is shown all the same."""
    try:
        return due_task.template(stored)
    except InvalidSchedule:
        return task_pb2.TaskTemplate()


def _fill_in(template: task_pb2.TaskTemplate) -> None:
    """The defaults that the queue applies, as task.proto documents them."""
    if not template.HasField("priority"):
        template.priority = due_task.DEFAULT_PRIORITY
    if not template.HasField("timeout"):
        template.timeout.FromTimedelta(DEFAULT_TIMEOUT)
    template.retry_policy = template.retry_policy or "standard"
    template.circuit_breaker = template.circuit_breaker or "default"
    template.queue = template.queue or due_task.DEFAULT_QUEUE


def set_instant(stamp: Timestamp, value: datetime | None) -> None:
    """Leaves a field unset for None."""
    if value is not None:
        stamp.FromDatetime(value)
