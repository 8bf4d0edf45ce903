"""An independent reading of cron expressions: walks the clock step by step, with zoneinfo and nothing else.

Knows five fields with numbers, `*`, ranges, steps and lists, or six with the seconds last. Slow on purpose:
it shares no idea with the code under test.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7), (0, 59))


@dataclass(frozen=True)
class Fields:
    minute: frozenset[int]
    hour: frozenset[int]
    day: frozenset[int]
    month: frozenset[int]
    weekday: frozenset[int]
    second: frozenset[int]
    either_day: bool
    follows_elapsed_time: bool

    def match(self, wall: datetime) -> bool:
        return (
            wall.second in self.second
            and wall.minute in self.minute
            and wall.hour in self.hour
            and wall.month in self.month
            and self._matches_day(wall)
        )

    def _matches_day(self, wall: datetime) -> bool:
        by_month = wall.day in self.day
        by_week = wall.isoweekday() % 7 in self.weekday
        return (by_month or by_week) if self.either_day else (by_month and by_week)


def read(expression: str) -> Fields:
    texts = expression.split()
    if len(texts) == 5:
        texts.append("0")
    values = [_values(text, *bounds) for text, bounds in zip(texts, BOUNDS, strict=True)]
    values[4] = frozenset(value % 7 for value in values[4])
    return Fields(
        *values,
        either_day=texts[2] != "*" and texts[4] != "*",
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


def walk(
    expression: str, zone: str, after: datetime, until: datetime, step: timedelta = timedelta(minutes=1)
) -> list[datetime]:
    """Every instant in (after, until] at which the expression runs in `zone`.

    `after` is at a multiple of `step` on the clock. Starts two days early to know what the clock has shown.
    """
    fields = read(expression)
    runs = _elapsed if fields.follows_elapsed_time else _fixed
    found = runs(fields, ZoneInfo(zone), after - timedelta(days=2), until, step)
    return [instant for instant in found if instant > after]


def _elapsed(
    fields: Fields, zone: ZoneInfo, start: datetime, until: datetime, step: timedelta
) -> Iterator[datetime]:
    instant = start
    while instant <= until:
        if fields.match(instant.astimezone(zone).replace(tzinfo=None)):
            yield instant
        instant += step


def _fixed(
    fields: Fields, zone: ZoneInfo, start: datetime, until: datetime, step: timedelta
) -> Iterator[datetime]:
    """Each reading counts the first time the clock shows it or jumps over it."""
    instant = start
    shown = start.astimezone(zone).replace(tzinfo=None) - step
    while instant <= until:
        wall = instant.astimezone(zone).replace(tzinfo=None)
        new = []
        while shown < wall:
            shown += step
            new.append(shown)
        if any(fields.match(reading) for reading in new):
            yield instant
        instant += step


def utc(text: str) -> datetime:
    """`2026-03-29T01:00` as an aware instant."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
