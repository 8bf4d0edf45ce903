"""Compares timetables with the walker around changes of clocks."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from scheduler_service.domain.spec import CronSpec
from scheduler_service.domain.timetable import Timetable, timetable
from scheduler_service.domain.timing import Fold, Gap, Timing
from tests.conformance.changes import Change, changes, zones
from tests.conformance.panel import DENSE, PANEL
from tests.support.walker import FOLDS, GAPS, Clock, auto

AUTO = ("AUTO", "AUTO")
EVERY_POLICY = (AUTO, *((gap, fold) for gap in GAPS for fold in FOLDS))

NEAR, FAR, BORDER = timedelta(hours=3), timedelta(hours=36), timedelta(hours=30)
TICK = timedelta(microseconds=1)

Policy = tuple[str, str]


@dataclass
class Tally:
    changes: int = 0
    timelines: int = 0
    """A change, an expression and a policy, walked forwards and backwards and counted."""
    instants: int = 0
    differences: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        self.changes += other.changes
        self.timelines += other.timelines
        self.instants += other.instants
        self.differences += other.differences


def sweep_year(year: int) -> Tally:
    """All changes of a year, with every policy that matters to each."""
    return sweep((change for zone in zones() for change in changes(zone, year)), PANEL, _policies)


def sweep_sample(sample: Sequence[Change], expressions: Sequence[str]) -> Tally:
    """Some changes, with every policy."""
    return sweep(sample, expressions, lambda _: EVERY_POLICY)


def sweep(
    found: Iterable[Change], expressions: Sequence[str], policies: Callable[[Change], Iterable[Policy]]
) -> Tally:
    """The walker looks once at changes of one shape, the timetable at each."""
    shapes = defaultdict(list)
    for change in found:
        shapes[change.shape].append(change)
    tally = Tally()
    for same in shapes.values():
        tally.changes += len(same)
        for number, (text, reach, clock) in enumerate(_clocks(same[0], expressions)):
            chosen = _share(same, number)
            for gap, fold in policies(same[0]):
                _compare(tally, chosen, clock, text, reach, gap, fold)
    return tally


def _share(same: list[Change], number: int) -> list[Change]:
    """Of zones that move their clocks together one takes every expression, the others each fourth."""
    seen: set[datetime] = set()
    chosen = []
    for rank, change in enumerate(same):
        if change.at not in seen or (rank + number) % 4 == 0:
            chosen.append(change)
        seen.add(change.at)
    return chosen


def _policies(change: Change) -> list[Policy]:
    """A clock set forward heeds the gap policy alone, one set back the fold policy."""
    if change.size > timedelta():
        return [AUTO, *zip(GAPS, FOLDS, strict=True)]
    return [AUTO, *zip(GAPS[::-1], FOLDS, strict=True)]


def _clocks(change: Change, expressions: Sequence[str]) -> Iterator[tuple[str, timedelta, Clock]]:
    reach = max(NEAR, 2 * abs(change.size))
    near, far = (_clock(change, width) for width in (reach, FAR))
    for text in expressions:
        yield (text, reach, near) if text in DENSE else (text, FAR, far)


def _clock(change: Change, reach: timedelta) -> Clock:
    width = reach + min(BORDER, 2 * abs(change.size) + timedelta(hours=1))
    return Clock(change.zone, change.at - width, change.at + width, change.step)


def _compare(
    tally: Tally, same: list[Change], clock: Clock, text: str, reach: timedelta, gap: str, fold: str
) -> None:
    rule = auto(text) if (gap, fold) == AUTO else (gap, fold)
    first = same[0].at
    distances = [at - first for at in clock.runs(text, *rule) if -reach < at - first <= reach]
    for change in same:
        timing = Timing(specs=(CronSpec(text),), time_zone=change.zone, gap=Gap[gap], fold=Fold[fold])
        expected = [change.at + distance for distance in distances]
        tally.timelines += 1
        tally.instants += len(expected)
        wrong = _difference(timetable(timing), change.at, reach, expected)
        if wrong:
            tally.differences.append(f"{text} in {change.zone} at {change.at}, {gap} {fold}: {wrong}")


def _difference(table: Timetable, change: datetime, reach: timedelta, expected: list[datetime]) -> str:
    after, until = change - reach, change + reach
    found = list(forwards(table, after, until))
    if found != expected:
        return f"next_after: {_first_of(found, expected)}"
    found = list(backwards(table, after, until))[::-1]
    if found != expected:
        return f"previous_at_or_before: {_first_of(found, expected)}"
    for begin, end in ((after, until), (after, change), (change, until)):
        count, right = table.count(begin, end), sum(begin < at <= end for at in expected)
        if count != right:
            return f"count {begin} to {end}: {count}, not {right}"
    return ""


def forwards(table: Timetable, after: datetime, until: datetime) -> Iterator[datetime]:
    """Its instants in (after, until], earliest first."""
    instant = table.next_after(after)
    while instant is not None and instant <= until:
        yield instant
        instant = table.next_after(instant)


def backwards(table: Timetable, after: datetime, until: datetime) -> Iterator[datetime]:
    """Its instants in (after, until], latest first."""
    instant = table.previous_at_or_before(until)
    while instant is not None and instant > after:
        yield instant
        instant = table.previous_at_or_before(instant - TICK)


def _first_of(found: list[datetime], expected: list[datetime]) -> str:
    extra, missing = sorted(set(found) - set(expected)), sorted(set(expected) - set(found))
    return f"extra {[str(at) for at in extra[:3]]}, missing {[str(at) for at in missing[:3]]}"
