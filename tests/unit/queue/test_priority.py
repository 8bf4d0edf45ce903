"""Bands, ageing and boosts."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queue_service.domain.priority import (
    MOST_BOOST,
    Band,
    band,
    effective_level,
    may_boost,
    shown_level,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HALF_HOUR = timedelta(minutes=30)

waits = st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=365))
thresholds = st.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(days=30))
levels = st.integers(1, 30)


@pytest.mark.parametrize(
    ("priority", "expected"),
    [
        (1, Band.LOW),
        (4, Band.LOW),
        (5, Band.NORMAL),
        (6, Band.NORMAL),
        (7, Band.IMPORTANT),
        (8, Band.IMPORTANT),
        (9, Band.CRITICAL),
        (10, Band.CRITICAL),
    ],
)
def test_bands_have_the_edges_of_the_contract(priority: int, expected: Band) -> None:
    assert band(priority) is expected


@pytest.mark.parametrize("priority", [0, 11, -1])
def test_a_priority_out_of_range_has_no_band(priority: int) -> None:
    with pytest.raises(ValueError, match="1 to 10"):
        band(priority)


def test_a_level_is_gained_for_each_threshold_waited() -> None:
    assert effective_level(3, NOW - 2 * HALF_HOUR, NOW, HALF_HOUR) == 5.0
    assert effective_level(3, NOW - HALF_HOUR / 2, NOW, HALF_HOUR) == 3.5


@given(levels, waits, thresholds)
def test_waiting_never_lowers_a_level(level: int, waited: timedelta, threshold: timedelta) -> None:
    now = NOW + waited
    assert effective_level(level, NOW, now, threshold) >= level
    later = now + timedelta(seconds=1)
    assert effective_level(level, NOW, later, threshold) > effective_level(level, NOW, now, threshold)


@given(levels, levels, waits, waits, waits, thresholds)
def test_the_order_of_two_tasks_never_changes_while_both_wait(
    a: int, b: int, a_waited: timedelta, b_waited: timedelta, more: timedelta, threshold: timedelta
) -> None:
    def ahead(now: datetime) -> float:
        first = effective_level(a, NOW - a_waited, now, threshold)
        return first - effective_level(b, NOW - b_waited, now, threshold)

    assert ahead(NOW) == pytest.approx(ahead(NOW + more), abs=1e-6, rel=1e-9)


@given(levels, waits, thresholds)
def test_people_see_whole_levels_up_to_ten(level: int, waited: timedelta, threshold: timedelta) -> None:
    shown = shown_level(level, NOW, NOW + waited, threshold)
    assert 1 <= shown <= 10
    assert shown <= effective_level(level, NOW, NOW + waited, threshold)


def test_a_task_that_counts_from_later_has_not_waited_yet() -> None:
    assert effective_level(5, NOW + HALF_HOUR, NOW, HALF_HOUR) == 5.0


def test_a_threshold_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        effective_level(5, NOW, NOW, timedelta(0))


def test_a_boost_comes_once_per_threshold() -> None:
    assert may_boost(0, None, NOW, HALF_HOUR)
    assert not may_boost(1, NOW - HALF_HOUR + timedelta(seconds=1), NOW, HALF_HOUR)
    assert may_boost(1, NOW - HALF_HOUR, NOW, HALF_HOUR)


def test_boosts_end_at_a_bound() -> None:
    assert not may_boost(MOST_BOOST, None, NOW, HALF_HOUR)
