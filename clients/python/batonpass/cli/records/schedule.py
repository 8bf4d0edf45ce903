"""Schedules, and what they do over time."""

from datetime import UTC

from batonpass.cli import format
from batonpass.cli.files.writing import content_of
from batonpass.cli.records import template
from batonpass.cli.records.values import Record, instant, milliseconds, span, word
from batonpass.queue.v1.task_pb2 import OverlapPolicy
from batonpass.scheduler.v1.schedule_pb2 import (
    CalendarDisposition,
    CalendarUnit,
    CatchUpPolicy,
    Disposition,
    FoldPolicy,
    GapPolicy,
    Schedule,
    ScheduleSpec,
    ScheduleStats,
    SecondsField,
)
from batonpass.scheduler.v1.schedule_service_pb2 import (
    GetScheduleStatsResponse,
    MovedSchedule,
    PreviewedFire,
    PreviewScheduleResponse,
)

_TYPES = {
    "cron": "cron",
    "interval": "interval",
    "one_shot": "once",
    "event": "event",
    "calendar_interval": "calendar",
    "recurrence": "rrule",
}
_UNION = "union"


def record(schedule: Schedule) -> Record:
    """The original's schedule record, then ours."""
    return {**_original(schedule), **_when(schedule), **_what(schedule), **_history(schedule)}


def _original(schedule: Schedule) -> Record:
    what = template.settings(schedule.template)
    return {
        "task_id": schedule.schedule_id,
        "task_name": schedule.template.name or None,
        "handler": schedule.template.handler or None,
        "schedule_type": _type(schedule),
        "schedule_expr": "; ".join(filter(None, map(expression, schedule.specs))) or None,
        "priority": template.priority(schedule.template),
        "enabled": not schedule.disabled,
        "created_at": instant(schedule, "create_time"),
        "last_executed": instant(schedule.stats, "last_execute_time"),
        "next_execution": instant(schedule, "next_fire_time"),
        "execution_count": schedule.stats.execution_count,
        "failure_count": schedule.stats.failure_count,
        "average_duration_ms": milliseconds(schedule.stats, "average_duration"),
        "circuit_breaker": what["circuit_breaker"],
        "retry_policy": what["retry_policy"],
    }


def _when(schedule: Schedule) -> Record:
    spec = _spec(schedule)
    return {
        "schedule_id": schedule.schedule_id,
        "state": _state(schedule),
        "time_zone": schedule.time_zone or None,
        "seconds": _seconds(spec),
        "phase": span(spec.interval, "phase") if spec.HasField("interval") else None,
        "overlap_policy": word(OverlapPolicy, schedule.overlap_policy, "OVERLAP_POLICY_"),
        "catch_up_policy": word(CatchUpPolicy, schedule.catch_up_policy, "CATCH_UP_POLICY_"),
        "catchup_window": span(schedule, "catchup_window"),
        **_exceptions(schedule),
        "max_runs": schedule.max_runs or None,
        "pause_on_failure": schedule.pause_on_failure or None,
        "labels": dict(sorted(schedule.labels.items())),
        "source": content_of(schedule.source) if schedule.HasField("source") else None,
    }


def _exceptions(schedule: Schedule) -> Record:
    """Where clocks, calendars and chance come in; `specs` and `exclusions` as files spell them."""
    return {
        "specs": [content_of(spec) for spec in schedule.specs],
        "exclusions": [content_of(spec) for spec in schedule.exclusions],
        "start": instant(schedule, "start_time"),
        "end": instant(schedule, "end_time"),
        "gap_policy": word(GapPolicy, schedule.gap_policy, "GAP_POLICY_"),
        "fold_policy": word(FoldPolicy, schedule.fold_policy, "FOLD_POLICY_"),
        "include_calendars": list(schedule.include_calendars),
        "exclude_calendars": list(schedule.exclude_calendars),
        "on_closed": word(CalendarDisposition, schedule.calendar_disposition, "CALENDAR_DISPOSITION_"),
        "jitter": span(schedule, "jitter"),
        "spread": span(schedule, "spread"),
    }


def _what(schedule: Schedule) -> Record:
    return {
        "band": template.band(template.priority(schedule.template)),
        "cpu_percent": schedule.template.resources.cpu_percent,
        "memory_percent": schedule.template.resources.memory_percent,
        **template.settings(schedule.template),
        **template.payload(schedule.template),
    }


