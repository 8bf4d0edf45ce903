"""Calendar intervals: computed from the start, clamped to short months, on the clock of the zone."""

from datetime import datetime, timedelta
from itertools import islice

import pytest
from dateutil.relativedelta import relativedelta
from hypothesis import given
from hypothesis import strategies as st

from scheduler_service.domain.calendar_interval import CalendarInterval
from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.spec import CalendarIntervalSpec, CalendarUnit
from scheduler_service.domain.timetable import timetable
from scheduler_service.domain.timing import Fold, Gap, Timing
from tests.conformance.sweep import forwards
from tests.support.walker import utc

SECOND = timedelta(seconds=1)
STEPS = {
    CalendarUnit.DAY: relativedelta(days=1),
    CalendarUnit.WEEK: relativedelta(weeks=1),
    CalendarUnit.MONTH: relativedelta(months=1),
    CalendarUnit.YEAR: relativedelta(years=1),
}
SPECS = st.builds(
    CalendarIntervalSpec,
    every=st.integers(1, 40),
    unit=st.sampled_from(CalendarUnit),
    start=st.datetimes(datetime(1990, 1, 1), datetime(2030, 1, 1)).map(lambda at: at.replace(microsecond=0)),
)


def nth(spec: CalendarIntervalSpec, n: int) -> datetime:
    return spec.start + STEPS[spec.unit] * (n * spec.every)


@given(SPECS, st.integers(0, 60))
def test_nth_reading_is_n_times_the_unit_after_the_start(spec: CalendarIntervalSpec, n: int) -> None:
    readings, wall, following = CalendarInterval(spec), nth(spec, n), nth(spec, n + 1)
    assert readings.at_or_after(wall) == readings.at_or_before(wall) == wall
    assert readings.at_or_after(wall + SECOND) == following
    assert readings.at_or_before(following - SECOND) == wall
    assert readings.count(spec.start - SECOND, wall) == n + 1
    assert readings.count(wall, following - SECOND) == 0


@given(SPECS, st.timedeltas(SECOND, timedelta(days=9000)))
def test_nothing_comes_before_the_start(spec: CalendarIntervalSpec, earlier: timedelta) -> None:
    readings, wall = CalendarInterval(spec), (spec.start - earlier).replace(microsecond=0)
    assert readings.at_or_after(wall) == spec.start
    assert readings.at_or_before(wall - SECOND) is None
    assert readings.count(wall - SECOND, spec.start) == 1


def test_last_day_of_the_month_comes_back_after_february() -> None:
    spec = CalendarIntervalSpec(1, CalendarUnit.MONTH, datetime(2027, 12, 31, 9))
    table = timetable(Timing(specs=(spec,)))
    days = [f"{at:%m-%d}" for at in islice(forwards(table, spec_start(spec), utc("2029-01-01T00:00")), 4)]
    assert days == ["01-31", "02-29", "03-31", "04-30"]


def spec_start(spec: CalendarIntervalSpec) -> datetime:
    return utc(spec.start.isoformat())


def test_29_february_is_the_28th_in_common_years() -> None:
    readings = CalendarInterval(CalendarIntervalSpec(1, CalendarUnit.YEAR, datetime(2024, 2, 29, 12)))
    assert readings.at_or_after(datetime(2025, 1, 1)) == datetime(2025, 2, 28, 12)
    assert readings.at_or_after(datetime(2028, 1, 1)) == datetime(2028, 2, 29, 12)


def test_nine_in_the_morning_stays_nine_when_clocks_change() -> None:
    spec = CalendarIntervalSpec(2, CalendarUnit.DAY, datetime(2026, 3, 27, 9))
    table = timetable(Timing(specs=(spec,), time_zone="Europe/Berlin"))
    found = list(forwards(table, utc("2026-03-27T00:00"), utc("2026-03-31T12:00")))
    assert found == [utc("2026-03-27T08:00"), utc("2026-03-29T07:00"), utc("2026-03-31T07:00")]


@pytest.mark.parametrize(
    ("gap", "expected"),
    [
        (Gap.AUTO, ["2026-03-29T01:00"]),
        (Gap.AT_TRANSITION, ["2026-03-29T01:00"]),
        (Gap.SHIFT, ["2026-03-29T01:30"]),
        (Gap.SKIP, []),
    ],
)
def test_gap_policy_holds(gap: Gap, expected: list[str]) -> None:
    spec = CalendarIntervalSpec(1, CalendarUnit.DAY, datetime(2026, 3, 27, 2, 30))
    table = timetable(Timing(specs=(spec,), time_zone="Europe/Berlin", gap=gap))
    assert list(forwards(table, utc("2026-03-28T12:00"), utc("2026-03-29T12:00"))) == [*map(utc, expected)]


@pytest.mark.parametrize(("fold", "runs"), [(Fold.AUTO, 1), (Fold.FIRST, 1), (Fold.LAST, 1), (Fold.BOTH, 2)])
def test_fold_policy_holds(fold: Fold, runs: int) -> None:
    spec = CalendarIntervalSpec(1, CalendarUnit.WEEK, datetime(2026, 10, 18, 2, 30))
    table = timetable(Timing(specs=(spec,), time_zone="Europe/Berlin", fold=fold))
    assert table.count(utc("2026-10-24T12:00"), utc("2026-10-25T12:00")) == runs


@pytest.mark.parametrize(
    ("every", "start", "field"),
    [
        (0, datetime(2026, 1, 1), "every"),
        (1001, datetime(2026, 1, 1), "every"),
        (1, datetime(1969, 1, 1), "start"),
    ],
)
def test_refused(every: int, start: datetime, field: str) -> None:
    with pytest.raises(InvalidSchedule) as refusal:
        CalendarInterval(CalendarIntervalSpec(every, CalendarUnit.DAY, start))
    assert refusal.value.field == field


def test_search_ends_where_years_do() -> None:
    readings = CalendarInterval(CalendarIntervalSpec(1000, CalendarUnit.YEAR, datetime(2026, 1, 1)))
    assert readings.at_or_after(datetime(9027, 1, 1)) is None
    assert readings.at_or_before(datetime(9999, 1, 1)) == datetime(9026, 1, 1)
