"""Expressions on the wall: what is read, what is refused, and that the search agrees with croniter's own."""

from datetime import UTC, datetime, timedelta

import pytest
from croniter import croniter
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler_service.domain import cron
from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.spec import CronSpec, SecondsField

ORIGINAL_EXAMPLES = ["0 2 * * *", "*/15 * * * *", "0 9 * * 1-5", "0 0 1 * *", "30 3 * * 0"]


def parse(expression: str, seconds: SecondsField = SecondsField.NONE) -> cron.Cron:
    return cron.parse(CronSpec(expression, seconds))


def first(expression: str, wall: str, seconds: SecondsField = SecondsField.NONE) -> str:
    found = parse(expression, seconds).at_or_after(datetime.fromisoformat(wall))
    assert found is not None
    return found.isoformat()


@pytest.mark.parametrize(
    ("expression", "wall", "expected"),
    [
        ("0 2 * * *", "2026-01-01T02:00:01", "2026-01-02T02:00:00"),
        ("0 2 * * *", "2026-01-01T02:00:00", "2026-01-01T02:00:00"),
        ("*/15 * * * *", "2026-01-01T10:46:00", "2026-01-01T11:00:00"),
        ("0 9 * * MON-FRI", "2026-01-03T00:00:00", "2026-01-05T09:00:00"),
        ("0 0 29 2 *", "2026-01-01T00:00:00", "2028-02-29T00:00:00"),
        ("0 0 13 * 5", "2026-02-01T00:00:00", "2026-02-06T00:00:00"),
        ("0 0 * * 7", "2026-01-01T00:00:00", "2026-01-04T00:00:00"),
        ("0 0 L * *", "2026-02-01T00:00:00", "2026-02-28T00:00:00"),
        ("0 0 15W * *", "2026-02-01T00:00:00", "2026-02-16T00:00:00"),
        ("0 0 * * 5#2", "2026-02-01T00:00:00", "2026-02-13T00:00:00"),
        ("0 0 ? * 1", "2026-02-01T00:00:00", "2026-02-02T00:00:00"),
        ("0 22-2 * * *", "2026-01-01T03:00:00", "2026-01-01T22:00:00"),
        ("0 0 *,5 * *", "2026-01-02T00:00:00", "2026-01-02T00:00:00"),
        ("@yearly", "2026-01-01T00:00:01", "2027-01-01T00:00:00"),
        ("@monthly", "2026-01-02T00:00:00", "2026-02-01T00:00:00"),
        ("@weekly", "2026-01-01T00:00:00", "2026-01-04T00:00:00"),
        ("@Daily", "2026-01-01T00:00:01", "2026-01-02T00:00:00"),
        ("@hourly", "2026-01-01T00:00:01", "2026-01-01T01:00:00"),
        ("  5\t4 * * *  ", "2026-01-01T00:00:00", "2026-01-01T04:05:00"),
    ],
)
def test_expression_means_what_the_manual_says(expression: str, wall: str, expected: str) -> None:
    assert first(expression, wall) == expected


def test_seconds_stand_where_they_were_asked_for() -> None:
    assert first("30 0 9 * * *", "2026-01-01T00:00:00", SecondsField.FIRST) == "2026-01-01T09:00:30"
    assert first("0 9 * * * 30", "2026-01-01T00:00:00", SecondsField.LAST) == "2026-01-01T09:00:30"
    assert first("*/10 * * * * *", "2026-01-01T00:00:01", SecondsField.FIRST) == "2026-01-01T00:00:10"


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("", "0 fields"),
        ("* * * *", "4 fields"),
        ("0 0 * * * *", "first or last"),
        ("0 0 1 1 * * 2030", "7 fields"),
        ("60 * * * *", "minute '60'"),
        ("* 24 * * *", "hour '24'"),
        ("* * 0 * *", "day of month '0'"),
        ("* * * 13 *", "month '13'"),
        ("* * * * 8", "day of week '8'"),
        ("a * * * *", "minute 'a'"),
        ("*/0 * * * *", "minute '*/0'"),
        ("1,, * * * *", "minute '1,,'"),
        ("-1 * * * *", "minute '-1'"),
        ("0 0 31 2 *", "can never occur"),
        ("0 0 30 FEB *", "can never occur"),
        ("0 0 31 4,6 *", "can never occur"),
        ("R * * * *", "H and R"),
        ("0 h(0-5) * * *", "H and R"),
        ("0 5-5 * * *", "from a value to itself"),
        ("0 0 * jan-jan *", "from a value to itself"),
        ("0 0 1 * 2#2", "only one may be set"),
        ("0 0 15W * MON", "only one may be set"),
        ("0 0 1 * L5", "only one may be set"),
        ("@reboot", "@reboot"),
        ("@every 5m", "@every 5m"),
        ("\u0663 * * * *", "ASCII"),
        ("TZ=UTC * * * * *", "first or last"),
        (",".join(["0"] * 200) + " * * * *", "longer than 256"),
    ],
)
def test_refusal_names_the_field_and_the_rule(expression: str, says: str) -> None:
    with pytest.raises(InvalidSchedule) as refused:
        parse(expression)
    assert says in refused.value.rule
    assert refused.value.field == "expression"


