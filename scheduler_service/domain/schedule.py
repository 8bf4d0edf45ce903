"""Schedules: what they are made of and how a change moves them."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from scheduler_service.domain.catch_up import CatchUp
from scheduler_service.domain.daylight import is_within_reach
from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.events import SYSTEM_TYPES
from scheduler_service.domain.interval import whole_milliseconds
from scheduler_service.domain.overlap import Overlap, effective_overlap
from scheduler_service.domain.plan import Plan, pause, plan
from scheduler_service.domain.spec import CronSpec, EventSpec, IntervalSpec, OneShotSpec, Spec
from scheduler_service.domain.timetable import Timetable, timetable

DEFAULT_WINDOW: Final = timedelta(hours=1)
DEFAULT_ZONE: Final = "UTC"
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What a caller decides about a schedule."""

    spec: Spec
    time_zone: str
    template: bytes
    """What to run: opaque here, handed to the queue as it is."""
    has_payload: bool
    """Whether the template brings its own payload; else that of an event is used."""
    overlap: Overlap
    catch_up: CatchUp
    window: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """What the tasks of one or more schedules did."""

    execution_count: int = 0
    failure_count: int = 0
    success_count: int = 0
    success_duration: timedelta = timedelta()
    """Sum over the successes."""
    last_execute_at: datetime | None = None
    fire_count: int = 0

    @property
    def average_duration(self) -> timedelta | None:
        """Mean of the successes; None before the first."""
        return self.success_duration / self.success_count if self.success_count else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """One incarnation of a schedule: deleting it and creating the same id again makes another one."""

    namespace: str
    schedule_id: str
    incarnation: UUID
    definition: Definition
    enabled: bool
    generation: int
    """Rises with every change; 1 = as created."""
    note: str
    note_actor: str
    watermark: datetime
    """Every instant up to here is settled. For events: what happened up to here is none of its business."""
    next_fire: datetime | None
    """The instant it comes due for next; None for events, when disabled and when nothing is left."""
    invalid_reason: str
    created_at: datetime
    updated_at: datetime
    stats: Stats = Stats()

    @property
    def overlap(self) -> Overlap:
        """The policy in force."""
        return effective_overlap(self.definition.overlap, self.definition.spec)

    @property
    def timetable(self) -> Timetable:
        """Its instants. Raises InvalidSchedule when this version cannot read the stored specification."""
        return timetable(self.definition.spec, self.definition.time_zone)

    @property
    def listens_to_system(self) -> bool:
        """Whether it is triggered by events that the scheduler itself emits."""
        return self.enabled and listened_type(self.definition.spec) in SYSTEM_TYPES

    def due(self, now: datetime) -> Plan:
        """What is due at `now`: by policy while enabled, PAUSED while disabled."""
        if not self.enabled:
            return pause(self.timetable, self.watermark, now)
        definition = self.definition
        return plan(self.timetable, definition.catch_up, definition.window, self.watermark, now)

    def after(self, planned: Plan) -> "Schedule":
        """The schedule once `planned` is recorded."""
        next_fire = planned.next_fire if self.enabled else None
        return replace(self, watermark=planned.watermark, next_fire=next_fire)


def listened_type(spec: Spec) -> str | None:
    """Type of the events that trigger it; None for time."""
    return spec.type if isinstance(spec, EventSpec) else None


def start_watermark(spec: Spec, now: datetime) -> datetime:
    """Where a new specification starts: now, but just before a one-shot whose time has passed."""
    return min(now, spec.at - _TICK) if isinstance(spec, OneShotSpec) else now


def check_definition(definition: Definition) -> None:
    """Raises InvalidSchedule with field and rule for what can be seen before the schedule ever fires."""
    check_spec(definition.spec, definition.time_zone, "specs[0].")
    overlap = effective_overlap(definition.overlap, definition.spec)
    if definition.catch_up is CatchUp.ALL and overlap is Overlap.SKIP:
        rule = "ALL needs an overlap policy other than SKIP, such as BUFFER_ALL or ALLOW_ALL"
        raise InvalidSchedule("catch_up_policy", rule)


def check_spec(spec: Spec, time_zone: str, prefix: str = "") -> None:
    """Raises InvalidSchedule; paths of fields of the specification begin with `prefix`."""
    timetable(EventSpec(""), time_zone)
    try:
        _check_kind(spec)
        timetable(spec, time_zone)
    except InvalidSchedule as error:
        raise error.below(f"{prefix}{_KIND_FIELDS[type(spec)]}.") from error


_KIND_FIELDS: Final[dict[type[Spec], str]] = {
    CronSpec: "cron",
    IntervalSpec: "interval",
    OneShotSpec: "one_shot",
    EventSpec: "event",
}


def _check_kind(spec: Spec) -> None:
    if isinstance(spec, IntervalSpec):
        _check_interval(spec)
    if isinstance(spec, OneShotSpec) and not is_within_reach(spec.at):
        raise InvalidSchedule("time", "must lie in the years 1970 to 8999")


def _check_interval(spec: IntervalSpec) -> None:
    for field, duration in (("every", spec.every), ("phase", spec.phase)):
        if not whole_milliseconds(duration):
            raise InvalidSchedule(field, "must be a whole number of milliseconds")
    if spec.phase > spec.every:
        raise InvalidSchedule("phase", "must not be longer than `every`")
