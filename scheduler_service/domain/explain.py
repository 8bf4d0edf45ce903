"""What a specification means, in plain English: one sentence without capital and full stop."""

from datetime import datetime
from typing import Final, assert_never

from scheduler_service.domain import cron
from scheduler_service.domain.cron_fields import MONTH, YEAR, split
from scheduler_service.domain.cron_hash import is_hashed
from scheduler_service.domain.explain_clock import MOST_TIMES, explain_clock
from scheduler_service.domain.explain_days import explain_days, explain_years
from scheduler_service.domain.spec import (
    CalendarIntervalSpec,
    CalendarUnit,
    CronSpec,
    EventSpec,
    IntervalSpec,
    OneShotSpec,
    RecurrenceSpec,
    Spec,
    UnreadableSpec,
)
from scheduler_service.domain.words import MONTHS, WEEKDAYS, duration, every, every_duration

_CHOSEN: Final = " (chosen by the schedule's id)"


def explain(spec: Spec, seed: str = "") -> str:
    """Such as `every 15 minutes from 09:00 through 17:45, Monday to Friday`.

    `seed` is what `H` hashes, as in `cron.parse`. Raises InvalidSchedule for an unreadable expression.
    """
    match spec:
        case CronSpec():
            interval = cron.every(spec.expression)
            return _cron(spec, seed) if interval is None else _interval(interval)
        case IntervalSpec():
            return _interval(spec)
        case CalendarIntervalSpec():
            return _calendar_interval(spec)
        case OneShotSpec():
            return f"once, at {_moment(spec.at)} UTC"
        case RecurrenceSpec():
            return f"by the recurrence rule {spec.rule}, starting at {_moment(spec.start)}"
        case EventSpec():
            return _event(spec)
        case UnreadableSpec():
            return f"by a specification that cannot be read: {spec.reason}"
        case _:
            assert_never(spec)


def _cron(spec: CronSpec, seed: str) -> str:
    parsed, fields = cron.parse(spec, seed), cron.resolved(spec, seed)
    hashed = [is_hashed(text) for text in split(spec.expression, spec.seconds)]
    days = explain_days(
        cron.days_of_month(fields.day_of_month),
        cron.days_of_week(fields.day_of_week),
        cron.values(MONTH, fields.month),
        both=cron.needs_both_days(fields, spec.day_match),
        every_day="every day" if len(parsed.times) <= MOST_TIMES else "",
    )
    clock = explain_clock(parsed.times, _CHOSEN if any(hashed[:3]) else "")
    if days and any(hashed[3:6]):
        days += _CHOSEN
    comma = "," if days.startswith(WEEKDAYS) else ""
    years = explain_years(cron.values(YEAR, fields.year))
    return " ".join(text for text in (clock + comma, days, years) if text)


def _interval(spec: IntervalSpec) -> str:
    shift = f" and shifted by {duration(spec.phase)}" if spec.phase else ""
    return f"{every_duration(spec.every)}, counted from 1970-01-01 00:00 UTC{shift}"


def _calendar_interval(spec: CalendarIntervalSpec) -> str:
    start, day = spec.start, ""
    match spec.unit:
        case CalendarUnit.DAY:
            pass
        case CalendarUnit.WEEK:
            day = f" on {WEEKDAYS[start.isoweekday() % 7]}"
        case CalendarUnit.MONTH:
            day = f" on day {start.day}" + (" or the last of a shorter month" if start.day > 28 else "")
        case CalendarUnit.YEAR:
            day = f" on {start.day} {MONTHS[start.month]}"
            day += " (28 February in common years)" if (start.month, start.day) == (2, 29) else ""
        case _:
            assert_never(spec.unit)
    pace = every(spec.every, spec.unit.name.lower())
    return f"{pace}{day} at {_time(start)}, starting on {start:%Y-%m-%d}"


def _event(spec: EventSpec) -> str:
    parts = [_event_type(spec.type)]
    if spec.pattern:
        parts.append(f" whose content matches {spec.pattern}")
    if spec.cel:
        parts.append(f" for which {spec.cel} is true")
    if spec.debounce:
        parts.append(f", once no further one has come for {duration(spec.debounce)}")
    if spec.throttle:
        parts.append(f", at most once in {duration(spec.throttle)}")
    if spec.batch:
        most, wait = spec.batch.max_events, duration(spec.batch.max_wait)
        parts.append(f", once for up to {most} of them, at the latest {wait} after the first")
    return "".join(parts)


def _event_type(pattern: str) -> str:
    if pattern == "*":
        return "on every event"
    return f"on every event {'whose type matches' if '*' in pattern else 'of type'} {pattern}"


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d} {_time(at)}"


def _time(at: datetime) -> str:
    return at.isoformat(timespec="auto").partition("T")[2].partition("+")[0].removesuffix(":00")
