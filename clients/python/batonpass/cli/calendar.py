"""`batonpass calendar`: named sets of time, which schedules include or exclude and which may hold work."""

from datetime import datetime
from typing import Any

import click

from batonpass.cli import calendar_options as options
from batonpass.cli import flags
from batonpass.cli.calendar_import import import_ics
from batonpass.cli.failure import Failure
from batonpass.cli.pages import listed
from batonpass.cli.records import calendar as records
from batonpass.cli.session import Session, pass_session
from batonpass.cli.verb import Noun
from batonpass.cli.views import calendar as views
from batonpass.scheduler.v1 import calendar_service_pb2 as pb

ID = click.argument("calendar_id", metavar="ID")
_ID_OR_FILE = click.argument("calendar_id", metavar="[ID]", required=False, default="")


@click.group(cls=Noun)
def calendar() -> None:
    """Keep times that schedules leave out or keep to, and blackouts."""


@calendar.command(
    examples="""
    batonpass calendar create holidays --holidays DE-BY --date 12-24 --date 12-31 --time-zone Europe/Berlin
    batonpass calendar create nights --window "0 22 * * *" --for 8h --time-zone America/New_York
    batonpass calendar create fair --period 2027-05-03T06:00:00Z/2027-05-07T18:00:00Z
    batonpass calendar create freeze --date 2026-12-24 --blackout --queue deploys --allow-priority 9
    batonpass calendar create -f holidays.yaml
    """
)
@_ID_OR_FILE
@options.described
@pass_session
def create(session: Session, /, calendar_id: str, **given: Any) -> None:
    """Make a calendar: all times that one of the options or the file names."""
    wanted = options.calendar_of(calendar_id, given)
    made = session.calendars.CreateCalendar(pb.CreateCalendarRequest(calendar=wanted)).calendar
    session.show(records.record(made), views.calendar)


@calendar.command(examples="batonpass calendar get holidays\nbatonpass calendar get holidays -o json")
@ID
@pass_session
def get(session: Session, calendar_id: str) -> None:
    """Show what is in a calendar."""
    found = session.calendars.GetCalendar(pb.GetCalendarRequest(calendar_id=calendar_id)).calendar
    session.show(records.record(found), views.calendar)


@calendar.command("list", examples="batonpass calendar list\nbatonpass calendar list -o json")
@flags.limit("calendars")
@pass_session
def list_calendars(session: Session, limit: int) -> None:
    """List calendars by ID."""
    found = listed(
        lambda size, token: session.calendars.ListCalendars(
            pb.ListCalendarsRequest(page_size=min(size, 100), page_token=token)
        ),
        lambda page: map(records.record, page.calendars),
        limit,
    )
    session.show({"calendars": found.tell(session)}, views.calendars)


@calendar.command(
    examples="""
    batonpass calendar update holidays --holidays DE-BY --date 12-24 --time-zone Europe/Berlin
    batonpass calendar update -f holidays.yaml --version 3
    """
)
@_ID_OR_FILE
@options.described
@click.option(
    "--version", type=flags.INT64, default=0, metavar="N", help="Change it only when this is its version."
)
@pass_session
def update(session: Session, /, calendar_id: str, version: int, **given: Any) -> None:
    """Replace a calendar as a whole: what is not given is gone.

    Schedules that use it come due by the new one from now on.
    """
    if options.says_nothing(given):
        raise click.UsageError("Nothing is given, and what is not given is gone: say what the calendar is.")
    wanted = options.calendar_of(calendar_id, given)
    reply = session.calendars.UpdateCalendar(pb.UpdateCalendarRequest(calendar=wanted, version=version))
    session.show(records.updated(reply), views.updated)


@calendar.command(
    examples="batonpass calendar delete holidays\nbatonpass calendar delete holidays --if-exists"
)
@ID
@click.option("--if-exists", is_flag=True, help="Succeed when there is no such calendar.")
@pass_session
def delete(session: Session, calendar_id: str, if_exists: bool) -> None:
    """Delete a calendar; refused while schedules use it."""
    try:
        session.calendars.DeleteCalendar(pb.DeleteCalendarRequest(calendar_id=calendar_id))
        deleted = True
    except Failure as failure:
        if not if_exists or failure.fault.code != "NOT_FOUND":
            raise
        deleted = False
    said = f"Deleted {calendar_id}." if deleted else f"There is no calendar {calendar_id}."
    session.say({"calendar_id": calendar_id, "deleted": deleted}, said)


@calendar.command(
    examples="""
    batonpass calendar periods holidays
    batonpass calendar periods nights --from 2027-03-27T00:00:00Z --count 3
    """
)
@ID
@click.option("--from", "since", type=flags.TIME, help="Only those that end after this time.  [default: now]")
@click.option("--count", type=click.IntRange(1), default=10, show_default=True, metavar="N", help="How many.")
@pass_session
def periods(session: Session, calendar_id: str, since: datetime | None, count: int) -> None:
    """Show the stretches of time that a calendar covers; touching ones are one."""
    found = session.calendars.GetCalendar(pb.GetCalendarRequest(calendar_id=calendar_id)).calendar
    request = pb.ListCalendarPeriodsRequest(calendar_id=calendar_id, count=count)
    if since is not None:
        request.from_time.FromDatetime(since)
    reply = session.calendars.ListCalendarPeriods(request)
    session.show(records.coming(found, reply.periods), views.periods)


calendar.add_command(import_ics)
