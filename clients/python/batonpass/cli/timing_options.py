"""The options that say when a schedule comes due, and the message that they make."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import click

from batonpass.cli import flags, trigger_options
from batonpass.cli.parse import cron_fields
from batonpass.scheduler.v1.schedule_pb2 import (
    CalendarDisposition,
    CalendarUnit,
    DayMatch,
    FoldPolicy,
    GapPolicy,
    Schedule,
    ScheduleSpec,
    SecondsField,
)

_SECONDS: Final = flags.Word(SecondsField, "SECONDS_FIELD_")
_DAYS: Final = flags.Word(DayMatch, "DAY_MATCH_")
_GAP: Final = flags.Word(GapPolicy, "GAP_POLICY_")
_FOLD: Final = flags.Word(FoldPolicy, "FOLD_POLICY_")
_CLOSED: Final = flags.Word(CalendarDisposition, "CALENDAR_DISPOSITION_")

_EVENT: Final = click.option("--event", metavar="NAME", help="Whenever an event of this type arrives.")
_CRON: Final = click.option(
    "--cron",
    multiple=True,
    metavar="EXPR",
    help="Cron expression: minute hour day month weekday, or @daily. May be repeated, as may the next four.",
)
_REST: Final = (
    click.option("--every", multiple=True, type=flags.DURATION, help="Every so often, such as 5s or 1h30m."),
    click.option(
        "--at", multiple=True, type=flags.TIME, help="Once: RFC 3339 such as 2026-03-01T02:00:00Z, or +10m."
    ),
    click.option(
        "--calendar-every",
        multiple=True,
        type=flags.CALENDAR_STEP,
        help='By the clock on the wall, such as "1 month" or "2 weeks", from --starting on.',
    ),
    click.option(
        "--rrule",
        multiple=True,
        metavar="RULE",
        help="Recurrence rule of iCalendar, such as FREQ=MONTHLY;BYDAY=-1FR, from --starting on.",
    ),
    click.option("--seconds", type=_SECONDS, help="Where a cron expression of six fields has its seconds."),
    click.option("--days", type=_DAYS, help="How day and weekday of --cron go together.  [default: or]"),
    click.option(
        "--phase", type=flags.DURATION, help="Shift of --every against 1970-01-01T00:00Z.  [default: 0]"
    ),
    click.option(
        "--starting",
        type=flags.READING,
        help="First reading of --calendar-every and --rrule in the time zone, such as 2026-01-31T09:00:00.",
    ),
)

_BOUNDS: Final = (
    click.option(
        "--time-zone", metavar="ZONE", help="IANA zone of the clock, such as Europe/Berlin.  [default: UTC]"
    ),
    click.option("--gap", type=_GAP, help="A time that is skipped when clocks go forward.  [default: auto]"),
    click.option("--fold", type=_FOLD, help="A time that comes twice when they go back.  [default: auto]"),
    click.option("--start", type=flags.TIME, help="First instant that may fire."),
    click.option("--end", type=flags.TIME, help="Last instant that may fire."),
    click.option(
        "--exclude-cron",
        multiple=True,
        metavar="EXPR",
        help="Not at these times. May be repeated, as may the next five.",
    ),
    click.option("--exclude-every", multiple=True, type=flags.DURATION, help="Not every so often."),
    click.option("--exclude-at", multiple=True, type=flags.TIME, help="Not at this instant."),
    click.option("--exclude-rrule", multiple=True, metavar="RULE", help="Not by this rule."),
    click.option("--include-calendar", multiple=True, metavar="ID", help="Only inside of this calendar."),
    click.option("--exclude-calendar", multiple=True, metavar="ID", help="Not inside of this calendar."),
    click.option(
        "--on-closed", type=_CLOSED, help="What becomes of instants that calendars close.  [default: skip]"
    ),
    click.option("--jitter", type=flags.DURATION, help="Fire each instant up to so much later, by a hash."),
    click.option("--spread", type=flags.DURATION, help="Fire all instants the same time below this later."),
)

NAMES: Final = ("cron", "every", "at", "calendar_every", "rrule", "event")
"""As which the options arrive that yield instants or events."""

_PATHS: Final = {
    "time_zone": "time_zone",
    "gap": "gap_policy",
    "fold": "fold_policy",
    "start": "start_time",
    "end": "end_time",
    "include_calendar": "include_calendars",
    "exclude_calendar": "exclude_calendars",
    "on_closed": "calendar_disposition",
    "jitter": "jitter",
    "spread": "spread",
}


def timing(command: flags.Decorated) -> flags.Decorated:
    """All of them."""
    return flags.group("When", lambda inner: flags.apply((_CRON, *_REST), inner))(_but_when(command))


def but_cron(command: flags.Decorated) -> flags.Decorated:
    """All but `--cron`, for commands whose argument it is."""
    return flags.group("When", lambda inner: flags.apply(_REST, inner))(_but_when(command))


def _but_when(command: flags.Decorated) -> flags.Decorated:
    events = flags.group("Events", lambda inner: _EVENT(trigger_options.trigger(inner)))
    bounds = flags.group("Exceptions and clocks", lambda inner: flags.apply(_BOUNDS, inner))
    return events(bounds(command))


def put_timing(schedule: Schedule, given: Mapping[str, Any]) -> list[str]:
    """Fills in what the options say, and returns the paths of it. Raises UsageError."""
    _check_companions(given)
    paths = []
    for path, made in (("specs", specs(given)), ("exclusions", _exclusions(given))):
        if made:
            getattr(schedule, path).extend(made)
            paths.append(path)
    for option, path in _PATHS.items():
        if given[option] not in (None, ()):
            flags.put(schedule, path, given[option])
            paths.append(path)
    return paths


def specs(given: Mapping[str, Any]) -> list[ScheduleSpec]:
    """When, as a union; an event stands alone. Raises UsageError."""
    by_time = [
        *_crons(given["cron"], given),
        *(_interval(every, given["phase"]) for every in given["every"]),
        *map(_one_shot, given["at"]),
        *(_calendar_interval(step, given["starting"]) for step in given["calendar_every"]),
        *(_recurrence(rule, given["starting"]) for rule in given["rrule"]),
    ]
    if given["event"] is None:
        return by_time
    if by_time:
        raise click.UsageError("--event excludes the other times: make one schedule for each.")
    return [ScheduleSpec(event=trigger_options.event_spec(given["event"], given))]


def _exclusions(given: Mapping[str, Any]) -> list[ScheduleSpec]:
    return [
        *_crons(given["exclude_cron"], given),
        *(_interval(every, None) for every in given["exclude_every"]),
        *map(_one_shot, given["exclude_at"]),
        *(_recurrence(rule, given["starting"]) for rule in given["exclude_rrule"]),
    ]


def _check_companions(given: Mapping[str, Any]) -> None:
    for companion, owners in (
        ("seconds", ("cron", "exclude_cron")),
        ("days", ("cron", "exclude_cron")),
        ("phase", ("every",)),
        ("starting", ("calendar_every", "rrule", "exclude_rrule")),
    ):
        if given[companion] is not None and not any(given[owner] for owner in owners):
            names = " or ".join(f"--{owner.replace('_', '-')}" for owner in owners[:2])
            raise click.UsageError(f"--{companion} belongs to {names}: give both.")
    if given["event"] is None:
        trigger_options.check_companions(given, "--event")


def _crons(expressions: Sequence[str], given: Mapping[str, Any]) -> Iterable[ScheduleSpec]:
    for expression in expressions:
        count, seconds = cron_fields(expression), given["seconds"]
        if count == 6 and seconds is None:
            raise click.UsageError(
                f"{expression!r} has six fields, and products differ in where the seconds stand: add "
                "--seconds first or --seconds last, or leave out the seconds. A zone in front goes into "
                "--time-zone; a year at the end (AWS) wants a 0 in front as the second."
            )
        made = ScheduleSpec()
        made.cron.expression = expression
        if given["days"] is not None:
            made.cron.day_match = given["days"]
        if count > 5 and seconds is not None:
            made.cron.seconds = seconds
        yield made


def _interval(every: timedelta, phase: timedelta | None) -> ScheduleSpec:
    made = ScheduleSpec()
    made.interval.every.FromTimedelta(every)
    if phase is not None:
        made.interval.phase.FromTimedelta(phase)
    return made


def _one_shot(at: datetime) -> ScheduleSpec:
    made = ScheduleSpec()
    made.one_shot.time.FromDatetime(at)
    return made


def _calendar_interval(step: tuple[int, str], starting: str | None) -> ScheduleSpec:
    made = ScheduleSpec()
    made.calendar_interval.every = step[0]
    made.calendar_interval.unit = CalendarUnit.Value(f"CALENDAR_UNIT_{step[1].upper()}")
    made.calendar_interval.start = _needed(starting, "--calendar-every")
    return made


def _recurrence(rule: str, starting: str | None) -> ScheduleSpec:
    made = ScheduleSpec()
    made.recurrence.rule = rule
    made.recurrence.start = _needed(starting, "--rrule")
    return made


def _needed(starting: str | None, owner: str) -> str:
    if starting is None:
        raise click.UsageError(f"{owner} needs --starting, such as --starting 2026-01-31T09:00:00.")
    return starting
