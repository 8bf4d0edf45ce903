"""iCalendar files as periods: which events, when, and what is refused."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from batonpass.cli.files.agenda import MOST, Agenda
from batonpass.scheduler.v1.calendar_service_pb2 import CalendarPeriod

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
YEAR = timedelta(days=366)


def calendar(*events: str, head: str = "") -> bytes:
    lines = "".join(f"BEGIN:VEVENT\nUID:{place}\n{event}\nEND:VEVENT\n" for place, event in enumerate(events))
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:test\n{head}{lines}END:VCALENDAR\n".encode()


def periods(
    *events: str, head: str = "", until: datetime = NOW + YEAR, where: ZoneInfo = BERLIN
) -> list[str]:
    found = Agenda(calendar(*events, head=head)).periods(NOW, until, where)
    return [said(each) for each in found]


def said(period: CalendarPeriod) -> str:
    start, until = period.from_time.ToJsonString(), period.until_time.ToJsonString()
    return f"{start[:-4]} {until[:-4]} {period.name}".strip()


def test_whole_days_are_those_of_the_calendars_zone() -> None:
    event = "SUMMARY:Closed\nDTSTART;VALUE=DATE:20270327\nDTEND;VALUE=DATE:20270329"
    assert periods(event) == ["2027-03-26T23:00 2027-03-28T22:00 Closed"]
    tokyo = ZoneInfo("Asia/Tokyo")
    assert periods(event, where=tokyo) == ["2027-03-26T15:00 2027-03-28T15:00 Closed"]


def test_a_day_without_end_is_one_day() -> None:
    assert periods("DTSTART;VALUE=DATE:20261224") == ["2026-12-23T23:00 2026-12-24T23:00"]


def test_times_are_read_in_their_own_zone_or_in_that_of_the_calendar() -> None:
    assert periods("DTSTART:20261201T090000\nDURATION:PT1H") == ["2026-12-01T08:00 2026-12-01T09:00"]
    assert periods("DTSTART:20261201T090000Z\nDURATION:PT1H") == ["2026-12-01T09:00 2026-12-01T10:00"]
    assert periods("DTSTART;TZID=Asia/Tokyo:20261201T090000\nDURATION:PT1H") == [
        "2026-12-01T00:00 2026-12-01T01:00"
    ]


def test_a_zone_that_the_file_defines_is_known() -> None:
    zone = (
        "BEGIN:VTIMEZONE\nTZID:Ours\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0300\n"
        "TZOFFSETTO:+0300\nEND:STANDARD\nEND:VTIMEZONE\n"
    )
    event = "DTSTART;TZID=Ours:20261201T090000\nDURATION:PT1H"
    assert periods(event, head=zone) == ["2026-12-01T06:00 2026-12-01T07:00"]


def test_the_zone_of_the_file_is_what_common_programs_write() -> None:
    assert Agenda(calendar(head="X-WR-TIMEZONE:Europe/Berlin\n")).time_zone == "Europe/Berlin"
    assert Agenda(calendar()).time_zone == ""


def test_events_that_repeat_follow_their_clock_and_their_exceptions() -> None:
    event = (
        "SUMMARY:Standup\nDTSTART;TZID=Europe/Berlin:20270326T090000\nDURATION:PT30M\n"
        "RRULE:FREQ=DAILY;COUNT=4\nEXDATE;TZID=Europe/Berlin:20270327T090000"
    )
    assert periods(event) == [
        "2027-03-26T08:00 2027-03-26T08:30 Standup",
        "2027-03-28T07:00 2027-03-28T07:30 Standup",
        "2027-03-29T07:00 2027-03-29T07:30 Standup",
    ]


def test_only_events_between_now_and_the_horizon_count() -> None:
    past = "SUMMARY:Past\nDTSTART:20261124T100000Z\nDTEND:20261124T120000Z"
    under_way = "SUMMARY:Under way\nDTSTART:20261101T000000Z\nDTEND:20261124T120100Z"
    last = "SUMMARY:Last\nDTSTART:20261130T235900Z\nDTEND:20261203T000000Z"
    beyond = "SUMMARY:Beyond\nDTSTART:20261201T000000Z\nDTEND:20261202T000000Z"
    found = periods(beyond, last, under_way, past, until=datetime(2026, 12, 1, tzinfo=UTC))
    assert [line.partition(" ")[2].partition(" ")[2] for line in found] == ["Under way", "Last"]


def test_a_reading_far_from_utc_is_not_lost_at_the_start() -> None:
    """13:30 in UTC-12 comes a day later than the same reading in UTC+12."""
    event = "DTSTART:20261124T003000\nDURATION:PT1H"
    assert periods(event, where=ZoneInfo("Etc/GMT+12")) == ["2026-11-24T12:30 2026-11-24T13:30"]


def test_what_is_cancelled_or_has_no_length_covers_nothing() -> None:
    cancelled = "DTSTART:20261201T090000Z\nDURATION:PT1H\nSTATUS:CANCELLED"
    assert periods(cancelled, "DTSTART:20261201T090000Z") == []


def test_long_names_are_cut_and_kept_on_one_line() -> None:
    (period,) = Agenda(calendar(f"SUMMARY:a\\n{'b' * 300}\nDTSTART;VALUE=DATE:20261224")).periods(
        NOW, NOW + YEAR, BERLIN
    )
    assert len(period.name) == 200
    assert period.name.startswith("a b")


def test_more_events_than_a_calendar_holds_are_refused() -> None:
    daily = "DTSTART:20261201T080000Z\nDURATION:PT10M\nRRULE:FREQ=DAILY;BYHOUR=8,9,10,11,12,13,14,15"
    with pytest.raises(ValueError, match=f"more than {MOST} events"):
        periods(daily)
    assert len(periods(f"{daily};COUNT={MOST}")) == MOST


def test_an_event_that_lasts_for_years_is_one_period() -> None:
    assert periods("DTSTART:20200101T000000Z\nDTEND:20300101T000000Z") == [
        "2020-01-01T00:00 2030-01-01T00:00"
    ]


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "no VCALENDAR"),
        (b"hello", "could not be parsed"),
        (b"\xff\xfe", "could not be parsed"),
        (b"BEGIN:VEVENT\nUID:1\nDTSTART:20261201T090000Z\nEND:VEVENT\n", "no VCALENDAR"),
        (calendar("SUMMARY:Odd"), "'Odd' does not say when"),
        (calendar("DTSTART:2026"), "broken property"),
        (calendar("DTSTART;TZID=Nowhere/Land:20261202T090000"), "'Nowhere/Land', which is not known"),
        (
            calendar(
                "DTSTART;TZID=Nowhere/Land:20261202T090000",
                head="X-WR-TIMEZONE:Europe/Berlin\n",
            ),
            "'Nowhere/Land', which is not known",
        ),
        (calendar("DTSTART:20261201T090000Z\nRRULE:FREQ=SECONDLY"), "every minute or more often"),
        (calendar("DTSTART:20261201T090000Z\nRRULE:FREQ=MINUTELY;INTERVAL=5"), "every minute or more often"),
        (calendar("DTSTART:20261201T090000Z\nRRULE:FREQ=FOO"), "Expected frequency, got: FOO"),
    ],
)
def test_what_cannot_be_read_as_meant_is_refused(data: bytes, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        Agenda(data).periods(NOW, NOW + YEAR, BERLIN)
