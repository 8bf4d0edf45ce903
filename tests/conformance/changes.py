"""Every change of every clock in the IANA database, found with zoneinfo alone."""

import hashlib
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib import resources
from pathlib import Path

SECOND = timedelta(seconds=1)
STEP = timedelta(hours=6)


@dataclass(frozen=True)
class Change:
    zone: str
    at: datetime
    before: timedelta
    after: timedelta

    @property
    def size(self) -> timedelta:
        """Positive when the clock is set forward."""
        return self.after - self.before

    @property
    def step(self) -> timedelta:
        """The coarsest step at which its clock shows whole minutes."""
        whole = not any(offset % timedelta(minutes=1) for offset in (self.before, self.after))
        return timedelta(minutes=1) if whole else SECOND

    @property
    def shape(self) -> tuple[datetime, timedelta, timedelta]:
        """What the clock shows around changes of one shape is the same."""
        return self.at.replace(tzinfo=None) + self.before, self.size, self.step


def changes(zone: str, year: int) -> Iterator[Change]:
    """Those of a UTC year."""
    info = zoneinfo.ZoneInfo(zone)
    instant, end = datetime(year, 1, 1, tzinfo=UTC) - SECOND, datetime(year + 1, 1, 1, tzinfo=UTC) - SECOND
    while instant < end:
        following = min(instant + STEP, end)
        if _offset(info, instant) != _offset(info, following):
            at = _first_with_new_offset(info, instant, following)
            yield Change(zone, at, _offset(info, instant), _offset(info, at))
        instant = following


@lru_cache(maxsize=1)
def zones() -> tuple[str, ...]:
    """One name for each set of equal zone files."""
    names: dict[str, str] = {}
    for name in sorted(zoneinfo.available_timezones() - {"localtime"}):
        names.setdefault(hashlib.sha256(_file(name)).hexdigest(), name)
    return tuple(names.values())


def _file(name: str) -> bytes:
    for folder in zoneinfo.TZPATH:
        if (Path(folder) / name).is_file():
            return (Path(folder) / name).read_bytes()
    return resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()


def _first_with_new_offset(info: zoneinfo.ZoneInfo, low: datetime, high: datetime) -> datetime:
    old = _offset(info, low)
    while high - low > SECOND:
        middle = low + (high - low) // 2
        middle -= timedelta(microseconds=middle.microsecond)
        low, high = (middle, high) if _offset(info, middle) == old else (low, middle)
    return high


def _offset(info: zoneinfo.ZoneInfo, instant: datetime) -> timedelta:
    offset = instant.astimezone(info).utcoffset()
    assert offset is not None
    return offset
