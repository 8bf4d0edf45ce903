"""`batonpass calendar`: what each verb asks and shows."""

import sys
from datetime import datetime, timedelta
from pathlib import Path

import grpc
import pytest
from batonpass.cli.calendar_import import end
from batonpass.scheduler.v1 import calendar_service_pb2 as pb
from google.protobuf.duration_pb2 import Duration

from tests.support.fake_services import FakeServices, Refusal
from tests.unit.cli import making
from tests.unit.cli.conftest import CommandLine

NOON = "2026-03-01T12:00:00Z"
LATER = "2026-03-02T12:00:00Z"
NOW = making.at(making.NOON)
STORED = pb.Calendar(
    calendar_id="nights",
    description="Quiet hours",
    time_zone="Europe/Berlin",
    dates=["12-24"],
    windows=[pb.CalendarWindow(cron="0 22 * * *", duration=Duration(seconds=28_800))],
    holidays=[pb.Holidays(country="DE", subdivision="BY")],
    blackout=pb.Blackout(queue="reports", allow_priority=9),
    version=3,
    create_time=NOW,
    update_time=NOW,
)


@pytest.fixture(autouse=True)
def stored(services: FakeServices) -> None:
    services.answer("CreateCalendar", pb.CreateCalendarResponse(calendar=STORED))
    services.answer("GetCalendar", pb.GetCalendarResponse(calendar=STORED))
    services.answer("UpdateCalendar", pb.UpdateCalendarResponse(calendar=STORED, moved_schedules=2))


def test_create_makes_a_calendar_of_its_options(services: FakeServices, batonpass: CommandLine) -> None:
    batonpass(
        *("calendar", "create", "nights", "--description", "Quiet hours", "--time-zone", "Europe/Berlin"),
        *("--date", "2026-12-24", "--date", "02-29", "--holidays", "de", "--holidays", "FR-Alsace-Moselle"),
        *("--window", "0 22 * * *", "--for", "8h", "--window", "@daily", "--for", "90m"),
        *("--period", f"{NOON}/{LATER}"),
        *("--blackout", "--queue", "reports", "--handler", "shell", "--allow-priority", "9"),
    )
    sent = services.request("CreateCalendar").calendar
    assert (sent.calendar_id, sent.description, sent.time_zone) == ("nights", "Quiet hours", "Europe/Berlin")
    assert list(sent.dates) == ["2026-12-24", "02-29"]
    places = [(each.country, each.subdivision) for each in sent.holidays]
    assert places == [("DE", ""), ("FR", "Alsace-Moselle")]
    windows = [(each.cron, each.duration.seconds) for each in sent.windows]
    assert windows == [("0 22 * * *", 28_800), ("@daily", 5_400)]
    assert sent.periods[0].from_time == NOW
    assert sent.blackout == pb.Blackout(queue="reports", handler="shell", allow_priority=9)


def test_only_a_blackout_holds_work(services: FakeServices, batonpass: CommandLine) -> None:
    batonpass("calendar", "create", "x", "--date", "12-24")
    batonpass("calendar", "create", "x", "--date", "12-24", "--blackout")
    plain, held = services.requests("CreateCalendar")
    assert not plain.calendar.HasField("blackout")
    assert held.calendar.blackout == pb.Blackout()
    assert held.calendar.HasField("blackout")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Say which"),
        (("x", "--date", "2026-02-29"), "'2026-02-29' is no day"),
        (("x", "--date", "20261224"), "is no day"),
        (("x", "--holidays", "Germany"), "'Germany' is no country"),
        (("x", "--holidays", "DE-"), "is no country"),
        (("x", "--period", NOON), "is no period"),
        (("x", "--period", "2026-03-01T12:00:00/now"), "has no offset"),
        (("x", "--window", "0 22 * * *"), "Each --window needs its own --for"),
        (("x", "--for", "8h"), "Each --window needs its own --for"),
        (("x", "--queue", "reports"), "--queue belongs to --blackout"),
        (("x", "--allow-priority", "9"), "--allow-priority belongs to --blackout"),
        (("x", "-f", "-", "--date", "12-24"), "The file says all of it"),
        (("x", "-f", "-", "--blackout"), "The file says all of it"),
    ],
)
def test_wrong_command_line_is_refused(
    services: FakeServices, batonpass: CommandLine, words: tuple[str, ...], said: str
) -> None:
    assert said in batonpass("calendar", "create", *words, expect=2).stderr
    assert services.calls == []


