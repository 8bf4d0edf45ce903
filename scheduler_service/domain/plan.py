"""The one place that decides what is due: each instant ends in exactly one disposition."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from scheduler_service.domain.catch_up import (
    CatchUp,
    Settled,
    catch_up_all,
    catch_up_latest,
    missed,
    stretch,
)
from scheduler_service.domain.fire import Disposition
from scheduler_service.domain.timetable import Timetable

FIRES_PER_STEP: Final = 1000
"""The most fires one plan makes for one schedule; the rest is due at once again."""

_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to record, and where the schedule then stands."""

    settled: list[Settled]
    """Oldest first."""
    watermark: datetime
    """Every instant up to here is settled, this one included."""
    next_fire: datetime | None
    """The first instant later than the watermark."""

    def is_complete(self, now: datetime) -> bool:
        """Whether nothing that was due at `now` is left."""
        return self.next_fire is None or self.next_fire > now


def plan(
    timetable: Timetable,
    catch_up: CatchUp,
    window: timedelta,
    watermark: datetime,
    now: datetime,
    limit: int = FIRES_PER_STEP,
) -> Plan:
    """Settles the instants in (watermark, now].

    Those older than `window` are MISSED_WINDOW. Of the others LATEST fires the last one and coalesces the
    rest into it, ALL fires every one, oldest first, at most `limit` a call: then the watermark stops at the
    last of them. A clock that went back (`now` before `watermark`) makes nothing due and moves nothing.
    """
    first = timetable.next_after(watermark)
    if now <= watermark or first is None or first > now:
        return Plan([], max(watermark, now), first)
    second = timetable.next_after(first)
    if (second is None or second > now) and now - first <= window:
        # Nothing was missed: every policy fires it.
        return Plan([Settled(first, Disposition.PENDING)], now, second)
    return _catch_up(timetable, catch_up, window, watermark, now, limit)


def _catch_up(
    timetable: Timetable, catch_up: CatchUp, window: timedelta, watermark: datetime, now: datetime, limit: int
) -> Plan:
    # An instant exactly `window` old is still inside.
    oldest = max(watermark, now - window - _TICK)
    lost = missed(timetable, watermark, oldest, window) if oldest > watermark else None
    settled = [] if lost is None else [lost]
    reached = now
    if catch_up is CatchUp.ALL:
        fired = catch_up_all(timetable, oldest, now, limit)
        if len(fired) == limit:
            reached = fired[-1].nominal
    else:
        fired = catch_up_latest(timetable, oldest, now)
    return Plan(settled + fired, reached, timetable.next_after(reached))


def pause(timetable: Timetable, watermark: datetime, now: datetime) -> Plan:
    """Settles the instants in (watermark, now] as PAUSED; nothing fires."""
    reached = max(watermark, now)
    covered = stretch(timetable, watermark, reached, Disposition.PAUSED, "the schedule was disabled")
    return Plan([] if covered is None else [covered], reached, timetable.next_after(reached))
