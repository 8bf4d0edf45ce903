"""Between messages and calendars."""

from batonpass.scheduler.v1 import calendar_service_pb2 as pb

from scheduler_service.api import decode
from scheduler_service.domain.calendar import (
    Blackout,
    Calendar,
    CalendarDefinition,
    CalendarRules,
    CalendarWindow,
    Holidays,
    Period,
)
from scheduler_service.domain.errors import InvalidCalendar, InvalidSchedule
from scheduler_service.domain.schedule import DEFAULT_ZONE
from scheduler_service.domain.time_set import Span


def definition(message: pb.Calendar) -> CalendarDefinition:
    """What a caller decides; output-only fields are ignored. Raises InvalidCalendar."""
    blackout = message.blackout
    try:
        return CalendarDefinition(
            rules=_rules(message),
            description=message.description,
            blackout=Blackout(blackout.queue, blackout.handler, blackout.allow_priority)
            if message.HasField("blackout")
            else None,
        )
    except InvalidSchedule as error:
        raise InvalidCalendar(error.field, error.rule) from error


def calendar(value: Calendar) -> pb.Calendar:
    """As stored."""
    rules, blackout = value.definition.rules, value.definition.blackout
    message = pb.Calendar(
        calendar_id=value.calendar_id,
        description=value.definition.description,
        time_zone=rules.time_zone,
        dates=rules.dates,
        holidays=[pb.Holidays(country=each.country, subdivision=each.subdivision) for each in rules.holidays],
        periods=[period(Span(each.start, each.until), each.name) for each in rules.periods],
        version=value.version,
    )
    for window in rules.windows:
        message.windows.add(cron=window.cron).duration.FromTimedelta(window.duration)
    if blackout is not None:
        message.blackout.SetInParent()
        message.blackout.queue, message.blackout.handler = blackout.queue, blackout.handler
        message.blackout.allow_priority = blackout.allow_priority
    message.create_time.FromDatetime(value.created_at)
    message.update_time.FromDatetime(value.updated_at)
    return message


def period(span: Span, name: str = "") -> pb.CalendarPeriod:
    """A stretch of time."""
    message = pb.CalendarPeriod(name=name)
    message.from_time.FromDatetime(span.start)
    message.until_time.FromDatetime(span.until)
    return message


def _rules(message: pb.Calendar) -> CalendarRules:
    return CalendarRules(
        time_zone=message.time_zone or DEFAULT_ZONE,
        dates=tuple(message.dates),
        windows=tuple(
            CalendarWindow(each.cron, decode.milliseconds(each.duration, f"windows[{place}].duration"))
            for place, each in enumerate(message.windows)
        ),
        holidays=tuple(Holidays(each.country, each.subdivision) for each in message.holidays),
        periods=tuple(
            Period(
                decode.instant(each.from_time, f"periods[{place}].from_time"),
                decode.instant(each.until_time, f"periods[{place}].until_time"),
                each.name,
            )
            for place, each in enumerate(message.periods)
        ),
    )
