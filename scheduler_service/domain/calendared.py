"""The instants of a schedule with its calendars: engine, preview and housekeeping all ask here."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from scheduler_service.domain.business_days import MOST_A_DAY, BusinessDays
from scheduler_service.domain.calendar import NamedRules
from scheduler_service.domain.closing import TICK, Closing
from scheduler_service.domain.closure import closure
from scheduler_service.domain.deferral import Deferral
from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.instants import walk
from scheduler_service.domain.open_days import OpenDays
from scheduler_service.domain.timetable import Timetable, timetable
from scheduler_service.domain.timing import Closed, Timing
from scheduler_service.domain.zones import zone

_SAMPLE: Final = 100
_SAMPLE_START: Final = datetime(2028, 1, 1, tzinfo=UTC)
_MOVES: Final = (Closed.PREVIOUS_BUSINESS_DAY, Closed.NEXT_BUSINESS_DAY)


def calendared(timing: Timing, calendars: tuple[NamedRules, ...], seed: str, after: datetime) -> Timetable:
    """The instants of `timing` that are later than `after`, as `calendars` let them through.

    `seed` is the schedule's id. Raises InvalidSchedule, also for a calendar that is not among `calendars`.
    """
    base = timetable(timing, seed)
    if not timing.calendars:
        return base
    check_calendars(timing, calendars)
    rules = dict(calendars)
    closes = closure(
        tuple((name, rules[name]) for name in timing.include_calendars),
        tuple((name, rules[name]) for name in timing.exclude_calendars),
    )
    if timing.start is not None:
        after = max(after, timing.start - TICK)
    match timing.closed:
        case Closed.DEFER_TO_END:
            return Deferral(base, closes, after, timing.end)
        case Closed.PREVIOUS_BUSINESS_DAY | Closed.NEXT_BUSINESS_DAY:
            forward = timing.closed is Closed.NEXT_BUSINESS_DAY
            days = OpenDays(closes, zone(timing.time_zone), forward=forward)
            return BusinessDays(base, closes, after, timing.end, days=days, forward=forward)
        case _:
            return Closing(base, closes, after, timing.end)


def check_calendars(timing: Timing, calendars: tuple[NamedRules, ...]) -> None:
    """Raises InvalidSchedule naming the field of the first calendar that is not among `calendars`."""
    known = {name for name, _ in calendars}
    for field, names in (
        ("include_calendars", timing.include_calendars),
        ("exclude_calendars", timing.exclude_calendars),
    ):
        for place, name in enumerate(names):
            if name not in known:
                raise InvalidSchedule(f"{field}[{place}]", f"there is no calendar {name!r} in this namespace")


def check_moves(timing: Timing, seed: str) -> None:
    """Raises InvalidSchedule for a schedule that moves to other days and has too many instants a day."""
    if timing.closed not in _MOVES or not timing.calendars:
        return
    sample = list(islice(walk(timetable(timing, seed), _SAMPLE_START), _SAMPLE))
    if any(
        later - first < timedelta(days=1) for first, later in zip(sample, sample[MOST_A_DAY:], strict=False)
    ):
        rule = f"moving to other days is for schedules with at most {MOST_A_DAY} instants a day"
        raise InvalidSchedule("calendar_disposition", rule)
