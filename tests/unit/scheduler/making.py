"""Schedules for tests of the domain."""

from datetime import datetime, timedelta
from uuid import UUID

from scheduler_service.domain.catch_up import CatchUp
from scheduler_service.domain.overlap import Overlap
from scheduler_service.domain.schedule import Definition, Schedule, start_watermark
from scheduler_service.domain.spec import CronSpec, Spec
from scheduler_service.domain.timetable import Timetable, timetable
from scheduler_service.domain.timing import Timing

INCARNATION = UUID("00000000-0000-4000-8000-000000000001")


def definition(
    spec: Spec | None = None,
    *,
    zone: str = "UTC",
    catch_up: CatchUp = CatchUp.LATEST,
    window: timedelta = timedelta(hours=1),
    overlap: Overlap = Overlap.ALLOW_ALL,
    jitter: timedelta = timedelta(),
    spread: timedelta = timedelta(),
) -> Definition:
    specs = (spec or CronSpec("*/5 * * * *"),)
    return Definition(
        timing=Timing(specs=specs, time_zone=zone, jitter=jitter, spread=spread),
        template=b"",
        has_payload=False,
        overlap=overlap,
        catch_up=catch_up,
        window=window,
    )


def schedule(now: datetime, made: Definition | None = None, *, enabled: bool = True) -> Schedule:
    made = made or definition()
    watermark = start_watermark(made.timing, now)
    return Schedule(
        namespace="default",
        schedule_id="nightly",
        incarnation=INCARNATION,
        definition=made,
        enabled=enabled,
        generation=1,
        note="",
        note_actor="",
        watermark=watermark,
        next_fire=None,
        due_at=None,
        invalid_reason="",
        created_at=now,
        updated_at=now,
    ).settled_until(watermark)


def timetable_of(spec: Spec, zone: str = "UTC") -> Timetable:
    return timetable(Timing(specs=(spec,), time_zone=zone))
