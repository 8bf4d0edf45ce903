"""What gap and fold policies do at named changes of clocks; tests/conformance compares them everywhere."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.spec import CronSpec, SecondsField
from scheduler_service.domain.timetable import Timetable, timetable
from scheduler_service.domain.timing import Fold, Gap, Timing
from scheduler_service.domain.zones import Zone, local_time, utc_offset, zone
from tests.support.walker import Clock, auto, utc


def of_cron(
    expression: str,
    name: str,
    seconds: SecondsField = SecondsField.NONE,
    gap: Gap = Gap.AUTO,
    fold: Fold = Fold.AUTO,
) -> Timetable:
    specs = (CronSpec(expression, seconds),)
    return timetable(Timing(specs=specs, time_zone=name, gap=gap, fold=fold))


def runs(table: Timetable, after: datetime, until: datetime) -> list[datetime]:
    found: list[datetime] = []
    instant = table.next_after(after)
    while instant is not None and instant <= until:
        found.append(instant)
        instant = table.next_after(instant)
    return found


def runs_of(
    expression: str, name: str, after: str, until: str, gap: Gap = Gap.AUTO, fold: Fold = Fold.AUTO
) -> list[str]:
    """What runs, on the clock of the zone with its offset."""
    where = zone(name)
    found = runs(of_cron(expression, name, gap=gap, fold=fold), utc(after), utc(until))
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


@pytest.mark.parametrize(
    ("gap", "expected"),
    [(Gap.AT_TRANSITION, ["03:00:00+02:00"]), (Gap.SHIFT, ["03:30:00+02:00"]), (Gap.SKIP, [])],
)
def test_gap_policy_decides_over_a_reading_that_is_skipped(gap: Gap, expected: list[str]) -> None:
    found = runs_of("30 2 * * *", "Europe/Berlin", "2026-03-29T00:00", "2026-03-29T12:00", gap=gap)
    assert found == [f"2026-03-29T{at}" for at in expected]


@pytest.mark.parametrize(
    ("fold", "expected"),
    [
        (Fold.FIRST, ["02:30:00+02:00"]),
        (Fold.LAST, ["02:30:00+01:00"]),
        (Fold.BOTH, ["02:30:00+02:00", "02:30:00+01:00"]),
    ],
)
def test_fold_policy_decides_over_a_reading_that_is_repeated(fold: Fold, expected: list[str]) -> None:
    found = runs_of("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", "2026-10-25T12:00", fold=fold)
    assert found == [f"2026-10-25T{at}" for at in expected]


def test_shifted_reading_that_meets_another_one_fires_once() -> None:
    found = runs_of("30 2,3 * * *", "Europe/Berlin", "2026-03-29T00:00", "2026-03-29T12:00", gap=Gap.SHIFT)
    assert found == ["2026-03-29T03:30:00+02:00"]


def test_shifted_readings_are_in_order_of_time_between_others() -> None:
    """02:15 and 02:45 become 03:15 and 03:45, around 03:30."""
    found = runs_of("15,45 2 * * *", "Europe/Berlin", "2026-03-29T00:00", "2026-03-29T12:00", gap=Gap.SHIFT)
    assert found == [f"2026-03-29T03:{minute}:00+02:00" for minute in (15, 45)]
    found = runs_of("*/15 2-3 * * *", "Europe/Berlin", "2026-03-29T00:00", "2026-03-29T12:00", gap=Gap.SHIFT)
    assert found == [f"2026-03-29T03:{minute}:00+02:00" for minute in ("00", "15", "30", "45")]


def test_last_pass_comes_after_what_the_clock_shows_once_between() -> None:
    """With LAST every reading of the repeated hour waits for its second pass, after 02:59 was shown once."""
    found = runs_of("0,59 1-3 * * *", "Europe/Berlin", "2026-10-24T22:30", "2026-10-25T03:00", fold=Fold.LAST)
    times = ("01:00:00+02", "01:59:00+02", "02:00:00+01", "02:59:00+01", "03:00:00+01", "03:59:00+01")
    assert found == [f"2026-10-25T{at}:00" for at in times]


def test_policies_hold_for_expressions_that_follow_elapsed_time_as_well() -> None:
    args = ("0 * * * *", "Europe/Berlin")
    spring = runs_of(*args, "2026-03-29T00:30", "2026-03-29T01:30", gap=Gap.SHIFT)
    assert spring == ["2026-03-29T03:00:00+02:00"]
    autumn = runs_of(*args, "2026-10-24T23:30", "2026-10-25T01:30", fold=Fold.FIRST)
    assert autumn == ["2026-10-25T02:00:00+02:00"]


def test_two_readings_that_meet_in_the_instant_after_a_gap_are_one() -> None:
    table = of_cron("0,15,30 2,3 * * *", "Europe/Berlin")
    found = runs(table, utc("2026-03-29T00:00"), utc("2026-03-29T01:00"))
    assert found == [utc("2026-03-29T01:00")]
    assert table.count(utc("2026-03-29T00:00"), utc("2026-03-29T01:00")) == 1


@pytest.mark.parametrize("gap", list(Gap))
@pytest.mark.parametrize("fold", list(Fold))
def test_pacific_apia_walks_over_its_missing_day(gap: Gap, fold: Fold) -> None:
    found = runs_of("0 12 * * *", "Pacific/Apia", "2011-12-29T00:00", "2012-01-01T11:00", gap=gap, fold=fold)
    days = [found[0][:10], found[-1][:10], len(found)]
    assert days == ["2011-12-29", "2012-01-01", {Gap.AUTO: 4, Gap.AT_TRANSITION: 4}.get(gap, 3)]


def test_antarctica_troll_moves_its_clock_by_two_hours() -> None:
    spring = runs_of("30 1,2 * * *", "Antarctica/Troll", "2026-03-28T12:00", "2026-03-29T12:00")
    assert spring == ["2026-03-29T03:00:00+02:00"]
    shifted = runs_of(
        "30 1,2 * * *", "Antarctica/Troll", "2026-03-28T12:00", "2026-03-29T12:00", gap=Gap.SHIFT
    )
    assert shifted == ["2026-03-29T03:30:00+02:00", "2026-03-29T04:30:00+02:00"]
    autumn = runs_of("30 2 * * *", "Antarctica/Troll", "2026-10-24T12:00", "2026-10-25T12:00", fold=Fold.BOTH)
    assert autumn == ["2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+00:00"]


@pytest.mark.parametrize(
    ("name", "day", "offset"),
    [
        ("America/Sao_Paulo", "2018-11-04", "-02:00"),
        ("Asia/Beirut", "2026-03-29", "+03:00"),
        ("Africa/Cairo", "2024-04-26", "+03:00"),
    ],
)
def test_day_without_midnight_begins_at_one(name: str, day: str, offset: str) -> None:
    after, until = utc(f"{day}T00:00") - timedelta(hours=12), utc(f"{day}T00:00") + timedelta(hours=12)
    times = after.isoformat()[:16], until.isoformat()[:16]
    assert runs_of("0 0 * * *", name, *times) == [f"{day}T01:00:00{offset}"]
    assert runs_of("0 0 * * *", name, *times, gap=Gap.SKIP) == []
    assert runs_of("30 0 * * *", name, *times, gap=Gap.SHIFT) == [f"{day}T01:30:00{offset}"]


def test_zone_that_changes_its_standard_time_repeats_readings() -> None:
    """Volgograd went back from +04 to +03 at the end of 2020, without any daylight saving."""
    found = runs_of("30 1 * * *", "Europe/Volgograd", "2020-12-26T12:00", "2020-12-27T12:00", fold=Fold.BOTH)
    assert found == ["2020-12-27T01:30:00+04:00", "2020-12-27T01:30:00+03:00"]


ZONES = [
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Pacific/Apia",
    "Africa/Casablanca",
    "UTC",
]


@given(
    name=st.sampled_from(ZONES),
    text=st.sampled_from(["* * * * *", "30 2 * * *", "*/20 0-3 * * *", "15 */2 * * *", "0 0 29,30,31 * 0"]),
    gap=st.sampled_from(Gap),
    fold=st.sampled_from(Fold),
    moment=st.datetimes(datetime(2011, 12, 1), datetime(2012, 12, 31)),
)
def test_next_and_previous_walk_the_same_set(
    name: str, text: str, gap: Gap, fold: Fold, moment: datetime
) -> None:
    """From any moment, neither steps over a member nor invents one; the count knows both."""
    table, at = of_cron(text, name, gap=gap, fold=fold), moment.replace(tzinfo=UTC)
    following, last = table.next_after(at), table.previous_at_or_before(at)
    assert following is not None
    assert last is not None
    assert last <= at < following
    assert table.previous_at_or_before(following) == following
    assert table.previous_at_or_before(following - timedelta(microseconds=1)) == last
    assert table.next_after(last) == following
    assert table.count(last, following) == 1
    assert table.count(last - timedelta(microseconds=1), at) == 1


def test_seconds_agree_with_the_walker() -> None:
    for name in ("Europe/Berlin", "Australia/Lord_Howe"):
        for change in zone(name).changes(utc("2026-01-01T00:00"), utc("2027-01-01T00:00")):
            near, second = timedelta(minutes=40), timedelta(seconds=1)
            clock = Clock(name, change.at - 5 * near, change.at + 5 * near, second)
            for expression in ("*/7 * * * * *", "10-20 30 1,2,3 * * *", "0 0 */2 * * *"):
                second_field, *others = expression.split()
                text = " ".join([*others, second_field])
                table = of_cron(expression, name, SecondsField.FIRST)
                expected = [at for at in clock.runs(text, *auto(text)) if abs(at - change.at) < near]
                assert runs(table, change.at - near, change.at + near - second) == expected, expression


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
