"""An independent reading of cron expressions and of clocks: step by step, with zoneinfo and nothing else.

Knows five fields with numbers, `*`, ranges, steps and lists, or six with the seconds last. It lists what a
clock shows at every step and applies the policies as they are defined, reading by reading; it shares no idea
with the code under test.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7), (0, 59))
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)

AT_TRANSITION, SHIFT, SKIP = GAPS = ("AT_TRANSITION", "SHIFT", "SKIP")
FIRST, LAST, BOTH = FOLDS = ("FIRST", "LAST", "BOTH")


@dataclass(frozen=True)
class Expression:
    times: tuple[time, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool
    follows_elapsed_time: bool

    def matches(self, day: date) -> bool:
        by_month = day.day in self.days
        by_week = day.isoweekday() % 7 in self.weekdays
        by_either = (by_month or by_week) if self.either_day else (by_month and by_week)
        return day.month in self.months and by_either


@lru_cache(maxsize=256)
def read(text: str) -> Expression:
    texts = text.split()
    if len(texts) == 5:
        texts.append("0")
    minutes, hours, days, months, weekdays, seconds = (
        _values(text, *bounds) for text, bounds in zip(texts, BOUNDS, strict=True)
    )
    return Expression(
        times=tuple(sorted(time(h, m, s) for h in hours for m in minutes for s in seconds)),
        days=days,
        months=months,
        weekdays=frozenset(weekday % 7 for weekday in weekdays),
        either_day=not texts[2].startswith("*") and not texts[4].startswith("*"),
        follows_elapsed_time=texts[1].startswith("*"),
    )


def _values(text: str, low: int, high: int) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, last = low, high
        if span != "*":
            first, last = (int(end) for end in span.split("-")) if "-" in span else (int(span), int(span))
        found.update(range(first, last + 1, int(step or 1)))
    return frozenset(found)


class Clock:
    """What the clock of a zone shows at every step in [start, end)."""

    def __init__(self, zone: str, start: datetime, end: datetime, step: timedelta = MINUTE) -> None:
        info = ZoneInfo(zone)
        self.shown: dict[datetime, list[datetime]] = {}
        self.jumps: list[tuple[datetime, datetime, datetime]] = []
        """Where it is set forward: the readings around the gap, and the first instant after it."""
        last = None
        instant = start
        while instant < end:
            wall = instant.astimezone(info).replace(tzinfo=None, fold=0)
            self.shown.setdefault(wall, []).append(instant)
            if last is not None and wall - last > step:
                self.jumps.append((last, wall, instant))
            last = wall
            instant += step
        self.step = step
        self.days = sorted({wall.date() for wall in self.shown})

    def runs(self, text: str, gap: str, fold: str) -> list[datetime]:
        """The instants of an expression, in order; not to be relied on within a day of either end."""
        expression = read(text)
        found: set[datetime] = set()
        for wall in self._readings(expression):
            found.update(self._meant(wall, gap, fold))
        return sorted(found)

    def _readings(self, expression: Expression) -> Iterator[datetime]:
        first, last = self.days[0], self.days[-1]
        for number in range((last - first).days + 1):
            day = first + number * DAY
            if expression.matches(day):
                yield from (datetime.combine(day, moment) for moment in expression.times)

    def _meant(self, wall: datetime, gap: str, fold: str) -> list[datetime]:
        passes = self.shown.get(wall)
        if passes is not None:
            return {FIRST: passes[:1], LAST: passes[-1:], BOTH: passes}[fold]
        for before, after, instant in self.jumps:
            if before < wall < after:
                if gap == AT_TRANSITION:
                    return [instant]
                later = wall + (after - before - self.step)
                return [at for at in self.shown[later] if at >= instant][:1] if gap == SHIFT else []
        return []


def walk(text: str, zone: str, after: datetime, until: datetime, step: timedelta = MINUTE) -> list[datetime]:
    """Every instant in (after, until] at which the expression runs in `zone` by the AUTO rule.

    `after` is at a multiple of `step` on the clock.
    """
    clock = Clock(zone, after - 2 * DAY, until + 2 * DAY, step)
    gap, fold = auto(text)
    return [instant for instant in clock.runs(text, gap, fold) if after < instant <= until]


def auto(text: str) -> tuple[str, str]:
    """What AUTO is for an expression."""
    return (SKIP, BOTH) if read(text).follows_elapsed_time else (AT_TRANSITION, FIRST)


def utc(text: str) -> datetime:
    """`2026-03-29T01:00` as an aware instant."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
