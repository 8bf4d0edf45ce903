"""Jitter and spread: later by a hash, never as late as the next instant, the same for ever."""

from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler_service.domain.jitter import delay_of, offset
from scheduler_service.domain.spec import CronSpec
from scheduler_service.domain.timetable import timetable
from scheduler_service.domain.timing import Timing
from tests.support.walker import utc

NOON = utc("2026-05-04T12:00")
HOUR, ZERO = timedelta(hours=1), timedelta()
LENGTHS = st.integers(0, 86_400_000).map(lambda ms: timedelta(milliseconds=ms))
NAMES = st.text("abc.-_9", min_size=1, max_size=12)
MINUTES = st.integers(0, 10_000).map(lambda minutes: NOON + timedelta(minutes=minutes))


@given(NAMES, MINUTES, LENGTHS, LENGTHS, st.none() | st.integers(1, 86_400_000_000))
@settings(deadline=None)
def test_delay_stays_below_the_next_instant_and_below_what_was_asked_for(
    name: str, nominal: datetime, jitter: timedelta, spread: timedelta, distance: int | None
) -> None:
    following = None if distance is None else nominal + timedelta(microseconds=distance)
    delay = offset(name, nominal, jitter, spread, following)
    assert ZERO <= delay <= jitter + spread
    assert following is None or nominal + delay < following
    assert delay == ZERO or delay < jitter + spread
    assert offset(name, nominal, jitter, spread, following) == delay


def test_spread_is_one_shift_for_all_instants_and_another_for_each_schedule() -> None:
    hours = [NOON + n * HOUR for n in range(50)]
    names = [f"s{n}" for n in range(200)]
    shifts = {name: {offset(name, at, ZERO, HOUR / 2, at + HOUR) for at in hours} for name in names}
    assert {len(found) for found in shifts.values()} == {1}
    (first, *_), quarter = zip(*shifts.values(), strict=True), HOUR / 8
    assert all(sum(n * quarter <= shift < (n + 1) * quarter for shift in first) > 30 for n in range(4))


def test_jitter_is_another_one_for_each_instant() -> None:
    delays = [offset("a", NOON + n * HOUR, HOUR, ZERO, NOON + (n + 1) * HOUR) for n in range(200)]
    assert len(set(delays)) == 200
    assert 0.4 < sum(delays, ZERO) / 200 / HOUR < 0.6


def test_delay_is_known_for_ever() -> None:
    """Replicas and releases agree: a change of the hash would move what is stored."""
    assert offset("nightly", NOON, HOUR, ZERO, None) == timedelta(seconds=3368, microseconds=93962)
    assert offset("nightly", NOON, ZERO, HOUR, None) == timedelta(seconds=593, microseconds=887147)


def test_schedule_without_jitter_and_spread_has_no_delay() -> None:
    hourly = Timing(specs=(CronSpec("0 * * * *"),))
    assert delay_of(hourly, "a", timetable(hourly)) is None
