"""What becomes of instants that came due while the scheduler was away."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from itertools import islice
from typing import Final

from scheduler_service.domain.fire import Disposition, time_key
from scheduler_service.domain.instants import walk
from scheduler_service.domain.timetable import Timetable
from service_kit.durations import spelled

PUNCTUAL: Final = timedelta(seconds=10)
"""An instant that is no older has not been missed, whatever the policy."""

_TICK = timedelta(microseconds=1)


class CatchUp(IntEnum):
    """Numbered as on the wire; DEFAULT is LATEST."""

    DEFAULT = 0
    LATEST = 1
    ALL = 2
    EARLIEST = 3
    NONE = 4


@dataclass(frozen=True, slots=True)
class Settled:
    """An instant, or a range of them, and what became of it. PENDING goes to the queue."""

    nominal: datetime
    disposition: Disposition
    detail: str = ""
    last_nominal: datetime | None = None
    count: int = 1


def stretch(
    timetable: Timetable, after: datetime, until: datetime, disposition: Disposition, detail: str = ""
) -> Settled | None:
    """One record for all instants in (after, until]; None when there are none.

    Costs the same for three instants and for three million.
    """
    first = timetable.next_after(after)
    last = timetable.previous_at_or_before(until)
    if first is None or last is None or first > last:
        return None
    if first == last:
        return Settled(first, disposition, detail)
    return Settled(first, disposition, detail, last, timetable.count(after, until) or 0)


def missed(timetable: Timetable, after: datetime, until: datetime, window: timedelta) -> Settled | None:
    """The instants in (after, until] as older than the catch-up window."""
    detail = f"older than the catch-up window of {spelled(window)}"
    return stretch(timetable, after, until, Disposition.MISSED_WINDOW, detail)


def late(timetable: Timetable, after: datetime, until: datetime) -> Settled | None:
    """The instants in (after, until] as too old for a schedule that catches nothing up."""
    detail = f"more than {spelled(PUNCTUAL)} late, and nothing is caught up"
    return stretch(timetable, after, until, Disposition.MISSED_WINDOW, detail)


def catch_up_latest(timetable: Timetable, after: datetime, now: datetime) -> list[Settled]:
    """Fires the last instant in (after, now]; the ones before it are COALESCED into it."""
    last = timetable.previous_at_or_before(now)
    if last is None or last <= after:
        return []
    detail = f"represented by {time_key(last)}"
    coalesced = stretch(timetable, after, last - _TICK, Disposition.COALESCED, detail)
    fired = Settled(last, Disposition.PENDING)
    return [fired] if coalesced is None else [coalesced, fired]


def catch_up_earliest(timetable: Timetable, after: datetime, now: datetime) -> list[Settled]:
    """Fires the first instant in (after, now]; the ones behind it are COALESCED into it."""
    first = timetable.next_after(after)
    if first is None or first > now:
        return []
    detail = f"represented by {time_key(first)}"
    coalesced = stretch(timetable, first, now, Disposition.COALESCED, detail)
    fired = Settled(first, Disposition.PENDING)
    return [fired] if coalesced is None else [fired, coalesced]


def catch_up_all(timetable: Timetable, after: datetime, now: datetime, limit: int) -> list[Settled]:
    """Fires every instant in (after, now], oldest first, at most `limit` of them."""
    instants = islice(walk(timetable, after, now), limit)
    return [Settled(instant, Disposition.PENDING) for instant in instants]