def test_five_fields_are_refused_when_seconds_were_asked_for() -> None:
    for expression in ("* * * * *", "@daily"):
        with pytest.raises(InvalidSchedule, match="5 fields, expected 6"):
            parse(expression, SecondsField.FIRST)


TIME_FIELD = st.sampled_from(["*", "0", "*/7", "5,50", "10-20/3", "59", "0-59/13"])
HOUR_FIELD = st.sampled_from(["*", "0", "*/5", "23", "2-4", "22-2", "0,12"])
PLAIN_DAYS = st.tuples(
    st.sampled_from(["*", "1", "31", "*/10", "L", "28-31", "5,20"]),
    st.sampled_from(["*", "1", "*/5", "JAN,JUL", "3-12"]),
    st.sampled_from(["*", "0", "MON-FRI", "7", "1,3"]),
)
SPECIAL_DAYS = st.sampled_from(
    [("15W", "*", "*"), ("*", "*/5", "2#2"), ("*", "*", "L5"), ("?", "3", "SUN#5")]
)
DAYS = (PLAIN_DAYS | SPECIAL_DAYS).map(" ".join)
WALL = st.datetimes(datetime(1999, 1, 1), datetime(2040, 1, 1)).map(lambda wall: wall.replace(microsecond=0))


@given(TIME_FIELD, HOUR_FIELD, DAYS, TIME_FIELD, WALL)
@settings(max_examples=200, deadline=None)
def test_search_agrees_with_croniter(minute: str, hour: str, days: str, second: str, wall: datetime) -> None:
    """croniter's own walk is the oracle for days and times together."""
    expression = f"{minute} {hour} {days} {second}"
    parsed = parse(expression, SecondsField.LAST)
    start = wall.replace(tzinfo=UTC)
    tick = timedelta(seconds=1)
    oracle = croniter(expression, start)
    assert parsed.at_or_after(wall + tick) == oracle.get_next(datetime, start).replace(tzinfo=None)
    assert parsed.at_or_before(wall - tick) == oracle.get_prev(datetime, start).replace(tzinfo=None)


@given(TIME_FIELD, HOUR_FIELD, DAYS, WALL, st.integers(0, 400_000))
@settings(max_examples=100, deadline=None)
def test_count_is_what_listing_gives(
    minute: str, hour: str, days: str, after: datetime, seconds: int
) -> None:
    parsed = parse(f"{minute} {hour} {days}")
    until = after + timedelta(seconds=seconds)
    listed, wall = 0, parsed.at_or_after(after + timedelta(seconds=1))
    while wall is not None and wall <= until:
        listed += 1
        wall = parsed.at_or_after(wall + timedelta(seconds=1))
    assert parsed.count(after, until) == listed


def test_count_gives_up_rather_than_visit_every_day_of_a_millennium() -> None:
    parsed = parse("0 0 1-30 * *")
    assert parsed.count(datetime(2000, 1, 1), datetime(2010, 1, 1)) is not None
    assert parsed.count(datetime(2000, 1, 1), datetime(3000, 1, 1)) is None


def test_search_ends_with_the_year_8999() -> None:
    assert parse("0 0 * * *").at_or_after(datetime(8999, 12, 31, 12)) is None
    assert parse("0 0 L * *").at_or_after(datetime(8999, 12, 31, 12)) is None
