"""Schedules: what they are made of and how a change moves them."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from scheduler_service.domain.calendar import NamedRules
from scheduler_service.domain.calendared import calendared
from scheduler_service.domain.catch_up import CatchUp
from scheduler_service.domain.closing import Closing, with_closed
from scheduler_service.domain.events import OUTCOME_TYPES, Event
from scheduler_service.domain.fire import Disposition
from scheduler_service.domain.jitter import Delay, delay_of
from scheduler_service.domain.overlap import Overlap, effective_overlap
from scheduler_service.domain.plan import FIRES_PER_STEP, Plan, pause, plan
from scheduler_service.domain.spec import OneShotSpec
from scheduler_service.domain.timetable import Timetable
from scheduler_service.domain.timing import Timing
from scheduler_service.domain.type_pattern import hears_type

DEFAULT_WINDOW: Final = timedelta(hours=1)
DEFAULT_ZONE: Final = "UTC"
RECORD_WITHIN: Final = timedelta(minutes=1)
"""How long the record of a closed instant may wait, so that those of a dense schedule share one."""

_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateSource:
    """The version of a schedule template that a definition was made of, and the values of its parameters."""

    template_id: str
    version: int
    parameters: tuple[tuple[str, str], ...] = ()
    """Sorted by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What a caller decides about a schedule."""

    timing: Timing
    template: bytes
    """What to run: opaque here, handed to the queue as it is."""
    has_payload: bool
    """Whether the template brings its own payload; else that of an event is used."""
    overlap: Overlap
    catch_up: CatchUp
    window: timedelta
    max_runs: int = 0
    """Most fires that reach the queue; 0 = no limit."""
    pause_on_failure: int = 0
    """Disables it after so many failures in a row; 0 = never."""
    labels: tuple[tuple[str, str], ...] = ()
    """Sorted by name."""
    source: TemplateSource | None = None


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
    run_count: int = 0
    """Fires that reached the queue, runs by hand and backfills apart."""
    failures_in_row: int = 0
    overdue: bool = False
    """Whether a schedule should have fired and has not, as of the reading."""

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
    due_at: datetime | None
    """When it comes due for that instant: later than it by jitter and spread.

    Sooner where calendars close an instant before it, whose record is then made.
    """
    invalid_reason: str
    created_at: datetime
    updated_at: datetime
    timed_from: datetime = _EVER
    """Instants up to here are none of its business: its timing was not in force."""
    calendars: tuple[NamedRules, ...] = ()
    """Those that its timing names, as they are now; known of a schedule that is locked or read alone."""
    stats: Stats = Stats()
    runs_taken: int = 0
    """Fires by time and event that reached the queue or are on their way.

    Known of a locked schedule with `max_runs`.
    """

    @property
    def overlap(self) -> Overlap:
        """The policy in force."""
        return effective_overlap(self.definition.overlap, self.definition.timing)

    @property
    def timetable(self) -> Timetable:
        """Its instants. Raises InvalidSchedule when this version cannot read what is stored."""
        return calendared(self.definition.timing, self.calendars, self.schedule_id, self.timed_from)

    @property
    def listens_to_system(self) -> bool:
        """Whether it is triggered by events that outcomes of tasks make."""
        return self.enabled and self.listened_type in OUTCOME_TYPES

    @property
    def listened_type(self) -> str | None:
        """Type of the events that trigger it; None for time."""
        event = self.definition.timing.event
        return None if event is None else event.type

    def hears(self, event: Event, now: datetime) -> bool:
        """Whether it listens to `event`, which comes in now: to its type, from its start to its end.

        An event that a task made is not heard when it is from before the schedule listened.
        """
        timing = self.definition.timing
        if not self.enabled or self.invalid_reason or self.namespace != event.namespace:
            return False
        if (timing.start and now < timing.start) or (timing.end and now > timing.end):
            return False
        is_new = event.depth == 0 or event.time >= self.watermark
        return is_new and timing.event is not None and hears_type(timing.event.type, event.type)

    def seen(self, now: datetime, tolerance: timedelta) -> "Schedule":
        """With the answer whether it is overdue at `now`."""
        if self.due_at is None or self.next_fire is None:
            return self
        # It may be due only for the record of a closed instant, and not to fire.
        overdue = now - max(self.due_at, self.next_fire) > tolerance
        return replace(self, stats=replace(self.stats, overdue=True)) if overdue else self

    @property
    def runs_left(self) -> int | None:
        """How many more fires by time and event may be made; None for no limit."""
        most = self.definition.max_runs
        return max(0, most - self.runs_taken) if most else None

    def due(self, now: datetime, limit: int = FIRES_PER_STEP, *, at_once: bool = False) -> Plan:
        """What is due at `now`: by policy while enabled (at most `limit` fires), PAUSED while disabled.

        Of a schedule with `max_runs` at most as many as are left; once none is, PAUSED as well. `at_once`:
        instants that have come and are only delayed by jitter and spread are due as well.
        """
        table = self.timetable
        return with_closed(table, self._plan(table, now, limit, at_once), self.watermark)

    def _plan(self, table: Timetable, now: datetime, limit: int, at_once: bool) -> Plan:
        made, delay = self.definition, None if at_once else self._delay(table)
        if not self.enabled:
            return pause(table, self.watermark, now, delay)
        left = self.runs_left
        if left == 0:
            return pause(table, self.watermark, now, delay, used_up(made.max_runs))
        limit = limit if left is None else min(limit, left)
        return plan(table, made.catch_up, made.window, self.watermark, now, limit, delay)

    def after(self, planned: Plan) -> "Schedule":
        """The schedule once `planned` is recorded."""
        stands = self.standing(planned.watermark, planned.next_fire)
        if not self.definition.max_runs:
            return stands
        fired = sum(item.disposition is Disposition.PENDING for item in planned.settled)
        return replace(stands, runs_taken=self.runs_taken + fired)

    def settled_until(self, watermark: datetime) -> "Schedule":
        """The schedule with everything up to `watermark` settled. Raises InvalidSchedule."""
        return self.standing(watermark, self.timetable.next_after(watermark) if self.enabled else None)

    def standing(self, watermark: datetime, next_fire: datetime | None) -> "Schedule":
        """The schedule at `watermark`, where `next_fire` is the instant that follows while it is enabled."""
        if not self.enabled:
            return replace(self, watermark=watermark, next_fire=None, due_at=None)
        due_at = next_fire
        if next_fire is not None and self.definition.timing.is_delayed:
            delay = self._delay(self.timetable)
            due_at = next_fire if delay is None else next_fire + delay(next_fire)
        if self.definition.timing.calendars:
            due_at = self._due_for_closed(watermark, next_fire, due_at)
        return replace(self, watermark=watermark, next_fire=next_fire, due_at=due_at)

    def _due_for_closed(
        self, watermark: datetime, next_fire: datetime | None, due_at: datetime | None
    ) -> datetime | None:
        """Sooner than `due_at` when a closed instant comes before, whose record must not wait for it."""
        table = self.timetable
        first = table.first_left_out(watermark, next_fire) if isinstance(table, Closing) else None
        if first is None:
            return due_at
        recorded = first + RECORD_WITHIN
        return recorded if due_at is None else min(due_at, recorded)

    def _delay(self, table: Timetable) -> Delay | None:
        return delay_of(self.definition.timing, self.schedule_id, table)


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What the schedules of a namespace, or one of them, add up to."""

    schedules: int
    enabled: int
    overdue: int
    next_fire: datetime | None
    stats: Stats
    pending_fires: int


def used_up(max_runs: int) -> str:
    """Why an instant or event does not fire any more."""
    return f"max_runs = {max_runs}: every run is used or on its way"


def start_watermark(timing: Timing, now: datetime) -> datetime:
    """Where a new definition starts: now, but just before the first of one-shots whose time has passed."""
    times = [spec.at for spec in timing.specs if isinstance(spec, OneShotSpec)]
    return min(now, min(times) - _TICK) if times and len(times) == len(timing.specs) else now
