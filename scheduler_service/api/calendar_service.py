"""CalendarService: see calendar_service.proto."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

from batonpass.scheduler.v1 import calendar_service_pb2 as pb
from batonpass.scheduler.v1.calendar_service_pb2_grpc import CalendarServiceServicer

from scheduler_service.api import calendar_messages as messages
from scheduler_service.api import decode
from scheduler_service.api.texts import refuse_nul
from scheduler_service.app.calendars import Calendars
from scheduler_service.domain.errors import InvalidCalendar
from service_kit.caller import current_caller
from service_kit.pages import page_position, page_token

Context: TypeAlias = Any

DEFAULT_SIZE: Final = 20
DEFAULT_PERIODS: Final = 10


class CalendarService(CalendarServiceServicer):
    """Decodes, calls, encodes."""

    def __init__(self, calendars: Calendars) -> None:
        self._calendars = calendars

    async def CreateCalendar(
        self, request: pb.CreateCalendarRequest, context: Context
    ) -> pb.CreateCalendarResponse:
        """Documented in calendar_service.proto."""
        refuse_nul(request)
        with _paths_below("calendar."):
            made = messages.definition(request.calendar)
            created = await self._calendars.create(current_caller(), request.calendar.calendar_id, made)
        return pb.CreateCalendarResponse(calendar=messages.calendar(created))

    async def GetCalendar(self, request: pb.GetCalendarRequest, context: Context) -> pb.GetCalendarResponse:
        """Documented in calendar_service.proto."""
        refuse_nul(request)
        found = await self._calendars.get(current_caller(), request.calendar_id)
        return pb.GetCalendarResponse(calendar=messages.calendar(found))

    async def ListCalendars(
        self, request: pb.ListCalendarsRequest, context: Context
    ) -> pb.ListCalendarsResponse:
        """Documented in calendar_service.proto."""
        caller, size = current_caller(), request.page_size or DEFAULT_SIZE
        filters = ("calendars", caller.namespace)
        after = page_position(filters, request.page_token) or ""
        found = await self._calendars.page(caller, after, size + 1)
        response = pb.ListCalendarsResponse(calendars=map(messages.calendar, found[:size]))
        if len(found) > size:
            response.next_page_token = page_token(filters, found[size - 1].calendar_id)
        return response

    async def UpdateCalendar(
        self, request: pb.UpdateCalendarRequest, context: Context
    ) -> pb.UpdateCalendarResponse:
        """Documented in calendar_service.proto."""
        refuse_nul(request)
        with _paths_below("calendar."):
            made = messages.definition(request.calendar)
            updated, moved = await self._calendars.update(
                current_caller(), request.calendar.calendar_id, made, request.version
            )
        return pb.UpdateCalendarResponse(calendar=messages.calendar(updated), moved_schedules=moved)

    async def DeleteCalendar(
        self, request: pb.DeleteCalendarRequest, context: Context
    ) -> pb.DeleteCalendarResponse:
        """Documented in calendar_service.proto."""
        refuse_nul(request)
        await self._calendars.delete(current_caller(), request.calendar_id)
        return pb.DeleteCalendarResponse()

    async def ListCalendarPeriods(
        self, request: pb.ListCalendarPeriodsRequest, context: Context
    ) -> pb.ListCalendarPeriodsResponse:
        """Documented in calendar_service.proto."""
        refuse_nul(request)
        after = decode.reachable(request.from_time, "from_time") if request.HasField("from_time") else None
        found = await self._calendars.periods(
            current_caller(), request.calendar_id, after, request.count or DEFAULT_PERIODS
        )
        return pb.ListCalendarPeriodsResponse(periods=map(messages.period, found))


@contextmanager
def _paths_below(prefix: str) -> Iterator[None]:
    """Violations name their path from the request on."""
    try:
        yield
    except InvalidCalendar as error:
        raise error.below(prefix) from error
