"""What a release of the time zone database changes: rules of zones as files say them, and what they move."""

import zoneinfo
from collections.abc import Mapping
from datetime import datetime, timedelta
from importlib import resources
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from scheduler_service.domain.instants import walk
from scheduler_service.domain.timetable import Timetable, timetable, timetable_in
from scheduler_service.domain.timing import Timing
from scheduler_service.domain.zones import Zone

COMPARED: Final = 10
"""Instants of a schedule that are compared."""

_YEARS: Final = timedelta(days=366 * 12)
"""Rules that agree for so long are taken to agree for ever."""


class Moved(NamedTuple):
    """The next instants of a schedule by the rules before and by those of now, where they differ."""

    old: list[datetime]
    new: list[datetime]


class MovedSchedule(NamedTuple):
    """A schedule whose next fires a release has moved."""

    number: int
    schedule_id: str
    time_zone: str
    release: str
    moved_at: datetime
    moved: Moved


def rules_in_use() -> dict[str, bytes]:
    """The rules of every zone, by name, as TZif: those that `zoneinfo` reads."""
    return {name: _read(name) for name in sorted(zoneinfo.available_timezones())}


def zone_of(name: str, rules: bytes) -> Zone:
    """A zone by the rules of a TZif file. Raises ValueError for anything else."""
    return Zone(name, zoneinfo.ZoneInfo.from_file(BytesIO(rules), key=name))


def is_older(release: str, than: str) -> bool:
    """Whether a release such as `2025b` came before another; False when either is unknown."""
    return release[:1].isdigit() and than[:1].isdigit() and release < than


class Change(NamedTuple):
    """Other rules of a zone."""

    old: Zone
    since: datetime
    """They agree from `checked` to here."""
    checked: datetime

    def moved(self, timing: Timing, seed: str, after: datetime) -> Moved | None:
        """What it does to the instants of `timing` after that one. Raises InvalidSchedule."""
        new = _next(timetable(timing, seed), after)
        if len(new) == COMPARED and after >= self.checked and new[-1] < self.since:
            return None
        old = _next(timetable_in(self.old, timing, seed), after)
        return Moved(old, new) if old != new else None


def changed_zones(
    before: Mapping[str, bytes], now: Mapping[str, bytes], after: datetime
) -> dict[str, Change]:
    """By name the zones whose clocks show, after that instant, what they would not have shown before."""
    found = {}
    for name, rules in now.items():
        if name in before and before[name] != rules:
            old = zone_of(name, before[name])
            since = _first_difference(old, zone_of(name, rules), after)
            if since is not None:
                found[name] = Change(old, since, after)
    return found


def _first_difference(old: Zone, new: Zone, after: datetime) -> datetime | None:
    until = after + _YEARS
    changes = [*old.changes(after, until), *new.changes(after, until)]
    instants = sorted({after, *(change.at for change in changes)})
    return next((at for at in instants if old.offset(at) != new.offset(at)), None)


def _next(table: Timetable, after: datetime) -> list[datetime]:
    return list(islice(walk(table, after), COMPARED))


def _read(name: str) -> bytes:
    for folder in map(Path, zoneinfo.TZPATH):
        path = folder / name
        if path.is_file():
            return path.read_bytes()
    return resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()
