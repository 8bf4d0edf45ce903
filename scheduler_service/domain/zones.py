"""Time zones: what the clock on the wall reads, and when it is moved."""

import zoneinfo
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple

from scheduler_service.domain.errors import InvalidSchedule

_SECOND = timedelta(seconds=1)
_MARGIN: Final = timedelta(days=2)
"""A reading and its instant are closer than this, the one taken as if it were UTC."""
_SCAN: Final = timedelta(days=1)
"""Two changes of one zone are further apart than this: since 1970 a week is the least."""


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

    def changes(self, after: datetime, until: datetime) -> list[Change]:
        """The changes at instants in (after, until], earliest first."""
        years = range(after.year, until.year + 1)
        return [change for year in years for change in _changes(self, year) if after < change.at <= until]

    def first_reached(self, wall: datetime) -> datetime:
        """The first instant at which the clock reads `wall` or later.

        That is the reading's own instant, its first pass when the clock reads it twice, and the end of the
        gap when it never does.
        """
        middle = wall.replace(tzinfo=UTC)
        start, until = middle - _MARGIN, middle + _MARGIN
        offset = self.offset(start)
        for change in self.changes(start, until):
            found = max(start, middle - offset)
            if found < change.at:
                return found
            start, offset = change.at, change.after
        return max(start, middle - offset)

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


@lru_cache(maxsize=1)
def version() -> str:
    """Release of the IANA database in use, such as `2026a`; "unknown" when the system's does not say.

    As in `zoneinfo`, the system's database comes first (PYTHONTZPATH chooses another), then the package
    `tzdata`.
    """
    for folder in map(Path, zoneinfo.TZPATH):
        if (folder / "UTC").is_file():
            return _release(folder)
    return str(import_module("tzdata").IANA_VERSION)


def _release(folder: Path) -> str:
    for name in ("+VERSION", "tzdata.zi"):
        try:
            with (folder / name).open(encoding="ascii", errors="replace") as lines:
                return lines.readline().removeprefix("# version").strip() or "unknown"
        except OSError:
            continue
    return "unknown"


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
