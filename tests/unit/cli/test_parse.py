"""What people write on a command line, as values."""

from datetime import UTC, datetime, timedelta

import pytest
from batonpass.cli import format, parse
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30s", timedelta(seconds=30)),
        ("10m", timedelta(minutes=10)),
        ("2h", timedelta(hours=2)),
        ("1d", timedelta(days=1)),
        ("1w", timedelta(weeks=1)),
        ("500ms", timedelta(milliseconds=500)),
        ("1h30m", timedelta(minutes=90)),
        ("1.5h", timedelta(minutes=90)),
        (" 5S ", timedelta(seconds=5)),
        ("0", timedelta(0)),
    ],
)
def test_durations_are_numbers_with_units(text: str, expected: timedelta) -> None:
    assert parse.duration(text) == expected


@pytest.mark.parametrize(
    "text", ["", "5", "s", "5 s", "5x", "-5s", "5s5", "1h-5m", "5sm", "\uff11s", "99999999999d"]
)
def test_a_duration_that_could_mean_anything_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"write a number and a unit|longer than any"):
        parse.duration(text)


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=366)))
def test_a_formatted_duration_reads_as_itself_to_the_millisecond(length: timedelta) -> None:
    assert abs(parse.duration(format.duration(length)) - length) <= timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01T02:00:00Z", datetime(2026, 3, 1, 2, tzinfo=UTC)),
        ("2026-03-01T02:00:00+02:00", datetime(2026, 3, 1, 0, tzinfo=UTC)),
        ("2026-03-01 02:00:00.250Z", datetime(2026, 3, 1, 2, 0, 0, 250_000, tzinfo=UTC)),
        ("+10m", NOW + timedelta(minutes=10)),
        ("now", NOW),
    ],
)
def test_times_are_instants(text: str, expected: datetime) -> None:
    assert parse.time(text, NOW) == expected
    assert parse.time(text, NOW).tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("2026-03-01T02:00:00", "add Z"),
        ("2026-03-01", "add Z"),
        ("tomorrow", "RFC 3339"),
        ("2026-02-30T00:00:00Z", "RFC 3339"),
        ("+ten minutes", "number and a unit"),
        ("+9999999d", "9999"),
        ("0001-01-01T00:00:00+10:00", "years 1 to 9999"),
    ],
)
def test_a_time_that_is_no_instant_is_refused_with_the_rule(text: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        parse.time(text, NOW)


def test_percentages_may_carry_their_sign() -> None:
    assert (parse.percent("12.5"), parse.percent("12.5%"), parse.percent(" 7 ")) == (12.5, 12.5, 7)
    with pytest.raises(ValueError, match="0 to 100"):
        parse.percent("much")


def test_whole_numbers_must_fit_their_field() -> None:
    assert parse.whole("-7", 32) == -7
    assert parse.whole("9223372036854775807", 64) == 2**63 - 1
    for text in ("1.5", "x", ""):
        with pytest.raises(ValueError, match="whole number"):
            parse.whole(text, 32)
    with pytest.raises(ValueError, match="out of every range"):
        parse.whole("2147483648", 32)


def test_numbers_in_json_may_be_of_any_length() -> None:
    assert parse.json_document("1" * 10_000) == b"1" * 10_000


def test_json_is_passed_on_as_it_was_written() -> None:
    assert parse.json_document('{"a":  1.50}') == b'{"a":  1.50}'


@pytest.mark.parametrize("text", ["", "{", '{"a": 1} x', "'a'", "NaN", '{"a": Infinity}', "[" * 100_000])
def test_malformed_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="JSON"):
        parse.json_document(text)


def test_a_document_may_come_from_a_file() -> None:
    assert parse.document("@report.json", {"report.json": b'{"n": 1}'}.__getitem__) == b'{"n": 1}'
    with pytest.raises(ValueError, match="UTF-8"):
        parse.document("@report.json", {"report.json": b"\xff"}.__getitem__)


def test_labels_are_pairs() -> None:
    assert parse.label("zone=eu=1") == ("zone", "eu=1")
    for text in ("zone", "=eu"):
        with pytest.raises(ValueError, match="KEY=VALUE"):
            parse.label(text)


def test_cron_fields_are_counted_and_aliases_have_none() -> None:
    assert parse.cron_fields("*/5  * * * *") == 5
    assert parse.cron_fields("0 0 2 * * *") == 6
    assert parse.cron_fields("@daily") == 0


@pytest.mark.parametrize(
    ("text", "step"), [("1 month", (1, "month")), ("2weeks", (2, "week")), ("Year", (1, "year"))]
)
def test_a_calendar_step_is_a_count_and_a_unit(text: str, step: tuple[int, str]) -> None:
    assert parse.calendar_step(text) == step


@pytest.mark.parametrize("text", ["", "1", "1 hour", "-1 month", "1 month 2 days"])
def test_what_is_no_calendar_step_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="no step of a calendar"):
        parse.calendar_step(text)


def test_a_reading_is_what_a_clock_shows() -> None:
    assert parse.reading("2026-01-31 09:00") == "2026-01-31T09:00:00"
    for text, said in (("tomorrow", "no date and time"), ("2026-01-31T09:00:00Z", "leave it out")):
        with pytest.raises(ValueError, match=said):
            parse.reading(text)


def test_a_schedule_template_may_have_a_version() -> None:
    assert parse.template("nightly") == ("nightly", 0)
    assert parse.template("nightly@12") == parse.template("nightly@v12") == ("nightly", 12)
    for text in ("", "@2", "nightly@", "nightly@new"):
        with pytest.raises(ValueError, match="no schedule template"):
            parse.template(text)
