"""Closed instants that fire at the same reading of the clock on another day."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from scheduler_service.domain.catch_up import Settled
from scheduler_service.domain.closing import SEARCH, TICK, Closing
from scheduler_service.domain.instants import walk
from scheduler_service.domain.open_days import MOST_DAYS, OpenDays

MOST_A_DAY: Final = 24
"""Most instants of one day that a schedule may have which moves them."""

_DAY: Final = timedelta(days=1)
_REACH: Final = timedelta(days=MOST_DAYS + 2)
_WHOLE_DAY: Final = timedelta(hours=26)
"""Every reading lies in an open stretch that is as long as this: nothing is moved beyond it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BusinessDays(Closing):
    """Moves closed instants to the next day, or the one before, that is open at the same reading."""

    days: OpenDays
    forward: bool

    def moved(self, instant: datetime) -> datetime | None:
        """The same reading of the nearest open day; None when there is none within 366 days."""
        return self.days.nearest(instant)

    @property
    def stuck(self) -> str:
        """Said of one whose time is closed day after day."""
        return f", and so is its time on {MOST_DAYS} days {'after' if self.forward else 'before'} it"

    def next_after(self, instant: datetime) -> datetime | None:
        """The first one that fires later than `instant`; None when there is none within ten years."""
        reached, part = max(instant, self.after), 2 * _DAY
        limit = reached + SEARCH
        while reached < limit:
            closed = self.closure.stretch(reached + TICK)
            if closed is not None:
                reached = closed.until - TICK
                if reached >= limit:
                    return None
            found = self._between(reached, reached + part)
            if found:
                return found[0]
            reached, part = reached + part, min(2 * part, 64 * _DAY)
        return None

    def previous_at_or_before(self, instant: datetime) -> datetime | None:
        """The last one that fires not later than `instant`; None when there was none."""
        reached, part = instant, 2 * _DAY
        while reached > self.after:
            closed = self.closure.stretch(reached)
            if closed is not None:
                reached = closed.start - TICK
            start = max(self.after, reached - part)
            found = self._between(start, reached)
            if found:
                return found[-1]
            reached, part = start, min(2 * part, 64 * _DAY)
        return None

    def count(self, after: datetime, until: datetime) -> int | None:
        """How many fire in (after, until]."""
        return len(self._between(max(after, self.after), until))

    def _between(self, after: datetime, until: datetime) -> list[datetime]:
        """Those that fire in (after, until], earliest first."""
        low = max(self.after, self.moves_since(after))
        high = self.moves_until(until)
        fired = {self.fate(instant) for instant in walk(self.base, low, high)}
        return sorted(instant for instant in fired if instant is not None and after < instant <= until)

    def moves_since(self, instant: datetime) -> datetime:
        """What came by then was not moved beyond `instant`."""
        if not self.forward:
            return instant
        reached, limit = instant, instant - _REACH
        while reached > limit:
            closed = self.closure.closed.last_by(reached - TICK)
            if closed is None or reached - closed.until >= _WHOLE_DAY:
                return reached - TICK
            reached = closed.start
        return limit

    def moves_until(self, instant: datetime) -> datetime:
        """What comes later is not moved back to `instant` or before."""
        if self.forward:
            return instant
        closed = self.closure.closed.at(instant)
        reached, limit = instant if closed is None else closed.until, instant + _REACH
        while reached < limit:
            following = self.closure.closed.next_after(reached)
            if following is None or following.start - reached >= _WHOLE_DAY:
                return reached
            reached = following.until
        # It may be closed for years beyond: nothing is moved that far.
        return limit

    def _record(self, instant: datetime, until: datetime, counts: bool) -> Settled:
        """Each is moved on its own."""
        return self.settled(instant)
