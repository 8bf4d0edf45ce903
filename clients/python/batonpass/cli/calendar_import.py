"""`batonpass calendar import`: the events of an iCalendar file as the periods of a calendar."""

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from batonpass.cli import flags, format, parse
from batonpass.cli.failure import Failure, Fault, Misuse
from batonpass.cli.output import Record
from batonpass.cli.records import calendar as records
from batonpass.cli.session import Session, pass_session
from batonpass.cli.verb import Verb
from batonpass.cli.views.calendar import count
from batonpass.scheduler.v1 import calendar_service_pb2 as pb

if TYPE_CHECKING:
    from batonpass.cli.files.agenda import Agenda

_YEAR: Final = 366
"""Days, so that the same day of the last year is within."""


def end(text: str, now: datetime) -> datetime:
    """A time, or how far ahead: `2y`, `90d`. Raises ValueError."""
    years = re.fullmatch(r"([0-9]{1,4})y", text.strip().lower())
    if years:
        return parse.time(f"+{int(years[1]) * _YEAR}d", now)
    is_length = "-" not in text and text[:1].isdigit()
    return parse.time(f"+{text}" if is_length else text, now)


@click.command(
    "import",
    cls=Verb,
    examples="""
    batonpass calendar import agenda holidays.ics
    batonpass calendar import agenda holidays.ics --time-zone Europe/Berlin --horizon 1y
    batonpass calendar import agenda - --until 2028-01-01T00:00:00Z
    """,
)
@click.argument("calendar_id", metavar="ID")
@click.argument("file", metavar="FILE")
@click.option(
    "--until",
    "--horizon",
    "until",
    type=flags.Parsed("time", lambda text: end(text, datetime.now(UTC))),
    default="2y",
    show_default=True,
    help="Take events until then: a time, or how far ahead, such as 2y or 90d.",
)
@click.option(
    "--time-zone",
    metavar="ZONE",
    help="IANA zone of days and of times without one.  [default: the calendar's, else the file's, else UTC]",
)
@pass_session
def import_ics(session: Session, calendar_id: str, file: str, until: datetime, time_zone: str | None) -> None:
    """Make a calendar of the events of an iCalendar file, or put them in place of the periods of one.

    Events that repeat are taken one by one from now on, at most 2,000 in all: import again in time. All
    else that a calendar has stays. Needs pip install 'batonpass[ics]'.
    """
    agenda = _agenda(file)
    current = _find(session, calendar_id)
    wanted = pb.Calendar(calendar_id=calendar_id)
    if current is not None:
        wanted.CopyFrom(current)
    wanted.time_zone = time_zone or wanted.time_zone or agenda.time_zone or "UTC"
    del wanted.periods[:]
    wanted.periods.extend(_periods(agenda, file, wanted.time_zone, until))
    reply = _replace(session, wanted) if current is not None else _create(session, wanted)
    imported = {"created": current is None, "imported_until": format.time(until)}
    session.say({**records.updated(reply), **imported}, *_sentences(reply, imported))


def _agenda(file: str) -> "Agenda":
    try:
        from batonpass.cli.files.agenda import Agenda

        with click.open_file(file, "rb") as opened:
            return Agenda(opened.read())
    except OSError as error:
        raise click.UsageError(f"cannot read {file}: {error.strerror}") from None
    except ImportError:
        message = "iCalendar files are read by packages that are not installed"
        raise Misuse(Fault("CONFIGURATION", message, hint="pip install 'batonpass[ics]'")) from None
    except ValueError as error:
        raise click.UsageError(f"{file} cannot be taken over: {error}") from None


def _periods(agenda: "Agenda", file: str, zone: str, until: datetime) -> list[pb.CalendarPeriod]:
    where = records.zone_of(zone)
    if where is None:
        raise click.UsageError(f"The time zone {zone!r} is not known here: give one as --time-zone.")
    try:
        return agenda.periods(datetime.now(UTC), until, where)
    except (ValueError, OverflowError) as error:
        raise click.UsageError(f"{file} cannot be taken over: {error}") from None


def _find(session: Session, calendar_id: str) -> pb.Calendar | None:
    try:
        return session.calendars.GetCalendar(pb.GetCalendarRequest(calendar_id=calendar_id)).calendar
    except Failure as failure:
        if failure.fault.code != "NOT_FOUND":
            raise
        return None


def _replace(session: Session, wanted: pb.Calendar) -> pb.UpdateCalendarResponse:
    """For the version that was read, so nobody's change in between is undone."""
    return session.calendars.UpdateCalendar(pb.UpdateCalendarRequest(calendar=wanted, version=wanted.version))


def _create(session: Session, wanted: pb.Calendar) -> pb.UpdateCalendarResponse:
    """No schedule moves, since none uses it yet."""
    made = session.calendars.CreateCalendar(pb.CreateCalendarRequest(calendar=wanted))
    return pb.UpdateCalendarResponse(calendar=made.calendar)


def _sentences(reply: pb.UpdateCalendarResponse, imported: Record) -> list[str]:
    verb = "Created" if imported["created"] else "Updated"
    held = f"{count(len(reply.calendar.periods), 'period')} until {imported['imported_until']}"
    said = [f"{verb} {reply.calendar.calendar_id} with {held}; import again before that."]
    return said if imported["created"] else [*said, f"{count(reply.moved_schedules, 'schedule')} moved."]
