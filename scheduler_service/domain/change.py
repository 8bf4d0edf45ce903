"""How a change moves a schedule. What was due before it is settled first, under what was in force then.

So an edit never fires an instant again, never skips one without a record, and a pause is final for the
instants that it covers.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from scheduler_service.domain.calendar import NamedRules
from scheduler_service.domain.catch_up import Settled
from scheduler_service.domain.errors import InvalidSchedule, RunsUsedUp, StillCatchingUp
from scheduler_service.domain.fire import Disposition
from scheduler_service.domain.moved_ahead import in_its_place, is_awaited, is_closed
from scheduler_service.domain.schedule import Definition, Schedule
from scheduler_service.domain.timing import Timing

_TICK = timedelta(microseconds=1)

SCHEDULER: Final = "scheduler"
"""Who acts when nobody asked."""

MAX_ROUNDS: Final = 10
"""A change settles at most this many plans of 1,000 fires; beyond it the caller repeats later."""


@dataclass(frozen=True, slots=True)
class Change:
    """The schedule after a change, and what was settled by it (with the generation before)."""

    schedule: Schedule
    settled: list[Settled]


def settle(schedule: Schedule, now: datetime, *, at_once: bool = False) -> Change:
    """Settles everything due at `now`. Raises StillCatchingUp when that is too much for one change.

    `at_once`: also what has come and is only delayed by jitter and spread. A schedule that cannot be read has
    no known instants: nothing is settled, and it stands still.
    """
    settled: list[Settled] = []
    for _ in range(MAX_ROUNDS):
        try:
            planned = schedule.due(now, at_once=at_once)
        except InvalidSchedule:
            return Change(schedule, settled)
        settled += planned.settled
        schedule = schedule.after(planned)
        due = schedule.next_fire if at_once else schedule.due_at
        if due is None or due > now:
            return Change(schedule, settled)
    raise StillCatchingUp(schedule.schedule_id)


def disable(schedule: Schedule, now: datetime, note: str, actor: str) -> Change:
    """Stops it from firing by time and event."""
    return _switch(schedule, now, False, note, actor)


def enable(schedule: Schedule, now: datetime, note: str, actor: str) -> Change:
    """Lets it fire again from `now` on; the instants it covered while disabled end PAUSED.

    Raises RunsUsedUp when `max_runs` leaves it none.
    """
    if not schedule.enabled and schedule.runs_left == 0:
        raise RunsUsedUp(schedule.schedule_id, schedule.definition.max_runs)
    return _switch(schedule, now, True, note, actor)


def _switch(schedule: Schedule, now: datetime, enabled: bool, note: str, actor: str) -> Change:
    if schedule.enabled == enabled and note in ("", schedule.note):
        return Change(schedule, [])
    if schedule.enabled == enabled:
        return Change(_changed(schedule, now, note=note, note_actor=actor), [])
    change = settle(schedule, now)
    switched = _changed(change.schedule, now, enabled=enabled, note=note, note_actor=actor)
    return Change(_from(switched, switched.watermark), change.settled)


def stop(schedule: Schedule, now: datetime, note: str) -> Schedule:
    """Disables it on the scheduler's own account; what is due but not fired yet is part of the pause."""
    stopped = _changed(schedule, now, enabled=False, note=note, note_actor=SCHEDULER)
    return stopped.standing(stopped.watermark, None)


def edit(
    schedule: Schedule,
    definition: Definition,
    now: datetime,
    *,
    reopen: datetime | None = None,
    calendars: tuple[NamedRules, ...] = (),
) -> Change:
    """Puts another definition in force from `now` on; instants that have come fire now, without their delay.

    So does what the calendars had moved ahead, where the new instants may differ, unless the new calendars
    are closed now: then only its record is left. `calendars` are those that the new definition names.
    `reopen` is a one-shot of it whose time has passed and of which this incarnation has no record: it is due
    at once.
    """
    change = settle(schedule, now, at_once=True)
    watermark = max(change.schedule.watermark, now)
    if definition.timing.event is not None and definition.timing == schedule.definition.timing:
        # It has listened all the time.
        watermark = schedule.watermark
    elif reopen is not None:
        watermark = min(watermark, reopen - _TICK)
    same = _instants(definition.timing) == _instants(schedule.definition.timing)
    edited = _changed(
        change.schedule,
        now,
        definition=definition,
        calendars=calendars,
        timed_from=schedule.timed_from if same else watermark,
        invalid_reason="",
    )
    awaited = [] if same else _awaited(change, edited, now)
    return Change(_from(edited, watermark), [*change.settled, *awaited])


def _instants(timing: Timing) -> Timing:
    """What says which instants there are, not how much later they are handed over."""
    return replace(timing, jitter=timedelta(), spread=timedelta())


def _awaited(change: Change, edited: Schedule, now: datetime) -> list[Settled]:
    """What becomes of instants that the calendars before the edit had moved ahead."""
    before = change.schedule
    try:
        if not is_awaited(before, now) or any(each.nominal == now for each in change.settled):
            return []
        detail = "was deferred when the schedule was changed"
        if before.enabled and is_closed(edited.timetable, now):
            return [Settled(now, Disposition.SKIPPED_CALENDAR, f"{detail}, and is closed at that time")]
        return [in_its_place(before, now, detail)]
    except InvalidSchedule:
        return []


def _changed(schedule: Schedule, now: datetime, **changes: object) -> Schedule:
    return replace(schedule, generation=schedule.generation + 1, updated_at=now, **changes)  # type: ignore[arg-type]


def _from(schedule: Schedule, watermark: datetime) -> Schedule:
    """The schedule with everything up to `watermark` settled."""
    try:
        return schedule.settled_until(watermark)
    except InvalidSchedule:
        return replace(schedule, watermark=watermark, next_fire=None, due_at=None)
