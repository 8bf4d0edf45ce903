"""Makes the records of fires."""

from dataclasses import dataclass, field
from datetime import datetime

from scheduler_service.app import due_task
from scheduler_service.domain.backfill import Backfill
from scheduler_service.domain.catch_up import Settled
from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.events import Event
from scheduler_service.domain.fire import (
    COUNTED,
    Disposition,
    Fire,
    FireKey,
    FireKind,
    backfill_key,
    event_key,
    fire_id,
    replay_key,
    time_key,
)
from scheduler_service.domain.overlap import Overlap
from scheduler_service.domain.schedule import Schedule
from scheduler_service.domain.zones import Zone, local_time, utc_offset, zone
from scheduler_service.store.fires import NewFire


@dataclass(frozen=True, slots=True)
class _Cause:
    """Why a schedule fires."""

    kind: FireKind
    key: str
    overlap: Overlap
    event: str = ""
    actor: str = ""
    depth: int = 0
    payload: bytes = field(default=b"", repr=False)
    waits: bool = False
    """Whether it is sent later, with others."""
    backfill_id: str = ""
    priority: int | None = None
    """Instead of that of the template."""


@dataclass(frozen=True, slots=True)
class EventOutcome:
    """What a trigger makes of an event: PENDING, with a payload or waiting for others, or settled at once."""

    disposition: Disposition
    detail: str = ""
    payload: bytes = field(default=b"", repr=False)
    waits: bool = False


def by_time(schedule: Schedule, settled: Settled, now: datetime) -> NewFire:
    """An instant that came due, or a range that was settled without firing."""
    cause = _Cause(FireKind.TIME, time_key(settled.nominal), schedule.overlap)
    return _new(schedule, settled, cause, now)


def by_event(
    schedule: Schedule, event: Event, now: datetime, made: EventOutcome, *, replay: str = "", actor: str = ""
) -> NewFire:
    """What becomes of an event that a schedule hears; its nominal instant is now.

    `replay` names the replay that it is part of, and `actor` who asked for that.
    """
    name = event_key(event.source, event.event_id)
    cause = _Cause(
        FireKind.EVENT,
        replay_key(replay, name) if replay else name,
        schedule.overlap,
        event=name,
        actor=actor,
        depth=event.depth,
        payload=made.payload,
        waits=made.waits,
    )
    return _new(schedule, Settled(now, made.disposition, made.detail), cause, now)


def by_hand(schedule: Schedule, key: str, overlap: Overlap, actor: str, now: datetime) -> NewFire:
    """A run that somebody asked for; its nominal instant is now."""
    cause = _Cause(FireKind.MANUAL, key, overlap, actor=actor)
    return _new(schedule, Settled(now, Disposition.PENDING), cause, now)


def by_backfill(schedule: Schedule, backfill: Backfill, instant: datetime, now: datetime) -> NewFire:
    """An instant that a backfill fires."""
    cause = _Cause(
        FireKind.BACKFILL,
        backfill_key(backfill.backfill_id, instant),
        backfill.overlap,
        actor=backfill.actor,
        backfill_id=backfill.backfill_id,
        priority=backfill.priority,
    )
    return _new(schedule, Settled(instant, Disposition.PENDING), cause, now)


def _new(schedule: Schedule, settled: Settled, cause: _Cause, now: datetime) -> NewFire:
    fire = _fire(schedule, settled, cause, now)
    task = None
    if fire.disposition is Disposition.PENDING and not cause.waits:
        task = due_task.encode(
            schedule,
            fire.fire_id,
            fire.nominal,
            now,
            cause.overlap,
            depth=cause.depth,
            payload=cause.payload,
            priority=cause.priority,
        )
    takes_run = task is not None and schedule.definition.max_runs > 0 and cause.kind in COUNTED
    return NewFire(schedule.namespace, schedule.incarnation, cause.key, fire, task, takes_run)


def _fire(schedule: Schedule, settled: Settled, cause: _Cause, now: datetime) -> Fire:
    where, nominal = _zone(schedule), settled.nominal
    identity = FireKey(schedule.incarnation, cause.kind, cause.key)
    is_range = settled.last_nominal is not None
    return Fire(
        schedule_id=schedule.schedule_id,
        kind=cause.kind,
        fire_id="" if is_range else fire_id(schedule.schedule_id, nominal, identity),
        nominal=nominal,
        last_nominal=settled.last_nominal,
        count=settled.count,
        local_time=local_time(where, nominal),
        utc_offset=utc_offset(where, nominal),
        fired_at=now,
        disposition=settled.disposition,
        detail=settled.detail,
        settled_at=None if settled.disposition is Disposition.PENDING else now,
        event=cause.event,
        generation=schedule.generation,
        actor=cause.actor,
        backfill_id=cause.backfill_id,
    )


def _zone(schedule: Schedule) -> Zone:
    """UTC for a zone that the database of zones no longer has: a run by hand still works."""
    try:
        return zone(schedule.definition.timing.time_zone)
    except InvalidSchedule:
        return zone("")
