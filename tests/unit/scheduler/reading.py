"""Reading expressions in tests."""

from datetime import datetime, timedelta

from scheduler_service.domain import cron
from scheduler_service.domain.spec import CronSpec, SecondsField

SECOND = timedelta(seconds=1)


def parse(expression: str, seconds: SecondsField = SecondsField.NONE, seed: str = "") -> cron.Cron:
    return cron.parse(CronSpec(expression, seconds), seed)


def first(expression: str, wall: str, seconds: SecondsField = SecondsField.NONE) -> str:
    found = parse(expression, seconds).at_or_after(datetime.fromisoformat(wall))
    assert found is not None
    return found.isoformat()


def listed(parsed: cron.Cron, first: datetime, last: datetime) -> list[datetime]:
    """Every reading in [first, last], by going forward."""
    found: list[datetime] = []
    reading = parsed.at_or_after(first)
    while reading is not None and reading <= last:
        found.append(reading)
        reading = parsed.at_or_after(reading + SECOND)
    return found


def listed_backwards(parsed: cron.Cron, first: datetime, last: datetime) -> list[datetime]:
    """Every reading in [first, last] in order, by going backwards."""
    found: list[datetime] = []
    reading = parsed.at_or_before(last)
    while reading is not None and reading >= first:
        found.append(reading)
        reading = parsed.at_or_before(reading - SECOND)
    return found[::-1]
