"""Calendars, and the stretches of time that they cover."""

from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from batonpass.cli import format
from batonpass.cli.records.values import Record, instant, span
from batonpass.scheduler.v1.calendar_service_pb2 import (
    Blackout,
    Calendar,
    CalendarPeriod,
    Holidays,
    UpdateCalendarResponse,
)


def record(calendar: Calendar) -> Record:
    """A calendar as stored."""
    return {
        "calendar_id": calendar.calendar_id,
        "version": calendar.version,
        "description": calendar.description or None,
        "time_zone": calendar.time_zone or None,
        "dates": list(calendar.dates),
        "windows": [{"cron": each.cron, "for": span(each, "duration")} for each in calendar.windows],
        "holidays": [_place(each) for each in calendar.holidays],
        "periods": [_period(each) for each in calendar.periods],
        "blackout": _blackout(calendar.blackout) if calendar.HasField("blackout") else None,
        "created_at": instant(calendar, "create_time"),
        "updated_at": instant(calendar, "update_time"),
    }


def updated(reply: UpdateCalendarResponse) -> Record:
    """A calendar after a change, with how many schedules come due at another time."""
    return {**record(reply.calendar), "moved_schedules": reply.moved_schedules}


def coming(calendar: Calendar, periods: Iterable[CalendarPeriod]) -> Record:
    """The stretches that a calendar covers, on the clock of its zone as well."""
    where = zone_of(calendar.time_zone)
    return {
        "calendar_id": calendar.calendar_id,
        "time_zone": calendar.time_zone,
        "periods": [_local(each, where) for each in periods],
    }


def zone_of(name: str) -> tzinfo | None:
    """The zone of that name; None when this machine does not know it."""
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        return None


def _place(holidays: Holidays) -> str:
    return "-".join(part for part in (holidays.country, holidays.subdivision) if part)


def _period(period: CalendarPeriod) -> Record:
    return {
        "from": instant(period, "from_time"),
        "until": instant(period, "until_time"),
        "name": period.name or None,
    }


def _blackout(blackout: Blackout) -> Record:
    return {
        "queue": blackout.queue or None,
        "handler": blackout.handler or None,
        "allow_priority": blackout.allow_priority or None,
    }


def _local(period: CalendarPeriod, where: tzinfo | None) -> Record:
    start, until = (stamp.ToDatetime(UTC) for stamp in (period.from_time, period.until_time))
    return {
        **_period(period),
        "from_local": _reading(start, where),
        "until_local": _reading(until, where),
        "lasts": format.duration(until - start),
    }


def _reading(at: datetime, where: tzinfo | None) -> str | None:
    return at.astimezone(where).isoformat() if where is not None else None
