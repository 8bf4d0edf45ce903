"""What everything that says when a schedule comes due means, in plain English sentences."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from scheduler_service.domain.explain import explain
from scheduler_service.domain.spec import (
    CalendarIntervalSpec,
    CronSpec,
    EventSpec,
    RecurrenceSpec,
    Spec,
)
from scheduler_service.domain.timing import Closed, Fold, Gap, Timing
from scheduler_service.domain.words import duration, listing

_CLOSED: Final = {
    Closed.DEFAULT: "it does not fire",
    Closed.SKIP: "it does not fire",
    Closed.DEFER_TO_END: "it fires when they open again, once for all that came due",
    Closed.PREVIOUS_BUSINESS_DAY: "it fires at the same time of the last open day before",
    Closed.NEXT_BUSINESS_DAY: "it fires at the same time of the next open day",
}
_GAPS: Final = {
    Gap.AT_TRANSITION: "at the first moment after it",
    Gap.SHIFT: "as much later as the clock was set forward",
    Gap.SKIP: "not at all",
}
_FOLDS: Final = {Fold.FIRST: "the first time only", Fold.LAST: "the last time only", Fold.BOTH: "both times"}


def explain_timing(timing: Timing, seed: str = "") -> tuple[str, ...]:
    """One sentence for each specification and each rule; `seed` is the schedule's id.

    Raises InvalidSchedule for what cannot be read.
    """
    return tuple(f"{text[0].upper()}{text[1:]}." for text in _texts(timing, seed))


def _texts(timing: Timing, seed: str) -> Iterator[str]:
    for spec in timing.specs:
        yield explain(spec, seed) + (f", on the clock of {timing.time_zone}" if _is_on_the_wall(spec) else "")
    for spec in timing.exclusions:
        yield f"but not {explain(spec, seed).removeprefix('once, ')}"
    if timing.start is not None:
        yield f"{_verb(timing)} from {_moment(timing.start)} on"
    if timing.end is not None:
        yield f"{_verb(timing)} until {_moment(timing.end)}"
    if any(map(_is_on_the_wall, timing.specs)):
        yield from _clock_changes(timing)
    yield from _calendars(timing)
    if timing.spread:
        yield f"each time later by the same part of {duration(timing.spread)}, chosen by the schedule's id"
    if timing.jitter:
        yield f"each time up to {duration(timing.jitter)} later, and always before the next time"


def _clock_changes(timing: Timing) -> Iterator[str]:
    if timing.gap is not Gap.AUTO:
        yield f"a time that is skipped when clocks are set forward fires {_GAPS[timing.gap]}"
    if timing.fold is not Fold.AUTO:
        yield f"a time that comes twice when clocks are set back fires {_FOLDS[timing.fold]}"


def _calendars(timing: Timing) -> Iterator[str]:
    if timing.include_calendars:
        yield f"open only inside the calendar {listing(timing.include_calendars, 'or')}"
    if timing.exclude_calendars:
        yield f"closed inside the calendar {listing(timing.exclude_calendars, 'or')}"
    if timing.include_calendars or timing.exclude_calendars:
        yield f"when the calendars close a time, {_CLOSED[timing.closed]}"


def _is_on_the_wall(spec: Spec) -> bool:
    """Whether the zone of the schedule says which instants it means."""
    if isinstance(spec, CronSpec):
        return not spec.expression.strip().lower().startswith("@every")
    return isinstance(spec, CalendarIntervalSpec | RecurrenceSpec)


def _verb(timing: Timing) -> str:
    return "listens" if isinstance(timing.event, EventSpec) else "fires"


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
