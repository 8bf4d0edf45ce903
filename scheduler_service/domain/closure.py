"""Which instants the calendars of a schedule close, and which of them does."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from scheduler_service.domain.calendar import NamedRules
from scheduler_service.domain.coverage import coverage
from scheduler_service.domain.time_set import Span, TimeSet, complement, union


class Reason(NamedTuple):
    """Why an instant is closed, in words, and until when for that reason."""

    text: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Closure:
    """Closed is what lies in none of `included` (when there is one) or in any of `excluded`."""

    included: tuple[tuple[str, TimeSet], ...]
    excluded: tuple[tuple[str, TimeSet], ...]
    closed: TimeSet

    def is_closed(self, instant: datetime) -> bool:
        """Whether it does not count."""
        return self.closed.covers(instant)

    def stretch(self, instant: datetime) -> Span | None:
        """From when until when it is closed around `instant`; None when that is open."""
        return self.closed.at(instant)

    def reopens(self, instant: datetime) -> datetime | None:
        """The first open instant after the closed `instant`; None when there is none within ten years."""
        stretch = self.closed.at(instant)
        return None if stretch is None or self.closed.covers(stretch.until) else stretch.until

    def reason(self, instant: datetime) -> Reason:
        """Why the closed `instant` is closed: the first calendar that excludes it, else none includes it."""
        closed = self.closed.at(instant)
        assert closed is not None, "only closed instants have a reason"
        for name, calendar in self.excluded:
            stretch = calendar.at(instant)
            if stretch is not None:
                return Reason(f"closed by calendar {name}", min(stretch.until, closed.until))
        ends = [closed.until]
        for _, calendar in self.excluded:
            following = calendar.next_after(instant)
            if following is not None:
                ends.append(following.start)
        names = ", ".join(name for name, _ in self.included)
        return Reason(f"outside of calendar {names}", min(ends))


@lru_cache(maxsize=1024)
def closure(included: tuple[NamedRules, ...], excluded: tuple[NamedRules, ...]) -> Closure:
    """Raises InvalidSchedule when rules of a calendar cannot be read."""
    opened = tuple((name, coverage(rules)) for name, rules in included)
    closing = tuple((name, coverage(rules)) for name, rules in excluded)
    parts = [calendar for _, calendar in closing]
    if opened:
        parts.append(complement(union(calendar for _, calendar in opened)))
    return Closure(opened, closing, union(parts))
