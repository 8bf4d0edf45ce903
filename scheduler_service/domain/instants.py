"""Sets of instants, and what they make together: a union, a set without others, a set within limits."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final, Protocol

from scheduler_service.domain.errors import InvalidSchedule

MOST_COUNTED: Final = 20_000
"""Combined sets are counted by visiting each instant, up to so many."""
MOST_EXCLUDED: Final = 30_000
"""A search gives up when so many instants of one specification in a row are excluded: 8 hours of seconds."""

_TICK = timedelta(microseconds=1)
_REMEMBERED: Final = 8


class Timetable(Protocol):
    """A set of instants. `next_after` and `previous_at_or_before` walk the same set.

    Both raise InvalidSchedule for `exclusions` when those leave nothing of `MOST_EXCLUDED` instants in a row.
    """

    def next_after(self, instant: datetime) -> datetime | None:
        """The first one later than `instant`; None when no more follow."""
        ...

    def previous_at_or_before(self, instant: datetime) -> datetime | None:
        """The last one not later than `instant`; None when there was none."""
        ...

    def count(self, after: datetime, until: datetime) -> int | None:
        """How many there are in (after, until]; None when they are too many to count."""
        ...


@dataclass(frozen=True, slots=True)
class Once:
    """One instant, or none at all."""

    at: datetime | None

    def next_after(self, instant: datetime) -> datetime | None:
        """The instant, if it is yet to come."""
        return self.at if self.at is not None and self.at > instant else None

    def previous_at_or_before(self, instant: datetime) -> datetime | None:
        """The instant, if it has come."""
        return self.at if self.at is not None and self.at <= instant else None

    def count(self, after: datetime, until: datetime) -> int | None:
        """1 or 0."""
        return int(self.at is not None and after < self.at <= until)


@dataclass(frozen=True, slots=True)
class Union:
    """What any of several tables has; equal instants are one."""

    tables: tuple[Timetable, ...]

    def next_after(self, instant: datetime) -> datetime | None:
        """The first one later than `instant`; None when no more follow."""
        found = [table.next_after(instant) for table in self.tables]
        return min((at for at in found if at is not None), default=None)

    def previous_at_or_before(self, instant: datetime) -> datetime | None:
        """The last one not later than `instant`; None when there was none."""
        found = [table.previous_at_or_before(instant) for table in self.tables]
        return max((at for at in found if at is not None), default=None)

    def count(self, after: datetime, until: datetime) -> int | None:
        """How many there are in (after, until]; None when they are more than `MOST_COUNTED`."""
        return _count(self, after, until)


@dataclass(frozen=True, slots=True)
class Without:
    """What a table has and none of `excluded` has."""

    table: Timetable
    excluded: tuple[Timetable, ...]

    def next_after(self, instant: datetime) -> datetime | None:
        """The first one later than `instant`; None when no more follow."""
        for _ in range(MOST_EXCLUDED):
            found = self.table.next_after(instant)
            if found is None or not self._excludes(found):
                return found
            instant = found
        raise all_excluded()

    def previous_at_or_before(self, instant: datetime) -> datetime | None:
        """The last one not later than `instant`; None when there was none."""
        for _ in range(MOST_EXCLUDED):
            found = self.table.previous_at_or_before(instant)
            if found is None or not self._excludes(found):
                return found
            instant = found - _TICK
        raise all_excluded()

    def count(self, after: datetime, until: datetime) -> int | None:
        """How many there are in (after, until]; None when that would visit more than `MOST_COUNTED`."""
        total = 0
        for visited, instant in enumerate(walk(self.table, after, until)):
            if visited == MOST_COUNTED:
                return None
            total += not self._excludes(instant)
        return total

    def _excludes(self, instant: datetime) -> bool:
        return any(table.previous_at_or_before(instant) == instant for table in self.excluded)


@dataclass(frozen=True, slots=True)
class Within:
    """What a table has from `start` to `end`, both included; None is no limit."""

    table: Timetable
    start: datetime | None
    end: datetime | None

    def next_after(self, instant: datetime) -> datetime | None:
        """The first one later than `instant`; None when no more follow."""
        if self.start is not None:
            instant = max(instant, self.start - _TICK)
        if self.end is not None and instant >= self.end:
            return None
        found = self.table.next_after(instant)
        return found if found is None or self.end is None or found <= self.end else None

    def previous_at_or_before(self, instant: datetime) -> datetime | None:
        """The last one not later than `instant`; None when there was none."""
        if self.end is not None:
            instant = min(instant, self.end)
        if self.start is not None and instant < self.start:
            return None
        found = self.table.previous_at_or_before(instant)
        return found if found is None or self.start is None or found >= self.start else None

    def count(self, after: datetime, until: datetime) -> int | None:
        """How many there are in (after, until]; None when they are too many to count."""
        after = after if self.start is None else max(after, self.start - _TICK)
        until = until if self.end is None else min(until, self.end)
        return self.table.count(after, until) if after < until else 0


class Remembered:
    """Keeps the last answers of `next_after`: schedules that share a timetable come due together."""

    def __init__(self, table: Timetable) -> None:
        self._table = table
        self._answers: dict[datetime, datetime | None] = {}

    def next_after(self, instant: datetime) -> datetime | None:
        """The first one later than `instant`; None when no more follow."""
        if instant in (answers := self._answers):
            # Another thread may start anew, but never changes what this one holds.
            return answers[instant]
        found = self._table.next_after(instant)
        if len(answers) >= _REMEMBERED:
            self._answers = answers = {}
        answers[instant] = found
        return found

    def previous_at_or_before(self, instant: datetime) -> datetime | None:
        """The last one not later than `instant`; None when there was none."""
        return self._table.previous_at_or_before(instant)

    def count(self, after: datetime, until: datetime) -> int | None:
        """How many there are in (after, until]; None when they are too many to count."""
        return self._table.count(after, until)


def all_excluded() -> InvalidSchedule:
    """The search of an instant came to no end."""
    return InvalidSchedule("exclusions", f"take away {MOST_EXCLUDED} instants of a specification in a row")


def walk(table: Timetable, after: datetime, until: datetime | None = None) -> Iterator[datetime]:
    """The instants in (after, until], earliest first; None is no limit."""
    instant = table.next_after(after)
    while instant is not None and (until is None or instant <= until):
        yield instant
        instant = table.next_after(instant)


def _count(table: Timetable, after: datetime, until: datetime) -> int | None:
    total = sum(1 for _ in islice(walk(table, after, until), MOST_COUNTED + 1))
    return total if total <= MOST_COUNTED else None
