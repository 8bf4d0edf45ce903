"""How much later than its instant a schedule is handed over: jitter and spread."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from scheduler_service.domain.timetable import Timetable
from scheduler_service.domain.timing import Timing

_MICROSECOND: Final = timedelta(microseconds=1)
_BITS: Final = 64

Delay = Callable[[datetime], timedelta]
"""From an instant of a timetable to how much later it is due; always before the instant that follows."""


def offset(
    schedule_id: str, nominal: datetime, jitter: timedelta, spread: timedelta, following: datetime | None
) -> timedelta:
    """How much later than `nominal` it is due: the same for the same arguments, for ever.

    The part of `spread` is chosen by the schedule's id, that of `jitter` by id and instant; each is uniform
    from 0 to below its length, and both together stay below the distance to `following`, so that the order
    of instants is kept. Where they do not fit, both shrink with it.
    """
    room = following - nominal if following is not None else jitter + spread
    shift = _part(min(spread, room), schedule_id)
    if jitter:
        shift += _part(min(jitter, room - shift), f"{schedule_id}\n{nominal.astimezone(UTC).isoformat()}")
    return shift


def delay_of(timing: Timing, schedule_id: str, table: Timetable) -> Delay | None:
    """The delay of each instant of `table`; None when there is none."""
    if not timing.is_delayed:
        return None
    jitter, spread = timing.jitter, timing.spread
    return lambda nominal: offset(schedule_id, nominal, jitter, spread, table.next_after(nominal))


def _part(length: timedelta, text: str) -> timedelta:
    """A point from 0 to below `length`, to the microsecond."""
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[: _BITS // 8], "big")
    return _MICROSECOND * ((length // _MICROSECOND) * number >> _BITS)
