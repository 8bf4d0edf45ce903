"""How a change of a calendar moves a schedule that names it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import islice

from scheduler_service.domain.calendar import NamedRules
from scheduler_service.domain.change import Change, settle
from scheduler_service.domain.closing import Closing
from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.instants import walk
from scheduler_service.domain.moved_ahead import MOST_LOOKED_AT, in_its_place
from scheduler_service.domain.schedule import Schedule


def recalendared(schedule: Schedule, calendar: NamedRules, now: datetime) -> Change:
    """Puts other rules of a calendar in force from `now` on; what had come is settled by the old ones.

    An instant that was to be moved beyond `now` and would by the new rules have been before it fires at
    once, or ends PAUSED when the schedule is disabled or has no run left. A schedule that cannot be read
    stays as it is. Raises StillCatchingUp.
    """
    change = settle(schedule, now, at_once=True)
    name, _ = calendar
    known = tuple(calendar if each[0] == name else each for each in schedule.calendars)
    before = change.schedule
    after = replace(before, calendars=known)
    try:
        after = after.settled_until(before.watermark)
        is_lost = any(_lost(before, after, now))
    except InvalidSchedule:
        return Change(after, change.settled)
    if not is_lost or any(each.nominal == now for each in change.settled):
        return Change(after, change.settled)
    fired = in_its_place(before, now, f"moved by a change of calendar {name}")
    return Change(after, [*change.settled, fired])


def _lost(before: Schedule, after: Schedule, now: datetime) -> Iterator[datetime]:
    """Instants that were still to fire by the old rules and should have fired by the new ones."""
    old, new = before.timetable, after.timetable
    if not isinstance(old, Closing) or not isinstance(new, Closing):
        return
    for instant in islice(_at_stake(old, new, now), MOST_LOOKED_AT):
        was, is_now = old.fate(instant), new.fate(instant)
        if was is not None and is_now is not None and was > now >= is_now:
            yield instant


def _at_stake(old: Closing, new: Closing, now: datetime) -> Iterator[datetime]:
    """Past instants that the old rules moved ahead, and coming ones that the new rules move back."""
    return walk(old.base, max(old.moves_since(now), old.after), new.moves_until(now))
