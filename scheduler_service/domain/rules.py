"""What a definition must satisfy before it is stored, beyond the rules written in the protos."""

from typing import Final

from scheduler_service.domain import trigger
from scheduler_service.domain.calendared import check_moves
from scheduler_service.domain.catch_up import CatchUp
from scheduler_service.domain.daylight import REACH, is_within_reach
from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.interval import whole_milliseconds
from scheduler_service.domain.overlap import Overlap, effective_overlap
from scheduler_service.domain.schedule import Definition
from scheduler_service.domain.spec import (
    CalendarIntervalSpec,
    CronSpec,
    EventSpec,
    IntervalSpec,
    OneShotSpec,
    RecurrenceSpec,
    Spec,
    UnreadableSpec,
)
from scheduler_service.domain.timetable import timetable
from scheduler_service.domain.timing import Timing
from scheduler_service.domain.zones import zone

_LISTS_ALL: Final = (Overlap.BUFFER_ALL, Overlap.ALLOW_ALL)


def check_definition(definition: Definition, seed: str = "") -> None:
    """Raises InvalidSchedule with field and rule for what can be seen before the schedule ever fires.

    `seed` is the schedule's id.
    """
    check_timing(definition.timing, seed)
    event = definition.timing.event
    if event is not None and event.payload_template and definition.has_payload:
        rule = "the schedule has a payload of its own; give only one of the two"
        raise InvalidSchedule("specs[0].event.payload_template", rule)
    overlap = effective_overlap(definition.overlap, definition.timing)
    if definition.catch_up is CatchUp.ALL and overlap not in _LISTS_ALL:
        rule = f"ALL needs the overlap policy BUFFER_ALL or ALLOW_ALL, not {overlap.name}"
        raise InvalidSchedule("catch_up_policy", rule)


def check_timing(timing: Timing, seed: str = "") -> None:
    """Raises InvalidSchedule with the path of the field within the schedule."""
    zone(timing.time_zone)
    if not timing.specs:
        raise InvalidSchedule("specs", "must have at least one: say when it comes due")
    for place, spec in enumerate(timing.specs):
        _check_spec(spec, timing, f"specs[{place}].", seed)
    for place, spec in enumerate(timing.exclusions):
        if isinstance(spec, EventSpec):
            raise InvalidSchedule(
                f"exclusions[{place}].event", "events cannot be excluded; narrow the pattern"
            )
        _check_spec(spec, timing, f"exclusions[{place}].", seed)
    _check_bounds(timing)
    if any(isinstance(spec, EventSpec) for spec in timing.specs):
        _check_trigger(timing)
    else:
        timetable(timing, seed)
        check_moves(timing, seed)


def _check_spec(spec: Spec, timing: Timing, prefix: str, seed: str) -> None:
    try:
        _check_kind(spec)
        alone = Timing(specs=(spec,), time_zone=timing.time_zone, gap=timing.gap, fold=timing.fold)
        timetable(alone, seed)
    except InvalidSchedule as error:
        raise error.below(f"{prefix}{_KIND_FIELDS[type(spec)]}.") from error


_KIND_FIELDS: Final[dict[type[Spec], str]] = {
    CronSpec: "cron",
    IntervalSpec: "interval",
    OneShotSpec: "one_shot",
    CalendarIntervalSpec: "calendar_interval",
    RecurrenceSpec: "recurrence",
    EventSpec: "event",
    UnreadableSpec: "unknown",
}


def _check_kind(spec: Spec) -> None:
    if isinstance(spec, EventSpec):
        trigger.check(spec)
    if isinstance(spec, IntervalSpec):
        _check_interval(spec)
    if isinstance(spec, OneShotSpec) and not is_within_reach(spec.at):
        raise InvalidSchedule("time", REACH)


def _check_interval(spec: IntervalSpec) -> None:
    for field, duration in (("every", spec.every), ("phase", spec.phase)):
        if not whole_milliseconds(duration):
            raise InvalidSchedule(field, "must be a whole number of milliseconds")
    if spec.phase > spec.every:
        raise InvalidSchedule("phase", "must not be longer than `every`")


def _check_bounds(timing: Timing) -> None:
    for field, bound in (("start_time", timing.start), ("end_time", timing.end)):
        if bound is not None and not is_within_reach(bound):
            raise InvalidSchedule(field, REACH)
    if timing.start is not None and timing.end is not None and timing.end < timing.start:
        raise InvalidSchedule("end_time", "must not lie before start_time")
    for field, stretch in (("jitter", timing.jitter), ("spread", timing.spread)):
        if not whole_milliseconds(stretch):
            raise InvalidSchedule(field, "must be a whole number of milliseconds")


def _check_trigger(timing: Timing) -> None:
    if len(timing.specs) > 1:
        raise InvalidSchedule("specs", "an event must stand alone; make one schedule for each trigger")
    for field, given in (
        ("exclusions", timing.exclusions),
        ("jitter", timing.jitter),
        ("spread", timing.spread),
        ("include_calendars", timing.include_calendars),
        ("exclude_calendars", timing.exclude_calendars),
    ):
        if given:
            raise InvalidSchedule(field, "is only for schedules by time, not for events")
