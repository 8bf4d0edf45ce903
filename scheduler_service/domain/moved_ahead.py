"""Closed instants that were still to fire later when what moved them is not in force any more."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Final

from scheduler_service.domain.catch_up import Settled
from scheduler_service.domain.closing import Closing
from scheduler_service.domain.fire import Disposition
from scheduler_service.domain.instants import walk
from scheduler_service.domain.schedule import Schedule, used_up
from scheduler_service.domain.timetable import Timetable

MOST_LOOKED_AT: Final = 1000
"""Most instants of which it is looked when they fire."""


def is_awaited(schedule: Schedule, now: datetime) -> bool:
    """Whether an instant that has come by `now` fires later. Raises InvalidSchedule."""
    table = schedule.timetable
    if not isinstance(table, Closing):
        return False
    return any(_fires_later(table, instant, now) for instant in _come(table, now))


def is_closed(table: Timetable, now: datetime) -> bool:
    """Whether the calendars of a schedule close `now`."""
    return isinstance(table, Closing) and table.closure.is_closed(now)


def in_its_place(schedule: Schedule, now: datetime, detail: str) -> Settled:
    """What becomes at `now` of what was awaited: it fires, unless the schedule does not fire at all."""
    if not schedule.enabled:
        return Settled(now, Disposition.PAUSED, f"{detail}; the schedule was disabled")
    if schedule.runs_left == 0:
        return Settled(now, Disposition.PAUSED, used_up(schedule.definition.max_runs))
    return Settled(now, Disposition.PENDING, detail)


def _come(table: Closing, now: datetime) -> Iterator[datetime]:
    return islice(walk(table.base, max(table.moves_since(now), table.after), now), MOST_LOOKED_AT)


def _fires_later(table: Closing, instant: datetime, now: datetime) -> bool:
    fate = table.fate(instant)
    return fate is not None and fate > now
