"""What expressions mean on the wall."""

from datetime import datetime, timedelta

import pytest

from scheduler_service.domain import cron
from scheduler_service.domain.spec import CronSpec, DayMatch, SecondsField
from tests.unit.scheduler.reading import first, listed, parse

SECOND = timedelta(seconds=1)
FIRST, LAST = SecondsField.FIRST, SecondsField.LAST


@pytest.mark.parametrize(
    ("expression", "wall", "expected"),
    [
        ("0 2 * * *", "2026-01-01T02:00:01", "2026-01-02T02:00:00"),
        ("0 2 * * *", "2026-01-01T02:00:00", "2026-01-01T02:00:00"),
        ("*/15 * * * *", "2026-01-01T10:46:00", "2026-01-01T11:00:00"),
        ("0 9 * * MON-FRI", "2026-01-03T00:00:00", "2026-01-05T09:00:00"),
        ("0 0 29 2 *", "2026-01-01T00:00:00", "2028-02-29T00:00:00"),
        ("0 0 29 2 *", "2097-01-01T00:00:00", "2104-02-29T00:00:00"),
        ("0 0 13 * 5", "2026-02-01T00:00:00", "2026-02-06T00:00:00"),
        ("0 0 * * 7", "2026-01-01T00:00:00", "2026-01-04T00:00:00"),
        ("0 0 ? * 1", "2026-02-01T00:00:00", "2026-02-02T00:00:00"),
        ("0 0 ? * ?", "2026-02-01T00:00:01", "2026-02-02T00:00:00"),
        ("0 22-2 * * *", "2026-01-01T03:00:00", "2026-01-01T22:00:00"),
        ("0 0 *,5 * *", "2026-01-02T00:00:00", "2026-01-02T00:00:00"),
        ("@yearly", "2026-01-01T00:00:01", "2027-01-01T00:00:00"),
        ("@annually", "2026-01-01T00:00:01", "2027-01-01T00:00:00"),
        ("@monthly", "2026-01-02T00:00:00", "2026-02-01T00:00:00"),
        ("@weekly", "2026-01-01T00:00:00", "2026-01-04T00:00:00"),
        ("@Daily", "2026-01-01T00:00:01", "2026-01-02T00:00:00"),
        ("@MIDNIGHT", "2026-01-01T00:00:01", "2026-01-02T00:00:00"),
        ("@hourly", "2026-01-01T00:00:01", "2026-01-01T01:00:00"),
        ("  5\t4 * * *  ", "2026-01-01T00:00:00", "2026-01-01T04:05:00"),
        ("0 0 1 jan-mar sun", "2026-01-01T00:00:01", "2026-01-04T00:00:00"),
    ],
)
def test_expression_means_what_the_manual_says(expression: str, wall: str, expected: str) -> None:
    assert first(expression, wall) == expected


@pytest.mark.parametrize(
    ("day_fields", "days"),
    [
        ("L * *", "2026: 01-31 02-28 03-31 04-30"),
        ("L-1 * *", "2026: 01-30 02-27 03-30 04-29"),
        ("L-30 * *", "2026: 01-01 03-01"),
        ("LW * *", "2026: 01-30 02-27 03-31 04-30"),
        ("1W * *", "2026: 01-01 02-02 03-02 04-01"),
        ("15W * *", "2026: 01-15 02-16 03-16 04-15"),
        ("31W * *", "2026: 01-30 03-31"),
        ("28w 2 *", "2026: 02-27"),
        ("1,LW * *", "2026: 01-01 01-30 02-01 02-27 03-01 03-31 04-01 04-30"),
        ("1,15,L-2,20W 2 *", "2026: 02-01 02-15 02-20 02-26"),
        ("* * FRI#2", "2026: 01-09 02-13 03-13 04-10"),
        ("* * 7#1", "2026: 01-04 02-01 03-01 04-05"),
        ("* * 5#5", "2026: 01-30"),
        ("* * FRIL", "2026: 01-30 02-27 03-27 04-24"),
        ("* * 0l", "2026: 01-25 02-22 03-29 04-26"),
        ("* 2 1,3#1,FRIL", "2026: 02-02 02-04 02-09 02-16 02-23 02-27"),
        # Either day field, with special forms on both sides.
        ("LW 2 MON#1", "2026: 02-02 02-27"),
        ("15W,L 2 SUNL,WED#1", "2026: 02-04 02-16 02-22 02-28"),
        ("31 2 FRI", "2026: 02-06 02-13 02-20 02-27"),
        # A field that starts with a star restricts nothing by itself: both must match.
        ("*/10 2 SUN", "2026: 02-01"),
        ("*/10 3 */2", "2026: 03-01 03-21 03-31"),
        ("10-31/10 2 SUN", "2026: 02-01 02-08 02-10 02-15 02-20 02-22"),
        ("13 2 */5", "2026: 02-13"),
    ],
)
def test_days_of_the_first_months_of_2026(day_fields: str, days: str) -> None:
    found = listed(parse(f"0 0 {day_fields}"), datetime(2026, 1, 1), datetime(2026, 5, 1) - SECOND)
    assert "2026: " + " ".join(f"{day:%m-%d}" for day in found) == days


