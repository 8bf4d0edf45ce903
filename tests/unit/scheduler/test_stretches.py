"""Stretches are worked out year by year; a clock that is moved around New Year is no special case."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from scheduler_service.domain import cron
from scheduler_service.domain.daylight import OnTheWall
from scheduler_service.domain.spec import CronSpec
from scheduler_service.domain.stretches import Rule
from scheduler_service.domain.timing import Fold, Gap
from scheduler_service.domain.zones import Change, Zone
from tests.conformance.sweep import backwards, forwards
from tests.support.walker import utc

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
NEW_YEAR = utc("2027-01-01T00:00")


class Moved(Zone):
    """A clock at UTC that is moved once, by an hour."""

    def __init__(self, at: datetime, by: timedelta) -> None:
        super().__init__("Moved", ZoneInfo("UTC"))
        self.change = Change(at, timedelta(), by)

    def offset(self, instant: datetime) -> timedelta:
        return self.change.after if instant >= self.change.at else self.change.before

    def changes(self, after: datetime, until: datetime) -> list[Change]:
        return [self.change] if after < self.change.at <= until else []


def meant(zone: Moved, gap: Gap, fold: Fold) -> list[datetime]:
    """Every tenth minute within three hours of New Year, by the definition of the policies."""
    change, found = zone.change, set()
    minutes = [NEW_YEAR + n * MINUTE for n in range(-300, 301)]
    shown: dict[datetime, list[datetime]] = {}
    for instant in minutes:
        shown.setdefault(instant.replace(tzinfo=None) + zone.offset(instant), []).append(instant)
    for minute in minutes[::10]:
        wall = minute.replace(tzinfo=None)
        if passes := shown.get(wall):
            found |= set({Fold.FIRST: passes[:1], Fold.LAST: passes[-1:], Fold.BOTH: passes}[fold])
        elif change.at.replace(tzinfo=None) <= wall < change.at.replace(tzinfo=None) + change.after:
            found |= {Gap.AT_TRANSITION: {change.at}, Gap.SHIFT: {wall.replace(tzinfo=UTC)}, Gap.SKIP: set()}[
                gap
            ]
    return sorted(at for at in found if abs(at - NEW_YEAR) <= 3 * HOUR)


@pytest.mark.parametrize("by", [HOUR, -HOUR], ids=["forward", "back"])
@pytest.mark.parametrize("minutes", [-90, -60, -30, -1, 0, 1, 30, 60, 90])
@pytest.mark.parametrize("fold", [Fold.FIRST, Fold.LAST, Fold.BOTH])
@pytest.mark.parametrize("gap", [Gap.AT_TRANSITION, Gap.SHIFT, Gap.SKIP])
def test_clock_moved_around_new_year_follows_the_policies(
    by: timedelta, minutes: int, fold: Fold, gap: Gap
) -> None:
    zone = Moved(NEW_YEAR + minutes * MINUTE, by)
    table = OnTheWall(cron.parse(CronSpec("*/10 * * * *")), zone, Rule(gap, fold))
    after, until, expected = NEW_YEAR - 3 * HOUR - MINUTE, NEW_YEAR + 3 * HOUR, meant(zone, gap, fold)
    assert list(forwards(table, after, until)) == expected
    assert list(backwards(table, after, until)) == expected[::-1]
    assert table.count(after, until) == len(expected)
