"""From readings on the wall to instants, as the gap and fold policies have it.

AUTO: a cron expression whose hour field starts with `*` follows elapsed time: it runs whenever the clock
shows a matching reading, in both passes of a repeated hour and never in a gap. Everything else runs once for
each reading: in its first pass when the clock shows it twice, at the first instant after the gap when it is
skipped. Readings that meet in one instant are one.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from scheduler_service.domain.stretches import Readings, Rule, stretches
from scheduler_service.domain.timing import Fold, Gap
from scheduler_service.domain.zones import Zone

FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 8999
REACH: Final = f"must lie in the years {FIRST_YEAR} to {LAST_YEAR}"
"""The rule that `is_within_reach` judges by."""

ELAPSED: Final = Rule(Gap.SKIP, Fold.BOTH)
FIXED: Final = Rule(Gap.AT_TRANSITION, Fold.FIRST)

_LONGEST_COUNT: Final = 100
"""`count` gives up beyond so many years."""

_SECOND = timedelta(seconds=1)
_MARGIN: Final = timedelta(days=2)
"""A reading and the instant that it means are closer than this, the one taken as if it were UTC."""


def rule(gap: Gap, fold: Fold, auto: Rule) -> Rule:
    """The rule in force: `auto` where a policy is AUTO."""
    return Rule(gap if gap is not Gap.AUTO else auto.gap, fold if fold is not Fold.AUTO else auto.fold)


@dataclass(frozen=True, slots=True)
class OnTheWall:
    """The instants from 1970 to 8999 that `readings` mean in a zone; a Timetable."""

    readings: Readings
    zone: Zone
    rule: Rule

    def next_after(self, instant: datetime) -> datetime | None:
        """The first one later than `instant`; None when no more follow."""
        earliest = instant.replace(tzinfo=None, microsecond=0) + _SECOND
        year = max(earliest.year, FIRST_YEAR)
        while year <= LAST_YEAR:
            for stretch in stretches(self.zone, year, self.rule):
                if earliest < stretch.end:
                    found = stretch.first(self.readings, earliest)
                    if found is not None:
                        return found.replace(tzinfo=UTC)
            wall = self.readings.at_or_after(datetime(year + 1, 1, 1) - _MARGIN)
            if wall is None:
                return None
            year = max(year + 1, (wall - _MARGIN).year)
        return None

    def previous_at_or_before(self, instant: datetime) -> datetime | None:
        """The last one not later than `instant`; None when there was none."""
        latest = instant.replace(tzinfo=None, microsecond=0)
        year = min(latest.year, LAST_YEAR)
        while year >= FIRST_YEAR:
            for stretch in reversed(stretches(self.zone, year, self.rule)):
                if stretch.start <= latest:
                    found = stretch.last(self.readings, latest)
                    if found is not None:
                        return found.replace(tzinfo=UTC)
            wall = self.readings.at_or_before(datetime(year, 1, 1) + _MARGIN)
            if wall is None:
                return None
            year = min(year - 1, (wall + _MARGIN).year)
        return None

    def count(self, after: datetime, until: datetime) -> int | None:
        """How many there are in (after, until]; None when they are too many to count."""
        begin = after.replace(tzinfo=None, microsecond=0) + _SECOND
        end = until.replace(tzinfo=None, microsecond=0) + _SECOND
        years = range(max(begin.year, FIRST_YEAR), min(end.year, LAST_YEAR) + 1)
        if len(years) > _LONGEST_COUNT:
            return None
        total = 0
        for stretch in (part for year in years for part in stretches(self.zone, year, self.rule)):
            part = stretch.count(self.readings, begin, end)
            if part is None:
                return None
            total += part
        return total


def is_within_reach(instant: datetime) -> bool:
    """Whether the arithmetic here covers `instant`: the years 1970 to 8999."""
    return FIRST_YEAR <= instant.year <= LAST_YEAR
