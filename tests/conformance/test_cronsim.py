"""The AUTO rule against cronsim, which follows Debian's cron; each listed difference is shown to be one."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim

from scheduler_service.domain.spec import CronSpec
from scheduler_service.domain.timetable import timetable
from scheduler_service.domain.timing import Timing
from tests.conformance.changes import Change, changes, zones
from tests.conformance.panel import PANEL
from tests.conformance.sweep import forwards

REACH = timedelta(hours=26)
HOUR = timedelta(hours=1)


def ours(text: str, change: Change) -> list[datetime]:
    table = timetable(Timing(specs=(CronSpec(text),), time_zone=change.zone))
    return list(forwards(table, change.at - REACH, change.at + REACH))


def theirs(text: str, change: Change) -> list[datetime]:
    """cronsim reads the clock of the zone that it is given."""
    walk: Iterator[datetime] = CronSim(text, (change.at - REACH).astimezone(ZoneInfo(change.zone)))
    instants = (at.astimezone(UTC) for at in walk)
    return list(takewhile(lambda at: at <= change.at + REACH, instants))


def means_the_same(text: str) -> bool:
    """cronsim lets an expression follow elapsed time by its minute field as well."""
    minute, hour, *_ = text.split()
    return hour.startswith("*") or not minute.startswith("*")


def at_whole_hours(change: Change) -> bool:
    wall = change.at.replace(tzinfo=None) + change.before
    return not change.size % HOUR and wall.minute == wall.second == 0


def sample(size: int, seed: int) -> list[Change]:
    """Changes by whole hours at whole hours."""
    draw = random.Random(seed)
    found: list[Change] = []
    while len(found) < size:
        some = changes(draw.choice(zones()), draw.randrange(1970, 2038))
        found += [change for change in some if at_whole_hours(change)][:1]
    return found


def test_cronsim_agrees_around_changes_by_whole_hours_at_whole_hours() -> None:
    for change in sample(20, seed=7):
        for text in filter(means_the_same, PANEL):
            assert ours(text, change) == theirs(text, change), (text, change)


def only(zone: str, year: int, number: int = 0) -> Change:
    return list(changes(zone, year))[number]


@pytest.mark.parametrize(
    ("text", "change", "only_ours", "only_theirs"),
    [
        # A minute field that starts with `*` follows elapsed time there, whatever the hours are.
        ("*/30 2 * * *", only("Europe/Berlin", 2026, 1), 0, 2),
        ("*/30 2 * * *", only("Europe/Berlin", 2026, 0), 1, 0),
        # It steps by whole hours and so over instants after a change by less.
        ("30 * * * *", only("Australia/Lord_Howe", 2026, 1), 1, 0),
        ("15 */2 * * *", only("Australia/Lord_Howe", 2026, 0), 1, 0),
        # Nor does it where the clock is moved at 00:01.
        ("*/15 */2 * * *", only("America/Goose_Bay", 2006), 4, 0),
        # It runs at the first whole minute after a gap, not at the first instant.
        ("30 0 * * *", only("Africa/Monrovia", 1972), 1, 1),
    ],
)
def test_cronsim_differs_as_listed(text: str, change: Change, only_ours: int, only_theirs: int) -> None:
    mine, other = set(ours(text, change)), set(theirs(text, change))
    assert (len(mine - other), len(other - mine)) == (only_ours, only_theirs)