def test_a_file_says_all_of_it(services: FakeServices, batonpass: CommandLine, tmp_path: Path) -> None:
    text = "kind: Calendar\ncalendar_id: nights\nwindows: [{cron: 0 22 * * *, duration: 8h}]\nblackout: {}\n"
    (tmp_path / "nights.yaml").write_text(text)
    batonpass("calendar", "create", "-f", str(tmp_path / "nights.yaml"))
    as_json = '{"kind": "Calendar", "calendar_id": "nights", "holidays": ["DE"]}'
    batonpass("calendar", "update", "nights", "-f", "-", "--version", "3", input=as_json)
    made = services.request("CreateCalendar").calendar
    assert (made.calendar_id, made.windows[0].duration.seconds) == ("nights", 28_800)
    assert made.HasField("blackout")
    changed = services.request("UpdateCalendar")
    assert (changed.version, changed.calendar.holidays[0].country) == (3, "DE")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: Calendar\ncalendar_id: days\n", "is about days, not nights"),
        ("kind: Calendar\ncalendar_id: nights\nwindow: []\n", "window"),
        ("kind: Calendar\ncalendar_id: a\n---\nkind: Calendar\ncalendar_id: b\n", "one document, of kind"),
        (
            "kind: Schedule\nschedule_id: a\nspecs: [{cron: '@daily'}]\ntask: {handler: x}\n",
            "of kind Calendar",
        ),
    ],
)
def test_a_file_of_something_else_is_refused(
    services: FakeServices, batonpass: CommandLine, text: str, said: str
) -> None:
    assert said in batonpass("calendar", "create", "nights", "-f", "-", input=text, expect=2).stderr
    assert services.calls == []


def test_get_shows_what_is_in_it(services: FakeServices, batonpass: CommandLine) -> None:
    shown = batonpass("calendar", "get", "nights").stdout
    assert "0 22 * * * for 8h" in shown
    assert "queue=reports allow_priority=9" in shown
    record = batonpass.json("calendar", "get", "nights")
    assert record["windows"] == [{"cron": "0 22 * * *", "for": "8h"}]
    assert record["holidays"] == ["DE-BY"]
    assert record["blackout"] == {"queue": "reports", "handler": None, "allow_priority": 9}
    assert (record["version"], record["updated_at"]) == (3, NOON)
    assert "time_zone: Europe/Berlin" in batonpass("calendar", "get", "nights", "-o", "yaml").stdout


def test_get_shows_the_first_of_many_periods(services: FakeServices, batonpass: CommandLine) -> None:
    period = pb.CalendarPeriod(from_time=NOW, until_time=making.at(making.NOON), name="Fair")
    many = pb.Calendar(calendar_id="agenda", periods=[period] * 12)
    services.answer("GetCalendar", pb.GetCalendarResponse(calendar=many))
    shown = batonpass("calendar", "get", "agenda").stdout
    assert shown.count("Fair") == 10
    assert "... and 2 more" in shown
    assert len(batonpass.json("calendar", "get", "agenda")["periods"]) == 12


def test_list_shows_every_page(services: FakeServices, batonpass: CommandLine) -> None:
    first = pb.ListCalendarsResponse(calendars=[STORED], next_page_token="2")
    last = pb.ListCalendarsResponse(calendars=[pb.Calendar(calendar_id="freeze", blackout=pb.Blackout())])
    services.answer("ListCalendars", first, last, first, last)
    found = batonpass.json("calendar", "list")["calendars"]
    assert [each["calendar_id"] for each in found] == ["nights", "freeze"]
    assert [each.page_size for each in services.requests("ListCalendars")] == [100, 100]
    shown = batonpass("calendar", "list").stdout
    assert "1 date, 1 window, DE-BY" in shown
    assert "everything" in shown


def test_an_empty_list_says_how_to_begin(batonpass: CommandLine) -> None:
    assert batonpass("calendar", "list").stdout == ("No calendars. batonpass calendar create makes one.\n")


