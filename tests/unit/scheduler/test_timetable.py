"""Unions, exclusions and limits: whatever is put together, every search walks the same set of instants."""

from datetime import UTC, datetime, timedelta
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.instants import MOST_COUNTED, MOST_EXCLUDED
from scheduler_service.domain.spec import (
    CalendarIntervalSpec,
    CalendarUnit,
    CronSpec,
    IntervalSpec,
    OneShotSpec,
    RecurrenceSpec,
    SecondsField,
    TimeSpec,
)
from scheduler_service.domain.timetable import timetable
from scheduler_service.domain.timing import Fold, Gap, Timing
from tests.conformance.sweep import backwards, forwards
from tests.support.walker import utc

BERLIN = "Europe/Berlin"
NINE = CronSpec("0 9 * * *")
EVERY_MINUTE = CronSpec("* * * * *")
SPECS: list[TimeSpec] = [
    NINE,
    CronSpec("*/20 * * * *"),
    CronSpec("30 2 * * *"),
    CronSpec("0 0-6 * * SUN,THU"),
    CronSpec("@every 90m"),
    IntervalSpec(timedelta(minutes=40), timedelta(minutes=20)),
    OneShotSpec(utc("2026-03-29T01:00")),
    OneShotSpec(utc("2026-10-25T00:30")),
    CalendarIntervalSpec(2, CalendarUnit.DAY, datetime(2026, 3, 1, 2, 30)),
    RecurrenceSpec("FREQ=HOURLY;INTERVAL=3;BYDAY=SA,SU", datetime(2026, 1, 1)),
]
EXCLUSIONS: list[TimeSpec] = [
    CronSpec("* * * * SUN"),
    CronSpec("*/20 1-3 29 * *"),
    CronSpec("@every 7h"),
    OneShotSpec(utc("2026-03-29T01:00")),
    CalendarIntervalSpec(3, CalendarUnit.DAY, datetime(2026, 3, 2, 2, 30)),
    RecurrenceSpec("FREQ=WEEKLY;BYHOUR=9,2;BYMINUTE=0,30;BYSECOND=0", datetime(2026, 1, 1)),
]
"""None takes everything away from any of SPECS."""
WINDOWS = st.sampled_from([utc("2026-03-28T20:00"), utc("2026-05-01T00:00"), utc("2026-10-24T20:00")])
DAY_AND_A_HALF = timedelta(hours=36)


def found(timing: Timing, after: str, until: str) -> list[str]:
    instants = forwards(timetable(timing), utc(after), utc(until))
    return [f"{at:%m-%dT%H:%M}" for at in instants]


@settings(deadline=None)
@given(
    specs=st.lists(st.sampled_from(SPECS), min_size=1, max_size=3, unique=True),
    exclusions=st.lists(st.sampled_from(EXCLUSIONS), max_size=2),
    gap=st.sampled_from(Gap),
    fold=st.sampled_from(Fold),
    after=WINDOWS,
    limits=st.tuples(*[st.none() | st.integers(-300, 2400)] * 2),
)
def test_forwards_backwards_and_count_walk_the_same_set(
    specs: list[TimeSpec],
    exclusions: list[TimeSpec],
    gap: Gap,
    fold: Fold,
    after: datetime,
    limits: tuple[int | None, int | None],
) -> None:
    start, end = (None if minutes is None else after + timedelta(minutes=minutes) for minutes in limits)
    timing = Timing(
        specs=tuple(specs),
        exclusions=tuple(exclusions),
        time_zone=BERLIN,
        gap=gap,
        fold=fold,
        start=start,
        end=end,
    )
    table, until = timetable(timing), after + DAY_AND_A_HALF
    instants = list(forwards(table, after, until))
    assert instants == sorted(set(instants))
    assert instants == list(backwards(table, after, until))[::-1]
    assert table.count(after, until) == len(instants)
    assert all((start is None or at >= start) and (end is None or at <= end) for at in instants)


@settings(deadline=None)
@given(st.lists(st.sampled_from(SPECS), min_size=2, max_size=4, unique=True), WINDOWS)
def test_union_is_what_any_of_its_specs_yields(specs: list[TimeSpec], after: datetime) -> None:
    until = after + DAY_AND_A_HALF
    alone = [Timing(specs=(spec,), time_zone=BERLIN) for spec in specs]
    expected = {at for timing in alone for at in forwards(timetable(timing), after, until)}
    together = timetable(Timing(specs=tuple(specs), time_zone=BERLIN))
    assert list(forwards(together, after, until)) == sorted(expected)


@settings(deadline=None)
@given(st.sampled_from(SPECS), st.sampled_from(EXCLUSIONS))
def test_exclusion_takes_away_equal_instants_where_no_clock_is_moved(spec: TimeSpec, other: TimeSpec) -> None:
    after, until = utc("2026-05-01T00:00"), utc("2026-05-04T00:00")
    kept, gone = (
        set(forwards(timetable(Timing(specs=(one,), time_zone=BERLIN)), after, until))
        for one in (spec, other)
    )
    timing = Timing(specs=(spec,), exclusions=(other,), time_zone=BERLIN)
    assert set(forwards(timetable(timing), after, until)) == kept - gone


