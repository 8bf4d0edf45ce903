"""What is no expression, and what the refusal says."""

import pytest

from scheduler_service.domain import cron
from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.spec import CronSpec, DayMatch, SecondsField
from tests.unit.scheduler.reading import parse

FIRST, LAST = SecondsField.FIRST, SecondsField.LAST


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("", "has 0 fields, expected 5 (minute, hour, day of month, month, day of week) or 7 (second,"),
        ("*", "has 1 field, expected 5"),
        ("* * * *", "has 4 fields, expected 5"),
        ("0 0 * * * *", "has 6 fields, expected 5"),
        ("0 0 * * * *", "for six, set `seconds` to say whether they stand first or last"),
        ("* * * * * * * *", "has 8 fields, expected 5"),
        ("60 * * * *", "minute '60' cannot be read; allowed are 0-59"),
        ("* 24 * * *", "hour '24' cannot be read; allowed are 0-23"),
        ("* * 0 * *", "day of month '0' cannot be read; allowed are 1-31, L"),
        ("* * * 13 *", "month '13' cannot be read; allowed are 1-12 and JAN-DEC"),
        ("* * * * 8", "day of week '8' cannot be read; allowed are 0-7 (0 and 7 are Sunday)"),
        ("60 * * * * * *", "second '60'"),
        ("0 0 0 1 1 * 1969", "year '1969' cannot be read; allowed are 1970-2199"),
        ("0 0 0 1 1 * 2200", "year '2200'"),
        ("0 0 0 1 1 * ?", "year '?'"),
        ("? * * * *", "minute '?'"),
        ("0 0 ?,1 * *", "day of month '?'"),
        ("0 0 ?/2 * *", "day of month '?/2'"),
        ("a * * * *", "minute 'A'"),
        ("0 0 * MON *", "month 'MON'"),
        ("0 0 * * JAN", "day of week 'JAN'"),
        ("0 0 * * MONDAY", "day of week 'MONDAY'"),
        ("*/0 * * * *", "minute '*/0': 0 is not within 1-60"),
        ("*/61 * * * *", "minute '*/61': 61 is not within 1-60"),
        ("0 5-7/25 * * *", "hour '5-7/25': 25 is not within 1-24"),
        ("*/-1 * * * *", "minute '*/-1'"),
        ("1,, * * * *", "minute ''"),
        (",1 * * * *", "minute ''"),
        ("-1 * * * *", "minute '-1'"),
        ("1- * * * *", "minute '1-'"),
        ("1-2-3 * * * *", "minute '1-2-3'"),
        ("1/2/3 * * * *", "minute '1/2/3'"),
        ("*-5 * * * *", "minute '*-5'"),
        ("+1 * * * *", "minute '+1'"),
        ("1.5 * * * *", "minute '1.5'"),
        ("0 0 28-3 * *", "day of month '28-3' runs backwards"),
        ("0 0 0 1 1 * 2030-2020", "year '2030-2020' runs backwards"),
        ("0 0 L-31 * *", "day of month 'L-31': 31 is not within 0-30"),
        ("0 0 L3 * *", "day of month 'L3'"),
        ("0 0 20-L * *", "day of month '20-L'"),
        ("0 0 0W * *", "day of month '0W': 0 is not within 1-31"),
        ("0 0 32W * *", "day of month '32W': 32 is not within 1-31"),
        ("0 0 W15 * *", "day of month 'W15'"),
        ("0 0 1-5W * *", "day of month '1-5W'"),
        ("0 0 W * *", "day of month 'W'"),
        ("0 0 * * L", "day of week 'L'"),
        ("0 0 * * L5", "day of week 'L5' cannot be read; allowed are 0-7"),
        ("0 0 * * 8L", "day of week '8'"),
        ("0 0 * * 5#0", "day of week '5#0': 0 is not within 1-5"),
        ("0 0 * * FRI#6", "day of week 'FRI#6': 6 is not within 1-5"),
        ("0 0 * * FOO#1", "day of week 'FOO'"),
        ("0 0 * * 5#", "day of week '5#'"),
        ("0 0 5#2 * *", "day of month '5#2'"),
        ("0 0 * * 5W", "day of week '5W'"),
        ("L * * * *", "minute 'L'"),
        ("R * * * *", "minute 'R': R would choose anew at every reading; H chooses once"),
        ("0 r(0-5) * * *", "hour 'R(0-5)': R would choose anew"),
        ("0 0 R/2 * *", "day of month 'R/2': R would choose anew"),
        ("@reboot", "'@reboot' is not one of @yearly"),
        ("@every_minute", "'@every_minute' is not one of @yearly"),
        ("@every 5m", "'@every 5m' is an interval"),
        ("\u0663 * * * *", "ASCII"),
        ("TZ=UTC * * * * *", "'TZ=UTC': the zone is `time_zone` of the schedule"),
        ("CRON_TZ=UTC 0 0 * * *", "the zone is `time_zone` of the schedule"),
        (",".join(["0"] * 200) + " * * * *", "longer than 256"),
    ],
)
def test_refusal_names_the_field_and_the_rule(expression: str, says: str) -> None:
    with pytest.raises(InvalidSchedule) as refused:
        parse(expression)
    assert says in refused.value.rule
    assert refused.value.field == "expression"


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("0 0 31 2 *", "never matches: month '2' has no day of month '31'"),
        ("0 0 30 FEB *", "never matches: month 'FEB' has no day of month '30'"),
        ("0 0 31 4,6 *", "never matches: month '4,6' has no day of month '31'"),
        ("0 0 31 2 */2", "never matches: month '2' has no day of month '31'"),
        ("0 0 L-29 2 *", "never matches: month '2' has no day of month 'L-29'"),
        ("0 0 31W SEP *", "never matches: month 'SEP' has no day of month '31W'"),
        ("0 0 0 29 2 * 2027", "never matches in year '2027'"),
        ("0 0 0 29 2 * 2100,2101-2103", "never matches in year '2100,2101-2103'"),
    ],
)
def test_what_can_never_match_is_refused_with_the_reason(expression: str, says: str) -> None:
    with pytest.raises(InvalidSchedule, match="never matches") as refused:
        parse(expression)
    assert refused.value.rule == says


@pytest.mark.parametrize("days", ["1 * FRI#2", "LW * SUN", "15 * MONL", "1 2 SUN#5"])
def test_day_fields_that_never_meet_are_refused_when_both_must_match(days: str) -> None:
    with pytest.raises(InvalidSchedule, match="is never day of week"):
        cron.parse(CronSpec(f"0 0 {days}", day_match=DayMatch.AND))
    parse(f"0 0 {days}")


@pytest.mark.parametrize(
    ("expression", "seconds", "says"),
    [
        ("* * * * *", FIRST, "has 5 fields, expected 6 (second, minute, hour"),
        ("* * * * *", LAST, "day of week, second) or 7 (and year), since seconds were asked for last"),
        ("@daily", FIRST, "'@daily' has no seconds field; leave `seconds` unset"),
        ("* * * * * * * *", LAST, "has 8 fields, expected 6"),
    ],
)
def test_wrong_number_of_fields_where_seconds_were_asked_for(
    expression: str, seconds: SecondsField, says: str
) -> None:
    with pytest.raises(InvalidSchedule) as refused:
        parse(expression, seconds)
    assert says in refused.value.rule
