"""What a person is told that a specification means."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scheduler_service.domain import cron
from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.explain import explain
from scheduler_service.domain.spec import (
    CalendarIntervalSpec,
    CalendarUnit,
    CronSpec,
    DayMatch,
    EventBatch,
    EventSpec,
    IntervalSpec,
    OneShotSpec,
    RecurrenceSpec,
    SecondsField,
    Spec,
    UnreadableSpec,
)

CHOSEN = "(chosen by the schedule's id)"


@pytest.mark.parametrize(
    ("expression", "meaning"),
    [
        # The clock.
        ("0 2 * * *", "at 02:00 every day"),
        ("* * * * *", "every minute"),
        ("*/15 * * * *", "every 15 minutes"),
        ("0,15,30,45 * * * *", "every 15 minutes"),
        ("*/30 * * * *", "every 30 minutes"),
        ("5/15 * * * *", "every 15 minutes, from minute 5 of the hour"),
        ("*/7 * * * *", "every 7 minutes from minute 0 through 56 of every hour"),
        ("10-20 * * * *", "every minute from minute 10 through 20 of every hour"),
        ("5,20,50 * * * *", "at minutes 5, 20 and 50 of every hour"),
        ("0 * * * *", "every hour, on the hour"),
        ("37 * * * *", "at minute 37 of every hour"),
        ("0 9-17 * * *", "every hour from 09:00 through 17:00"),
        ("5 */2 * * *", "every 2 hours from 00:05 through 22:05"),
        ("0 */6 * * *", "at 00:00, 06:00, 12:00 and 18:00 every day"),
        ("0 22-6 * * *", "every hour from 22:00 through 06:00"),
        ("0 1,2,5,9,13,17,20 * * *", "at minute 0 of the hours 1, 2, 5, 9, 13, 17 and 20"),
        ("* 9 * * *", "every minute from 09:00 through 09:59"),
        ("*/7 9 * * *", "every 7 minutes from 09:00 through 09:56"),
        ("*/7 9-17 * * *", "every 7 minutes from minute 0 through 56 of the hours 9 through 17"),
        ("*/5 22-2 * * *", "every 5 minutes from 22:00 through 02:55"),
        ("0,30 9-17 * * *", "every 30 minutes from 09:00 through 17:30"),
        ("*/30 9,12,15,18 * * *", "every 30 minutes of the hours 9, 12, 15 and 18"),
        ("5,20,50 9-17 * * *", "at minutes 5, 20 and 50 of the hours 9 through 17"),
        ("0,30 9,17 * * *", "at 09:00, 09:30, 17:00 and 17:30 every day"),
        # Days.
        ("*/15 9-17 * * MON-FRI", "every 15 minutes from 09:00 through 17:45, Monday to Friday"),
        ("0 9 * * 1-5", "at 09:00, Monday to Friday"),
        ("0 9 * * FRI-MON", "at 09:00, Friday to Monday"),
        ("30 3 * * 0", "at 03:30 on Sunday"),
        ("0 0 * * WED,MON,SUN", "at 00:00 on Monday, Wednesday and Sunday"),
        ("0 0 * * FRI#2", "at 00:00 on the second Friday of the month"),
        ("0 0 * 3 FRIL", "at 00:00 on the last Friday of March"),
        ("0 0 * * MON,FRI#1", "at 00:00 on Monday and the first Friday of the month"),
        ("0 0 * 3 MON", "at 00:00 on Monday in March"),
        ("0 0 * 3 MON-FRI", "at 00:00, Monday to Friday in March"),
        ("0 0 1 * *", "at 00:00 on day 1 of the month"),
        ("0 0 1,15 * *", "at 00:00 on days 1 and 15 of the month"),
        ("0 0 1-7 * *", "at 00:00 on days 1 through 7 of the month"),
        ("0 0 */3 * *", "at 00:00 on every third day from day 1 through 31 of the month"),
        ("0 0 L * *", "at 00:00 on the last day of the month"),
        ("0 0 L-1 * *", "at 00:00 on the day before the last of the month"),
        ("0 0 L-3 * *", "at 00:00 on the day 3 days before the last of the month"),
        ("0 0 LW * *", "at 00:00 on the last weekday (Monday to Friday) of the month"),
        ("0 0 15W 3 *", "at 00:00 on the weekday (Monday to Friday) nearest to day 15 of March"),
        (
            "0 0 1,15,L,LW * *",
            "at 00:00 on days 1 and 15, the last day and the last weekday (Monday to Friday) of the month",
        ),
        ("0 0 1 1 *", "at 00:00 on 1 January"),
        ("0 0 1 */3 *", "at 00:00 on 1 January, 1 April, 1 July and 1 October"),
        ("0 0 31 2,3 *", "at 00:00 on day 31 of February and March"),
        ("0 0 1 3-12 *", "at 00:00 on day 1 of the month from March through December"),
        ("0 0 * JAN *", "at 00:00 every day in January"),
        ("*/5 * * NOV-FEB *", "every 5 minutes from November through February"),
        ("* * 31 * *", "every minute on day 31 of the month"),
        # Both day fields.
        ("0 0 13 * FRI", "at 00:00 on day 13 of the month or on Friday, whichever comes"),
        (
            "0 0 L 3 MON#1",
            "at 00:00 on the last day of the month or on the first Monday of the month, "
            "whichever comes, in March",
        ),
        (
            "0 0 */2 * MON",
            "at 00:00 on every second day from day 1 through 31 of the month, but only when that is Monday",
        ),
        ("0 0 1,* * MON", "at 00:00 every day"),
        ("0 0 ? * *", "at 00:00 every day"),
        # Names and intervals.
        ("@hourly", "every hour, on the hour"),
        ("@weekly", "at 00:00 on Sunday"),
        ("@every 1h30m", "every 1 hour and 30 minutes, counted from 1970-01-01 00:00 UTC"),
    ],
)
def test_five_fields_in_words(expression: str, meaning: str) -> None:
    assert explain(CronSpec(expression)) == meaning


@pytest.mark.parametrize(
    ("expression", "meaning"),
    [
        ("* * * * * *", "every second"),
        ("*/10 * * * * *", "every 10 seconds"),
        ("3/10 * * * * *", "every 10 seconds, from second 3 of the minute"),
        ("*/7 * * * * *", "every 7 seconds from second 0 through 56 of every minute"),
        ("5,20 * * * * *", "at seconds 5 and 20 of every minute"),
        ("30 * * * * *", "every minute, at second 30"),
        ("30 5 * * * *", "at minute 5 of every hour, at second 30"),
        ("30 0 9 * * *", "at 09:00:30 every day"),
        ("30 0 9-17 * * *", "every hour from 09:00:30 through 17:00:30"),
        ("15 */5 9-17 * * *", "every 5 minutes from 09:00:15 through 17:55:15"),
        ("* 5 * * * *", "every second of minute 5 of every hour"),
        ("*/10 * 9 * * *", "every 10 seconds from 09:00:00 through 09:59:50"),
        ("* 10-20 9 * * *", "every second from 09:10:00 through 09:20:59"),
        ("*/10 */15 * * * *", "every 10 seconds of the minutes 0, 15, 30 and 45 of every hour"),
        ("0 0 0 1 1 * 2027", "at 00:00 on 1 January in 2027"),
        ("0 0 0 1 1 * 2026-2030", "at 00:00 on 1 January in the years 2026 through 2030"),
        ("0 0 0 1 1 * 2026,2030", "at 00:00 on 1 January in the years 2026 and 2030"),
        ("0 0 0 29 2 * 2028/4", "at 00:00 on 29 February in every fourth year from 2028 through 2196"),
    ],
)
def test_seconds_and_years_in_words(expression: str, meaning: str) -> None:
    assert explain(CronSpec(expression, SecondsField.FIRST)) == meaning


@pytest.mark.parametrize(
    ("days", "meaning"),
    [
        ("13 * FRI", "at 00:00 on day 13 of the month, but only when that is Friday"),
        ("L * MON-FRI", "at 00:00 on the last day of the month, but only when that is Monday to Friday"),
        (
            "1-7 1 MON,TUE",
            "at 00:00 on days 1 through 7 of the month in January, but only when that is Monday or Tuesday",
        ),
        ("13 * *", "at 00:00 on day 13 of the month"),
    ],
)
def test_both_day_fields_in_words_when_both_must_match(days: str, meaning: str) -> None:
    assert explain(CronSpec(f"0 0 {days}", day_match=DayMatch.AND)) == meaning


@pytest.mark.parametrize(
    ("expression", "meaning"),
    [
        ("H * * * *", f"at minute 39 {CHOSEN} of every hour"),
        ("H H * * *", f"at 15:39 {CHOSEN} every day"),
        ("H/15 * * * *", f"every 15 minutes, from minute 9 of the hour {CHOSEN}"),
        ("H H(1-5) * * MON-FRI", f"at 03:39 {CHOSEN}, Monday to Friday"),
        ("0 0 H * *", f"at 00:00 on day 1 of the month {CHOSEN}"),
    ],
)
def test_what_the_id_chose_is_told(expression: str, meaning: str) -> None:
    assert explain(CronSpec(expression), "nightly-report") == meaning


@pytest.mark.parametrize(
    ("spec", "meaning"),
    [
        (IntervalSpec(timedelta(minutes=5)), "every 5 minutes, counted from 1970-01-01 00:00 UTC"),
        (IntervalSpec(timedelta(hours=1)), "every hour, counted from 1970-01-01 00:00 UTC"),
        (
            IntervalSpec(timedelta(days=1, seconds=1.5), timedelta(seconds=30)),
            "every 1 day, 1 second and 500 milliseconds, counted from 1970-01-01 00:00 UTC "
            "and shifted by 30 seconds",
        ),
        (OneShotSpec(datetime(2027, 1, 1, 9, tzinfo=UTC)), "once, at 2027-01-01 09:00 UTC"),
        (
            CalendarIntervalSpec(2, CalendarUnit.DAY, datetime(2026, 1, 5, 9)),
            "every 2 days at 09:00, starting on 2026-01-05",
        ),
        (
            CalendarIntervalSpec(1, CalendarUnit.WEEK, datetime(2026, 1, 5, 9, 0, 30)),
            "every week on Monday at 09:00:30, starting on 2026-01-05",
        ),
        (
            CalendarIntervalSpec(3, CalendarUnit.MONTH, datetime(2026, 1, 31)),
            "every 3 months on day 31 or the last of a shorter month at 00:00, starting on 2026-01-31",
        ),
        (
            CalendarIntervalSpec(1, CalendarUnit.YEAR, datetime(2028, 2, 29)),
            "every year on 29 February (28 February in common years) at 00:00, starting on 2028-02-29",
        ),
        (
            RecurrenceSpec("FREQ=MONTHLY;BYDAY=-1FR", datetime(2026, 1, 1, 17)),
            "by the recurrence rule FREQ=MONTHLY;BYDAY=-1FR, starting at 2026-01-01 17:00",
        ),
        (EventSpec("*"), "on every event"),
        (EventSpec("webhook.received"), "on every event of type webhook.received"),
        (
            EventSpec("order.*", pattern='{"data": {"amount": [5]}}', debounce=timedelta(seconds=5)),
            'on every event whose type matches order.* whose content matches {"data": {"amount": [5]}}, '
            "once no further one has come for 5 seconds",
        ),
        (
            EventSpec("a", cel="event.data.amount > 100", throttle=timedelta(minutes=1)),
            "on every event of type a for which event.data.amount > 100 is true, at most once in 1 minute",
        ),
        (
            EventSpec("a", batch=EventBatch(50, timedelta(milliseconds=100))),
            "on every event of type a, once for up to 50 of them, "
            "at the latest 100 milliseconds after the first",
        ),
        (UnreadableSpec("kind 9"), "by a specification that cannot be read: kind 9"),
    ],
)
def test_every_kind_of_specification_in_words(spec: Spec, meaning: str) -> None:
    assert explain(spec) == meaning


def test_what_cannot_be_read_is_refused() -> None:
    with pytest.raises(InvalidSchedule):
        explain(CronSpec("61 * * * *"))


def _field(*forms: str) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(forms), min_size=1, max_size=3).map(",".join)


SIXTY = _field("*", "0", "7", "59", "*/7", "*/20", "5/10", "3-9", "50-10", "10-40/10", "H", "H/9", "H(1-5)")
HOURS = _field("*", "0", "23", "*/5", "*/12", "9-17", "22-2", "8-20/3", "h", "H/6")
OF_MONTH = _field("*", "1", "31", "*/2", "5-9", "10-31/10", "L", "L-2", "LW", "15W", "H", "H/9")
MONTH = _field("*", "1", "FEB", "*/3", "MAR-JUN", "NOV-JAN", "H")
OF_WEEK = _field("*", "MON", "5", "1-5", "FRI-MON", "*/2", "TUE#2", "5L", "H", "H(1-5)")
YEAR = _field("*", "2027", "2030-2040", "2020/4")


@given(
    st.tuples(SIXTY, SIXTY, HOURS, OF_MONTH, MONTH, OF_WEEK, YEAR),
    st.sampled_from(DayMatch),
    st.text(max_size=9),
)
@settings(max_examples=300, deadline=None)
def test_everything_that_can_be_read_can_be_said(fields: tuple[str, ...], match: DayMatch, seed: str) -> None:
    spec = CronSpec(" ".join(fields), SecondsField.FIRST, match)
    try:
        cron.parse(spec, seed)
    except InvalidSchedule:
        assume(False)
    text = explain(spec, seed)
    assert text.split() == text.split(" ")
    assert text.startswith(("at ", "every "))
    assert CHOSEN not in text or cron.uses_hash(spec)


@given(SIXTY, SIXTY, HOURS)
@settings(max_examples=200, deadline=None)
def test_every_time_of_day_that_is_said_is_one_at_which_it_runs(second: str, minute: str, hour: str) -> None:
    spec = CronSpec(f"{second} {minute} {hour} * * *", SecondsField.FIRST)
    parsed = cron.parse(spec)
    for said in re.findall(r"\d\d:\d\d(?::\d\d)?", explain(spec)):
        reading = datetime.fromisoformat(f"2026-01-01T{said}")
        assert parsed.at_or_after(reading) == reading