@pytest.mark.parametrize(
    ("day_fields", "days"),
    [
        ("13 * FRI", "02-13 03-13 11-13"),
        ("L * SUN", "05-31"),
        ("LW * FRI", "01-30 02-27 05-29 07-31 10-30"),
        ("1-7 */6 MON", "01-05 07-06"),
        ("15W * MONL,MON#3", "02-16 03-16 06-15 11-16"),
    ],
)
def test_day_match_and_asks_for_both_fields(day_fields: str, days: str) -> None:
    both = cron.parse(CronSpec(f"0 0 {day_fields}", day_match=DayMatch.AND))
    found = listed(both, datetime(2026, 1, 1), datetime(2027, 1, 1) - SECOND)
    assert " ".join(f"{day:%m-%d}" for day in found) == days


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("5-5", [5]),
        ("5-5/3", [5]),
        ("22-2", [0, 1, 2, 22, 23]),
        ("22-2/2", [0, 2, 22]),
        ("23-3/2", [1, 3, 23]),
        ("18/2", [18, 20, 22]),
        ("23/5", [23]),
        ("*/24", [0]),
        ("*/7", [0, 7, 14, 21]),
        ("3-12/4", [3, 7, 11]),
        ("1,01,1-3,2", [1, 2, 3]),
    ],
)
def test_ranges_and_steps_of_a_field(text: str, hours: list[int]) -> None:
    found = listed(parse(f"0 {text} * * *"), datetime(2026, 1, 1), datetime(2026, 1, 2) - SECOND)
    assert [reading.hour for reading in found] == hours


@pytest.mark.parametrize(
    ("text", "weekdays"),
    [
        ("0-7", "Mon Tue Wed Thu Fri Sat Sun"),
        ("5-7", "Fri Sat Sun"),
        ("FRI-MON", "Mon Fri Sat Sun"),
        ("7-2", "Mon Tue Sun"),
        ("SUN-SAT/3", "Wed Sat Sun"),
        ("1-7/2", "Mon Wed Fri Sun"),
        ("0-7/2", "Tue Thu Sat Sun"),
        ("6/1", "Sat"),
        ("7/3", "Wed Sat Sun"),
        ("7-7", "Sun"),
        ("mon-1", "Mon"),
    ],
)
def test_ranges_and_steps_of_days_of_week(text: str, weekdays: str) -> None:
    monday = datetime(2026, 2, 2)
    found = listed(parse(f"0 0 * * {text}"), monday, monday + timedelta(days=7) - SECOND)
    assert " ".join(f"{day:%a}" for day in found) == weekdays


def test_months_wrap_and_take_names() -> None:
    found = listed(parse("0 0 1 NOV-2,4 *"), datetime(2026, 1, 1), datetime(2026, 12, 31))
    assert [day.month for day in found] == [1, 2, 4, 11, 12]


@pytest.mark.parametrize(
    ("expression", "seconds", "expected"),
    [
        ("30 0 9 * * *", FIRST, "2026-01-01T09:00:30"),
        ("0 9 * * * 30", LAST, "2026-01-01T09:00:30"),
        ("*/10 * * * * *", FIRST, "2026-01-01T00:00:10"),
        ("30 0 9 * * * 2028", SecondsField.NONE, "2028-01-01T09:00:30"),
        ("30 0 9 * * * 2028", FIRST, "2028-01-01T09:00:30"),
        ("0 9 * * * 30 2028", LAST, "2028-01-01T09:00:30"),
        ("0 0 0 29 2 ? 2027-2040", FIRST, "2028-02-29T00:00:00"),
        ("0 0 0 1 1 * 2026/50", FIRST, "2076-01-01T00:00:00"),
        ("0 0 0 1 1 * */100", FIRST, "2070-01-01T00:00:00"),
        ("0 0 0 1 1 * 2199", FIRST, "2199-01-01T00:00:00"),
    ],
)
def test_seconds_and_years_stand_where_they_were_asked_for(
    expression: str, seconds: SecondsField, expected: str
) -> None:
    assert first(expression, "2026-01-01T00:00:01", seconds) == expected


def test_years_that_are_over_yield_nothing_more_and_are_found_backwards() -> None:
    parsed = parse("0 0 0 1 1 * 1999,2001")
    assert parsed.at_or_after(datetime(2001, 1, 1)) == datetime(2001, 1, 1)
    assert parsed.at_or_after(datetime(2001, 1, 1) + SECOND) is None
    assert parsed.at_or_before(datetime(2026, 1, 1)) == datetime(2001, 1, 1)
    assert parsed.at_or_before(datetime(2001, 1, 1) - SECOND) == datetime(1999, 1, 1)
    assert parsed.at_or_before(datetime(1999, 1, 1) - SECOND) is None
    assert parsed.count(datetime(1950, 1, 1), datetime(8000, 1, 1)) == 2


def test_search_ends_with_the_years_1900_and_8999() -> None:
    for expression in ("0 0 * * *", "0 0 L * *", "0 0 29 2 *"):
        assert parse(expression).at_or_after(datetime(8999, 12, 31, 12)) is None
        assert parse(expression).at_or_after(datetime(9999, 12, 31, 23, 59, 59)) is None
        assert parse(expression).at_or_before(datetime(1899, 12, 31, 12)) is None
        assert parse(expression).at_or_before(datetime(1, 1, 1)) is None
    assert parse("0 0 * * *").at_or_after(datetime(1, 1, 1)) == datetime(1900, 1, 1)
    assert parse("0 0 * * *").at_or_before(datetime(9999, 12, 31)) == datetime(8999, 12, 31)


def test_fractions_of_a_second_round_towards_the_search() -> None:
    parsed = parse("* * * * * *", LAST)
    wall = datetime(2026, 1, 1, 23, 59, 59, 1)
    assert parsed.at_or_after(wall) == datetime(2026, 1, 2)
    assert parsed.at_or_before(wall) == datetime(2026, 1, 1, 23, 59, 59)


def test_hour_field_that_starts_with_a_star_follows_elapsed_time() -> None:
    follows = [parse(f"0 {hour} * * *").follows_elapsed_time for hour in ("*", "*/2", "0-23", "5,*", "H")]
    assert follows == [True, True, False, False, False]
    assert parse("@hourly").follows_elapsed_time
    assert parse("0 0 * * * * *").follows_elapsed_time
