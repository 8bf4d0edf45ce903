"""The time line of a zone, cut where its clock is moved: within a stretch, wall and instant go together.

The gap and fold policies are in how the line is cut and nowhere else. Instants here are naive UTC.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

from scheduler_service.domain.timing import Fold, Gap
from scheduler_service.domain.zones import Change, Zone

_SECOND = timedelta(seconds=1)
_MARGIN: Final = timedelta(days=2)
"""More than any clock was ever moved (Pacific/Apia: 24 h)."""


class Readings(Protocol):
    """A set of readings on the wall: naive datetimes of whole seconds."""

    def at_or_after(self, wall: datetime) -> datetime | None:
        """The first one that is not before `wall`; None when no more follow."""
        ...

    def at_or_before(self, wall: datetime) -> datetime | None:
        """The last one that is not after `wall`; None when there was none."""
        ...

    def count(self, after: datetime, until: datetime) -> int | None:
        """How many there are in (after, until]; None when they are too many to count."""
        ...


class Rule(NamedTuple):
    """What happens to readings that the clock skips or shows twice; neither is AUTO."""

    gap: Gap
    fold: Fold


@dataclass(frozen=True, slots=True)
class Steady:
    """The clock is `offset` ahead of UTC: each reading means the instant at which it is shown."""

    start: datetime
    end: datetime
    offset: timedelta

    def first(self, readings: Readings, earliest: datetime) -> datetime | None:
        """The first instant of the stretch that is not before `earliest`."""
        wall = readings.at_or_after(max(earliest, self.start) + self.offset)
        if wall is None:
            return None
        found = wall - self.offset
        return found if found < self.end else None

    def last(self, readings: Readings, latest: datetime) -> datetime | None:
        """The last instant of the stretch that is not after `latest`."""
        wall = readings.at_or_before(min(latest, self.end - _SECOND) + self.offset)
        if wall is None:
            return None
        found = wall - self.offset
        return found if found >= self.start else None

    def count(self, readings: Readings, begin: datetime, end: datetime) -> int | None:
        """How many of its instants lie in [begin, end)."""
        begin, end = max(begin, self.start), min(end, self.end)
        ahead = self.offset - _SECOND
        return readings.count(begin + ahead, end + ahead) if begin < end else 0


@dataclass(frozen=True, slots=True)
class Meeting:
    """The second after a gap: it stands for every reading from `low` to `high`, its own, both included."""

    start: datetime
    low: datetime
    high: datetime

    @property
    def end(self) -> datetime:
        """One second later."""
        return self.start + _SECOND

    def first(self, readings: Readings, earliest: datetime) -> datetime | None:
        """Its start, unless that is before `earliest`."""
        return self.start if earliest <= self.start and self._is_meant(readings) else None

    def last(self, readings: Readings, latest: datetime) -> datetime | None:
        """Its start, unless that is after `latest`."""
        return self.start if latest >= self.start and self._is_meant(readings) else None

    def count(self, readings: Readings, begin: datetime, end: datetime) -> int | None:
        """1 or 0."""
        return int(begin <= self.start < end and self._is_meant(readings))

    def _is_meant(self, readings: Readings) -> bool:
        wall = readings.at_or_after(self.low)
        return wall is not None and wall <= self.high


@dataclass(frozen=True, slots=True)
class Shifted:
    """As long after a gap as the gap is: each instant stands for its own reading and one of the gap."""

    start: datetime
    end: datetime
    before: timedelta
    """The offset with which readings of the gap are read."""
    after: timedelta

    def first(self, readings: Readings, earliest: datetime) -> datetime | None:
        """The first instant of the stretch that is not before `earliest`."""
        found = [part.first(readings, earliest) for part in self._parts()]
        return min((instant for instant in found if instant is not None), default=None)

    def last(self, readings: Readings, latest: datetime) -> datetime | None:
        """The last instant of the stretch that is not after `latest`."""
        found = [part.last(readings, latest) for part in self._parts()]
        return max((instant for instant in found if instant is not None), default=None)

    def count(self, readings: Readings, begin: datetime, end: datetime) -> int | None:
        """How many of its instants lie in [begin, end); visits each, a day of seconds at most."""
        total, instant = 0, self.first(readings, begin)
        while instant is not None and instant < end:
            total += 1
            instant = self.first(readings, instant + _SECOND)
        return total

    def _parts(self) -> tuple[Steady, Steady]:
        return Steady(self.start, self.end, self.before), Steady(self.start, self.end, self.after)


Stretch = Steady | Meeting | Shifted
"""Which instants in [start, end) a set of readings means."""


@lru_cache(maxsize=16384)
def stretches(zone: Zone, year: int, rule: Rule) -> tuple[Stretch, ...]:
    """The stretches of a UTC year, earliest first; no reading means an instant between them."""
    begin, end = datetime(year, 1, 1), datetime(year + 1, 1, 1)
    start, until = begin - _MARGIN, end + _MARGIN
    offset = zone.offset(start.replace(tzinfo=UTC))
    made: list[Stretch] = []
    for change in zone.changes(start.replace(tzinfo=UTC), until.replace(tzinfo=UTC)):
        at = change.at.replace(tzinfo=None)
        hidden = _shown_again(change, rule.fold)
        made.append(Steady(start, at - hidden, offset))
        special = _gap(change, rule.gap)
        if special is not None:
            made.append(special)
        start = special.end if special is not None else at + _shown_before(change, rule.fold)
        offset = change.after
    made.append(Steady(start, until, offset))
    return tuple(part for whole in made if (part := _within(whole, begin, end)) is not None)


def _gap(change: Change, gap: Gap) -> Meeting | Shifted | None:
    """What follows a clock that is set forward."""
    if change.after < change.before or gap is Gap.SKIP:
        return None
    at = change.at.replace(tzinfo=None)
    if gap is Gap.SHIFT:
        return Shifted(at, at + (change.after - change.before), change.before, change.after)
    return Meeting(at, at + change.before, at + change.after)


def _shown_again(change: Change, fold: Fold) -> timedelta:
    """How long before the change the readings wait for their second pass."""
    return max(change.before - change.after, timedelta()) if fold is Fold.LAST else timedelta()


def _shown_before(change: Change, fold: Fold) -> timedelta:
    """How long after the change the readings have had their first pass."""
    return max(change.before - change.after, timedelta()) if fold is Fold.FIRST else timedelta()


def _within(whole: Stretch, begin: datetime, end: datetime) -> Stretch | None:
    """The part of a stretch in [begin, end)."""
    start, ended = max(whole.start, begin), min(whole.end, end)
    if start >= ended:
        return None
    return whole if isinstance(whole, Meeting) else replace(whole, start=start, end=ended)