def test_update_says_how_many_schedules_move(services: FakeServices, batonpass: CommandLine) -> None:
    shown = batonpass("calendar", "update", "nights", "--date", "12-24").stdout
    assert shown.endswith("2 schedules will come due at another time.\n")
    assert services.request("UpdateCalendar") == pb.UpdateCalendarRequest(
        calendar=pb.Calendar(calendar_id="nights", dates=["12-24"])
    )
    assert batonpass.json("calendar", "update", "nights", "--date", "12-24")["moved_schedules"] == 2


def test_an_update_with_nothing_does_not_empty_the_calendar(
    services: FakeServices, batonpass: CommandLine
) -> None:
    assert "Nothing is given" in batonpass("calendar", "update", "nights", expect=2).stderr
    assert services.calls == []


def test_delete_asks_nobody(services: FakeServices, batonpass: CommandLine) -> None:
    assert batonpass("calendar", "delete", "nights").stdout == "Deleted nights.\n"
    assert services.request("DeleteCalendar").calendar_id == "nights"
    services.answer("DeleteCalendar", Refusal(grpc.StatusCode.NOT_FOUND, "none", reason="CALENDAR_NOT_FOUND"))
    assert "batonpass calendar list" in batonpass("calendar", "delete", "nights", expect=1).stderr
    assert batonpass.json("calendar", "delete", "nights", "--if-exists")["deleted"] is False


def test_refusals_are_told_by_option(services: FakeServices, batonpass: CommandLine) -> None:
    rules = [
        ("calendar.windows[0].cron", "must have five fields"),
        ("calendar.holidays[0].subdivision", "'XX' is not known"),
        ("calendar.periods[0].until_time", "must be later than from_time"),
        ("calendar.blackout.allow_priority", "must be at most 10"),
    ]
    services.answer("CreateCalendar", Refusal(grpc.StatusCode.INVALID_ARGUMENT, "wrong", violations=rules))
    said = batonpass("calendar", "create", "x", "--date", "12-24", expect=1).stderr
    for line in (
        "--window: must have five fields",
        "--holidays: 'XX' is not known",
        "--period: must end later than it begins",
        "--allow-priority: must be at most 10",
    ):
        assert line in said


def test_periods_are_shown_on_the_clock_of_the_calendar(
    services: FakeServices, batonpass: CommandLine
) -> None:
    period = pb.CalendarPeriod(name="Night")
    period.from_time.FromJsonString("2027-03-27T21:00:00Z")
    period.until_time.FromJsonString("2027-03-28T05:00:00Z")
    services.answer("ListCalendarPeriods", pb.ListCalendarPeriodsResponse(periods=[period]))
    record = batonpass.json("calendar", "periods", "nights", "--from", NOON, "--count", "3")
    assert record["periods"] == [
        {
            "from": "2027-03-27T21:00:00Z",
            "until": "2027-03-28T05:00:00Z",
            "name": "Night",
            "from_local": "2027-03-27T22:00:00+01:00",
            "until_local": "2027-03-28T07:00:00+02:00",
            "lasts": "8h",
        }
    ]
    request = services.request("ListCalendarPeriods")
    assert (request.calendar_id, request.from_time, request.count) == ("nights", NOW, 3)
    shown = batonpass("calendar", "periods", "nights").stdout
    assert "FROM (Europe/Berlin)" in shown
    assert "2027-03-28 07:00 +02:00" in shown


def test_a_zone_that_is_not_known_here_leaves_utc(services: FakeServices, batonpass: CommandLine) -> None:
    period = pb.CalendarPeriod(from_time=NOW, until_time=NOW)
    services.answer("ListCalendarPeriods", pb.ListCalendarPeriodsResponse(periods=[period]))
    mars = pb.Calendar(calendar_id="x", time_zone="Mars/Olympus")
    services.answer("GetCalendar", pb.GetCalendarResponse(calendar=mars))
    assert batonpass.json("calendar", "periods", "x")["periods"][0]["from_local"] is None
    assert "2026-03-01 12:00" in batonpass("calendar", "periods", "x").stdout


def test_a_calendar_that_covers_nothing_says_so(batonpass: CommandLine) -> None:
    assert batonpass("calendar", "periods", "nights").stdout == "It covers nothing within ten years.\n"


