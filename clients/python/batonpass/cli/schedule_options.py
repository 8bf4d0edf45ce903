"""The options that describe a schedule, and the message and field mask they make."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import click
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from batonpass.cli import flags
from batonpass.cli.parse import cron_fields
from batonpass.queue.v1.task_pb2 import OverlapPolicy
from batonpass.scheduler.v1.schedule_pb2 import CatchUpPolicy, Schedule, ScheduleSpec, SecondsField

OVERLAP: Final = flags.Word(OverlapPolicy, "OVERLAP_POLICY_")
_CATCH_UP: Final = flags.Word(CatchUpPolicy, "CATCH_UP_POLICY_")
_SECONDS: Final = flags.Word(SecondsField, "SECONDS_FIELD_")

_WHEN: Final = (
    click.option("--cron", metavar="EXPR", help="Cron expression: minute hour day month weekday, or @daily."),
    click.option("--seconds", type=_SECONDS, help="Where a cron expression of six fields has its seconds."),
    click.option("--every", type=flags.DURATION, help="Distance in elapsed time, such as 5s or 1h30m."),
    click.option(
        "--phase", type=flags.DURATION, help="Shift of --every against 1970-01-01T00:00Z.  [default: 0]"
    ),
    click.option("--at", type=flags.TIME, help="Once: RFC 3339 such as 2026-03-01T02:00:00Z, or +10m."),
    click.option("--event", metavar="NAME", help="Whenever an event of this type arrives."),
)

TIME_ZONE: Final = click.option(
    "--time-zone",
    metavar="ZONE",
    help="IANA zone in which --cron is read, such as Europe/Berlin.  [default: UTC]",
)

_POLICIES: Final = (
    click.option(
        "--overlap",
        type=OVERLAP,
        help="When a task of it is still in the queue.  [default: skip; events: buffer-all]",
    ),
    click.option(
        "--catch-up", type=_CATCH_UP, help="Instants missed while the scheduler was away.  [default: latest]"
    ),
    click.option(
        "--catchup-window", type=flags.DURATION, help="How old such an instant may be.  [default: 1h]"
    ),
)

_PATHS: Final = {
    "time_zone": "time_zone",
    "name": "template.name",
    "handler": "template.handler",
    "priority": "template.priority",
    "cpu": "template.resources.cpu_percent",
    "memory": "template.resources.memory_percent",
    "retry_policy": "template.retry_policy",
    "circuit_breaker": "template.circuit_breaker",
    "timeout": "template.timeout",
    "payload": "template.payload",
    "queue": "template.queue",
    "overlap": "overlap_policy",
    "catch_up": "catch_up_policy",
    "catchup_window": "catchup_window",
}


class Described(NamedTuple):
    """A schedule with the values that were given, and the paths of the fields that they are in."""

    schedule: Schedule
    paths: list[str]


def when(command: flags.Decorated) -> flags.Decorated:
    """The options that say when."""
    return flags.apply(_WHEN, command)


def policies(command: flags.Decorated) -> flags.Decorated:
    """The options that say what happens to instants in special cases."""
    return flags.apply(_POLICIES, command)


def describe(schedule_id: str, given: Mapping[str, Any]) -> Described:
    """The schedule that options describe; those that are None were not given. Raises UsageError."""
    described = Described(Schedule(schedule_id=schedule_id), [])
    specification = spec(given)
    if specification is not None:
        described.schedule.specs.append(specification)
        described.paths.append("specs")
    for option, path in _PATHS.items():
        if given[option] is not None:
            put(described.schedule, path, given[option])
            described.paths.append(path)
    return described


def put(message: Message, path: str, value: object) -> None:
    """Sets the field of `message` at a dotted path."""
    *parents, name = path.split(".")
    for parent in parents:
        message = getattr(message, parent)
    if isinstance(value, timedelta):
        duration: Duration = getattr(message, name)
        duration.FromTimedelta(value)
    else:
        setattr(message, name, value)


def spec(given: Mapping[str, Any]) -> ScheduleSpec | None:
    """When, from `--cron`, `--every`, `--at` or `--event`; None when none is given. Raises UsageError."""
    kinds = [kind for kind in ("cron", "every", "at", "event") if given.get(kind) is not None]
    _check_companions(given, kinds)
    match kinds:
        case []:
            return None
        case ["cron"]:
            return _cron(given["cron"], given["seconds"])
        case ["every"]:
            return _interval(given["every"], given["phase"])
        case ["at"]:
            return _one_shot(given["at"])
        case ["event"]:
            return _event(given["event"])
        case _:
            names = " and ".join(f"--{kind}" for kind in kinds)
            raise click.UsageError(f"{names} exclude each other: give exactly one.")


def _check_companions(given: Mapping[str, Any], kinds: list[str]) -> None:
    for companion, owner in (("seconds", "cron"), ("phase", "every")):
        if given.get(companion) is not None and owner not in kinds:
            raise click.UsageError(f"--{companion} belongs to --{owner}: give both.")


def _cron(expression: str, seconds: Any) -> ScheduleSpec:
    if seconds is None and cron_fields(expression) == 6:
        raise click.UsageError(
            f"--cron {expression!r} has six fields, and products differ in where the seconds stand: add "
            "--seconds first or --seconds last, or leave out the seconds."
        )
    made = ScheduleSpec()
    made.cron.expression = expression
    made.cron.seconds = seconds or SecondsField.SECONDS_FIELD_UNSPECIFIED
    return made


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


def _event(name: str) -> ScheduleSpec:
    made = ScheduleSpec()
    made.event.type = name
    return made
