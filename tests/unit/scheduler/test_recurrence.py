"""Recurrence rules: against dateutil from the start on, then what dateutil cannot answer."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from time import perf_counter

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.recurrence import Listed, Recurrence, recurrence
from scheduler_service.domain.spec import RecurrenceSpec
from scheduler_service.domain.timetable import timetable
from scheduler_service.domain.timing import Gap, Timing
from tests.conformance.sweep import forwards
from tests.support.walker import utc

SECOND = timedelta(seconds=1)
START = datetime(2026, 1, 5, 9, 30)
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def of(rule: str, start: datetime = START) -> Recurrence | Listed:
    return recurrence(RecurrenceSpec(rule, start))


def first(rule: str, count: int, start: datetime = START) -> list[str]:
    return [f"{wall:%Y-%m-%dT%H:%M}" for wall in islice(walk(of(rule, start), start), count)]


def walk(readings: Recurrence | Listed, start: datetime) -> Iterator[datetime]:
    wall = readings.at_or_after(start)
    while wall is not None:
        yield wall
        wall = readings.at_or_after(wall + SECOND)


def some(values: st.SearchStrategy[object], most: int = 3) -> st.SearchStrategy[str]:
    return st.lists(values.map(str), min_size=1, max_size=most, unique=True).map(",".join)


@st.composite
def rules(draw: st.DrawFn) -> str:
    """Rules that RFC 5545 allows and dateutil reads as it does."""
    frequency = draw(
        st.sampled_from(["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"])
    )
    parts = {"FREQ": st.just(frequency), "INTERVAL": st.sampled_from(["1", "1", "2", "3", "5", "7", "13"])}
    limits = {
        "BYMONTH": some(st.integers(1, 12), 5),
        "BYMONTHDAY": some(st.sampled_from([1, 2, 13, 15, 28, 29, 30, 31, -1, -2, -31])),
        "BYDAY": some(st.sampled_from(DAYS)),
        "BYHOUR": some(st.integers(0, 23)),
        "BYMINUTE": some(st.integers(0, 59)),
        "BYSECOND": some(st.integers(0, 59)),
        "WKST": st.sampled_from(DAYS),
    }
    if frequency == "WEEKLY":
        del limits["BYMONTHDAY"]
    if frequency in ("YEARLY", "MONTHLY"):
        numbered = st.builds("{}{}".format, st.sampled_from([1, 2, -1, -2, 5, "+3"]), st.sampled_from(DAYS))
        limits["BYDAY"] |= some(numbered, 2)
    if frequency not in ("MONTHLY", "WEEKLY", "DAILY"):
        limits["BYYEARDAY"] = some(st.sampled_from([1, 60, 100, 200, 366, -1, -100]))
    chosen = draw(st.lists(st.sampled_from(sorted(limits)), max_size=4, unique=True))
    parts |= {name: limits[name] for name in chosen}
    if frequency != "WEEKLY" and set(chosen) - {"WKST"} and draw(st.booleans()):
        parts["BYSETPOS"] = some(st.sampled_from([1, 2, 3, -1, -2]), 2)
    return ";".join(f"{name}={draw(values)}" for name, values in parts.items())


STARTS = st.datetimes(datetime(2000, 1, 1), datetime(2030, 12, 31)).map(lambda at: at.replace(microsecond=0))


@settings(deadline=None, max_examples=60)
@given(rules(), STARTS)
def test_rule_yields_what_dateutil_yields(rule: str, start: datetime) -> None:
    try:
        readings = of(rule, start)
    except InvalidSchedule:
        return
    found = list(islice(walk(readings, start), 12))
    # dateutil looks for what never comes until the year 9999: it is asked for no more than there is.
    assert found == list(islice(rrulestr(rule, dtstart=start), len(found)))


@settings(deadline=None, max_examples=60)
@given(rules(), STARTS, st.timedeltas(timedelta(), timedelta(days=3000)))
def test_search_from_anywhere_walks_the_same_set(rule: str, start: datetime, later: timedelta) -> None:
    try:
        readings = of(rule, start)
    except InvalidSchedule:
        return
    wall = (start + later).replace(microsecond=0)
    following, last = readings.at_or_after(wall + SECOND), readings.at_or_before(wall)
    if following is not None:
        assert readings.at_or_before(following) == following
        assert readings.at_or_before(following - SECOND) == last
        assert readings.count(wall, following) == 1
    if last is not None:
        assert start <= last <= wall
        assert readings.at_or_after(last) == last
        assert readings.at_or_after(last + SECOND) == following
        assert readings.count(last, wall) == 0


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=17;BYMINUTE=0", ["2026-01-30T17:00", "2026-02-27T17:00"]),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", ["2026-01-30T09:30", "2026-02-27T09:30"]),
        (
            "freq=weekly;interval=2;byday=tu,su;wkst=su",
            ["2026-01-06T09:30", "2026-01-18T09:30", "2026-01-20T09:30"],
        ),
        ("FREQ=YEARLY;BYWEEKNO=20", ["2026-05-11T09:30", "2027-05-17T09:30"]),
        ("FREQ=YEARLY;BYWEEKNO=53", ["2026-12-28T09:30"]),
        ("FREQ=DAILY;COUNT=2", ["2026-01-05T09:30", "2026-01-06T09:30"]),
        ("FREQ=DAILY;UNTIL=20260106", ["2026-01-05T09:30", "2026-01-06T09:30"]),
        ("FREQ=DAILY;UNTIL=20260106T093000", ["2026-01-05T09:30", "2026-01-06T09:30"]),
        ("FREQ=DAILY;UNTIL=20260106T092959", ["2026-01-05T09:30"]),
        ("FREQ=WEEKLY;BYDAY=MO,FR;BYSETPOS=-1", ["2026-01-09T09:30", "2026-01-16T09:30"]),
        ("FREQ=DAILY;BYDAY=TU", ["2026-01-06T09:30", "2026-01-13T09:30"]),
    ],
)
def test_rule_yields(rule: str, expected: list[str]) -> None:
    found = first(rule, len(expected) + 1)
    assert found[: len(expected)] == expected
    assert len(found) == len(expected) if "COUNT" in rule or "UNTIL" in rule else True


def test_week_numbers_are_those_of_iso_8601() -> None:
    for start in (datetime(2008, 6, 1), datetime(2020, 1, 1)):
        for number in (1, 2, 52, 53):
            found = list(
                islice(walk(of(f"FREQ=YEARLY;BYWEEKNO={number};BYDAY={','.join(DAYS)}", start), start), 40)
            )
            day, expected = start, list[datetime]()
            while len(expected) < 40:
                if day.isocalendar().week == number:
                    expected.append(day)
                day += timedelta(days=1)
            assert found == expected


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("INTERVAL=2", "FREQ is missing"),
        ("FREQ=FORTNIGHTLY", "must be one of YEARLY"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL=0"),
        ("FREQ=DAILY;COUNT=0", "COUNT=0"),
        ("FREQ=DAILY;COUNT=10001", "from 1 to 10000"),
        ("FREQ=DAILY;COUNT=3;UNTIL=20270101", "only one of COUNT and UNTIL"),
        ("FREQ=DAILY;UNTIL=tomorrow", "UNTIL=TOMORROW"),
        ("FREQ=DAILY;UNTIL=20270230", "UNTIL=20270230"),
        ("FREQ=DAILY;FREQ=DAILY", "given twice"),
        ("FREQ=DAILY;BYEASTER=1", "BYEASTER is not supported"),
        ("FREQ=DAILY;RDATE=20270101", "RDATE is not supported"),
        ("EXDATE:20270101", "EXDATE is not supported"),
        ("DTSTART:20270101T090000", "DTSTART goes into"),
        ("DTSTART:20270101T090000\nRRULE:FREQ=DAILY", "one line"),
        ("RRULE:FREQ=DAILY", "is not a part of a rule"),
        ("FREQ=DAILY;X-LUNAR=1", "is not a part of a rule"),
        ("FREQ=DAILY;BYHOUR=24", "'24' must be 0 to 23"),
        ("FREQ=DAILY;BYSECOND=60", "'60' must be 0 to 59"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "1 to 31 or -31 to -1"),
        ("FREQ=MONTHLY;BYDAY=XX", "'XX' must be one of MO"),
        ("FREQ=WEEKLY;BYDAY=1MO", "numbered weekdays"),
        ("FREQ=YEARLY;BYWEEKNO=1;BYDAY=1MO", "do not go with BYWEEKNO"),
        ("FREQ=MONTHLY;BYWEEKNO=1", "BYWEEKNO is for"),
        ("FREQ=DAILY;BYYEARDAY=1", "BYYEARDAY does not go"),
        ("FREQ=WEEKLY;BYMONTHDAY=1", "BYMONTHDAY does not go"),
        ("FREQ=DAILY;BYSETPOS=1", "there is none"),
        ("FREQ=DAILY;WKST=XX", "WKST=XX"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "never matches"),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "never matches"),
        ("FREQ=SECONDLY;BYMONTH=4;BYMONTHDAY=31", "never matches"),
        ("FREQ=SECONDLY;INTERVAL=7200;BYHOUR=10", "never matches"),
        ("FREQ=DAILY;UNTIL=20250101", "never matches"),
        ("FREQ=DAILY;" + "BYDAY=MO," * 60 + "MO", "longer than 512"),
    ],
)
def test_refused_with_the_reason(rule: str, reason: str) -> None:
    with pytest.raises(InvalidSchedule) as refusal:
        of(rule)
    assert refusal.value.field == "rule"
    assert reason in refusal.value.rule


def test_until_in_utc_is_an_instant() -> None:
    spec = RecurrenceSpec("FREQ=DAILY;UNTIL=20260106T083000Z", START)
    table = timetable(Timing(specs=(spec,), time_zone="Europe/Berlin"))
    assert list(forwards(table, utc("2026-01-01T00:00"), utc("2027-01-01T00:00"))) == [
        utc("2026-01-05T08:30"),
        utc("2026-01-06T08:30"),
    ]


def test_rule_is_read_on_the_clock_of_the_zone() -> None:
    spec = RecurrenceSpec("FREQ=DAILY;BYHOUR=2;BYMINUTE=30;BYSECOND=0", START)
    night = utc("2026-03-29T00:00"), utc("2026-03-29T12:00")
    for gap, expected in ((Gap.AUTO, "2026-03-29T01:00"), (Gap.SHIFT, "2026-03-29T01:30")):
        table = timetable(Timing(specs=(spec,), time_zone="Europe/Berlin", gap=gap))
        assert list(forwards(table, *night)) == [utc(expected)]


@pytest.mark.parametrize(
    "rule", ["FREQ=SECONDLY", "FREQ=SECONDLY;INTERVAL=7", "FREQ=MINUTELY;BYHOUR=3;BYDAY=MO"]
)
def test_old_start_costs_no_walk_from_there(rule: str) -> None:
    readings, began = of(rule, datetime(1970, 1, 1)), perf_counter()
    for year in range(2026, 2076):
        found = readings.at_or_after(datetime(year, 5, 1))
        assert found is not None
        assert readings.at_or_before(found) == found
    assert perf_counter() - began < 1
