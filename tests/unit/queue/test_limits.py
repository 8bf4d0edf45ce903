"""Limits and the units of resources."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queue_service.domain.limits import Limits, Need, Overrides, fits_alone, hundredths, in_force, percent


def test_own_limits_win_one_by_one() -> None:
    assert in_force(Limits(4, 8000, 8500), Overrides(max_cpu=5000)) == Limits(4, 5000, 8500)
    assert in_force(Limits(4, 8000, 8500), Overrides(0, 0, 0)) == Limits(0, 0, 0)


def test_a_limit_that_is_met_exactly_is_not_too_small() -> None:
    assert fits_alone(Need(8000, 8500), Limits())
    assert not fits_alone(Need(8001, 0), Limits())
    assert not fits_alone(Need(0, 8501), Limits())


def test_no_room_for_tasks_now_does_not_make_a_task_too_large() -> None:
    assert fits_alone(Need(100, 100), Limits(max_tasks=0))


@given(st.integers(0, 10_000))
def test_percent_and_hundredths_are_inverses(value: int) -> None:
    assert hundredths(percent(value)) == value


@pytest.mark.parametrize(
    ("given_percent", "expected"), [(0.28, 28), (0.29, 29), (33.333, 3333), (100, 10_000)]
)
def test_percent_goes_to_the_nearest_hundredth(given_percent: float, expected: int) -> None:
    assert hundredths(given_percent) == expected
