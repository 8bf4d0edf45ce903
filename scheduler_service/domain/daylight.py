"""The AUTO daylight-saving rule: which instants a cron expression means in a zone.

An expression with fixed hours runs once for each reading: at its first pass when the clock reads it twice, at
the first instant after the gap when it is skipped; readings that meet in one instant are one. An expression
whose hour field starts with `*` follows elapsed time: it runs whenever the clock shows a matching reading, in
both passes of a repeated hour and never in a gap.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from scheduler_service.domain.cron import LAST_YEAR, Cron
from scheduler_service.domain.zones import Zone

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class FixedHours:
    """Once for each reading. `Zone.first_reaches` never decreases, so order on the wall is order in time."""

    cron: Cron
    zone: Zone

    def next_after(self, instant: datetime) -> datetime | None:
        """The first one later than `instant`."""
        wall = self.cron.at_or_after(self.zone.first_unreached(instant))
        return None if wall is None else self.zone.first_reaches(wall)

    def previous_at_or_before(self, instant: datetime) -> datetime | None:
        """The last one not later than `instant`."""
        wall = self.cron.at_or_before(self.zone.first_unreached(instant) - _SECOND)
        return None if wall is None else self.zone.first_reaches(wall)

    def count(self, after: datetime, until: datetime) -> int | None:
        """How many there are in (after, until]; None when they are too many to count."""
        first, end = self.zone.first_unreached(after), self.zone.first_unreached(until)
        readings = self.cron.count(first - _SECOND, end - _SECOND)
        return None if readings is None else readings - self._lost_in_gaps(after, until)

    def _lost_in_gaps(self, after: datetime, until: datetime) -> int:
        """Readings beyond the first one of each gap, its end included: all of them mean the same instant."""
        lost = 0
        for change in self.zone.changes(after, until):
            wall = change.at.replace(tzinfo=None)
            inside = self.cron.count(wall + change.before - _SECOND, wall + change.after)
            lost += max(0, (inside or 0) - 1)
        return lost


@dataclass(frozen=True, slots=True)
class ElapsedTime:
    """Whenever the clock shows a matching reading; searched stretch by stretch of constant offset."""

    cron: Cron
    zone: Zone

    def next_after(self, instant: datetime) -> datetime | None:
        """The first one later than `instant`."""
        start, offset = instant.replace(microsecond=0), self.zone.offset(instant)
        earliest = start + _SECOND
        while True:
            wall = self.cron.at_or_after(_reading(earliest, offset))
            if wall is None:
                return None
            found = _instant(wall, offset, like=instant)
            changes = self.zone.changes(start, found)
            if not changes:
                return found
            start = earliest = changes[0].at
            offset = changes[0].after

    def previous_at_or_before(self, instant: datetime) -> datetime | None:
        """The last one not later than `instant`."""
        latest, offset = instant.replace(microsecond=0), self.zone.offset(instant)
        while True:
            wall = self.cron.at_or_before(_reading(latest, offset))
            if wall is None:
                return None
            found = _instant(wall, offset, like=instant)
            changes = self.zone.changes(found, latest)
            if not changes:
                return found
            latest, offset = changes[-1].at - _SECOND, changes[-1].before

    def count(self, after: datetime, until: datetime) -> int | None:
        """How many there are in (after, until]; None when they are too many to count."""
        total, start, offset = 0, after, self.zone.offset(after)
        for change in [*self.zone.changes(after, until), None]:
            end = until if change is None else change.at - _SECOND
            part = self.cron.count(_reading(start, offset), _reading(end, offset))
            if part is None:
                return None
            total += part
            if change is not None:
                # The change itself belongs to the stretch that it begins.
                start, offset = change.at - _SECOND, change.after
        return total


def _reading(instant: datetime, offset: timedelta) -> datetime:
    return instant.replace(tzinfo=None) + offset


def _instant(wall: datetime, offset: timedelta, like: datetime) -> datetime:
    return (wall - offset).replace(tzinfo=like.tzinfo)


def is_within_reach(instant: datetime) -> bool:
    """Whether the arithmetic here covers `instant`: the years 1970 to 8999."""
    return 1970 <= instant.year <= LAST_YEAR
