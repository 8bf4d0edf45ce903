"""`@every DURATION`."""

from datetime import timedelta

import pytest

from scheduler_service.domain import cron
from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.spec import IntervalSpec


@pytest.mark.parametrize(
    ("expression", "every"),
    [
        ("@every 90s", timedelta(seconds=90)),
        ("@every 1h30m", timedelta(minutes=90)),
        ("  @EVERY \t1h ", timedelta(hours=1)),
        ("@every 1.5h", timedelta(minutes=90)),
        ("@every 1h0.5s", timedelta(hours=1, milliseconds=500)),
        ("@every 1s", timedelta(seconds=1)),
        ("@every 1500ms", timedelta(milliseconds=1500)),
        ("@every 8784h", timedelta(days=366)),
    ],
)
def test_duration_is_read_as_go_writes_it(expression: str, every: timedelta) -> None:
    assert cron.every(expression) == IntervalSpec(every)


@pytest.mark.parametrize("expression", ["* * * * *", "@daily", "", "@everything 5m", "every 5m"])
def test_other_expressions_are_no_intervals(expression: str) -> None:
    assert cron.every(expression) is None


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("@every", "write a duration like 90s"),
        ("@every 5", "write a duration like 90s"),
        ("@every 1d", "units h, m, s, ms"),
        ("@every 1H", "units h, m, s, ms"),
        ("@every -5m", "write a duration like 90s"),
        ("@every 1h 30m", "write a duration like 90s"),
        ("@every 1us", "units h, m, s, ms"),
        ("@every 999ms", "1 s to 366 days"),
        ("@every 0s", "1 s to 366 days"),
        ("@every 8785h", "1 s to 366 days"),
        ("@every 999999999h", "1 s to 366 days"),
        ("@every " + "999999999h" * 24, "1 s to 366 days"),
        ("@every 1.0005s", "whole number of milliseconds"),
        ("@every " + "1h" * 200, "write a duration like 90s"),
    ],
)
def test_refusal_says_what_a_duration_is(expression: str, says: str) -> None:
    with pytest.raises(InvalidSchedule) as refused:
        cron.every(expression)
    assert says in refused.value.rule
    assert refused.value.field == "expression"
