"""Backfills: the instants of a stretch of time, fired once more at a rate."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum
from itertools import islice
from typing import Final
from uuid import UUID

from scheduler_service.domain.errors import InvalidBackfill
from scheduler_service.domain.instants import walk
from scheduler_service.domain.overlap import Overlap
from scheduler_service.domain.schedule import Schedule
from scheduler_service.domain.timetable import Timetable
from scheduler_service.domain.timing import Timing

MOST_INSTANTS: Final = 1_000_000
DEFAULT_PER_MINUTE: Final = 60
DEFAULT_OVERLAP: Final = Overlap.BUFFER_ALL
LOWERED: Final = 2
"""Levels of priority below that of the schedule, unless something else is asked for."""

_TICK = timedelta(microseconds=1)
_MINUTE: Final = timedelta(minutes=1)
_BURST: Final = timedelta(seconds=1)
"""After a stall the fires of so long come at once; what was missed before that is not made up for."""


class BackfillState(IntEnum):
    """Numbered as on the wire."""

    RUNNING = 1
    DONE = 2
    CANCELLED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfill:
    """The instants of `timing` in [from_at, until_at), as the schedule had it when the backfill was made."""

    namespace: str
    backfill_id: str
    schedule_id: str
    incarnation: UUID
    timing: Timing
    from_at: datetime
    until_at: datetime
    per_minute: int
    overlap: Overlap
    priority: int
    state: BackfillState
    total: int
    fired: int
    accepted: int
    refused: int
    next_at: datetime | None
    """The next instant to be fired; None when nothing is left."""
    turn_at: datetime
    """From when on it may be fired."""
    actor: str
    created_at: datetime
    ended_at: datetime | None

    def turn(self, table: Timetable, now: datetime, limit: int) -> tuple[list[datetime], "Backfill"]:
        """The instants whose turn has come, oldest first, at most `limit`, and how it then stands."""
        if self.state is not BackfillState.RUNNING or self.turn_at > now:
            return [], self
        begin, spacing = max(self.turn_at, now - _BURST), _MINUTE / self.per_minute
        count = min(limit, (now - begin) // spacing + 1)
        # One more than is fired, to know where it then stands.
        found = first_instants(table, self.next_at or self.until_at, self.until_at, count + 1)
        fired, rest = found[:count], found[count:]
        moved = replace(self, fired=self.fired + len(fired), turn_at=begin + len(fired) * spacing)
        return fired, moved.standing(rest[0] if rest else None, now)

    def table_of(self, schedule: Schedule) -> Timetable:
        """Its instants and more. Raises InvalidSchedule when this version cannot read them."""
        frozen, start = replace(schedule.definition, timing=self.timing), self.from_at - _TICK
        return replace(schedule, definition=frozen, timed_from=start).timetable

    def first(self, schedule: Schedule, limit: int) -> list[datetime]:
        """Its first instants, at most `limit`."""
        return first_instants(self.table_of(schedule), self.from_at, self.until_at, limit)

    def counted(self, schedule: Schedule, now: datetime) -> "Backfill":
        """At its beginning, its instants counted. Raises InvalidBackfill for more than 1,000,000."""
        total = count_instants(self.table_of(schedule), self.from_at, self.until_at)
        first = self.first(schedule, 1)
        return replace(self, total=total).standing(first[0] if first else None, now)

    def standing(self, next_at: datetime | None, now: datetime) -> "Backfill":
        """With `next_at` as what comes next; DONE when that is nothing."""
        if next_at is not None:
            return replace(self, next_at=next_at)
        return replace(self, next_at=None, state=BackfillState.DONE, ended_at=now)

    def cancelled(self, now: datetime) -> "Backfill":
        """Without anything left to fire; one that has ended stays as it is."""
        if self.state is not BackfillState.RUNNING:
            return self
        return replace(self, next_at=None, state=BackfillState.CANCELLED, ended_at=now)


def first_instants(table: Timetable, from_at: datetime, until_at: datetime, limit: int) -> list[datetime]:
    """The first instants in [from_at, until_at), at most `limit`."""
    return list(islice(walk(table, from_at - _TICK, until_at - _TICK), limit))


def count_instants(table: Timetable, from_at: datetime, until_at: datetime) -> int:
    """How many there are in [from_at, until_at). Raises InvalidBackfill for more than 1,000,000."""
    total = table.count(from_at - _TICK, until_at - _TICK)
    if total is None:
        # Too many to count by arithmetic or by a short walk; not too many for a long one.
        total = sum(1 for _ in islice(walk(table, from_at - _TICK, until_at - _TICK), MOST_INSTANTS + 1))
    if total > MOST_INSTANTS:
        raise InvalidBackfill(
            "until_time", f"the stretch has more than {MOST_INSTANTS:,} instants; shorten it"
        )
    return total


def lowered(priority: int) -> int:
    """The priority of a backfill of a schedule of `priority`, unless something else is asked for."""
    return max(1, priority - LOWERED)