AGENDA = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:test
X-WR-TIMEZONE:Asia/Tokyo
BEGIN:VEVENT
UID:1
SUMMARY:Closed
DTSTART;VALUE=DATE:20200101
RRULE:FREQ=MONTHLY
END:VEVENT
END:VCALENDAR
"""


@pytest.fixture
def agenda(tmp_path: Path) -> str:
    (tmp_path / "agenda.ics").write_text(AGENDA)
    return str(tmp_path / "agenda.ics")


def echo_created(request: pb.CreateCalendarRequest) -> pb.CreateCalendarResponse:
    return pb.CreateCalendarResponse(calendar=request.calendar)


def echo_updated(request: pb.UpdateCalendarRequest) -> pb.UpdateCalendarResponse:
    return pb.UpdateCalendarResponse(calendar=request.calendar, moved_schedules=2)


def test_import_creates_a_calendar_of_the_events_to_come(
    services: FakeServices, batonpass: CommandLine, agenda: str
) -> None:
    services.answer("GetCalendar", Refusal(grpc.StatusCode.NOT_FOUND, "none", reason="CALENDAR_NOT_FOUND"))
    services.answer("CreateCalendar", echo_created)
    said = batonpass("calendar", "import", "agenda", agenda, "--horizon", "1y").stdout
    sent = services.request("CreateCalendar").calendar
    assert (sent.calendar_id, sent.time_zone) == ("agenda", "Asia/Tokyo")
    assert 12 <= len(sent.periods) <= 13
    assert said.startswith(f"Created agenda with {len(sent.periods)} periods until ")
    assert services.requests("UpdateCalendar") == []


def test_import_puts_the_events_in_place_of_the_periods_and_leaves_the_rest(
    services: FakeServices, batonpass: CommandLine, agenda: str
) -> None:
    current = pb.Calendar()
    current.CopyFrom(STORED)
    current.periods.add(from_time=NOW, until_time=NOW, name="Old")
    services.answer("GetCalendar", pb.GetCalendarResponse(calendar=current))
    services.answer("UpdateCalendar", echo_updated)
    words = ("calendar", "import", "nights", agenda, "--until", "2999-01-01T00:00:00Z")
    assert "more than 2000 events" in batonpass(*words, expect=2).stderr
    assert services.requests("UpdateCalendar") == []
    said = batonpass("calendar", "import", "nights", agenda, "--horizon", "62d").stdout
    assert said.endswith("2 schedules moved.\n")
    request = services.request("UpdateCalendar")
    assert request.version == 3
    assert {period.name for period in request.calendar.periods} == {"Closed"}
    del request.calendar.periods[:]
    assert request.calendar == STORED


def test_import_reads_stdin_and_a_zone_that_is_given(services: FakeServices, batonpass: CommandLine) -> None:
    services.answer("UpdateCalendar", echo_updated)
    zone = ("--time-zone", "America/New_York", "-o", "json")
    result = batonpass("calendar", "import", "nights", "-", *zone, input=AGENDA)
    assert '"created": false' in result.stdout
    sent = services.request("UpdateCalendar").calendar
    assert sent.time_zone == "America/New_York"
    assert {period.from_time.ToDatetime().hour for period in sent.periods} == {4, 5}


def test_import_without_its_packages_says_what_to_install(
    services: FakeServices, batonpass: CommandLine, agenda: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "batonpass.cli.files.agenda", raising=False)
    monkeypatch.setitem(sys.modules, "recurring_ical_events", None)
    said = batonpass("calendar", "import", "x", agenda, expect=2).stderr
    assert "Next: pip install 'batonpass[ics]'" in said
    assert services.calls == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere.ics",), "cannot read nowhere.ics"),
        (("-",), "- cannot be taken over: there is no VCALENDAR in it"),
        (("-", "--until", "soon"), "'soon' is no time"),
    ],
)
def test_an_import_of_nothing_changes_nothing(
    services: FakeServices, batonpass: CommandLine, words: tuple[str, ...], said: str
) -> None:
    assert said in batonpass("calendar", "import", "nights", *words, expect=2).stderr
    assert services.calls == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2y", making.NOON + timedelta(days=732)),
        ("90d", making.NOON + timedelta(days=90)),
        ("+1h30m", making.NOON + timedelta(minutes=90)),
        (LATER, making.NOON + timedelta(days=1)),
        ("now", making.NOON),
    ],
)
def test_the_horizon_is_a_time_or_how_far_ahead(text: str, expected: datetime) -> None:
    assert end(text, making.NOON) == expected