def _history(schedule: Schedule) -> Record:
    return {
        "note": schedule.note or None,
        "note_actor": schedule.note_actor or None,
        "generation": schedule.generation,
        "updated_at": instant(schedule, "update_time"),
        "success_count": schedule.stats.success_count,
        "fire_count": schedule.stats.fire_count,
        "run_count": schedule.stats.run_count,
        "failures_in_row": schedule.stats.failures_in_row,
        "overdue": schedule.stats.overdue,
        "invalid_reason": schedule.invalid_reason or None,
    }


def _type(schedule: Schedule) -> str | None:
    """The kind of its times; `union` when there are several kinds."""
    kinds = {_TYPES.get(spec.WhichOneof("kind") or "") for spec in schedule.specs}
    return _UNION if len(kinds) > 1 else next(iter(kinds), None)


def _spec(schedule: Schedule) -> ScheduleSpec:
    return schedule.specs[0] if schedule.specs else ScheduleSpec()


def _state(schedule: Schedule) -> str:
    if schedule.invalid_reason:
        return "INVALID"
    return "DISABLED" if schedule.disabled else "ENABLED"


def _seconds(spec: ScheduleSpec) -> str | None:
    name = word(SecondsField, spec.cron.seconds, "SECONDS_FIELD_")
    return name.lower() if name else None


def expression(spec: ScheduleSpec) -> str | None:
    """When, in short: the cron expression, `5m`, the instant, `1 month`, the rule, or the event's type."""
    match spec.WhichOneof("kind"):
        case "cron":
            return spec.cron.expression
        case "interval":
            return span(spec.interval, "every")
        case "one_shot":
            return format.time(spec.one_shot.time.ToDatetime(UTC))
        case "event":
            return spec.event.type
        case "calendar_interval":
            every, unit = spec.calendar_interval.every or 1, spec.calendar_interval.unit
            name = (word(CalendarUnit, unit, "CALENDAR_UNIT_") or "").lower()
            return f"{every} {name}{'' if every == 1 else 's'}"
        case "recurrence":
            return spec.recurrence.rule
        case _:
            return None


def prospect(reply: PreviewScheduleResponse) -> Record:
    """What it means, and instants to come."""
    return {"description": list(reply.description), "fires": [previewed(fire) for fire in reply.fires]}


def previewed(fire: PreviewedFire) -> Record:
    """One instant to come."""
    return {
        "time": instant(fire, "time"),
        "local": fire.local_time,
        "offset": fire.utc_offset,
        "due": instant(fire, "due_time"),
        "disposition": word(Disposition, fire.disposition, "DISPOSITION_"),
        "detail": fire.detail or None,
        "held_until": instant(fire, "held_until"),
    }


def stats(reply: GetScheduleStatsResponse, schedule_id: str | None) -> Record:
    """Counts over all schedules, or of one."""
    of_one = {"task_id": schedule_id, "schedule_id": schedule_id} if schedule_id else {}
    return {
        **of_one,
        "schedules": reply.schedules,
        "enabled": reply.enabled,
        **_counts(reply.stats),
        "pending_fires": reply.pending_fires,
        "overdue": reply.overdue,
        "next_execution": instant(reply, "next_fire_time"),
    }


def moved(schedule: MovedSchedule) -> Record:
    """A schedule whose next instants new rules of time zones have moved."""
    return {
        "schedule_id": schedule.schedule_id,
        "time_zone": schedule.time_zone,
        "release": schedule.release,
        "moved_at": instant(schedule, "move_time"),
        "old": [format.time(stamp.ToDatetime(UTC)) for stamp in schedule.old_times],
        "new": [format.time(stamp.ToDatetime(UTC)) for stamp in schedule.new_times],
    }


def _counts(counted: ScheduleStats) -> Record:
    return {
        "execution_count": counted.execution_count,
        "failure_count": counted.failure_count,
        "success_count": counted.success_count,
        "average_duration_ms": milliseconds(counted, "average_duration"),
        "last_executed": instant(counted, "last_execute_time"),
        "fire_count": counted.fire_count,
        "run_count": counted.run_count,
        "failures_in_row": counted.failures_in_row,
    }
