"""The instants of a schedule as its calendars let them through.

Each instant of the timetable beneath is open and fires, or is closed and ends SKIPPED_CALENDAR or DEFERRED.
What fires are the open ones and those to which closed ones are moved; equal ones fire once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from scheduler_service.domain.catch_up import Settled
from scheduler_service.domain.closure import Closure
from scheduler_service.domain.fire import Disposition, time_key
from scheduler_service.domain.plan import Plan
from scheduler_service.domain.timetable import Timetable

MOST_RECORDS: Final = 100
"""Records of closed instants in one plan; more are put together, whichever stretch they are of."""

SEARCH: Final = timedelta(days=3653)
"""How far a search for an open instant goes: ten years."""

TICK: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Closing:
    """Skips closed instants. `deferral` and `business_days` have the classes that move them."""

    base: Timetable
    closure: Closure
    after: datetime
    """Only later instants count, those to which others are moved included."""
    until: datetime | None = None
    """No instant is moved beyond this one."""

    def next_after(self, instant: datetime) -> datetime | None:
        """The first one that fires later than `instant`; None when there is none within ten years."""
        found = self.base.next_after(max(instant, self.after))
        limit = instant + SEARCH
        while found is not None and found <= limit:
            stretch = self.closure.stretch(found)
            if stretch is None:
                return found
            found = self.base.next_after(stretch.until - TICK)
        return None

    def previous_at_or_before(self, instant: datetime) -> datetime | None:
        """The last one that fires not later than `instant`; None when there was none."""
        found = self.base.previous_at_or_before(instant)
        while found is not None and found > self.after:
            stretch = self.closure.stretch(found)
            if stretch is None:
                return found
            found = self.base.previous_at_or_before(stretch.start - TICK)
        return None

    def count(self, after: datetime, until: datetime) -> int | None:
        """How many fire in (after, until]; None when they are too many to count."""
        if self.base.count(after, until) is None:
            return None
        total, reached = 0, after
        while (first := self.next_after(reached)) is not None and first <= until:
            following = self.closure.closed.next_after(first)
            reached = until if following is None else min(until, following.start - TICK)
            counted = self.base.count(first - TICK, reached)
            if counted is None:
                return None
            total += counted + (self.base.next_after(first - TICK) != first)
        return total

    def moved(self, instant: datetime) -> datetime | None:
        """When the closed `instant` fires instead, bounds apart; None for never."""
        return None

    def target(self, instant: datetime) -> datetime | None:
        """When the closed `instant` fires instead, within the bounds; None for never."""
        to = self.moved(instant)
        if to is None or to <= self.after or (self.until is not None and to > self.until):
            return None
        return to

    def fate(self, instant: datetime) -> datetime | None:
        """When an instant of the timetable beneath fires; None for never."""
        return self.target(instant) if self.closure.is_closed(instant) else instant

    def moves_since(self, instant: datetime) -> datetime:
        """What came by then was not moved beyond `instant`."""
        return instant

    def moves_until(self, instant: datetime) -> datetime:
        """What comes later is not moved back to `instant` or before."""
        return instant

    def settled(self, instant: datetime) -> Settled:
        """What becomes of the closed `instant`."""
        reason, to = self.closure.reason(instant).text, self.moved(instant)
        if to is None:
            return Settled(instant, Disposition.SKIPPED_CALENDAR, f"{reason}{self.stuck}")
        if self.target(instant) is None:
            bound = "before the schedule began" if to <= self.after else "after its end"
            detail = f"{reason}; it would have been moved to {time_key(to)}, {bound}"
            return Settled(instant, Disposition.SKIPPED_CALENDAR, detail)
        return Settled(instant, Disposition.DEFERRED, f"{reason}; fires at {time_key(to)}")

    @property
    def stuck(self) -> str:
        """What is added to the reason of one that cannot be moved."""
        return ""

    def closed(self, after: datetime, until: datetime) -> list[Settled]:
        """The closed instants in (after, until], oldest first: one record for those of one fate."""
        found: list[Settled] = []
        for record in self._records(after, until):
            if found and _alike(found[-1], record):
                found[-1] = _joined(found[-1], record)
            else:
                found.append(record)
        return found if len(found) <= MOST_RECORDS else list(_condensed(found))

    def first_left_out(self, after: datetime, next_fire: datetime | None) -> datetime | None:
        """The first closed instant later than `after` and before `next_fire`, which follows `after`."""
        instant = self.base.next_after(max(after, self.after))
        return instant if instant is not None and (next_fire is None or instant < next_fire) else None

    def left_out(self, after: datetime) -> Iterator[datetime]:
        """The closed instants later than `after`, earliest first; ends when ten years follow without any."""
        instant = self.base.next_after(max(after, self.after))
        while instant is not None:
            if self.closure.is_closed(instant):
                yield instant
                instant = self.base.next_after(instant)
            else:
                following = self.closure.closed.next_after(instant)
                instant = None if following is None else self.base.next_after(following.start - TICK)

    def _records(self, after: datetime, until: datetime) -> Iterator[Settled]:
        after = max(after, self.after)
        counts = self.base.count(after, until) is not None
        instant = self.base.next_after(after)
        while instant is not None and instant <= until:
            if self.closure.is_closed(instant):
                record = self._record(instant, until, counts)
                yield record
                instant = self.base.next_after(record.last_nominal or record.nominal)
            else:
                following = self.closure.closed.next_after(instant)
                instant = None if following is None else self.base.next_after(following.start - TICK)

    def _record(self, instant: datetime, until: datetime, counts: bool) -> Settled:
        """That of the closed `instant` and of those that follow it with the same fate, counted or not."""
        end = min(self.closure.reason(instant).until - TICK, until)
        last = self.base.previous_at_or_before(end)
        if last is None or last == instant:
            return self.settled(instant)
        count = (self.base.count(instant - TICK, end) or 0) if counts else 0
        return replace(self.settled(instant), last_nominal=last, count=count)


def with_closed(table: Timetable, planned: Plan, watermark: datetime) -> Plan:
    """The plan with the closed instants in (watermark, its watermark] settled as well."""
    if not isinstance(table, Closing):
        return planned
    closed = table.closed(watermark, planned.watermark)
    if not closed:
        return planned
    settled = sorted([*closed, *planned.settled], key=lambda each: each.nominal)
    return replace(planned, settled=settled)


def _alike(one: Settled, other: Settled) -> bool:
    return (one.disposition, one.detail) == (other.disposition, other.detail)


def _joined(one: Settled, other: Settled) -> Settled:
    """One record of both; what it counts need not be all that lies between its ends."""
    count = one.count + other.count if one.count and other.count else 0
    return replace(one, last_nominal=other.last_nominal or other.nominal, count=count)


def _condensed(records: list[Settled]) -> Iterator[Settled]:
    """One record for each disposition and reason, and where it was moved to left out."""
    found: dict[tuple[Disposition, str], Settled] = {}
    for record in records:
        detail = record.detail.partition(";")[0]
        if record.disposition is Disposition.DEFERRED:
            detail += "; fires when it is open"
        general = replace(record, detail=detail)
        known = found.get((record.disposition, detail))
        found[record.disposition, detail] = general if known is None else _joined(known, general)
    yield from found.values()
