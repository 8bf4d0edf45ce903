"""Clocks."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from service_kit.clock import DatabaseClock, ManualClock
from service_kit.errors import DatabaseUnavailable

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Monotonic:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


async def test_database_clock_advances_with_the_monotonic_clock() -> None:
    monotonic = Monotonic()

    async def read() -> datetime:
        monotonic.seconds += 0.2
        return NOON

    clock = DatabaseClock(read, monotonic=monotonic)
    await clock.sample()
    assert clock.now() == NOON + timedelta(seconds=0.1)
    monotonic.seconds += 60
    assert clock.now() == NOON + timedelta(seconds=60.1)


async def test_new_sample_replaces_the_old_one() -> None:
    monotonic, answers = Monotonic(), iter([NOON, NOON - timedelta(days=1)])

    async def read() -> datetime:
        return next(answers)

    clock = DatabaseClock(read, monotonic=monotonic)
    await clock.sample()
    await clock.sample()
    assert clock.now() == NOON - timedelta(days=1)


async def test_sample_that_took_long_is_better_than_none_and_worse_than_another() -> None:
    """Whoever stood still in between cannot say what time it is."""
    monotonic, trips = Monotonic(), iter([20.0, 0.2, 20.0])

    async def read() -> datetime:
        monotonic.seconds += next(trips)
        return NOON

    clock = DatabaseClock(read, monotonic=monotonic)
    await clock.sample()
    assert clock.now() == NOON + timedelta(seconds=10)
    await clock.sample()
    assert clock.now() == NOON + timedelta(seconds=0.1)
    await clock.sample()
    assert clock.now() == NOON + timedelta(seconds=20.1)


async def test_clock_without_a_sample_does_not_guess() -> None:
    async def read() -> datetime:
        raise AssertionError("not asked")

    with pytest.raises(DatabaseUnavailable):
        DatabaseClock(read).now()


def test_manual_clock_moves_only_when_told() -> None:
    clock = ManualClock(datetime(2026, 3, 1, 13, tzinfo=timezone(timedelta(hours=1))))
    assert clock.now() == NOON
    assert clock.now().tzinfo is UTC
    assert clock.advance(timedelta(minutes=5)) == NOON + timedelta(minutes=5)
    clock.set(NOON)
    assert clock.now() == NOON
