"""Time zones: what the clock on the wall reads, and when it is moved."""

import zoneinfo
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from scheduler_service.domain.errors import InvalidSchedule

_SECOND = timedelta(seconds=1)
_SCAN: Final = timedelta(hours=6)
"""Two changes of one zone are further apart than this."""


class Change(NamedTuple):
    """The clock is moved: at the instant `at` (UTC) the offset from UTC becomes `after`."""

    at: datetime
    before: timedelta
    after: timedelta


class Zone:
    """One zone of the IANA database. Instants are aware UTC, wall readings naive."""

    def __init__(self, name: str, info: zoneinfo.ZoneInfo) -> None:
        self.name = name
        self._info = info

    def __repr__(self) -> str:
        return f"Zone({self.name!r})"

    def wall(self, instant: datetime) -> datetime:
        """What the clock reads."""
        return instant.astimezone(self._info).replace(tzinfo=None, fold=0)

    def offset(self, instant: datetime) -> timedelta:
        """How far the clock is ahead of UTC."""
        offset = instant.astimezone(self._info).utcoffset()
        assert offset is not None
        return offset

    def first_reaches(self, wall: datetime) -> datetime:
        """The first instant at which the clock reads `wall` or later.

        That is the reading's own instant, its first pass when the clock reads it twice, and the end of
        the gap when it never does.
        """
        early = wall.replace(tzinfo=self._info, fold=0).astimezone(UTC)
        if self.wall(early) == wall:
            return early
        # In a gap fold=1 takes the offset after the change and so gives an instant before it.
        late_offset = wall.replace(tzinfo=self._info, fold=1).utcoffset()
        assert late_offset is not None
        return self._change_between((wall - late_offset).replace(tzinfo=UTC), early)

    def first_unreached(self, instant: datetime) -> datetime:
        """The smallest reading of whole seconds that the clock has not shown by `instant`.

        `first_reaches(wall) > instant` exactly when `wall >= first_unreached(instant)`.
        """
        second = instant.replace(microsecond=0)
        local = second.astimezone(self._info)
        wall = local.replace(tzinfo=None, fold=0)
        if not local.fold:
            return wall + _SECOND
        first_pass = local.replace(fold=0).astimezone(UTC)
        change = self._change_between(first_pass, second)
        return self.wall(change - _SECOND) + _SECOND

    def changes(self, after: datetime, until: datetime) -> list[Change]:
        """The changes at instants in (after, until], earliest first."""
        years = range(after.year, until.year + 1)
        return [change for year in years for change in _changes(self, year) if after < change.at <= until]

    def _change_between(self, low: datetime, high: datetime) -> datetime:
        """The first second in (low, high] with another offset than `low`; there is exactly one change."""
        offset = self.offset(low)
        while high - low > _SECOND:
            middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
            low, high = (middle, high) if self.offset(middle) == offset else (low, middle)
        return high


@lru_cache(maxsize=8192)
def _changes(zone: Zone, year: int) -> tuple[Change, ...]:
    """The changes of a UTC year."""
    found = []
    instant, end = datetime(year, 1, 1, tzinfo=UTC) - _SECOND, datetime(year + 1, 1, 1, tzinfo=UTC) - _SECOND
    offset = zone.offset(instant)
    while instant < end:
        following = min(instant + _SCAN, end)
        next_offset = zone.offset(following)
        if next_offset != offset:
            found.append(Change(zone._change_between(instant, following), offset, next_offset))
        instant, offset = following, next_offset
    return tuple(found)


@lru_cache(maxsize=1024)
def zone(name: str) -> Zone:
    """The zone of that IANA name; "" is UTC. Raises InvalidSchedule for an unknown name."""
    try:
        if name and name not in _names():
            raise zoneinfo.ZoneInfoNotFoundError(name)
        return Zone(name or "UTC", zoneinfo.ZoneInfo(name or "UTC"))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        rule = f"{name!r} is no time zone of the IANA database; use a name such as Europe/Berlin or UTC"
        raise InvalidSchedule("time_zone", rule) from error


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


@lru_cache(maxsize=1024)
def local_time(zone: Zone, instant: datetime) -> str:
    """`YYYY-MM-DDTHH:MM:SS` on the clock of the zone."""
    return zone.wall(instant).isoformat(timespec="seconds")


@lru_cache(maxsize=1024)
def utc_offset(zone: Zone, instant: datetime) -> str:
    """`+HH:MM` or `-HH:MM`; seconds of an offset (before 1972) are cut."""
    minutes = int(zone.offset(instant).total_seconds()) // 60
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
