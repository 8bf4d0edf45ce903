"""What a definition must satisfy before it is stored, beyond the rules written in the protos."""

from typing import Final

from scheduler_service.domain.catch_up import CatchUp
from scheduler_service.domain.daylight import is_within_reach
from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.interval import whole_milliseconds
from scheduler_service.domain.overlap import Overlap, effective_overlap
from scheduler_service.domain.schedule import Definition
from scheduler_service.domain.spec import (
    CronSpec,
    EventSpec,
    IntervalSpec,
    OneShotSpec,
    Spec,
    UnreadableSpec,
)
from scheduler_service.domain.timetable import timetable
from scheduler_service.domain.zones import zone


def check_definition(definition: Definition) -> None:
    """Raises InvalidSchedule with field and rule for what can be seen before the schedule ever fires."""
    check_spec(definition.spec, definition.time_zone, "specs[0].")
    overlap = effective_overlap(definition.overlap, definition.spec)
    if definition.catch_up is CatchUp.ALL and overlap is Overlap.SKIP:
        rule = "ALL needs an overlap policy other than SKIP, such as BUFFER_ALL or ALLOW_ALL"
        raise InvalidSchedule("catch_up_policy", rule)


def check_spec(spec: Spec, time_zone: str, prefix: str = "") -> None:
    """Raises InvalidSchedule; paths of fields of the specification begin with `prefix`."""
    zone(time_zone)
    try:
        _check_kind(spec)
        timetable(spec, time_zone)
    except InvalidSchedule as error:
        raise error.below(f"{prefix}{_KIND_FIELDS[type(spec)]}.") from error


_KIND_FIELDS: Final[dict[type[Spec], str]] = {
    CronSpec: "cron",
    IntervalSpec: "interval",
    OneShotSpec: "one_shot",
    EventSpec: "event",
    UnreadableSpec: "unknown",
}


def _check_kind(spec: Spec) -> None:
    if isinstance(spec, IntervalSpec):
        _check_interval(spec)
    if isinstance(spec, OneShotSpec) and not is_within_reach(spec.at):
        raise InvalidSchedule("time", "must lie in the years 1970 to 8999")


def _check_interval(spec: IntervalSpec) -> None:
    for field, duration in (("every", spec.every), ("phase", spec.phase)):
        if not whole_milliseconds(duration):
            raise InvalidSchedule(field, "must be a whole number of milliseconds")
    if spec.phase > spec.every:
        raise InvalidSchedule("phase", "must not be longer than `every`")
