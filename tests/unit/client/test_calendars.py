"""Calendars from Python: what is sent, what comes back."""

from datetime import UTC, date, datetime, timedelta

import grpc
import pytest
from batonpass import InvalidArgument, Unavailable, blackout, new_calendar
from batonpass.scheduler.v1 import calendar_service_pb2 as pb
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

WAIT = 10
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MADE = pb.Calendar(calendar_id="holidays", version=1)


def test_a_calendar_is_made_of_plain_values(play):
    wanted = new_calendar(
        "holidays",
        description="Closed",
        time_zone="Europe/Berlin",
        dates=[date(2026, 12, 24), "12-31"],
        windows=[("0 22 * * *", timedelta(hours=8))],
        holidays=["DE", "DE-BY"],
        periods=[(NOON, NOON + timedelta(hours=1)), (NOON, NOON + timedelta(hours=2), "Fair")],
        blackout=blackout(queue="reports", handler="shell", allow_priority=9),
    )
    call = play.start(lambda client: client.create_calendar(wanted))
    request = play.answer("CalendarService.CreateCalendar", pb.CreateCalendarResponse(calendar=MADE))
    assert call.result(WAIT) == MADE
    sent = request.calendar
    assert list(sent.dates) == ["2026-12-24", "12-31"]
    assert list(sent.windows) == [pb.CalendarWindow(cron="0 22 * * *", duration=Duration(seconds=28_800))]
    assert list(sent.holidays) == [pb.Holidays(country="DE"), pb.Holidays(country="DE", subdivision="BY")]
    assert [period.name for period in sent.periods] == ["", "Fair"]
    assert sent.periods[1].until_time == Timestamp(seconds=1_772_373_600)
    assert sent.blackout == pb.Blackout(queue="reports", handler="shell", allow_priority=9)


def test_without_blackout_nothing_is_held():
    assert not new_calendar("holidays", dates=["12-24"]).HasField("blackout")
    assert new_calendar("freeze", blackout=blackout()).HasField("blackout")


def test_a_period_without_zone_is_refused():
    with pytest.raises(InvalidArgument) as caught:
        new_calendar("x", periods=[(datetime(2026, 1, 1), NOON)])
    assert caught.value.violations[0].field == "periods"


def test_an_update_replaces_the_version_that_was_read_and_says_what_moved(play):
    call = play.start(lambda client: client.get_calendar("holidays"))
    play.answer("CalendarService.GetCalendar", pb.GetCalendarResponse(calendar=MADE))
    found = call.result(WAIT)
    call = play.start(lambda client: client.update_calendar(found, version=found.version))
    reply = pb.UpdateCalendarResponse(calendar=MADE, moved_schedules=3)
    request = play.answer("CalendarService.UpdateCalendar", reply)
    assert call.result(WAIT).moved_schedules == 3
    assert request == pb.UpdateCalendarRequest(calendar=MADE, version=1)


def test_lists_go_on_to_the_last_page(play):
    call = play.start(lambda client: [each.calendar_id for each in client.list_calendars(page_size=1)])
    first = pb.ListCalendarsResponse(calendars=[MADE], next_page_token="2")
    play.answer("CalendarService.ListCalendars", first)
    last = pb.ListCalendarsResponse(calendars=[pb.Calendar(calendar_id="nights")])
    assert play.answer("CalendarService.ListCalendars", last).page_token == "2"
    assert call.result(WAIT) == ["holidays", "nights"]


def test_periods_are_asked_for_from_an_instant_on(play):
    call = play.start(lambda client: client.calendar_periods("nights", from_time=NOON, count=3))
    reply = pb.ListCalendarPeriodsResponse(periods=[pb.CalendarPeriod(name="Night")])
    request = play.answer("CalendarService.ListCalendarPeriods", reply)
    assert [period.name for period in call.result(WAIT)] == ["Night"]
    assert (request.calendar_id, request.count) == ("nights", 3)
    assert request.from_time.ToDatetime(UTC) == NOON


@pytest.mark.parametrize(
    ("make", "rpc"),
    [
        (lambda client: client.create_calendar(MADE), "CreateCalendar"),
        (lambda client: client.update_calendar(MADE, version=1), "UpdateCalendar"),
        (lambda client: client.delete_calendar("holidays"), "DeleteCalendar"),
    ],
)
def test_a_call_whose_repeat_would_be_refused_is_made_once(play, make, rpc):
    call = play.start(make)
    play.refuse(f"CalendarService.{rpc}", grpc.StatusCode.UNAVAILABLE, "gone")
    with pytest.raises(Unavailable):
        call.result(WAIT)
