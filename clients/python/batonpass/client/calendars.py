"""Calls about calendars: named sets of time that schedules include or exclude, and that hold queued work."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Final

from batonpass.client.call import Call, Listed, Pages, Rpc, same
from batonpass.client.values import duration, timestamp
from batonpass.scheduler.v1 import calendar_service_pb2 as pb

_SERVICE: Final = "/batonpass.scheduler.v1.CalendarService"
_CREATE: Final = Rpc("scheduler", f"{_SERVICE}/CreateCalendar", pb.CreateCalendarResponse)
_GET: Final = Rpc("scheduler", f"{_SERVICE}/GetCalendar", pb.GetCalendarResponse)
_LIST: Final = Rpc("scheduler", f"{_SERVICE}/ListCalendars", pb.ListCalendarsResponse)
_UPDATE: Final = Rpc("scheduler", f"{_SERVICE}/UpdateCalendar", pb.UpdateCalendarResponse)
_DELETE: Final = Rpc("scheduler", f"{_SERVICE}/DeleteCalendar", pb.DeleteCalendarResponse)
_PERIODS: Final = Rpc("scheduler", f"{_SERVICE}/ListCalendarPeriods", pb.ListCalendarPeriodsResponse)

Stretch = tuple[datetime, datetime] | tuple[datetime, datetime, str]
"""First instant, first instant after it, and perhaps a name."""


def new_calendar(
    calendar_id: str,
    *,
    description: str = "",
    time_zone: str = "",
    dates: Iterable[date | str] = (),
    windows: Iterable[tuple[str, timedelta]] = (),
    holidays: Iterable[str] = (),
    periods: Iterable[Stretch] = (),
    blackout: pb.Blackout | None = None,
) -> pb.Calendar:
    """A calendar: the union of all that is given, read on the clock of `time_zone` (default UTC).

    `dates` are whole days (`MM-DD`: every year), `windows` a cron expression with how long each lasts,
    `holidays` countries such as `DE` or parts of them such as `DE-BY`. With `blackout` (see `blackout`) the
    queue holds work while it lasts.
    """
    return pb.Calendar(
        calendar_id=calendar_id,
        description=description,
        time_zone=time_zone,
        dates=[str(day) for day in dates],
        windows=[pb.CalendarWindow(cron=cron, duration=duration(length)) for cron, length in windows],
        holidays=[_holidays(place) for place in holidays],
        periods=[_period(*stretch) for stretch in periods],
        blackout=blackout,
    )


def blackout(*, queue: str = "", handler: str = "", allow_priority: int = 0) -> pb.Blackout:
    """What the queue holds: the tasks of a queue and of a handler (`shell`, `http` or a name such as
    `name:report`), all of them by default; those of `allow_priority` (1 to 10) or above start all the same.
    """
    return pb.Blackout(queue=queue, handler=handler, allow_priority=allow_priority)


def create_calendar(calendar: pb.Calendar) -> Call[pb.Calendar]:
    """Creates a calendar (see `new_calendar`). Raises AlreadyExists; InvalidArgument."""
    return Call(_CREATE, pb.CreateCalendarRequest(calendar=calendar), _picked, repeatable=False)


def get_calendar(calendar_id: str) -> Call[pb.Calendar]:
    """Returns a calendar. Raises NotFound."""
    return Call(_GET, pb.GetCalendarRequest(calendar_id=calendar_id), _picked)


def list_calendars(*, page_size: int = 0) -> Pages[pb.Calendar]:
    """Yields calendars by id."""

    def page(token: str) -> Call[Listed[pb.Calendar]]:
        return Call(_LIST, pb.ListCalendarsRequest(page_size=page_size, page_token=token), _listed)

    return Pages(page)


def update_calendar(calendar: pb.Calendar, *, version: int = 0) -> Call[pb.UpdateCalendarResponse]:
    """Replaces a calendar as a whole; the answer also says how many schedules come due at another time.

    With `version`: only when that is the current one. Raises NotFound; InvalidArgument; Aborted.
    """
    request = pb.UpdateCalendarRequest(calendar=calendar, version=version)
    return Call(_UPDATE, request, same, repeatable=version == 0)


def delete_calendar(calendar_id: str) -> Call[None]:
    """Deletes a calendar. Raises NotFound; FailedPrecondition while schedules use it."""
    return Call(_DELETE, pb.DeleteCalendarRequest(calendar_id=calendar_id), _nothing, repeatable=False)


def calendar_periods(
    calendar_id: str, *, from_time: datetime | None = None, count: int = 0
) -> Call[Sequence[pb.CalendarPeriod]]:
    """Returns the first `count` (default 10, at most 1,000) stretches that end after `from_time` (default:
    now), within ten years. Raises NotFound.
    """
    request = pb.ListCalendarPeriodsRequest(
        calendar_id=calendar_id, from_time=timestamp("from_time", from_time), count=count
    )
    return Call(_PERIODS, request, lambda response: response.periods)


def _holidays(place: str) -> pb.Holidays:
    country, _, subdivision = place.partition("-")
    return pb.Holidays(country=country, subdivision=subdivision)


def _period(start: datetime, until: datetime, name: str = "") -> pb.CalendarPeriod:
    return pb.CalendarPeriod(
        from_time=timestamp("periods", start), until_time=timestamp("periods", until), name=name
    )


def _picked(response: pb.CreateCalendarResponse | pb.GetCalendarResponse) -> pb.Calendar:
    return response.calendar


def _listed(response: pb.ListCalendarsResponse) -> Listed[pb.Calendar]:
    return Listed(response.calendars, response.next_page_token)


def _nothing(response: pb.DeleteCalendarResponse) -> None:
    return None
