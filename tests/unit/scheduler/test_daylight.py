"""The AUTO rule: named cases, then every transition of a panel against a walker that knows only zoneinfo."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim

from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.spec import CronSpec, SecondsField
from scheduler_service.domain.timetable import Timetable, timetable
from scheduler_service.domain.timing import Timing
from scheduler_service.domain.zones import Zone, local_time, utc_offset, zone
from tests.support.walker import utc, walk


def of_cron(expression: str, name: str, seconds: SecondsField = SecondsField.NONE) -> Timetable:
    return timetable(Timing(specs=(CronSpec(expression, seconds),), time_zone=name))


def runs(table: Timetable, after: datetime, until: datetime) -> list[datetime]:
    found: list[datetime] = []
    instant = table.next_after(after)
    while instant is not None and instant <= until:
        found.append(instant)
        instant = table.next_after(instant)
    return found


def runs_of(expression: str, name: str, after: str, until: str) -> list[str]:
    """What runs, on the clock of the zone with its offset."""
    where = zone(name)
    found = runs(of_cron(expression, name), utc(after), utc(until))
    return [f"{local_time(where, instant)}{utc_offset(where, instant)}" for instant in found]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("30 2 * * *", ["2026-03-29T03:00:00+02:00"]),
        ("0,30 2 * * *", ["2026-03-29T03:00:00+02:00"]),
        ("0 3 * * *", ["2026-03-29T03:00:00+02:00"]),
        ("30 1-3 * * *", [f"2026-03-29T{t}" for t in ("01:30:00+01:00", "03:00:00+02:00", "03:30:00+02:00")]),
        ("30 * * * *", ["2026-03-29T01:30:00+01:00", "2026-03-29T03:30:00+02:00"]),
        ("0 */2 * * *", []),
    ],
)
def test_europe_berlin_skips_an_hour(expression: str, expected: list[str]) -> None:
    assert runs_of(expression, "Europe/Berlin", "2026-03-29T00:00", "2026-03-29T01:30") == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("30 2 * * *", ["2026-10-25T02:30:00+02:00"]),
        ("0 3 * * *", ["2026-10-25T03:00:00+01:00"]),
        ("*/30 2 * * *", ["2026-10-25T02:00:00+02:00", "2026-10-25T02:30:00+02:00"]),
        (
            "*/30 * * * *",
            [
                f"2026-10-25T{t}"
                for t in (
                    "02:00:00+02:00",
                    "02:30:00+02:00",
                    "02:00:00+01:00",
                    "02:30:00+01:00",
                    "03:00:00+01:00",
                )
            ],
        ),
    ],
)
def test_europe_berlin_repeats_an_hour(expression: str, expected: list[str]) -> None:
    assert runs_of(expression, "Europe/Berlin", "2026-10-24T23:30", "2026-10-25T02:00") == expected


def test_america_new_york_runs_a_nightly_job_once_on_both_days() -> None:
    spring = runs_of("30 2 * * *", "America/New_York", "2026-03-07T12:00", "2026-03-09T12:00")
    assert spring == ["2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00"]
    autumn = runs_of("30 1 * * *", "America/New_York", "2026-10-31T12:00", "2026-11-02T12:00")
    assert autumn == ["2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"]


def test_australia_lord_howe_moves_its_clock_by_half_an_hour() -> None:
    gap = runs_of("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00", "2026-10-04T00:00")
    assert gap == ["2026-10-04T02:30:00+11:00"]
    fold = runs_of("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00", "2026-04-05T00:00")
    assert fold == ["2026-04-05T01:45:00+11:00"]
    every = runs_of("45 * * * *", "Australia/Lord_Howe", "2026-04-04T14:00", "2026-04-04T16:30")
    assert every == [f"2026-04-05T{t}" for t in ("01:45:00+11:00", "01:45:00+10:30", "02:45:00+10:30")]


def test_america_santiago_has_a_day_without_midnight() -> None:
    found = runs_of("0 0 * * *", "America/Santiago", "2026-09-05T12:00", "2026-09-07T12:00")
    assert found == ["2026-09-06T01:00:00-03:00", "2026-09-07T00:00:00-03:00"]


def test_asia_beirut_has_a_day_without_midnight() -> None:
    found = runs_of("@daily", "Asia/Beirut", "2026-03-28T12:00", "2026-03-30T12:00")
    assert found == ["2026-03-29T01:00:00+03:00", "2026-03-30T00:00:00+03:00"]


def test_pacific_apia_lost_a_whole_day() -> None:
    """30 December 2011 was skipped: its runs meet the midnight of the 31st, and are one."""
    found = runs_of("0 0,12 * * *", "Pacific/Apia", "2011-12-29T10:00", "2011-12-31T11:00")
    assert found == [
        f"2011-12-{t}"
        for t in ("29T12:00:00-10:00", "31T00:00:00+14:00", "31T12:00:00+14:00", "01T00:00:00+14:00")[:3]
    ] + ["2012-01-01T00:00:00+14:00"]
    assert runs_of("0 0 30 12 *", "Pacific/Apia", "2011-12-01T00:00", "2012-02-01T00:00") == [
        "2011-12-31T00:00:00+14:00"
    ]


def test_africa_casablanca_leaves_its_standard_time_for_ramadan() -> None:
    back = runs_of("30 2 * * *", "Africa/Casablanca", "2026-02-14T12:00", "2026-02-16T12:00")
    assert back == ["2026-02-15T02:30:00+01:00", "2026-02-16T02:30:00+00:00"]
    forth = runs_of("30 2 * * *", "Africa/Casablanca", "2026-03-21T12:00", "2026-03-23T12:00")
    assert forth == ["2026-03-22T03:00:00+01:00", "2026-03-23T02:30:00+01:00"]


def test_europe_dublin_counts_its_winter_as_the_exception() -> None:
    assert runs_of("30 1 * * *", "Europe/Dublin", "2026-10-24T12:00", "2026-10-25T12:00") == [
        "2026-10-25T01:30:00+01:00"
    ]
    assert runs_of("30 1 * * *", "Europe/Dublin", "2026-03-28T12:00", "2026-03-29T12:00") == [
        "2026-03-29T02:00:00+01:00"
    ]


# (zone, a day before the change): every kind of change there is, and two zones without any.
TRANSITIONS = [
    ("Europe/Berlin", "2026-03-28T00:00"),
    ("Europe/Berlin", "2026-10-24T00:00"),
    ("America/New_York", "2026-03-07T00:00"),
    ("America/New_York", "2026-10-31T00:00"),
    ("Australia/Lord_Howe", "2026-04-03T12:00"),
    ("Australia/Lord_Howe", "2026-10-02T12:00"),
    ("America/Santiago", "2026-04-04T00:00"),
    ("America/Santiago", "2026-09-05T00:00"),
    ("Asia/Beirut", "2026-03-27T12:00"),
    ("Asia/Beirut", "2026-10-24T00:00"),
    ("Pacific/Apia", "2011-12-28T12:00"),
    ("Pacific/Kwajalein", "1993-08-20T00:00"),
    ("Africa/Casablanca", "2026-02-14T00:00"),
    ("Africa/Casablanca", "2026-03-21T00:00"),
    ("Europe/Dublin", "2026-10-24T00:00"),
    ("America/Caracas", "2007-12-08T00:00"),
    ("Asia/Pyongyang", "2018-05-03T00:00"),
    ("Asia/Kathmandu", "2026-05-01T00:00"),
    ("UTC", "2026-03-28T00:00"),
]
PANEL = [
    "* * * * *",
    "*/7 * * * *",
    "0 * * * *",
    "15 */2 * * *",
    "30 1 * * *",
    "30 2 * * *",
    "0 0 * * *",
    "59 23 * * *",
    "*/20 0-3 * * *",
    "0,30 1-2 * * *",
    "5 0-23 * * *",
    "0 12 29,30 * 0",
    "45 * * * 6,7",
]


@pytest.mark.parametrize(("name", "start"), TRANSITIONS)
def test_panel_agrees_with_the_walker_around_each_change(name: str, start: str) -> None:
    after, until = utc(start), utc(start) + timedelta(days=3)
    for expression in PANEL:
        table = of_cron(expression, name)
        expected = walk(expression, name, after, until)
        assert runs(table, after, until) == expected, expression
        assert table.count(after, until) == len(expected), expression


@pytest.mark.parametrize(("name", "start"), TRANSITIONS)
def test_next_and_previous_agree_around_each_change(name: str, start: str) -> None:
    """Both walk the same set: from any moment, neither steps over a member nor invents one."""
    step = timedelta(minutes=17, seconds=13, microseconds=7)
    for expression in PANEL:
        table = of_cron(expression, name)
        moment = utc(start)
        while moment < utc(start) + timedelta(days=3):
            following, last = table.next_after(moment), table.previous_at_or_before(moment)
            assert following is not None
            assert last is not None
            assert last <= moment < following
            assert table.previous_at_or_before(following) == following
            assert table.previous_at_or_before(following - timedelta(microseconds=1)) == last
            assert table.next_after(last) == following
            moment += step


@pytest.mark.parametrize("name", ["Europe/Berlin", "Australia/Lord_Howe", "America/Santiago"])
def test_seconds_agree_with_the_walker(name: str) -> None:
    second = timedelta(seconds=1)
    for change in zone(name).changes(utc("2026-01-01T00:00"), utc("2027-01-01T00:00")):
        after, until = change.at - timedelta(minutes=40), change.at + timedelta(minutes=40)
        for expression in ("*/7 * * * * *", "10-20 30 1,2,3 * * *", "0 0 */2 * * *", "59 59 0-3 * * *"):
            minute, *_ = fields = expression.split()
            last = " ".join([*fields[1:], minute])
            table = of_cron(expression, name, SecondsField.FIRST)
            assert runs(table, after, until) == walk(last, name, after, until, second), expression


def test_cronsim_agrees_where_its_rules_are_ours() -> None:
    """Debian's rules are ours for fixed hours, gaps of an hour, and away from half-hour zones."""
    for expression in ("30 2 * * *", "0 3 * * *", "30 1 * * *", "0 12 * * MON", "0 0 1 * *", "*/10 * * * *"):
        for name in ("Europe/Berlin", "America/New_York", "Asia/Tokyo", "Africa/Casablanca"):
            start = utc("2026-01-01T00:00")
            table = of_cron(expression, name)
            theirs = CronSim(expression, start.astimezone(ZoneInfo(name)))
            moment = start
            for _ in range(400):
                following = table.next_after(moment)
                assert following is not None
                assert following == next(theirs).astimezone(UTC), (expression, name)
                moment = following


def test_years_ahead_cost_no_walk_through_every_day() -> None:
    table = of_cron("0 * 29 2 *", "Europe/Berlin")
    assert table.next_after(utc("2097-01-01T00:00")) == utc("2104-02-28T23:00")


@pytest.mark.parametrize("name", ["Europe/Berln", "europe/berlin", "../../etc/passwd", "posixrules", "", " "])
def test_unknown_zone_is_refused_and_empty_is_utc(name: str) -> None:
    if not name:
        assert zone(name).name == "UTC"
        return
    with pytest.raises(InvalidSchedule, match="IANA"):
        zone(name)


def test_offset_of_a_zone_west_of_utc_keeps_its_sign() -> None:
    where: Zone = zone("America/St_Johns")
    assert utc_offset(where, utc("2026-01-15T00:00")) == "-03:30"
    assert local_time(where, utc("2026-01-15T00:00")) == "2026-01-14T20:30:00"