def test_excluded_reading_stays_away_on_the_day_of_a_gap() -> None:
    """29 March 2026 is a Sunday whose 02:30 would run at 03:00."""
    timing = Timing(specs=(CronSpec("30 2 * * *"),), exclusions=(CronSpec("* * * * SUN"),), time_zone=BERLIN)
    assert found(timing, "2026-03-28T00:00", "2026-03-31T00:00") == ["03-28T01:30", "03-30T00:30"]


def test_exclusion_of_a_skipped_reading_takes_nothing_else_away() -> None:
    """02:00 does not exist on that day; 03:00 does, and was not excluded."""
    timing = Timing(specs=(CronSpec("0 * * * *"),), exclusions=(CronSpec("0 2 * * *"),), time_zone=BERLIN)
    assert found(timing, "2026-03-29T00:00", "2026-03-29T01:00") == ["03-29T01:00"]


def test_nothing_runs_while_the_clock_shows_an_excluded_reading() -> None:
    """02:30 would run at 03:00 after the gap, and that is excluded."""
    timing = Timing(specs=(CronSpec("30 2 * * *"),), exclusions=(CronSpec("* 3 * * *"),), time_zone=BERLIN)
    assert found(timing, "2026-03-28T12:00", "2026-03-29T12:00") == []


def test_exclusion_holds_in_both_passes_of_a_repeated_hour() -> None:
    timing = Timing(specs=(CronSpec("30 * * * *"),), exclusions=(CronSpec("* 2 * * *"),), time_zone=BERLIN)
    assert found(timing, "2026-10-24T23:00", "2026-10-25T03:00") == ["10-24T23:30", "10-25T02:30"]


def test_limits_are_included() -> None:
    day = timedelta(days=1)
    timing = Timing(specs=(NINE,), start=utc("2026-05-01T09:00"), end=utc("2026-05-03T09:00"))
    table = timetable(timing)
    assert table.next_after(utc("2020-01-01T00:00")) == timing.start
    assert table.next_after(utc("2026-05-03T08:59")) == timing.end
    assert table.next_after(utc("2026-05-03T09:00")) is None
    assert table.previous_at_or_before(utc("2030-01-01T00:00")) == timing.end
    assert table.previous_at_or_before(utc("2026-05-01T08:59")) is None
    assert table.count(utc("2026-05-01T09:00") - day, utc("2026-05-03T09:00") + day) == 3


@pytest.mark.parametrize(
    ("spec", "exclusion"),
    [
        (EVERY_MINUTE, EVERY_MINUTE),
        (EVERY_MINUTE, CronSpec("* * * * * *", SecondsField.FIRST)),
        (EVERY_MINUTE, IntervalSpec(timedelta(minutes=1))),
        (IntervalSpec(timedelta(hours=1)), CronSpec("0 * * * *")),
        (RecurrenceSpec("FREQ=MINUTELY", datetime(2026, 1, 1)), EVERY_MINUTE),
    ],
)
def test_search_gives_up_where_everything_is_excluded(spec: TimeSpec, exclusion: TimeSpec) -> None:
    table, began = timetable(Timing(specs=(spec,), exclusions=(exclusion,))), perf_counter()
    for search in (table.next_after, table.previous_at_or_before):
        with pytest.raises(InvalidSchedule) as refusal:
            search(datetime(2090, 1, 1, tzinfo=UTC))
        assert refusal.value.field == "exclusions"
        assert str(MOST_EXCLUDED) in refusal.value.rule
    assert perf_counter() - began < 10


def test_each_spec_must_be_left_with_something() -> None:
    timing = Timing(specs=(EVERY_MINUTE, NINE), exclusions=(NINE,))
    with pytest.raises(InvalidSchedule, match="of a specification in a row"):
        timetable(timing).next_after(utc("2026-05-01T00:00"))


def test_long_exclusion_is_stepped_over_by_days() -> None:
    """Half a year of every minute is 260,000 excluded instants, but 181 days."""
    timing = Timing(specs=(EVERY_MINUTE,), exclusions=(CronSpec("* * * 1-6 *"),), time_zone=BERLIN)
    assert timetable(timing).next_after(utc("2026-01-05T00:00")) == utc("2026-06-30T22:00")
    assert timetable(timing).previous_at_or_before(utc("2026-06-15T00:00")) == utc("2025-12-31T22:59")


def test_what_takes_too_long_to_count_is_not_counted() -> None:
    table = timetable(Timing(specs=(EVERY_MINUTE, CronSpec("30 9 * * *")), exclusions=(NINE,)))
    after = utc("2026-05-01T00:00")
    assert table.count(after, after + timedelta(days=1)) == 1439
    assert table.count(after, after + timedelta(minutes=2 * MOST_COUNTED)) is None
    assert timetable(Timing(specs=(EVERY_MINUTE,))).count(after, after + timedelta(days=365)) == 525_600


def test_seed_chooses_where_an_expression_leaves_it_open_and_nowhere_else() -> None:
    hashed, plain = Timing(specs=(CronSpec("H H * * *"),)), Timing(specs=(NINE,))
    assert timetable(plain, "a") is timetable(plain, "b")
    after = utc("2026-05-01T00:00")
    assert timetable(hashed, "a").next_after(after) != timetable(hashed, "b").next_after(after)
    assert timetable(hashed, "a").next_after(after) == timetable(hashed, "a").next_after(after)
