"""The one place that decides what is due: each instant ends in exactly one disposition."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from scheduler_service.domain.catch_up import (
    PUNCTUAL,
    CatchUp,
    Settled,
    catch_up_all,
    catch_up_earliest,
    catch_up_latest,
    late,
    missed,
    stretch,
)
from scheduler_service.domain.fire import Disposition
from scheduler_service.domain.jitter import Delay
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


def plan(
    timetable: Timetable,
    catch_up: CatchUp,
    window: timedelta,
    watermark: datetime,
    now: datetime,
    limit: int = FIRES_PER_STEP,
    delay: Delay | None = None,
) -> Plan:
    """Settles the instants after `watermark` that are due at `now`: that lie `delay` or more in the past.

    Those due longer ago than `window` are MISSED_WINDOW. Of the others LATEST fires the last one and
    EARLIEST the first, and coalesce the rest into it; ALL fires every one, oldest first, at most `limit` a
    call: then the watermark stops at the last of them. NONE is ALL with a window of 10 s. A clock that went
    back (`now` before `watermark`) makes nothing due and moves nothing.
    """
    first = timetable.next_after(watermark)
    if now <= watermark or first is None or first > now:
        return Plan([], max(watermark, now), first)
    if delay is None:
        second = timetable.next_after(first)
        if (second is None or second > now) and now - first <= _window(catch_up, window):
            # Nothing was missed: every policy fires it.
            return Plan([Settled(first, Disposition.PENDING)], now, second)
    return _catch_up(timetable, catch_up, window, watermark, now, limit, delay)


def due_until(timetable: Timetable, now: datetime, delay: Delay | None) -> datetime:
    """Every instant up to here is due at `now`, and none beyond.

    Delays keep the order of instants, so only the last one that has come may not be due yet.
    """
    last = timetable.previous_at_or_before(now) if delay is not None else None
    if delay is None or last is None or last + delay(last) <= now:
        return now
    return last - _TICK


def _catch_up(
    timetable: Timetable,
    catch_up: CatchUp,
    window: timedelta,
    watermark: datetime,
    now: datetime,
    limit: int,
    delay: Delay | None,
) -> Plan:
    reached = max(watermark, due_until(timetable, now, delay))
    # An instant that was due exactly `window` ago is still inside.
    oldest = max(watermark, due_until(timetable, now - _window(catch_up, window) - _TICK, delay))
    settled = []
    if oldest > watermark:
        lost = _lost(timetable, catch_up, window, watermark, oldest)
        settled = [] if lost is None else [lost]
    match catch_up:
        case CatchUp.ALL | CatchUp.NONE:
            fired = catch_up_all(timetable, oldest, reached, limit)
            if len(fired) == limit:
                reached = fired[-1].nominal
        case CatchUp.EARLIEST:
            fired = catch_up_earliest(timetable, oldest, reached)
        case _:
            fired = catch_up_latest(timetable, oldest, reached)
    return Plan(settled + fired, reached, timetable.next_after(reached))


def _window(catch_up: CatchUp, window: timedelta) -> timedelta:
    return PUNCTUAL if catch_up is CatchUp.NONE else window


def _lost(
    timetable: Timetable, catch_up: CatchUp, window: timedelta, after: datetime, until: datetime
) -> Settled | None:
    if catch_up is CatchUp.NONE:
        return late(timetable, after, until)
    return missed(timetable, after, until, window)


def pause(
    timetable: Timetable,
    watermark: datetime,
    now: datetime,
    delay: Delay | None = None,
    detail: str = "the schedule was disabled",
) -> Plan:
    """Settles the instants after `watermark` that are due at `now` as PAUSED; nothing fires."""
    reached = max(watermark, due_until(timetable, now, delay))
    covered = stretch(timetable, watermark, reached, Disposition.PAUSED, detail)
    return Plan([] if covered is None else [covered], reached, timetable.next_after(reached))
